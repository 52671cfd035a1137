"""A secret that a sender shows with every request because it cannot sign; compared in constant time.

Help desks whose rules only know headers and passwords prove themselves this way, mail providers that call an address
with a password in it, and web forms. It covers nothing of the request; `signatures` and `hmac_signatures` have what is
better. `ChosenProof` is for senders that have two ways.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence

from streams.connectors.connector_contract import GENUINE, Instance, Verdict, Verifier, WebhookRequest
from streams.connectors.signatures import any_matches, raw_text

AUTHORIZATION = "authorization"
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
        self._digests = [_digest(token) for token in tokens]

    def know(self, shown: Sequence[str]) -> bool:
        """Whether one of the shown texts is a token. Digests are compared, so not even a length can be measured."""
        return any_matches(self._digests, [_digest(text) for text in shown])

    def judge(self, shown: Sequence[str]) -> Verdict:
        """The verdict on a request that shows these texts as its token."""
        if not shown:
            return Verdict("missing_signature")
        return GENUINE if self.know(shown) else Verdict("bad_token")


class SharedSecret:
    """The token stands in `Authorization`, in a header of its own, or for senders without headers in the query.

    In `Authorization` it is a bearer token (RFC 6750), or basic authentication (RFC 7617): then the password alone is
    the token, or `user:password` as a whole; or the token without any scheme.
    """

    def __init__(self, tokens: Sequence[str], *, header: str = TOKEN_HEADER, query: str | None = None) -> None:
        """Take the tokens.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._tokens = KnownTokens(tokens)
        self._header = header
        self._query = query

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the token is one of ours."""
        if request.headers.repeated(AUTHORIZATION, self._header):
            return Verdict("repeated_header")
        return self._tokens.judge(tokens_shown(request, self._header, self._query))


def tokens_shown(request: WebhookRequest, header: str = TOKEN_HEADER, query: str | None = None) -> list[str]:
    """What a request shows as a token; empty where it shows none."""
    own = (request.headers.get(header), request.query.get(query) if query else None)
    return [*(text for text in own if text), *_authorization(request.headers.get(AUTHORIZATION) or "")]


def _authorization(value: str) -> list[str]:
    scheme, _, credentials = value.strip().partition(" ")
    if scheme.lower() == "bearer":
        return [credentials]
    if scheme.lower() == "basic":
        return _of_basic(credentials)
    return [scheme] if scheme else []


def _of_basic(credentials: str) -> list[str]:
    try:
        both = base64.b64decode(raw_text(credentials.strip()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return [""]  # something is shown, and it is no token
    return [both, both.partition(":")[2]]


def _digest(text: str) -> bytes:
    return hashlib.sha256(raw_text(text.strip())).digest()


class ChosenProof:
    """Two ways of proof, of which a request shows by its headers which one it uses. Each is as good as the other."""

    def __init__(self, usual: Verifier, other: Verifier, *, is_other: Callable[[WebhookRequest], bool]) -> None:
        self._usual = usual
        self._other = other
        self._is_other = is_other

    def verify(self, request: WebhookRequest) -> Verdict:
        """The verdict of the way that the request uses."""
        return (self._other if self._is_other(request) else self._usual).verify(request)


def signed_or_shown(
    instance: Instance, signature: Callable[[Sequence[str]], Verifier], signed_header: str, **where: str
) -> Verifier:
    """`secrets` sign, `tokens` are shown by senders that cannot; with both, a request with the header is signed.

    `where` are the places of a `SharedSecret`.

    Raises:
        ValueError: there is neither, or one cannot be used.
    """
    if not instance.tokens:
        return signature(instance.secrets)
    token = SharedSecret(instance.tokens, **where)
    if not instance.secrets:
        return token
    return ChosenProof(
        token, signature(instance.secrets), is_other=lambda request: request.headers.get(signed_header) is not None
    )
