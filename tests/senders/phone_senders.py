"""Senders among telephone providers."""

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from streams.connectors.phone.twilio_signature import TwilioSignature
from streams.connectors.phone.vonage_jwt import VonageJwt
from tests.senders.sender import Sender

PUBLIC_URL = "https://careline.example"
SECRETS = ("last year's", "this year's", "somebody else's")


def sign_twilio(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    try:
        signature = TwilioSignature([secret]).sign(f"{PUBLIC_URL}/in/twilio", body)
    except ValueError:
        signature = "a body that is no form has no signature"
    return {TwilioSignature.HEADER: signature}


def sign_vonage(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {VonageJwt.HEADER: VonageJwt([secret]).sign(int(at.timestamp()), body)}


def send_token(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def with_token(secret: str, body: bytes) -> bytes:
    """Aircall's proof: the token among the other keys. What is no object has no place for it."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(content | {"token": secret}).encode() if isinstance(content, dict) else body


def twilio_call(status: str, **fields: str) -> dict[str, str]:
    """A voice webhook, in the documented fields."""
    return {
        "CallSid": "CA" + "1" * 32,
        "AccountSid": "AC" + "2" * 32,
        "From": "+14155550100",
        "To": "+18005550199",
        "CallStatus": status,
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
        "SequenceNumber": "0",
        "Timestamp": "Mon, 02 Mar 2026 09:29:50 +0000",
        "CallbackSource": "call-progress-events",
    } | fields


TWILIO_MESSAGE = {
    "MessageSid": "SM" + "3" * 32,
    "AccountSid": "AC" + "2" * 32,
    "From": "+14155550100",
    "To": "+18005550199",
    "Body": "It is broken",
    "NumMedia": "0",
    "SmsStatus": "received",
}

VONAGE_MESSAGE = {
    "channel": "sms",
    "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
    "to": "18005550199",
    "from": "14155550100",
    "timestamp": "2026-03-02T09:29:50Z",
    "text": "It is broken",
    "message_type": "text",
}


def vonage_call(status: str, **fields: Any) -> dict[str, Any]:
    """An event webhook of the Voice API, in the documented fields."""
    return {
        "from": "14155550100",
        "to": "18005550199",
        "uuid": "leg-1",
        "conversation_uuid": "CON-1",
        "status": status,
        "direction": "inbound",
        "timestamp": "2026-03-02T09:29:50.000Z",
    } | fields


def contact_event(event_type: str, **detail: Any) -> dict[str, Any]:
    """A contact event of Amazon Connect as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "abcabcab-abca-abca-abca-abcabcabcabc",
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "time": "2026-03-02T09:29:58Z",
        "detail": {
            "eventType": event_type,
            "contactId": "contact-1",
            "channel": "VOICE",
            "initiationMethod": "INBOUND",
            "initiationTimestamp": "2026-03-02T09:29:50.000Z",
        }
        | detail,
    }


def aircall_event(event: str, **data: Any) -> dict[str, Any]:
    """An event of Aircall about a call, in the documented fields."""
    return {
        "resource": event.partition(".")[0],
        "event": event,
        "timestamp": 1772443795,
        "token": "never shown",
        "data": {
            "id": 123,
            "direction": "inbound",
            "status": "initial",
            "started_at": 1772443790,
            "answered_at": None,
            "ended_at": None,
            "raw_digits": "+1 415-555-0100",
            "user": None,
            "contact": None,
            "number": {"id": 7, "digits": "+1 800-555-0199"},
            "tags": [],
            "comments": [],
        }
        | data,
    }


AIRCALL_MESSAGE = aircall_event("message.received", id="m-1", external_number="+14155550100", body="It is broken")

PHONE_SENDERS = [
    Sender(
        connector="twilio",
        payload=urlencode(TWILIO_MESSAGE).encode(),
        sign=sign_twilio,
        secrets=SECRETS,
        extra={"content-type": "application/x-www-form-urlencoded"},
        unknown=urlencode(twilio_call("teleported")).encode(),
        signed_headers=(TwilioSignature.HEADER,),
        covers="body",
        settings={"public_url": PUBLIC_URL},
        json=False,
    ),
    Sender(
        connector="vonage",
        payload=json.dumps(VONAGE_MESSAGE).encode(),
        sign=sign_vonage,
        secrets=SECRETS,
        unknown=json.dumps(vonage_call("teleported")).encode(),
        signed_headers=(VonageJwt.HEADER,),
    ),
    Sender(
        connector="amazon-connect",
        payload=json.dumps(contact_event("INITIATED", channel="EMAIL")).encode(),
        sign=send_token,
        secrets=SECRETS,
        unknown=json.dumps(contact_event("TELEPORTED")).encode(),
        signed_headers=("authorization",),
        covers="nothing",
        forged="bad_token",
        kept_as="tokens",
    ),
    Sender(
        connector="aircall",
        payload=json.dumps(AIRCALL_MESSAGE).encode(),
        sign=lambda secret, body, at: {},
        secrets=SECRETS,
        unknown=json.dumps(aircall_event("call.teleported")).encode(),
        signed_headers=(),
        covers="nothing",
        forged="bad_token",
        in_body=with_token,
    ),
]
