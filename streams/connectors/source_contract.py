"""What a source promises that is no webhook: we fetch from it, keep a connection to it, or listen to it.

`pull_runner` runs pullers, `listen_runner` listeners; both hand what comes to the same normalisers and the same store
as webhooks (`connector_contract`, `event_store`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable


class PullTrouble(Exception):  # noqa: N818 - the condition; the runner waits and begins again
    """The source cannot be fetched from now. The message says why and shows no secret.

    `retry_after_seconds` is what the source asks to wait, where it says so. `hopeless`: waiting will not help
    (a wrong password), so it is said loudly and tried rarely.
    """

    def __init__(self, reason: str, *, retry_after_seconds: float | None = None, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
        self.hopeless = hopeless


@dataclass(frozen=True, slots=True)
class Fetched:
    """A payload with what its source says beside it.

    `received_at` is when the source got it, aware; null: when we do. `headers` are the puller's own words to its
    normaliser.
    """

    body: bytes
    received_at: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Deliver(Protocol):
    """Stores what was fetched; returns once Kafka has it and the position with it."""

    async def __call__(
        self, payloads: Sequence[bytes | Fetched], position: str | None = None, delivered_until: datetime | None = None
    ) -> None:
        """Store payloads, as if each had been sent to us, and then the position behind them.

        `position` null leaves the position where it is. `delivered_until` is the source's time up to which nothing is
        missing: conversations of this source are judged until there and no further.
        """


class Puller(Protocol):
    """Fetches from a source that sends nothing by itself, or over a connection that it keeps."""

    async def run(self, position: str | None, deliver: Deliver) -> None:
        """Go on behind a position (null: from now, or from where the instance is configured to begin), until cancelled.

        Whoever is told of a payload at the source may forget it once `deliver` has returned, never before. Returns
        when the source has closed the connection in order; it is begun again.

        Raises:
            PullTrouble: it cannot go on for now.
        """


class Outcome(NamedTuple):
    """What became of a payload that a listener took. `reason` is the short stable code that is counted.

    Not `stored` is `not_now` while Kafka is away: whoever brought it keeps it and comes again. Otherwise it is never
    taken.
    """

    reason: str
    stored: bool = True
    not_now: bool = False


class Reception(Protocol):
    """Where a listener hands over what it receives."""

    async def store(self, payload: bytes) -> Outcome:
        """Store a payload; returns once Kafka has it, or has not taken it in time. Never raises."""

    def answered(self, status: int, reason: str) -> None:
        """Count an answer, under the protocol's own status code."""


class Listener(Protocol):
    """Receives over a protocol that is not HTTP, at an address of its own."""

    @property
    def addresses(self) -> list[str]:
        """What is listened on, as URLs; before `start` what is configured."""

    async def start(self, reception: Reception) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be used.
        """

    async def drain(self) -> None:
        """Accept nothing new, let what is in progress have its answer, close."""


@runtime_checkable
class Described(Protocol):
    """A puller or listener that says in one line what it does, for `careline connect check`."""

    @property
    def description(self) -> str:
        """For example what it fetches, and from where. Shows no secret."""
