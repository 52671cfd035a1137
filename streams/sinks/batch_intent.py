"""Which records make one batch, decided before it is written, and written down in Kafka so that a retry makes the same.

ClickHouse drops an insert whose deduplication token it has seen, so a token must stand for exactly the same rows every
time. Batches are cut by number and age, which no retry would repeat; so the cut is committed first, as metadata of the
offset at which the batch begins. After a crash, or with another owner of the partition, the batch runs to that cut
again. `sink_loop` fills the batches, `clickhouse_writer` has them next.

Offsets have gaps (transaction markers, compaction): a batch is a range of offsets, its content the records found there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from streams.sinks.rows import ROW_SCHEMA, Position, Row, Table, insert_group

Event = TypeVar("Event", bound=Struct)


Range = tuple[int, int, int]
"""A partition, the offset at which a batch begins there, and the one before which it ends."""


class Intent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is about to be written: everything from the committed offset up to, and without, `until`.

    `joined` are the ranges of all partitions that are in the same inserts, this one included; empty where it is alone.
    """

    until: int
    joined: tuple[Range, ...] = ()


_intent_decoder = msgspec.json.Decoder(Intent)


def write_intent(intent: Intent) -> str:
    """The commit metadata of a batch that is about to be written."""
    return msgspec.json.encode(intent).decode()


def read_intent(metadata: str | None) -> Intent | None:
    """The batch that was about to be written; null where none was, or where somebody else wrote the metadata."""
    if not metadata:
        return None
    try:
        return _intent_decoder.decode(metadata)
    except msgspec.DecodeError:
        return None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is written.

    Attributes:
        rows: With so many rows it is full. ClickHouse likes 1,000 to 100,000 rows in an insert.
        age_seconds: So long after its first record it is written anyway. This is how old the newest row may be.
        longest_age_seconds: How far that may stretch where writing is slow, see `after`.
        rows_in_memory: With so many rows over all partitions everything is written, so that memory stays bounded: a row
            takes about 2 kB.
        bytes_in_memory: The same for what the records of the rows have: a dead letter may be a thousand times as large.
    """

    rows: int = 20_000
    age_seconds: float = 1.0
    longest_age_seconds: float = 10.0
    rows_in_memory: int = 60_000
    bytes_in_memory: int = 32 * 1024 * 1024

    def are_reached_by(self, batches: Iterable["AnyBatch"]) -> bool:
        """Whether batches hold together as much as may lie in memory."""
        rows = size = 0
        for batch in batches:
            rows, size = rows + batch.row_count, size + batch.record_bytes
        return rows >= self.rows_in_memory or size >= self.bytes_in_memory

    def after(self, writing_seconds: float) -> "BatchLimits":
        """The limits that follow a writing of all partitions that took so long: what is read takes as long at least.

        An insert costs ClickHouse much the same with ten rows and with a thousand. Many partitions on a busy machine
        would otherwise be written in ever so many small inserts, with no time left for reading.
        """
        age_seconds = max(self.age_seconds, min(writing_seconds, self.longest_age_seconds))
        return replace(self, age_seconds=age_seconds)


@dataclass(slots=True)
class PartitionBatch(Generic[Event]):
    """The rows of one partition since the last commit, by the insert that they belong to.

    Attributes:
        table: Where they go.
        topic: The topic's physical name, part of the token.
        partition: The partition's number.
        epoch: The life of the topic, see `topic_epochs`.
        start: The offset at which the batch begins: the committed one.
        promised: Where it must end, when an earlier attempt has promised that.
        joined: With which ranges it was promised to be written, see `joined_batch`.
    """

    table: Table[Event]
    topic: str
    partition: int
    epoch: int
    start: int
    promised: int | None = None
    joined: tuple[Range, ...] = ()
    until: int = field(init=False)
    opened_at: float | None = None
    row_count: int = 0
    record_bytes: int = 0
    groups: dict[int, list[Row]] = field(default_factory=dict)
    forgotten: dict[int | None, dict[str, int]] = field(default_factory=dict)
    """Keys of which nothing older than a version may stay (`forgotten_rows`), by the partition that a row was told by;
    null is for whoever told it."""

    def __post_init__(self) -> None:
        self.until = self.start

    def accepts(self, offset: int) -> bool:
        """Whether a record still belongs to this batch; one beyond a promised end does not."""
        return self.promised is None or offset < self.promised

    def add(self, offset: int, event: Event, now: float, size: int = 0) -> None:
        """Take a record in of `size` bytes. `now` is any clock that goes on steadily, in seconds."""
        row = self.table.row(event, Position(self.partition, offset, self.epoch))
        self.groups.setdefault(insert_group(self.table, event), []).append(row)
        self.row_count += 1
        self.record_bytes += size
        self.skip(offset, now)

    def forget(self, offset: int, keys: Iterable[str], now: float, *, told_by: int | None = None) -> None:
        """Take in that nothing is known any more under these keys, of what a partition told or of all (null)."""
        version = Position(self.partition, offset, self.epoch).version
        versions = dict.fromkeys(keys, version)
        if versions:
            self.forgotten.setdefault(told_by if self.table.origin else None, {}).update(versions)
        self.skip(offset, now)

    def skip(self, offset: int, now: float) -> None:
        """Pass over a record that makes no row."""
        self.until = offset + 1
        if self.opened_at is None:
            self.opened_at = now

    def passed(self, position: int) -> None:
        """The consumer has read up to `position`: a promised end may lie in a gap without any record."""
        if self.promised is not None and position >= self.promised:
            self.until = self.promised

    def is_complete(self) -> bool:
        """Whether a promised batch has been read to its end."""
        return self.promised is not None and self.until >= self.promised

    def is_due(self, now: float, limits: BatchLimits) -> bool:
        """Whether to write it now. A promised batch is due when it is complete, whatever its size and age."""
        if self.promised is not None:
            return self.is_complete()
        if self.opened_at is None:
            return False
        return self.row_count >= limits.rows or now - self.opened_at >= limits.age_seconds

    def inserts(self) -> Sequence[tuple[str, list[Row]]]:
        """The inserts of the batch, each with its deduplication token."""
        return [(self._token(group), rows) for group, rows in sorted(self.groups.items())]

    def _token(self, group: int) -> str:
        return f"{self.topic}:{self.partition}:{self.start}-{self.until - 1}:epoch{self.epoch}:v{ROW_SCHEMA}:{group}"

    def next_batch(self) -> "PartitionBatch[Event]":
        """The empty batch that begins where this one ends."""
        return PartitionBatch(self.table, self.topic, self.partition, self.epoch, self.until)


AnyBatch = PartitionBatch[Any]
