"""Vonage's signed webhooks: a bearer token (JWT, HS256) that has the SHA-256 of the body as `payload_hash`.

Sources: Vonage documentation, "Signed webhooks"; RFC 7515 and RFC 7519. Only HS256 is known here, whatever a token
says of itself. `vonage_channel` reads what is genuine.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from streams.connectors.connector_contract import Verdict, WebhookRequest
from streams.connectors.payload_reading import Json, instant, read_json, text
from streams.connectors.signatures import any_matches, judged_by_time, keys_of, raw_text

ALGORITHM = "HS256"


class VonageJwt:
    """Verifies with the signature secrets of the account or application; several while one is being replaced."""

    HEADER = "authorization"

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the signature secrets.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._keys = keys_of(secrets, "a signature secret")

    def sign(self, issued_at_seconds: int, body: bytes) -> str:
        """The header that Vonage would write with the first secret."""
        claims = {"iat": issued_at_seconds, "iss": "Vonage", "payload_hash": hashlib.sha256(body).hexdigest()}
        parts = [_written(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": ALGORITHM}, claims)]
        signed = b".".join(parts)
        return f"Bearer {(signed + b'.' + _signature(self._keys[0], signed)).decode()}"

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the token was signed with one of the secrets, for this body and in time."""
        header = request.headers.get(self.HEADER)
        if not header:
            return Verdict("missing_signature")
        if request.headers.repeated(self.HEADER):
            return Verdict("repeated_header")
        scheme, _, token = header.partition(" ")
        signed, _, signature = raw_text(token.strip()).rpartition(b".")
        about, _, claimed = signed.partition(b".")
        genuine = any_matches([_signature(key, signed) for key in self._keys], [signature])
        if not genuine or scheme.lower() != "bearer" or text(_part(about), "alg") != ALGORITHM:
            return Verdict("bad_signature")
        claims = _part(claimed)
        digest = hashlib.sha256(request.body).hexdigest().encode()
        if not hmac.compare_digest(raw_text((text(claims, "payload_hash") or "").lower()), digest):
            return Verdict("bad_signature")
        signed_at = instant(claims, "iat")
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)


def _part(encoded: bytes) -> Json:
    """One part of a token; what cannot be read has nothing in it."""
    try:
        return read_json(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None


def _signature(key: bytes, signed: bytes) -> bytes:
    return _written(hmac.new(key, signed, hashlib.sha256).digest())


def _written(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
