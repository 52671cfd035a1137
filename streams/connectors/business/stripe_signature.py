"""Stripe's signature: `Stripe-Signature: t=<seconds>,v1=<hex>,v1=<hex>`, over the time, a dot and the body.

Source: Stripe documentation, "Verify webhook signatures manually". While a secret is being rolled there are several
`v1`; `v0` is of the test mode and proves nothing. `stripe_events` reads what is genuine.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from streams.connectors.connector_contract import Verdict, WebhookRequest
from streams.connectors.signatures import (
    MAX_SIGNATURES,
    any_matches,
    hmac_sha256_hex,
    judged_by_time,
    keys_of,
    raw_text,
)

_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)


class StripeSignature:
    """Verifies with the signing secrets of an endpoint."""

    HEADER = "stripe-signature"

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the secrets (`whsec_...`), as they are: Stripe signs with the whole text.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._keys = keys_of(secrets, "a signing secret")

    def sign(self, seconds: str, body: bytes) -> str:
        """The value of the header that the first secret gives."""
        return f"t={seconds},v1={self._expected(seconds, body)[0].decode()}"

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether one of the signatures was made with one of the secrets, and in time."""
        header = request.headers.get(self.HEADER)
        if not header:
            return Verdict("missing_signature")
        if request.headers.repeated(self.HEADER):
            return Verdict("repeated_header")
        return self._judged(header, request)

    def _judged(self, header: str, request: WebhookRequest) -> Verdict:
        pairs = [part.strip().partition("=") for part in header.split(",")[: MAX_SIGNATURES + 1]]
        times = [value for key, _, value in pairs if key == "t"]
        presented = [raw_text(value) for key, _, value in pairs if key == "v1"]
        if not presented:
            return Verdict("missing_signature" if times else "bad_signature")
        if not times:
            return Verdict("missing_timestamp")
        if len(times) > 1 or not _SECONDS.fullmatch(times[0]):
            return Verdict("malformed_timestamp")
        if not any_matches(self._expected(times[0], request.body), presented):
            return Verdict("bad_signature")
        return judged_by_time(datetime.fromtimestamp(int(times[0]), UTC), request.received_at)

    def _expected(self, seconds: str, body: bytes) -> list[bytes]:
        return [hmac_sha256_hex(key, raw_text(seconds), b".", body) for key in self._keys]
