"""Senders among social networks."""

import json
from datetime import datetime
from typing import Any

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.hmac_signatures import HmacScheme
from streams.connectors.social.line_channel import LINE_SIGNATURE
from streams.connectors.social.meta_webhooks import META_SIGNATURE
from tests.senders.sender import Sender

SECRETS = ("last year's", "this year's", "somebody else's")
SECONDS = 1772443790
"""2026-03-02T09:29:50Z"""


def sign(scheme: HmacScheme, secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {scheme.header: scheme.sign(secret, WebhookRequest("POST", Headers([]), body, at))}


def sign_meta(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return sign(META_SIGNATURE, secret, body, at)


def sign_line(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return sign(LINE_SIGNATURE, secret, body, at)


def whatsapp(field: str = "messages", **value: Any) -> dict[str, Any]:
    """A webhook of the Cloud API with one change, in the documented shape."""
    common = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "18005550199", "phone_number_id": "555"},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": "14155550100"}],
    }
    change = {"field": field, "value": common | value}
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}


def whatsapp_message(**said: Any) -> dict[str, Any]:
    """A message as it stands in a change."""
    text = {"type": "text", "text": {"body": "It is broken"}} if "type" not in said else {}
    return {"from": "14155550100", "id": "wamid.1", "timestamp": str(SECONDS)} | text | said


def messenger(*items: dict[str, Any], about: str = "page", **entry: Any) -> dict[str, Any]:
    """A webhook of a page or an account, in the documented shape."""
    inside = {"messaging": list(items)} if items else {}
    return {"object": about, "entry": [{"id": "900", "time": SECONDS * 1000} | inside | entry]}


def direct(sender: str = "42", recipient: str = "900", **said: Any) -> dict[str, Any]:
    """Something that happened between a person (42) and the page (900)."""
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": SECONDS * 1000} | said


def line_event(kind: str, **said: Any) -> dict[str, Any]:
    """An event of LINE, in the documented shape."""
    return {
        "type": kind,
        "mode": "active",
        "timestamp": SECONDS * 1000,
        "source": {"type": "user", "userId": "U42"},
        "webhookEventId": f"ev-{kind}",
        "deliveryContext": {"isRedelivery": False},
    } | said


DIRECT_TEXT = direct(message={"mid": "m_1", "text": "It is broken"})
LINE_TEXT = line_event("message", message={"id": "325708", "type": "text", "text": "It is broken"})

SOCIAL_SENDERS = [
    Sender(
        connector="whatsapp",
        payload=json.dumps(whatsapp(messages=[whatsapp_message()])).encode(),
        sign=sign_meta,
        secrets=SECRETS,
        unknown=json.dumps({"object": "teleported", "entry": []}).encode(),
        signed_headers=(META_SIGNATURE.header,),
        covers="body",
        settings={"tokens": ("verify me",)},
        greets=("GET",),
    ),
    *(
        Sender(
            connector=connector,
            payload=json.dumps(messenger(DIRECT_TEXT, about=about)).encode(),
            sign=sign_meta,
            secrets=SECRETS,
            unknown=json.dumps({"object": "teleported", "entry": []}).encode(),
            signed_headers=(META_SIGNATURE.header,),
            covers="body",
            settings={"tokens": ("verify me",)},
            greets=("GET",),
        )
        for connector, about in (("messenger", "page"), ("instagram", "instagram"))
    ),
    Sender(
        connector="line",
        payload=json.dumps({"destination": "U1", "events": [LINE_TEXT]}).encode(),
        sign=sign_line,
        secrets=SECRETS,
        unknown=json.dumps(line_event("teleported"), sort_keys=True, separators=(",", ":")).encode(),
        signed_headers=(LINE_SIGNATURE.header,),
        covers="body",
    ),
]
