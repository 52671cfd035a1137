"""Microsoft Teams from the other side: the Bot Framework with keys of its own, and an outgoing webhook.

Graph proves itself in the body and not in headers, so its way in has tests of its own (`test_teams_ways_in`).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from typing_extensions import override

from streams.connectors.connector_contract import Instance
from tests.senders.sender import NOW, Sender

APP_ID = "6b1c9d30-0000-4000-8000-0000000000b0"
SERVICE_URL = "https://smba.trafficmanager.net/emea/"
CUSTOMER_TENANT = "7e3a0000-0000-4000-8000-00000000c001"
OUR_TENANT = "0a110000-0000-4000-8000-00000000a001"
THREAD = "19:help@thread.tacv2;messageid=1772443700000"


def activity(activity_type: str = "message", **words: Any) -> dict[str, Any]:
    """An activity in a channel of a customer's tenant, in the documented shape."""
    return {
        "type": activity_type,
        "id": "1772443790000",
        "timestamp": "2026-03-02T09:29:50.1234567Z",
        "serviceUrl": SERVICE_URL,
        "channelId": "msteams",
        "from": {"id": "29:1anna", "name": "Anna", "aadObjectId": "anna"},
        "conversation": {"conversationType": "channel", "isGroup": True, "id": THREAD, "tenantId": CUSTOMER_TENANT},
        "recipient": {"id": f"28:{APP_ID}", "name": "Help"},
        "textFormat": "plain",
        "text": "<at>Help</at> it is broken",
        "channelData": {"tenant": {"id": CUSTOMER_TENANT}, "channel": {"id": "19:help@thread.tacv2"}},
    } | words


@cache
def key_named(name: str) -> RSAPrivateKey:
    """A signing key; the same for the same name, as long as the tests run."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def public_key(name: str, **words: Any) -> dict[str, Any]:
    """A key as the Bot Framework publishes it."""
    published = jwt.algorithms.RSAAlgorithm.to_jwk(key_named(name).public_key(), as_dict=True)
    return {**published, "use": "sig", "kid": name, "endorsements": ["msteams"], **words}


def token(name: str, at: datetime = NOW, *, kid: str | None = None, algorithm: str = "RS256", **claims: Any) -> str:
    """A token of the Bot Framework, signed with the key of this name; a claim that is null is left out."""
    said = {
        "iss": "https://api.botframework.com",
        "aud": APP_ID,
        "nbf": int((at - timedelta(minutes=5)).timestamp()),
        "exp": int((at + timedelta(minutes=55)).timestamp()),
        "serviceurl": SERVICE_URL,
    } | claims
    said = {claim: value for claim, value in said.items() if value is not None}
    key: Any = key_named(name) if algorithm.startswith("RS") else "a shared secret that is long enough for HMAC"
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid or name})


def sign_bot(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    published = secret in {"old", "new"}
    return {"Authorization": "Bearer " + token(secret, at, kid=secret if published else "new")}


def sign_outgoing(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    digest = hmac.new(base64.b64decode(secret), body, hashlib.sha256).digest()
    return {"Authorization": "HMAC " + base64.b64encode(digest).decode()}


class KeyServer:
    """An OpenID configuration and a set of keys on loopback."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        self.keys = keys
        self.asked = 0
        self.jwks_uri: str | None = None
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                body = json.dumps(outer.document(self.path)).encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def document(self, path: str) -> Mapping[str, Any]:
        if path == "/keys":
            return {"keys": self.keys}
        return {"issuer": "https://api.botframework.com", "jwks_uri": self.jwks_uri or f"{self.address}/keys"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@cache
def common_key_server() -> KeyServer:
    """The one that the behaviour suite asks."""
    return KeyServer([public_key("old"), public_key("new")])


@dataclass(kw_only=True)
class BotSender(Sender):
    """The Bot Framework: an instance has no secret of it, only the address of its public keys."""

    app_id: str = field(default=APP_ID)

    @override
    def instance(self) -> Instance:
        options = {"app_id": self.app_id, "openid_url": f"{common_key_server().address}/openid"}
        return Instance(self.connector, "teams", options=options)


MESSAGE = json.dumps(activity()).encode()
UNKNOWN = json.dumps(activity("teleported")).encode()

TEAMS_SENDERS = [
    BotSender(
        connector="teams",
        payload=MESSAGE,
        sign=sign_bot,
        secrets=("old", "new", "foreign"),
        unknown=UNKNOWN,
        signed_headers=("Authorization",),
        covers="nothing",
    ),
    Sender(
        connector="teams-outgoing",
        kind="teams",
        payload=MESSAGE,
        sign=sign_outgoing,
        secrets=tuple(base64.b64encode(secret).decode() for secret in (b"last year's", b"this year's", b"foreign")),  # type: ignore[arg-type]
        unknown=UNKNOWN,
        signed_headers=("Authorization",),
        covers="body",
    ),
]
