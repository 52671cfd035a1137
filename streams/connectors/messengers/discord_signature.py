"""Discord's signature: Ed25519 over timestamp and body, with the public key of the application.

Source: Discord developer documentation, "Validating Security Request Headers". Discord itself sends wrong signatures
now and then, and takes an endpoint away that does not answer them with 401.
"""

import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from streams.connectors.connector_contract import Verdict, WebhookRequest
from streams.connectors.hmac_signatures import signing_time
from streams.connectors.signatures import judged_by_time, raw_text

_SIGNATURE = re.compile(r"[0-9a-fA-F]{128}", re.ASCII)


class DiscordSignature:
    """Verifies with the public keys of an instance; several while an application is being replaced."""

    SIGNATURE = "x-signature-ed25519"
    TIMESTAMP = "x-signature-timestamp"

    def __init__(self, public_keys: Sequence[str]) -> None:
        """Take the keys as the developer portal shows them, in hexadecimal.

        Raises:
            ValueError: there is none, or one is no key.
        """
        if not public_keys:
            raise ValueError("the application's public key is missing")
        self._keys = [_key(written, index) for index, written in enumerate(public_keys, start=1)]

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the signature was made with the key that belongs to one of ours, and in time."""
        headers = request.headers
        signature, timestamp = headers.get(self.SIGNATURE), headers.get(self.TIMESTAMP)
        if not signature:
            return Verdict("missing_signature")
        if not timestamp:
            return Verdict("missing_timestamp")
        if headers.repeated(self.SIGNATURE, self.TIMESTAMP):
            return Verdict("repeated_header")
        if not _SIGNATURE.fullmatch(signature):
            return Verdict("bad_signature")
        signed = raw_text(timestamp) + request.body
        if not any(_is_signed(key, bytes.fromhex(signature), signed) for key in self._keys):
            return Verdict("bad_signature")
        signed_at = signing_time(timestamp)
        return Verdict("malformed_timestamp") if signed_at is None else judged_by_time(signed_at, request.received_at)


def _key(written: str, index: int) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(written.strip()))
    except ValueError:
        raise ValueError(f"public key {index} is not 64 hexadecimal digits") from None


def _is_signed(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
