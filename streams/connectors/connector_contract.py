"""What every connector promises: verify on raw bytes, answer the provider's handshake, say what the payload means.

A connector knows one provider and nothing else: no Kafka, no clock, no accounts. `intake` calls it in this order and
does the rest; `connector_registry` lists the connectors; one behaviour suite runs against all of them.

The same thing is told in the same way by every connector. An event's id is the provider's own id of it, never that of a
delivery, so that it counts once however often it comes. What becomes of a message later leaves its place alone:

- An edit is `edited`, with an id of its own that `raw_reference` leads back to the message. It moves no clock: the
  message stays as it was first said, which is what was answered.
- A message that is taken away is `deleted`, with the message's own id and a higher `version`: the conversation is as if
  it had never come. A `deleted` of another id would take the whole conversation away, so nothing else is told by it.
- A conversation that is taken away is a `status_changed` to `deleted`, which can be taken back by another.
- A reaction is a `reaction` with an id of its own; one that is taken back is ignored.

`drafting` writes all of it. `ignored_reasons` and `automated_words` have the words, `raw_reference` is
`provider:kind:id`, and `docs/connectors.md` shows the tables.

A `ConnectorKind` is an entry of the registry: what proves the sender (`verifier`), what a payload means
(`normaliser`, pure and useful without any secret), and what the provider wants to hear. `build` makes a `Connector`
of it for one configured `Instance`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from schemas.interaction import Interaction
from schemas.rejection import RejectionReason
from schemas.signal import Signal
from streams.connectors.redaction import NOTHING_REDACTED, Redaction
from streams.connectors.source_contract import Listener, Puller

Refusal = Literal[
    "missing_signature",
    "missing_timestamp",
    "malformed_timestamp",
    "repeated_header",
    "bad_signature",
    "bad_token",
    "bad_origin",
    "timestamp_too_old",
    "timestamp_too_new",
    "keys_unavailable",
]
"""Why a sender was not believed. Stable codes: they are answered, counted and shown on dashboards."""


class Verdict(NamedTuple):
    """Whether a request comes from who it says. `refusal` is null when it does."""

    refusal: Refusal | None = None

    @property
    def genuine(self) -> bool:
        """True when the signature or token was right and the time inside the tolerance."""
        return self.refusal is None

    @property
    def undecided(self) -> bool:
        """True when nothing is known against the sender: what would prove it is out of reach, so it may come again."""
        return self.refusal == "keys_unavailable"


GENUINE = Verdict()


class Headers:
    """The headers of a request: names in any case, repetitions kept, since a repeated signature header is an attack."""

    __slots__ = ("_first", "_repeated")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._first: dict[str, str] = {}
        self._repeated: set[str] = set()
        for name, value in pairs:
            lower = name.lower()
            if lower in self._first:
                self._repeated.add(lower)
            else:
                self._first[lower] = value

    def get(self, name: str) -> str | None:
        """The first value of a header, or null."""
        return self._first.get(name.lower())

    def repeated(self, *names: str) -> bool:
        """Whether any of these headers occurs more than once."""
        return bool(self._repeated) and any(name.lower() in self._repeated for name in names)

    def items(self) -> Iterable[tuple[str, str]]:
        """Lower-case name and first value of every header."""
        return self._first.items()


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One request as it came: `body` is the raw bytes that a signature covers, `received_at` is aware and in UTC.

    `url` is the whole address as the provider called it, query included: some sign it. Behind a proxy it starts with
    what `public_url` says in connectors.yaml.
    """

    method: str
    headers: Headers
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


