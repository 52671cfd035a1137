"""One provider as the behaviour suite sees it: how it signs, and one payload that means one event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from streams.connectors.connector_contract import Connector, Instance

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""When the server of the suite believes it is."""


@dataclass(kw_only=True)
class Sender:
    """How a provider sends: it signs with its secret, at its time, and has one payload that means one event."""

    connector: str
    payload: bytes
    """Means exactly one event: a message of a customer, or one signal."""
    sign: Callable[[str, bytes, datetime], dict[str, str]]
    """The headers that prove it: of a secret, a body and a time."""
    secrets: tuple[str, str, str]
    """The old one, the new one, somebody else's."""
    signed_headers: tuple[str, ...]
    """The headers that prove it, the signature last; none where the proof is in the body."""
    extra: dict[str, str] = field(default_factory=dict)
    """Headers of every request besides."""
    unknown: bytes
    """Well-formed, with the word `teleported` where a known one would stand; it means nothing that is known."""
    malformed: bytes = b"{}"
    """Well-formed, and without everything that a payload must have."""
    covers: Literal["body and time", "body", "nothing"] = "body and time"
    """What the proof covers: a signature with or without its time, or a bare token."""
    forged: str = "bad_signature"
    """What a proof with the wrong secret is called."""
    kept_as: Literal["secrets", "tokens"] = "secrets"
    """Where the instance keeps what proves the sender."""
    public_half: Callable[[str], str] = str
    """What the instance is given of a secret: the secret itself, or the public key that belongs to it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the instance is configured with."""
    event: Literal["interaction", "signal"] = "interaction"
    means: tuple[str, str] = ("message", "customer")
    """What an interaction is, and whose: of a provider that tells nothing that customers write, it is another."""
    json: bool = True
    """Whether payloads are JSON."""
    greets: tuple[str, ...] = ()
    """Methods besides POST that are a handshake here."""
    kind: str = ""
    """The kind of connector, where `connector` names one of its ways in: each has a sender and a route of its own."""
    in_body: Callable[[str, bytes], bytes] | None = None
    """A body with its proof inside, of a secret and the bare body; a body that has no place for it stays as it is."""
    acquaint: Callable[[Connector], None] | None = None
    """Tells the connector the keys that it would fetch from the provider."""

    def headers(self, body: bytes | None = None, *, secret: str | None = None, at: datetime = NOW) -> dict[str, str]:
        """The headers of a request with this body."""
        return self.extra | self.sign(secret or self.secrets[1], self.payload if body is None else body, at)

    def proven(self, body: bytes | None = None, *, secret: str | None = None) -> bytes:
        """A body as this sender sends it: with its proof, where that belongs inside."""
        bare = self.payload if body is None else body
        return bare if self.in_body is None else self.in_body(secret or self.secrets[1], bare)

    def instance(self) -> Instance:
        """The connector configured with the old and the new secret."""
        proof: dict[str, Any] = {self.kept_as: tuple(self.public_half(secret) for secret in self.secrets[:2])}
        return Instance(self.connector, self.kind or self.connector, **proof, **self.settings)
