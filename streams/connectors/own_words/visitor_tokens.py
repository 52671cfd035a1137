"""Short-lived tokens of a chat's visitors: who they are, until when, and the instance's signature over it.

A token is `<claims>.<signature>`, both in base64url without padding: the claims are JSON (`visitor`, `expires_at` in
seconds since 1970, and `email` where the site's backend vouches for one), the signature is HMAC-SHA256 over the claims
as they are written. Any backend can make one.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from streams.connectors.connector_contract import GENUINE, Refused, Verdict
from streams.connectors.payload_reading import id_text, instant, read_json, text
from streams.connectors.signatures import any_matches, raw_text

FEWEST_SECRET_BYTES = 24
"""Every visitor holds a signature to try secrets on; so many bytes cannot be tried."""
LONGEST_LIFE = timedelta(days=1)
"""A token that lives longer is believed by nobody: it cannot be taken back."""
LONGEST_TOKEN = 2_000
"""Characters that are looked at."""


class VisitorClaims(NamedTuple):
    """What a token says. `email` is an address that the site vouches for."""

    visitor: str
    expires_at: datetime
    email: str | None = None


def claims_in(token: str) -> VisitorClaims | None:
    """What a token says, whoever signed it; null when it is none."""
    written, dot, _ = token.partition(".")
    if not dot or len(token) > LONGEST_TOKEN:
        return None
    try:
        decoded = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    said = read_json(decoded)
    if isinstance(said, Refused):
        return None
    visitor, expires_at = id_text(said, "visitor"), instant(said, "expires_at")
    if visitor is None or "/" in visitor or expires_at is None:  # behind a slash stand the conversations of a visitor
        return None
    return VisitorClaims(visitor, expires_at, text(said, "email"))


class VisitorTokens:
    """Makes and judges the tokens of an instance; several secrets while one is being replaced."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the secrets.

        Raises:
            ValueError: there is none, or one is too short; the message does not repeat it.
        """
        self._keys = [raw_text(secret.strip()) for secret in secrets]
        if not self._keys:
            raise ValueError("a secret is missing")
        if min(map(len, self._keys)) < FEWEST_SECRET_BYTES:
            raise ValueError(f"a secret has fewer than {FEWEST_SECRET_BYTES} bytes")

    def make(self, claims: VisitorClaims) -> str:
        """A token that the newest secret, the last, signs."""
        said = {"visitor": claims.visitor, "expires_at": int(claims.expires_at.timestamp())}
        email = {"email": claims.email} if claims.email else {}
        written = _base64url(msgspec.json.encode(said | email))
        return f"{written.decode()}.{_signature(self._keys[-1], written).decode()}"

    def judge(self, token: str, claims: VisitorClaims, now: datetime) -> Verdict:
        """Whether the token is ours, and its time has neither passed nor lies too far away."""
        written, _, signature = token.partition(".")
        expected = [_signature(key, raw_text(written)) for key in self._keys]
        if not any_matches(expected, [raw_text(signature)]):
            return Verdict("bad_token")
        if claims.expires_at <= now:
            return Verdict("timestamp_too_old")
        return Verdict("timestamp_too_new") if claims.expires_at > now + LONGEST_LIFE else GENUINE


def _signature(key: bytes, written: bytes) -> bytes:
    return _base64url(hmac.new(key, written, hashlib.sha256).digest())


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