class ProviderAnswer(NamedTuple):
    """What a provider wants to hear, in its own words: before it sends events, or once it has sent one."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Instance:
    """One configured connector: `name` is its route `/in/<name>` and the `source` of its events.

    `secrets` sign requests, `tokens` are bearer tokens and passwords; several of each are valid at once, so that they
    can be rotated. Neither is ever shown. `channel` replaces the channel that the connector would name; `clock` is
    what moves time for its conversations. `settle_seconds` is how late its deliveries may be in their usual course: so
    long its conversations are not judged (null: nothing is said, and what was said before stays).

    `own_domains` and `own_ids` say who belongs to the company: mail domains, and the provider's ids of its teams,
    tenants, people and bots. `options` are the settings that the kind of connector declares. `most_per_second` requests
    are let in on average, and as many at once; null: as many as the server can hold.
    """

    name: str
    connector: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    tokens: tuple[str, ...] = field(default=(), repr=False)
    own_domains: frozenset[str] = frozenset()
    own_ids: frozenset[str] = frozenset()
    clock: str = "wall"
    channel: str | None = None
    settle_seconds: int | None = None
    public_url: str | None = None
    most_per_second: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    redaction: Redaction = NOTHING_REDACTED

    def is_own_address(self, address: str) -> bool:
        """Whether an e-mail address belongs to the company itself: its people are agents, not customers."""
        domain = address.rpartition("@")[2].lower()
        return any(domain == own or domain.endswith(f".{own}") for own in self.own_domains)

    def is_own_id(self, *ids: str | None) -> bool:
        """Whether one of these ids (a person's, a bot's, its team's) is configured as the company's own."""
        return any(found in self.own_ids for found in ids if found)


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


class Normaliser(Protocol):
    """What payloads of one provider mean, for one instance. Needs no secret."""

    def normalise(self, request: WebhookRequest) -> Reading:
        """What the payload of a genuine request means. Pure: the same request reads the same for ever. Never raises."""


class Verifier(Protocol):
    """Whether a request is genuine. Built with an instance's secrets; safe to call from anywhere."""

    def verify(self, request: WebhookRequest) -> Verdict:
        """The verdict, in constant time, on the bytes as they came; `request.received_at` is now."""


@runtime_checkable
class FetchesKeys(Protocol):
    """A verifier whose provider publishes its keys: they are fetched from listed hosts only, and kept."""

    async def fetch_keys(self, request: WebhookRequest) -> None:
        """Have the key at hand that this request names. Where it cannot be had, `verify` does not believe it."""


@cache
def fetches_keys(verifier: type[Verifier]) -> bool:
    """Whether a kind of verifier is one of those. Remembered: asking a protocol costs more than a signature."""
    return issubclass(verifier, FetchesKeys)


Handshake = Callable[[Instance, WebhookRequest, Verdict], ProviderAnswer | None]
"""The answer to a provider's challenge; null when the request is none. It decides itself whether the request must be
genuine for that."""

Receipt = Callable[[Instance, WebhookRequest], ProviderAnswer | None]
"""What a provider wants to hear once its event is stored, where it does not read our JSON; null where that will do."""


class CompletesRequests(Protocol):
    """Fetches what requests of the provider only point to."""

    async def complete(self, request: WebhookRequest) -> WebhookRequest:
        """A genuine request with what it points to put into its body; as it came where nothing is to be fetched.

        The sender waits meanwhile and hears 503 when it cannot be done: what it told stays with it until it is stored.

        Raises:
            PullTrouble: it cannot be fetched now.
        """


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector as it runs: one instance of one kind."""

    instance: Instance
    verifier: Verifier
    normaliser: Normaliser
    greet: Handshake | None = None
    receipt: Receipt | None = None
    completer: CompletesRequests | None = None

    async def prepare(self, request: WebhookRequest) -> None:
        """Fetch what `verify` will need. Most need nothing."""
        if fetches_keys(type(self.verifier)):
            await self.verifier.fetch_keys(request)  # type: ignore[attr-defined]  # that is what was asked

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the sender is genuine."""
        return self.verifier.verify(request)

    def handshake(self, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:
        """The answer to a provider's challenge; null when the request is none."""
        return self.greet(self.instance, request, verdict) if self.greet is not None else None

    async def complete(self, request: WebhookRequest) -> WebhookRequest:
        """A genuine request with what it points to fetched. Most point to nothing.

        Raises:
            PullTrouble: it cannot be fetched now.
        """
        return await self.completer.complete(request) if self.completer is not None else request

    def normalise(self, request: WebhookRequest) -> Reading:
        """What the payload of a genuine request means."""
        return self.normaliser.normalise(request)

    def acknowledgement(self, request: WebhookRequest) -> ProviderAnswer | None:
        """The provider's own kind of thank you; null where our JSON will do."""
        return self.receipt(self.instance, request) if self.receipt is not None else None


@runtime_checkable
class CompletingPuller(Puller, CompletesRequests, Protocol):
    """A puller whose source also calls, with requests that point to what happened: its instance has a route as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorKind:
    """An entry of the registry.

    `normaliser` and `verifier` build the two halves; `verifier` raises `ValueError`, with a message that shows no
    secret, when an instance lacks something; it is null where nothing comes in by HTTP. `puller` builds what fetches,
    for an instance that is configured for it, and null for one that is not; it raises like `verifier`, and so does
    `listener`, which builds what receives over another protocol than HTTP. `options` names the settings that an
    instance may have, each with a line on its meaning. `setup` says in a few lines what to do on the provider's side.
    """

    id: str
    title: str
    normaliser: Callable[[Instance], Normaliser]
    verifier: Callable[[Instance], Verifier] | None
    handshake: Handshake | None = None
    receipt: Receipt | None = None
    puller: Callable[[Instance], Puller | None] | None = None
    listener: Callable[[Instance], Listener] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    setup: str

    def build(self, instance: Instance, completer: CompletesRequests | None = None) -> Connector:
        """The connector of one configured instance, with its puller where that completes what comes in by HTTP.

        Raises:
            ValueError: the instance lacks something, or this connector receives nothing by HTTP.
        """
        if self.verifier is None:
            raise ValueError(f"the connector {self.id} receives nothing by HTTP")
        return Connector(
            instance, self.verifier(instance), self.normaliser(instance), self.handshake, self.receipt, completer
        )
