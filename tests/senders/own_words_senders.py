"""Senders of our own words: the generic webhook and CloudEvents, both signed by Standard Webhooks; form and chat."""

import base64
import json
from datetime import datetime, timedelta

from streams.connectors.own_words.visitor_tokens import VisitorClaims, VisitorTokens
from streams.connectors.shared_secrets import TOKEN_HEADER
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


FORM_POST = b"name=Bob&email=Bob%40Acme.example&subject=Help&message=It+is+broken&honeypot="
CHAT_MESSAGE = {"id": "m-1", "conversation": "v-1", "text": "It is broken", "email": "bob@acme.example"}
CHAT_SECRETS = ("the secret of last year, 24", "the secret of this year, 24", "the secret of somebody else")


def sign_visitor(secret: str, _body: bytes, at: datetime) -> dict[str, str]:
    token = VisitorTokens([secret]).make(VisitorClaims("v-1", at + timedelta(hours=1)))
    return {"authorization": f"Bearer {token}"}


OWN_WORDS_SENDERS = [
    Sender(
        connector="chat",
        payload=json.dumps(CHAT_MESSAGE).encode(),
        sign=sign_visitor,
        secrets=CHAT_SECRETS,
        unknown=json.dumps(CHAT_MESSAGE | {"from": "teleported"}).encode(),
        signed_headers=("authorization",),
        covers="nothing",
        forged="bad_token",
    ),
    Sender(
        connector="form",
        payload=FORM_POST,
        sign=lambda token, _body, _at: {TOKEN_HEADER: token},
        secrets=("last year's", "this year's", "somebody else's"),
        extra={"content-type": "application/x-www-form-urlencoded"},
        unknown=b"teleported=1",
        signed_headers=(TOKEN_HEADER,),
        covers="nothing",
        forged="bad_token",
        kept_as="tokens",
        json=False,
    ),
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
