"""Senders among help desks and live chats."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streams.connectors.signatures import ZendeskSignature
from tests.senders.sender import Sender


def sign_zendesk(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        ZendeskSignature.SIGNATURE: ZendeskSignature([secret]).sign(stamp, body),
        ZendeskSignature.TIMESTAMP: stamp,
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

HELPDESK_SENDERS = [
    Sender(
        connector="zendesk",
        payload=json.dumps(ZENDESK_COMMENT).encode(),
        sign=sign_zendesk,
        secrets=("last year's", "this year's", "somebody else's"),
        unknown=json.dumps(zendesk_event("ticket.teleported")).encode(),
        signed_headers=(ZendeskSignature.TIMESTAMP, ZendeskSignature.SIGNATURE),
    ),
]
