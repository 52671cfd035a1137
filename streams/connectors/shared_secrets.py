"""A secret that a sender shows with every request because it cannot sign; compared in constant time.

Help desks whose rules only know headers and passwords prove themselves this way, and web forms. It covers nothing of
the request; `signatures` and `hmac_signatures` have what is better.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence

from streams.connectors.connector_contract import GENUINE, Verdict, WebhookRequest
from streams.connectors.signatures import any_matches, raw_text

TOKEN_HEADER = "x-careline-token"  # noqa: S105 - the name of a header
"""The header for senders that can set one of any name, and no `Authorization`."""


class KnownTokens:
    """The tokens of an instance; several while one is being replaced."""

    def __init__(self, tokens: Sequence[str]) -> None:
        """Take the tokens.

        Raises:
            ValueError: there is none, or one is empty.
        """
        if not tokens or not all(token.strip() for token in tokens):
            raise ValueError("a token is missing")
        self._digests = [_digest(token.strip()) for token in tokens]

    def know(self, shown: Sequence[str]) -> bool:
        """Whether one of the shown texts is a token. Digests are compared, so not even a length can be measured."""
        return any_matches(self._digests, [_digest(text.strip()) for text in shown])


class SharedSecret:
    """The token stands in `x-careline-token`, or in `Authorization`.

    There it is a bearer token (RFC 6750), or basic authentication (RFC 7617): then the password alone is the token, or
    `user:password` as a whole.
    """

    HEADERS = ("authorization", TOKEN_HEADER)

    def __init__(self, tokens: Sequence[str]) -> None:
        """Take the tokens.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._tokens = KnownTokens(tokens)

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the token is one of ours."""
        return verdict_on(self._tokens, request, tokens_shown(request))


def tokens_shown(request: WebhookRequest) -> list[str]:
    """What the headers of a request show as a token; empty where they show none."""
    shown = [text for text in (request.headers.get(TOKEN_HEADER),) if text]
    scheme, _, credentials = (request.headers.get("authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        shown.append(credentials)
    elif scheme.lower() == "basic":
        shown += _of_basic(credentials)
    elif scheme:
        shown.append(scheme)
    return shown


def verdict_on(tokens: KnownTokens, request: WebhookRequest, shown: Sequence[str]) -> Verdict:
    """The verdict on a request that shows these texts as its token."""
    if not shown:
        return Verdict("missing_signature")
    if request.headers.repeated(*SharedSecret.HEADERS):
        return Verdict("repeated_header")
    return GENUINE if tokens.know(shown) else Verdict("bad_token")


def _of_basic(credentials: str) -> list[str]:
    try:
        both = base64.b64decode(credentials.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return [""]  # something is shown, and it is no token
    return [both, both.partition(":")[2]]


def _digest(text: str) -> bytes:
    return hashlib.sha256(raw_text(text)).digest()
