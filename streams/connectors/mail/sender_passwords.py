"""Passwords that a provider sends along where it does not sign: basic auth in the address, or a token in a header."""

import base64
import binascii
import hashlib
from collections.abc import Sequence

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest
from streams.connectors.signatures import any_matches, raw_text


class SenderPasswords:
    """`Authorization: Basic` (RFC 7617) or `Bearer` (RFC 6750), against the tokens of an instance.

    A token is a password, or `user:password` where the user is to be checked too.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        """Take the tokens; several while one is being replaced.

        Raises:
            ValueError: there is none.
        """
        # Digests are compared instead of the tokens, so that not even a token's length can be measured.
        self._digests = [_digest(raw_text(token.strip())) for token in tokens if token.strip()]
        if not self._digests:
            raise ValueError("a token is missing: the password in the address that the provider calls")

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the password is one of ours."""
        value = request.headers.get("authorization")
        if not value:
            return Verdict("missing_signature")
        if request.headers.repeated("authorization"):
            return Verdict("repeated_header")
        scheme, _, credentials = value.strip().partition(" ")
        presented = _presented(scheme.lower(), credentials.strip())
        return GENUINE if any_matches(self._digests, [_digest(each) for each in presented]) else Verdict("bad_token")


def _presented(scheme: str, credentials: str) -> list[bytes]:
    if scheme == "bearer":
        return [raw_text(credentials)]
    if scheme != "basic":
        return []
    try:
        whole = base64.b64decode(raw_text(credentials), validate=True)
    except (binascii.Error, ValueError):
        return []
    return [whole, whole.partition(b":")[2]]


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
