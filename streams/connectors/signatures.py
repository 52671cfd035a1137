"""Whether a request was signed by who knows the secret: the pieces that connectors build `verify` from.

Everything here compares in constant time, tries every secret and every signature without stopping early, works on
the raw bytes, and says nothing about the secret in any message. `now` is an argument.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest

TOLERANCE = timedelta(minutes=5)
"""How far the signed time may lie from ours, either way: the tolerance of the Standard Webhooks reference libraries."""

MAX_SIGNATURES = 16
"""Signatures looked at in one header. Rotation needs two; a header full of guesses is not worth the work."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix that every such secret carries

FEWEST_KEY_BYTES = 24
"""The least that Standard Webhooks allows (192 bits)."""

_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)


def raw_text(value: str) -> bytes:
    """A header's text as the bytes that were sent, whatever they were."""
    return value.encode("utf-8", "surrogateescape")


def keys_of(secrets: Sequence[str], called: str = "a secret") -> list[bytes]:
    """Configured secrets as keys, taken literally.

    Raises:
        ValueError: there is none, or one is empty; `called` is what the provider calls it.
    """
    keys = [raw_text(secret.strip()) for secret in secrets]
    if not keys or not all(keys):
        raise ValueError(f"{called} is missing")
    return keys


def hmac_sha256_hex(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104) over the parts, end to end, in hexadecimal digits."""
    return hmac.digest(key, b"".join(parts), "sha256").hex().encode()


def base64_hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104) over the parts, end to end, in standard base64."""
    return base64.b64encode(hmac.digest(key, b"".join(parts), "sha256"))


def any_matches(expected: Sequence[bytes], presented: Sequence[bytes]) -> bool:
    """Whether any expected signature is among the presented ones; takes the same time wherever and whether it is found.

    Signatures are compared as they are written: a base64 text has spare bits that decoding would forgive.
    """
    found = False
    for mine in expected:
        for theirs in presented:
            found |= hmac.compare_digest(mine, theirs)
    return found


def judged_by_time(signed_at: datetime, now: datetime) -> Verdict:
    """The verdict on a request whose signature is right."""
    if signed_at < now - TOLERANCE:
        return Verdict("timestamp_too_old")
    if signed_at > now + TOLERANCE:
        return Verdict("timestamp_too_new")
    return GENUINE


class StandardWebhooks:
    """Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64> v1,<base64> ...`.

    Signed is `id.timestamp.body` with HMAC-SHA256 (standard-webhooks/standard-webhooks, spec section "Signature
    scheme").
    """

    HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def with_secrets(cls, secrets: Sequence[str]) -> Self:
        """From secrets as they are handed out: `whsec_` and base64, or the base64 alone.

        Raises:
            ValueError: there is none, or one cannot be read; the message does not repeat it.
        """
        if not secrets:
            raise ValueError("a secret is missing")
        return cls([_key_of(secret, index) for index, secret in enumerate(secrets, start=1)])

    def sign(self, message_id: str, timestamp: str, body: bytes) -> str:
        """The value of `webhook-signature` that the first secret gives: what a sender of ours would send."""
        return "v1," + self._expected(message_id, timestamp, body)[0].decode()

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether one of the signatures was made with one of the secrets, and in time."""
        headers = request.headers
        message_id, timestamp, signature = map(headers.get, self.HEADERS)
        if not signature or not message_id:
            return Verdict("missing_signature")
        if not timestamp:
            return Verdict("missing_timestamp")
        if headers.repeated(*self.HEADERS):
            return Verdict("repeated_header")
        if not _SECONDS.fullmatch(timestamp):
            return Verdict("malformed_timestamp")
        if not any_matches(self._expected(message_id, timestamp, request.body), _version_one(signature)):
            return Verdict("bad_signature")
        return judged_by_time(datetime.fromtimestamp(int(timestamp), UTC), request.received_at)

    def _expected(self, message_id: str, timestamp: str, body: bytes) -> list[bytes]:
        signed = (raw_text(message_id), b".", raw_text(timestamp), b".", body)
        return [base64_hmac_sha256(key, *signed) for key in self._keys]


def _key_of(secret: str, index: int) -> bytes:
    encoded = secret.strip().removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise ValueError(f"secret {index} is not '{SECRET_PREFIX}' followed by base64")
    if len(key) < FEWEST_KEY_BYTES:
        raise ValueError(
            f"secret {index} has {len(key)} bytes; {FEWEST_KEY_BYTES} are the least that cannot be guessed"
        )
    return key


def _version_one(header: str) -> list[bytes]:
    pairs = [versioned.partition(",") for versioned in header.split(" ")[:MAX_SIGNATURES]]
    return [raw_text(signature) for version, _, signature in pairs if version == "v1"]
