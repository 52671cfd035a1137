"""Senders among product analytics, billing and the CRM."""

import json
from datetime import datetime
from typing import Any

from streams.connectors.business import outreach_events, segment_events
from streams.connectors.business.stripe_signature import StripeSignature
from tests.senders.sender import Sender
from tests.senders.survey_senders import SECRETS, signed_by


def segment_track(event: str, **words: Any) -> dict[str, Any]:
    """A track call in the documented shape."""
    return {
        "type": "track",
        "event": event,
        "messageId": "022bb90c-bbac-11e4",
        "userId": "42",
        "context": {"groupId": "acme"},
        "timestamp": "2026-03-02T09:29:00.000Z",
        "properties": {},
    } | words


def stripe_event(kind: str, thing: dict[str, Any], **previous: Any) -> dict[str, Any]:
    """An event with its object in the documented shape."""
    data = {"object": {"id": "in_1", "customer": "cus_1", "currency": "usd"} | thing}
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-04-22.dahlia",
        "created": 1772443000,
        "type": kind,
        "data": data | ({"previous_attributes": previous} if previous else {}),
    }


def salesforce_change(entity: str, change: str, fields: dict[str, Any], **header: Any) -> dict[str, Any]:
    """A change event as Pub/Sub and CometD subscribers get it."""
    return {
        "schema": "IeRuaY6cbI_HsV8Rv1Mc5g",
        "payload": {
            "ChangeEventHeader": {
                "entityName": entity,
                "changeType": change,
                "recordIds": ["500000000000001AAA"],
                "changedFields": [],
                "transactionKey": "0002343d-9d90-e395",
                "sequenceNumber": 1,
                "commitTimestamp": 1772443000000,
                "commitUser": "005000000000001AAA",
            }
            | header,
            **fields,
        },
        "event": {"replayId": 6},
    }


def outreach_event(kind: str, name: str, attributes: dict[str, Any] | None = None, **related: str) -> dict[str, Any]:
    """A webhook of Outreach in the captured shape."""
    relationships = {key: {"type": key, "id": value} for key, value in related.items()}
    data = {"type": kind, "id": 7, "attributes": attributes or {}, "relationships": relationships}
    return {"data": data, "meta": {"deliveredAt": "2026-03-02T09:29:30.000+00:00", "eventName": name}}


MAIL = {
    "ParentId": "500000000000001AAA",
    "Incoming": True,
    "FromAddress": "Ana@Acme.example",
    "TextBody": "It is broken",
    "MessageDate": "2026-03-02T09:29:00Z",
}
DELIVERED = {"state": "delivered", "deliveredAt": "2026-03-02T09:29:00.000Z", "subject": "Your renewal"}


def sign_stripe(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {StripeSignature.HEADER: StripeSignature([secret]).sign(str(int(at.timestamp())), body)}


def bear(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


BUSINESS_SENDERS = [
    Sender(
        connector="segment",
        payload=json.dumps(segment_track("Report Shared")).encode(),
        sign=signed_by(segment_events.SIGNATURE),
        secrets=SECRETS,
        unknown=json.dumps(segment_track("x", type="teleported")).encode(),
        signed_headers=(segment_events.SIGNATURE.header,),
        covers="body",
        event="signal",
    ),
    Sender(
        connector="stripe",
        payload=json.dumps(stripe_event("invoice.payment_failed", {"object": "invoice", "amount_due": 1250})).encode(),
        sign=sign_stripe,
        secrets=SECRETS,
        unknown=json.dumps(stripe_event("teleported.created", {})).encode(),
        signed_headers=(StripeSignature.HEADER,),
        event="signal",
    ),
    Sender(
        connector="outreach",
        payload=json.dumps(outreach_event("mailing", "mailing.updated", DELIVERED, prospect="3", user="8")).encode(),
        sign=signed_by(outreach_events.SIGNATURE),
        secrets=SECRETS,
        unknown=json.dumps(outreach_event("teleported", "teleported.created")).encode(),
        signed_headers=(outreach_events.SIGNATURE.header,),
        covers="body",
        means=("message", "agent"),
    ),
    Sender(
        connector="salesforce",
        payload=json.dumps(salesforce_change("EmailMessage", "CREATE", MAIL)).encode(),
        sign=bear,
        secrets=SECRETS,
        unknown=json.dumps(salesforce_change("Case", "teleported", {})).encode(),
        signed_headers=("authorization",),
        covers="nothing",
        forged="bad_token",
        kept_as="tokens",
    ),
]
