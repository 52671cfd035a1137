"""The ports of an agent on plain dictionaries and lists: what the lane does on Kafka, without Kafka.

`agents.ports` says what they mean. They hold exactly what was put in and nothing more, so that a test can look at it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from agents.domain.instant import Instant
from agents.ports import Record
from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.rejection import RejectionReason
from schemas.topics import TopicSpec


@dataclass
class DictStates:
    """`agents.ports.States` on a dictionary; `wakes` holds (clock, wake_at) of every key that has one."""

    states: dict[str, bytes] = field(default_factory=dict)
    wakes: dict[str, tuple[str, Instant]] = field(default_factory=dict)

    def get(self, key: str) -> bytes | None:
        """The state under a key, or null."""
        return self.states.get(key)

    def put(self, key: str, state: bytes, clock: str = "", wake_at: Instant | None = None) -> None:
        """Remember a state and its only wake."""
        self.states[key] = state
        self.wakes.pop(key, None)
        if wake_at is not None:
            self.wakes[key] = (clock, wake_at)

    def drop(self, key: str) -> None:
        """Forget a key and its wake."""
        self.states.pop(key, None)
        self.wakes.pop(key, None)

    def due(self, clock: str, before: Instant, most: int | None = None) -> list[str]:
        """The first `most` keys that wanted to be woken on `clock` before an instant, in order of (wake_at, key)."""
        found = [(wake_at, key) for key, (on, wake_at) in self.wakes.items() if on == clock and wake_at < before]
        return [key for _, key in sorted(found)][:most]

    def release(self, clock: str, into: str) -> list[str]:
        """All keys with a wake on `clock`, in order of key."""
        return sorted(key for key, (on, _) in self.wakes.items() if on == clock)

    def mentioning(self, word: bytes) -> list[str]:
        """Keys in whose encoded state a word occurs."""
        return [key for key, state in self.states.items() if word in state]


@dataclass
class ListEffects:
    """`agents.ports.Effects` on lists, in the order in which an agent spoke."""

    emitted: list[tuple[TopicSpec, str, Struct]] = field(default_factory=list)
    rejected: list[tuple[Record, RejectionReason, str]] = field(default_factory=list)
    relayed: list[tuple[TopicSpec, Control]] = field(default_factory=list)
    forgotten: list[tuple[TopicSpec, str]] = field(default_factory=list)

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Note a published contract."""
        self.emitted.append((topic, key, event))

    def forget(self, topic: TopicSpec, key: str) -> None:
        """Take away what was published under a key, as compaction does."""
        self.forgotten.append((topic, key))
        self.emitted = [told for told in self.emitted if told[0] is not topic or told[1] != key]

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Note a control that was passed on."""
        self.relayed.append((topic, control))

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Note a dead letter."""
        self.rejected.append((record, reason, detail))

    def on(self, topic: TopicSpec) -> list[Struct]:
        """Everything published to a topic, in order."""
        return [event for to, _, event in self.emitted if to is topic]

    def latest(self, topic: TopicSpec) -> dict[str, Struct]:
        """The last event of every key of a topic: what a compacted topic keeps."""
        return {key: event for to, key, event in self.emitted if to is topic}


def record_of(
    topic: TopicSpec, key: str | None, event: Struct, *, offset: int, appended_at: Instant, partition: int = 0
) -> Record:
    """A contract as the record that a producer of ours would have made of it."""
    headers = headers_of(event, "test", event.id, getattr(event, "occurred_at", None) or event.as_of)  # type: ignore[attr-defined]
    return Record(topic, partition, offset, None if key is None else key.encode(), encode(event), headers, appended_at)


def batches(records: Sequence[Record], sizes: Iterable[int]) -> list[Sequence[Record]]:
    """Records cut into consecutive batches of the given sizes; what is left over is the last batch."""
    cut: list[Sequence[Record]] = []
    start = 0
    for size in sizes:
        cut.append(records[start : start + size])
        start += size
    cut.append(records[start:])
    return [batch for batch in cut if batch]
