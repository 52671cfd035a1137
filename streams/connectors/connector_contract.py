"""What every connector promises: verify on raw bytes, answer the provider's handshake, say what the payload means.

A connector knows one provider and nothing else: no network, no Kafka, no clock, no accounts. `intake` calls it in this
order and does the rest; `connector_registry` lists the connectors; one behaviour suite runs against all of them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from schemas.interaction import Interaction
from schemas.rejection import RejectionReason
from schemas.signal import Signal

Refusal = Literal[
    "missing_signature",
    "missing_timestamp",
    "malformed_timestamp",
    "repeated_header",
    "bad_signature",
    "bad_token",
    "timestamp_too_old",
    "timestamp_too_new",
]
"""Why a sender was not believed. Stable codes: they are answered, counted and shown on dashboards."""


class Verdict(NamedTuple):
    """Whether a request comes from who it says. `refusal` is null when it does."""

    refusal: Refusal | None = None

    @property
    def genuine(self) -> bool:
        """True when the signature or token was right and the time inside the tolerance."""
        return self.refusal is None


GENUINE = Verdict()


class Headers:
    """The headers of a request: names in any case, repetitions kept, since a repeated signature header is an attack."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def get(self, name: str) -> str | None:
        """The first value of a header, or null."""
        values = self._values.get(name.lower())
        return values[0] if values else None

    def repeated(self, *names: str) -> bool:
        """Whether any of these headers occurs more than once."""
        return any(len(self._values.get(name.lower(), ())) > 1 for name in names)

    def items(self) -> Iterable[tuple[str, str]]:
        """Lower-case name and first value of every header."""
        return ((name, values[0]) for name, values in self._values.items())


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request as it came: `body` is the raw bytes that a signature covers, `received_at` is aware and in UTC."""

    method: str
    headers: Headers
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)


class HandshakeAnswer(NamedTuple):
    """What a provider wants to hear before it sends events."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured connector: `name` is its route `/in/<name>` and the `source` of its events.

    `secrets` sign requests, `tokens` are bearer tokens; several of each are valid at once, so that they can be
    rotated. Neither is ever shown. `channel` replaces the channel that the connector would name; `clock` is what
    moves time for its conversations. `settle_seconds` is how late its deliveries may be in their usual course: so long
    its conversations are not judged (null: nothing is said, and what was said before stays).
    """

    name: str
    connector: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    own_domains: frozenset[str] = frozenset()
    clock: str = "wall"
    channel: str | None = None
    settle_seconds: int | None = None

    def is_own_address(self, address: str) -> bool:
        """Whether an e-mail address belongs to the company itself: its people are agents, not customers."""
        domain = address.rpartition("@")[2].lower()
        return any(domain == own or domain.endswith(f".{own}") for own in self.own_domains)


@dataclass(frozen=True, slots=True)
class Draft:
    """An understood event, before it is known whose it is.

    `identities` are `kind:value` pairs (`domain:acme.example`, `zendesk_org:123`), the most telling first. The
    account of the event may be left open (null, or empty for a signal); `accounts_directory` fills it in.
    """

    event: Interaction | Signal
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something genuine that means nothing here, such as a changed ticket form. `reason` is a short stable code."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Something genuine that cannot be understood, for the dead letters.

    `value` is the bytes in question; null means the whole body.
    """

    reason: RejectionReason
    detail: str
    value: bytes | None = None


Reading = Sequence[Draft | Ignored | Refused]
"""What a payload means: nothing, one thing or many; a bad one harms none of its neighbours."""


class Connector(Protocol):
    """One provider's words. Built once per instance with that instance's secrets; safe to call from anywhere."""

    def verify(self, headers: Headers, raw_body: bytes, now: datetime) -> Verdict:
        """Whether the sender is genuine, in constant time, on the bytes as they came."""

    def handshake(self, request: WebhookRequest, verdict: Verdict) -> HandshakeAnswer | None:
        """The answer to a provider's challenge; null when the request is none.

        The connector decides whether the request must be genuine for that.
        """

    def normalise(self, request: WebhookRequest) -> Reading:
        """What the payload of a genuine request means. Pure: the same request reads the same for ever. Never raises."""


class ConnectorKind(NamedTuple):
    """An entry of the registry. `setup` says in a few lines what to do on the provider's side.

    `build` raises `ValueError`, with a message that shows no secret, when an instance lacks something.
    """

    id: str
    title: str
    build: Callable[[Instance], Connector]
    setup: str
