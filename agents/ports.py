"""What an agent needs from outside, said by the agent: its records, its memory, and where its effects go.

`streams.lane` implements these on Kafka; tests implement them on dictionaries. Everything here is synchronous: an agent
decides about one batch of one partition in memory, and the lane makes all of it durable in one transaction.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from agents.domain.instant import Instant
from schemas.control import Control
from schemas.rejection import RejectionReason
from schemas.topics import TopicSpec


class Record(NamedTuple):
    """One Kafka record, untouched. `appended_at` is the broker's append time."""

    topic: TopicSpec
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    appended_at: Instant


class States(Protocol):
    """The memory of one partition: encoded state by key, and when each key wants to be looked at again.

    `wake_at` is an instant on `clock` (null: never). Keys that begin with `LEDGER_PREFIX` are the partition's own.
    """

    def get(self, key: str) -> bytes | None:
        """The state under a key, or null."""

    def put(self, key: str, state: bytes, clock: str = "", wake_at: Instant | None = None) -> None:
        """Remember a state; it is durable once the batch is committed."""

    def drop(self, key: str) -> None:
        """Forget a key."""

    def due(self, clock: str, before: Instant, most: int | None = None) -> list[str]:
        """Keys that wanted to be woken on `clock` strictly before an instant, in order of (wake_at, key).

        Those beyond `most` stay due.
        """

    def release(self, clock: str, into: str) -> list[str]:
        """All keys with a wake on `clock`, to be moved to the clock `into` by the caller."""

    def mentioning(self, word: bytes) -> list[str]:
        """Keys in whose encoded state a word occurs, in any order."""


class Effects(Protocol):
    """Where results go: all of a batch become visible together, or none."""

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Publish a contract under a key."""

    def forget(self, topic: TopicSpec, key: str) -> None:
        """Publish that nothing is known any more under a key: what a topic of latest values had there goes."""

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Pass a control on into every partition of a topic, marked with the partition that it comes from."""

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Put a record into the dead letters, with every byte of it."""


class Judgements(Protocol):
    """What became of the events of a partition so far: the four numbers sum to what was accepted."""

    applied: int
    duplicate: int
    late: int
    rejected: int


class Agent(Protocol):
    """Decides about the records of one partition. Called with one batch at a time, in log order."""

    @property
    def ledger(self) -> Judgements:
        """The partition's books."""

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:
        """Apply a batch.

        `observed_at` is the wall clock at the start of the batch: it stamps detections and decides nothing.
        """


LEDGER_PREFIX = "\x00"
