"""A chat on one's own pages (id `chat`): messages of a small widget, and the answers that a backend sends.

Visitors show a short-lived token (`visitor_tokens`), which a page of an allowed origin gets here by GET, or from the
site's backend. The backend shows the secret itself and speaks for agents. What a visitor says of himself is
`unverified_`; an address inside the token is vouched for. `examples/chat-widget` is a widget.
"""

import json
import secrets
from datetime import timedelta

from schemas.interaction import Author, AuthorKind
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import (
    ConnectorKind,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.own_words.allowed_origins import ORIGINS_OPTION, is_allowed, preflight, shared_with
from streams.connectors.own_words.visitor_tokens import VisitorClaims, VisitorTokens, claims_in
from streams.connectors.payload_reading import (
    Json,
    id_text,
    instant,
    read_json,
    read_one,
    required,
    text,
    whole_object,
    word,
)
from streams.connectors.shared_secrets import KnownTokens

TOKEN_LIFE = timedelta(hours=1)
"""Of a token that is fetched here; the widget fetches the next one while it is good, and stays the same visitor."""

AUTHORS: dict[str, AuthorKind] = {"agent": "agent", "bot": "bot", "customer": "customer", "visitor": "customer"}


class ChatMessages:
    """Reads messages of visitors and of the backend."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """The message."""
        said = read_json(request.body)
        if isinstance(said, Refused):
            return [said]
        return read_one(said, whole_object(lambda message: self._message(message, request)))

    def _message(self, said: dict[str, Json], request: WebhookRequest) -> Reading:
        token = _bearer(request)
        claims = claims_in(token) if token else None
        named = word(said, "from")
        if named is not None and named not in AUTHORS:
            return [Refused("not_understood", f"from {named[:80]!r} is none of {', '.join(AUTHORS)}")]
        usual: AuthorKind = "agent" if token and claims is None else "customer"
        kind = AUTHORS[named] if named is not None and claims is None else usual
        visitor = claims.visitor if claims is not None else None
        conversation = id_text(said, "conversation") or id_text(said, "conversation_id") or visitor
        conversation = required(conversation, "$.conversation")
        if visitor is not None and conversation != visitor and not conversation.startswith(f"{visitor}/"):
            return [Refused("not_understood", "the conversation belongs to another visitor - at `$.conversation`")]
        draft = Drafter(self._instance, request, "chat").interaction(
            required(id_text(said, "id") or id_text(said, "message_id"), "$.id"),
            "message",
            conversation,
            instant(said, "at") if claims is None else None,  # the clock of a visitor's machine says little
            self._author(kind, said, visitor or conversation.partition("/")[0]),
            identities=_identities(said, claims, conversation, vouched=token is not None and claims is None),
            automated="bot" if kind == "bot" else None,
            text=required(text(said, "text"), "$.text"),
        )
        return [draft]

    def _author(self, kind: AuthorKind, said: dict[str, Json], visitor: str) -> Author:
        return Author(kind, visitor if kind == "customer" else id_text(said, kind))


def _identities(
    said: dict[str, Json], claims: VisitorClaims | None, conversation: str, *, vouched: bool
) -> tuple[str, ...]:
    visitor = f"unverified_visitor:{claims.visitor if claims is not None else conversation.partition('/')[0]}"
    address = claims.email if claims is not None else text(said, "email") if vouched else None
    told = identities_of_address(text(said, "email"), vouched_for=False)
    return (*(identities_of_address(address) or told), visitor)


def _bearer(request: WebhookRequest) -> str | None:
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class ChatProof:
    """`Authorization: Bearer` with a visitor's token, or with the secret itself."""

    def __init__(self, instance: Instance) -> None:
        """Take the secrets.

        Raises:
            ValueError: there is none, or one is too short.
        """
        self._visitors = VisitorTokens(instance.secrets)
        self._backend = KnownTokens(instance.secrets)

    def verify(self, request: WebhookRequest) -> Verdict:
        """What looks like a visitor's token is never taken for the secret."""
        if not request.headers.get("authorization"):
            return Verdict("missing_signature")
        if request.headers.repeated("authorization"):
            return Verdict("repeated_header")
        token = _bearer(request) or ""
        claims = claims_in(token)
        if claims is not None:
            return self._visitors.judge(token, claims, request.received_at)
        return Verdict() if self._backend.know([token]) else Verdict("bad_token")


def greet(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:
    """A page of an allowed origin asks whether it may send (`OPTIONS`) or for a token (`GET`).

    Whoever shows a token that is still good stays the same visitor; anybody else becomes a new one.
    """
    if request.method != "GET" or not is_allowed(instance, request):
        return preflight(instance, request)
    shown = claims_in(_bearer(request) or "") if verdict.genuine else None
    known = shown or VisitorClaims(secrets.token_urlsafe(16), request.received_at)
    claims = known._replace(expires_at=request.received_at + TOKEN_LIFE)
    answer = {
        "visitor": claims.visitor,
        "token": VisitorTokens(instance.secrets).make(claims),
        "expires_in": int(TOKEN_LIFE.total_seconds()),  # a span: the clocks of visitors' machines go wrong
    }
    headers = shared_with(instance, request) | {"Cache-Control": "no-store"}
    return ProviderAnswer(200, json.dumps(answer).encode(), "application/json", headers)


def received(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:
    """What the widget may read once its message is stored; the backend gets our usual JSON."""
    headers = shared_with(instance, request)
    return ProviderAnswer(200, b'{"received": true}', "application/json", headers) if headers else None


CHAT = ConnectorKind(
    id="chat",
    title="A chat on your own pages",
    normaliser=ChatMessages,
    verifier=ChatProof,
    handshake=greet,
    receipt=received,
    options=ORIGINS_OPTION,
    setup=(
        "Put examples/chat-widget into your page, its endpoint https://<your host>/in/chat, and name the page under\n"
        "allowed_origins. Your backend sends answers with Authorization: Bearer <secret>:\n"
        '{"conversation": "<visitor>", "id": "a-1", "from": "agent", "agent": "7", "text": "Try again"}\n'
        "A secret: openssl rand -base64 32"
    ),
)
