"""Senders of our own words: the generic webhook and CloudEvents, both signed by Standard Webhooks."""

import base64
import json
from datetime import datetime

from streams.connectors.signatures import StandardWebhooks
from tests.senders.sender import Sender

OLD_SECRET = "whsec_" + base64.b64encode(b"the key of last year, 24").decode()
NEW_SECRET = "whsec_" + base64.b64encode(b"the key of this year, 24").decode()
FOREIGN_SECRET = "whsec_" + base64.b64encode(b"the key of somebody else").decode()
STANDARD_SECRETS = (OLD_SECRET, NEW_SECRET, FOREIGN_SECRET)
STANDARD_HEADERS = StandardWebhooks.HEADERS
MESSAGE = {"id": "m-1", "conversation": "c-1", "at": "2026-03-02T09:29:58Z", "from": "customer", "text": "It is broken"}
CE = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/shop", "ce-type": "careline.interaction.v1"}


def sign_standard(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    signature = StandardWebhooks.with_secrets([secret]).sign("msg_1", seconds, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": signature}


OWN_WORDS_SENDERS = [
    Sender(
        connector="webhook",
        payload=json.dumps(MESSAGE).encode(),
        sign=sign_standard,
        secrets=STANDARD_SECRETS,
        unknown=json.dumps(MESSAGE | {"type": "teleported"}).encode(),
        signed_headers=STANDARD_HEADERS,
    ),
    Sender(
        connector="cloudevents",
        payload=json.dumps(MESSAGE).encode(),
        sign=sign_standard,
        secrets=STANDARD_SECRETS,
        extra=CE | {"content-type": "application/json"},
        unknown=json.dumps(MESSAGE | {"type": "teleported"}).encode(),
        signed_headers=STANDARD_HEADERS,
    ),
]
