"""Senders among the help desks that began as chats and shared mailboxes: Chatwoot, Front, Help Scout, Intercom."""

import json
from datetime import datetime
from typing import Any

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.helpdesks.chatwoot_channel import SIGNATURE as CHATWOOT_SIGNATURE
from streams.connectors.helpdesks.front_channel import APPLICATION_SIGNATURE
from streams.connectors.helpdesks.helpscout_channel import SIGNATURE as HELPSCOUT_SIGNATURE
from streams.connectors.helpdesks.intercom_channel import SIGNATURE as INTERCOM_SIGNATURE
from streams.connectors.hmac_signatures import HmacScheme
from tests.senders.sender import Sender

SECRETS = ("last year's", "this year's", "somebody else's")


def signing(scheme: HmacScheme, timestamp: str = "") -> Any:
    """How a provider signs: its time as `seconds` or `milliseconds`, where it signs one."""

    def sign(secret: str, body: bytes, at: datetime) -> dict[str, str]:
        stamp = str(int(at.timestamp() * (1000 if timestamp == "milliseconds" else 1))) if timestamp else ""
        signature = scheme.sign(secret, WebhookRequest("POST", Headers([]), body, at), stamp)
        return ({scheme.timestamp_header: stamp} if scheme.timestamp_header else {}) | {scheme.header: signature}

    return sign


def intercom_notice(topic: str, item: dict[str, Any]) -> dict[str, Any]:
    """A notification as the API of 2026 writes it."""
    data = {"type": "notification_event_data", "item": item}
    return {
        "type": "notification_event",
        "app_id": "abc123",
        "data": data,
        "id": f"notif_{topic}",
        "topic": topic,
        "delivery_attempts": 1,
        "first_sent_at": 1772443799,
        "created_at": 1772443798,
    }


def intercom_conversation(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation that a user of Acme began in the messenger."""
    listed = {"type": "conversation_part.list", "conversation_parts": list(parts), "total_count": len(parts)}
    return {
        "type": "conversation",
        "id": "2154",
        "created_at": 1772443700,
        "updated_at": 1772443798,
        "source": {
            "type": "conversation",
            "id": "3381",
            "delivered_as": "customer_initiated",
            "body": "<p>It is <b>broken</b></p>",
            "author": {"type": "user", "id": "c-1", "email": "jo@acme.example"},
            "attachments": [],
        },
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "c-1", "external_id": "42"}]},
        "admin_assignee_id": 70,
        "team_assignee_id": None,
        "state": "open",
        "priority": "not_priority",
        "conversation_parts": listed,
    } | more


def intercom_part(part_type: str, body: str | None, author: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A part of a conversation."""
    return {
        "type": "conversation_part",
        "id": "900",
        "part_type": part_type,
        "body": body,
        "created_at": 1772443790,
        "author": author,
        "attachments": [],
    } | more


CHATWOOT_MESSAGE: dict[str, Any] = {
    "event": "message_created",
    "id": 118,
    "content": "It is broken",
    "created_at": "2026-03-02T09:29:58.000Z",
    "message_type": "incoming",
    "private": False,
    "sender": {"id": 14, "name": "Jo", "type": "contact"},
    "inbox": {"id": 1, "name": "Support"},
    "conversation": {
        "id": 10,
        "inbox_id": 1,
        "channel": "Channel::Email",
        "status": "open",
        "labels": ["login"],
        "meta": {"sender": {"id": 14, "email": "jo@acme.example", "type": "contact"}, "assignee": None},
    },
    "account": {"id": 1, "name": "Us"},
}

FRONT_INBOUND: dict[str, Any] = {
    "type": "inbound_received",
    "authorization": {"id": "cmp_1"},
    "payload": {
        "id": "evt_1",
        "type": "inbound",
        "emitted_at": 1772443798.5,
        "conversation": {"id": "cnv_1", "status": "unassigned", "tags": [{"id": "tag_1", "name": "login"}]},
        "source": {"_meta": {"type": "inboxes"}, "data": [{"id": "inb_1", "name": "Support"}]},
        "target": {
            "_meta": {"type": "message"},
            "data": {
                "id": "msg_1",
                "type": "email",
                "is_inbound": True,
                "created_at": 1772443797.25,
                "text": "It is broken\n",
                "author": None,
                "recipients": [
                    {"handle": "Jo@Acme.example", "role": "from"},
                    {"handle": "help@us.example", "role": "to"},
                ],
            },
        },
    },
}

HELPSCOUT_REPLY: dict[str, Any] = {
    "id": 291938,
    "number": 349,
    "type": "email",
    "status": "active",
    "mailboxId": 85,
    "primaryCustomer": {"id": 29418, "email": "jo@acme.example"},
    "createdBy": {"id": 29418, "type": "customer"},
    "createdAt": "2026-03-02T09:29:00Z",
    "userUpdatedAt": "2026-03-02T09:29:58Z",
    "tags": [{"id": 1, "tag": "login"}],
    "_embedded": {
        "threads": [
            {
                "id": 8817,
                "type": "customer",
                "state": "published",
                "body": "It is broken",
                "createdBy": {"id": 29418, "type": "customer", "email": "jo@acme.example"},
                "createdAt": "2026-03-02T09:29:58Z",
            }
        ]
    },
}


def body_of(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


CHAT_HELPDESK_SENDERS = [
    Sender(
        connector="chatwoot",
        payload=body_of(CHATWOOT_MESSAGE),
        sign=signing(CHATWOOT_SIGNATURE, "seconds"),
        secrets=SECRETS,
        unknown=body_of(CHATWOOT_MESSAGE | {"event": "teleported"}),
        signed_headers=("x-chatwoot-timestamp", "x-chatwoot-signature"),
    ),
    Sender(
        connector="front",
        payload=body_of(FRONT_INBOUND),
        sign=signing(APPLICATION_SIGNATURE, "milliseconds"),
        secrets=SECRETS,
        unknown=body_of(FRONT_INBOUND["payload"] | {"type": "teleported"}),
        signed_headers=("x-front-request-timestamp", "x-front-signature"),
    ),
    Sender(
        connector="helpscout",
        payload=body_of(HELPSCOUT_REPLY),
        sign=signing(HELPSCOUT_SIGNATURE),
        secrets=SECRETS,
        unknown=body_of(HELPSCOUT_REPLY | {"status": "teleported"}),
        signed_headers=("x-helpscout-signature",),
        covers="body",
    ),
    Sender(
        connector="intercom",
        payload=body_of(intercom_notice("conversation.user.created", intercom_conversation())),
        sign=signing(INTERCOM_SIGNATURE),
        secrets=SECRETS,
        unknown=body_of(intercom_notice("conversation.teleported", intercom_conversation())),
        signed_headers=("x-hub-signature",),
        covers="body",
        greets=("HEAD",),
    ),
]
