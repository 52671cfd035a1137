"""Shared tokens for senders that cannot sign, and senders that prove themselves in one of two ways.

`signatures` and `hmac_signatures` have the signatures; a token says who sent a request, and nothing about its body.
"""

import hashlib
from collections.abc import Callable, Sequence

from streams.connectors.connector_contract import GENUINE, Verdict, Verifier, WebhookRequest
from streams.connectors.signatures import any_matches, raw_text


class SharedToken:
    """A token in a header of its own (`X-API-Key: <token>`), or where a sender sets no headers in the query."""

    def __init__(self, tokens: Sequence[str], *, header: str, query: str | None = None) -> None:
        """Take the tokens; several while one is being replaced.

        Raises:
            ValueError: there is none, or one is empty.
        """
        if not tokens or not all(token.strip() for token in tokens):
            raise ValueError("a token is missing")
        # Digests are compared instead of the tokens, so that not even a token's length can be measured.
        self._digests = [_digest(token) for token in tokens]
        self._header = header
        self._query = query

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the token is one of ours. `Authorization` may name the scheme `Bearer` before it."""
        if request.headers.repeated(self._header):
            return Verdict("repeated_header")
        presented = request.headers.get(self._header) or (request.query.get(self._query) if self._query else None)
        if not presented:
            return Verdict("missing_signature")
        if self._header.lower() == "authorization" and presented[:7].lower() == "bearer ":
            presented = presented[7:]
        return GENUINE if any_matches(self._digests, [_digest(presented)]) else Verdict("bad_token")


def _digest(token: str) -> bytes:
    return hashlib.sha256(raw_text(token.strip())).digest()


class ChosenProof:
    """Two ways of proof, of which a request shows by its headers which one it uses. Each is as good as the other."""

    def __init__(self, usual: Verifier, other: Verifier, *, is_other: Callable[[WebhookRequest], bool]) -> None:
        self._usual = usual
        self._other = other
        self._is_other = is_other

    def verify(self, request: WebhookRequest) -> Verdict:
        """The verdict of the way that the request uses."""
        return (self._other if self._is_other(request) else self._usual).verify(request)
