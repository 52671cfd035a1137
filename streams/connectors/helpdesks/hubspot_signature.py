"""HubSpot's three signatures: which one a request has shows in its headers.

Source: HubSpot developer documentation, "Validating requests"; published vectors in HubSpot/hubspot-api-python.
Version 3 is an HMAC over method, address, body and time. Versions 1 and 2 are plain SHA-256 over the secret and what
follows it; such a hash could be extended, but only by bytes that no JSON text has.
"""

import hashlib
import re
from collections.abc import Sequence

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest
from streams.connectors.hmac_signatures import signing_time
from streams.connectors.signatures import any_matches, base64_hmac_sha256, judged_by_time, keys_of, raw_text

_ENCODED = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""What HubSpot signs as itself even where the address has it encoded."""


class HubSpotSignature:
    """By version 3 where the request has it, else by the version that the request names."""

    VERSION_3 = "x-hubspot-signature-v3"
    TIMESTAMP = "x-hubspot-request-timestamp"
    EARLIER = "x-hubspot-signature"
    VERSION = "x-hubspot-signature-version"

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the client secrets of the app; several while one is being replaced.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._keys = keys_of(secrets, "the app's client secret")

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the signature was made with one of the secrets, and in time where the time is signed."""
        headers = request.headers
        if headers.repeated(self.VERSION_3, self.TIMESTAMP, self.EARLIER, self.VERSION):
            return Verdict("repeated_header")
        signature = headers.get(self.VERSION_3)
        if signature:
            return self._version_3(request, signature, headers.get(self.TIMESTAMP))
        signature = headers.get(self.EARLIER)
        if not signature:
            return Verdict("missing_signature")
        earlier = self.version_2 if headers.get(self.VERSION) == "v2" else self.version_1
        expected = [earlier(key, request) for key in self._keys]
        return GENUINE if any_matches(expected, [raw_text(signature.lower())]) else Verdict("bad_signature")

    def _version_3(self, request: WebhookRequest, signature: str, timestamp: str | None) -> Verdict:
        if not timestamp:
            return Verdict("missing_timestamp")
        expected = [self.version_3(key, request, timestamp) for key in self._keys]
        if not any_matches(expected, [raw_text(signature)]):
            return Verdict("bad_signature")
        signed_at = signing_time(timestamp)
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)

    @staticmethod
    def version_1(key: bytes, request: WebhookRequest) -> bytes:
        """SHA-256 over secret and body, in hexadecimal."""
        return hashlib.sha256(key + request.body).hexdigest().encode()

    @staticmethod
    def version_2(key: bytes, request: WebhookRequest) -> bytes:
        """SHA-256 over secret, method, address and body, in hexadecimal."""
        signed = key + raw_text(request.method) + raw_text(request.url) + request.body
        return hashlib.sha256(signed).hexdigest().encode()

    @staticmethod
    def version_3(key: bytes, request: WebhookRequest, timestamp: str) -> bytes:
        """HMAC-SHA256 over method, address, body and time in milliseconds, in base64."""
        url = _ENCODED.sub(lambda found: bytes.fromhex(found.group(1)).decode(), request.url)
        return base64_hmac_sha256(key, raw_text(request.method), raw_text(url), request.body, raw_text(timestamp))
