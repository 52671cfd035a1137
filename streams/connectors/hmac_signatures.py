"""HMAC signatures in a header, as most providers write them: the scheme is data, the work is done once.

`HmacScheme` says where the signature stands, how it is written and what is signed; `signatures` has the pieces and the
schemes with rules of their own.
"""

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest
from streams.connectors.payload_reading import instant
from streams.connectors.signatures import MAX_SIGNATURES, any_matches, judged_by_time, raw_text

_NUMBER = re.compile(r"[0-9]{1,14}", re.ASCII)


def whole_body(request: WebhookRequest, timestamp: str) -> bytes:  # noqa: ARG001 - some sign it, most do not
    """The body and nothing else."""
    return request.body


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacScheme:
    """How a provider signs.

    `header` has the signature, after `prefix`; several may stand there with commas between them. `timestamp_header`
    has the signing time (seconds, milliseconds or ISO 8601) where there is one, and then it must be within the
    tolerance. `signed` gives the bytes that the signature covers. `key` makes the HMAC key of a configured secret.
    """

    header: str
    digest: Literal["sha1", "sha256", "sha512"] = "sha256"
    written: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str | None = None
    signed: Callable[[WebhookRequest, str], bytes] = whole_body
    key: Callable[[str], bytes] = raw_text

    def sign(self, secret: str, request: WebhookRequest, timestamp: str = "") -> str:
        """The value of the header that a sender with this secret would write."""
        return self.prefix + self.expected(self.key(secret), request, timestamp).decode()

    def expected(self, key: bytes, request: WebhookRequest, timestamp: str) -> bytes:
        """The signature as it is written, without its prefix."""
        digest = hmac.digest(key, self.signed(request, timestamp), self.digest)
        return digest.hex().encode() if self.written == "hex" else base64.b64encode(digest)


class HmacVerifier:
    """Verifies one scheme with the secrets of an instance; several while one is being replaced."""

    def __init__(self, scheme: HmacScheme, secrets: Sequence[str]) -> None:
        """Take the secrets.

        Raises:
            ValueError: there is none, or one cannot be a key; the message does not repeat it.
        """
        try:
            self._keys = [scheme.key(secret.strip()) for secret in secrets]
        except ValueError:
            raise ValueError("a secret cannot be read") from None
        if not self._keys or not all(self._keys):
            raise ValueError("a secret is missing")
        self._scheme = scheme

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the signature was made with one of the secrets, and in time where the time is signed."""
        scheme, headers = self._scheme, request.headers
        signature = headers.get(scheme.header)
        timestamp = headers.get(scheme.timestamp_header) if scheme.timestamp_header else ""
        if not signature:
            return Verdict("missing_signature")
        if scheme.timestamp_header and not timestamp:
            return Verdict("missing_timestamp")
        if headers.repeated(scheme.header, *([scheme.timestamp_header] if scheme.timestamp_header else [])):
            return Verdict("repeated_header")
        expected = [scheme.expected(key, request, timestamp or "") for key in self._keys]
        if not any_matches(expected, self._presented(signature)):
            return Verdict("bad_signature")
        if not scheme.timestamp_header:
            return GENUINE
        signed_at = signing_time(timestamp or "")
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)

    def _presented(self, header: str) -> list[bytes]:
        scheme = self._scheme
        found = (written.strip() for written in header.split(",")[:MAX_SIGNATURES])
        kept = (written.removeprefix(scheme.prefix) for written in found if written.startswith(scheme.prefix))
        return [raw_text(written.lower() if scheme.written == "hex" else written) for written in kept]


def signing_time(timestamp: str) -> datetime | None:
    """The instant that a timestamp header means; null when it means none."""
    if _NUMBER.fullmatch(timestamp):
        return instant(int(timestamp))
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None
