"""Senders among help desks and live chats."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.helpdesks.hubspot_signature import HubSpotSignature
from streams.connectors.helpdesks.zammad_channel import SIGNATURE
from streams.connectors.helpdesks.zendesk_channel import SIGNATURE as ZENDESK_SIGNATURE
from streams.connectors.shared_secrets import TOKEN_HEADER
from tests.senders.sender import Sender

ZENDESK_TIMESTAMP = ZENDESK_SIGNATURE.timestamp_header or ""


def sign_zendesk(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    request = WebhookRequest("POST", Headers([]), body, at)
    return {
        ZENDESK_SIGNATURE.header: ZENDESK_SIGNATURE.sign(secret, request, stamp),
        ZENDESK_TIMESTAMP: stamp,
    }


def zendesk_event(kind: str, event: Mapping[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    """A Zendesk event of a ticket, in the documented shape."""
    return {
        "account_id": 22129848,
        "id": f"ev-{kind}",
        "time": "2026-03-02T09:29:58.789012345Z",
        "type": f"zen:event-type:{kind}",
        "subject": "zen:ticket:5158",
        "zendesk_event_version": "2022-11-06",
        "detail": {
            "id": "5158",
            "actor_id": "70",
            "requester_id": "42",
            "submitter_id": "42",
            "organization_id": "9",
            "group_id": "3",
            "assignee_id": "70",
            "brand_id": "1",
            "priority": "HIGH",
            "status": "OPEN",
            "created_at": "2026-03-02T09:00:00Z",
            "updated_at": "2026-03-02T09:29:58Z",
            "type": "PROBLEM",
            "tags": ["mobile", "login"],
            "description": "It is broken",
            "is_public": True,
            "via": {"channel": "mail"},
        }
        | detail,
        "event": dict(event or {}),
    }


ZENDESK_COMMENT = zendesk_event(
    "ticket.comment_added",
    {"comment": {"id": "8", "body": "It is broken", "is_public": True, "author": {"id": "42", "is_staff": False}}},
)

FRESHDESK_CREATED = {
    "freshdesk_webhook": {
        "triggered_event": "{ticket_action:created}",
        "ticket_id": "11",
        "ticket_status": "Open",
        "ticket_priority": "Medium",
        "ticket_source": "Portal",
        "ticket_description": "<div>It is <b>broken</b></div>",
        "ticket_requester_email": "Bob@Acme.example",
        "ticket_created_at": "2026-03-02T09:29:58Z",
    }
}

ZAMMAD_CALL: dict[str, Any] = {
    "ticket": {
        "id": 81,
        "number": "10081",
        "customer": {"id": 8, "email": "emily@acme.example"},
        "customer_id": 8,
        "group_id": 3,
        "organization_id": 3,
        "owner_id": 5,
        "priority": {"id": 2, "name": "2 normal"},
        "state": "open",
        "state_id": 2,
        "updated_at": "2026-03-02T09:29:58.333Z",
        "updated_by_id": 3,
    },
    "article": {
        "id": 104,
        "ticket_id": 81,
        "sender": "Customer",
        "type": "phone",
        "internal": False,
        "content_type": "text/html",
        "body": "It is <b>broken</b>",
        "created_at": "2026-03-02T09:29:58.318Z",
        "created_by_id": 3,
        "origin_by_id": 8,
    },
}


def hubspot_event(subscription: str, **said: Any) -> dict[str, Any]:
    """An event of HubSpot's as a webhook has it, in a list or alone."""
    return {
        "eventId": 3816279340,
        "subscriptionId": 25,
        "portalId": 33,
        "appId": 1160452,
        "occurredAt": 1772443798945,
        "subscriptionType": subscription,
        "attemptNumber": 0,
        "objectId": 123,
        "changeSource": "CRM_UI",
    } | said


HUBSPOT_RECEIVED = hubspot_event(
    "ticket.propertyChange", propertyName="hs_last_message_received_at", propertyValue="1772443798000"
)
PUBLIC_URL = "https://in.ours.example"


def sign_hubspot(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp() * 1000))
    called = WebhookRequest("POST", Headers([]), body, at, url=f"{PUBLIC_URL}/in/hubspot")
    return {
        HubSpotSignature.TIMESTAMP: stamp,
        HubSpotSignature.VERSION_3: HubSpotSignature.version_3(secret.encode(), called, stamp).decode(),
    }


def sign_zammad(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {SIGNATURE.header: SIGNATURE.sign(secret, WebhookRequest("POST", Headers([]), body, at))}


HELPDESK_SENDERS = [
    Sender(
        connector="freshdesk",
        payload=json.dumps(FRESHDESK_CREATED).encode(),
        sign=lambda token, _body, _at: {TOKEN_HEADER: token},
        secrets=("last year's", "this year's", "somebody else's"),
        unknown=json.dumps({"freshdesk_webhook": {"ticket_id": 11, "triggered_event": "{teleported:yes}"}}).encode(),
        signed_headers=(TOKEN_HEADER,),
        covers="nothing",
        forged="bad_token",
        kept_as="tokens",
    ),
    Sender(
        connector="hubspot",
        payload=json.dumps([HUBSPOT_RECEIVED]).encode(),
        sign=sign_hubspot,
        secrets=("last year's", "this year's", "somebody else's"),
        unknown=json.dumps(hubspot_event("teleported")).encode(),
        signed_headers=(HubSpotSignature.TIMESTAMP, HubSpotSignature.VERSION_3),
        settings={"public_url": PUBLIC_URL},
    ),
    Sender(
        connector="zammad",
        payload=json.dumps(ZAMMAD_CALL).encode(),
        sign=sign_zammad,
        secrets=("last year's", "this year's", "somebody else's"),
        unknown=json.dumps({"ticket": {"id": 81, "state": "teleported"}}).encode(),
        signed_headers=(SIGNATURE.header,),
        covers="body",
    ),
    Sender(
        connector="zendesk",
        payload=json.dumps(ZENDESK_COMMENT).encode(),
        sign=sign_zendesk,
        secrets=("last year's", "this year's", "somebody else's"),
        unknown=json.dumps(zendesk_event("ticket.teleported")).encode(),
        signed_headers=(ZENDESK_TIMESTAMP, ZENDESK_SIGNATURE.header),
    ),
]
