"""The batches of several partitions of a topic in the same inserts, where one sink owns all partitions for good.

An insert costs ClickHouse much the same with ten rows and with a thousand, so eight partitions on their own cost eight
times as much. The promise of each member (`batch_intent`) names the ranges of all, and one commit to Kafka takes all
promises or none: a retry finds the whole set again. Sinks that share partitions could not, so they join nothing.
`sink_loop` makes the sets, `clickhouse_writer` writes them.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from streams.sinks.batch_intent import AnyBatch, Intent, Range
from streams.sinks.rows import ROW_SCHEMA, Row, Table

MOST_MEMBERS = 64
"""A range takes up to 40 bytes of the promise, and Kafka takes 4,096 bytes of metadata by default."""


class JoinedBatch(NamedTuple):
    """Batches of one topic in the order of their partitions, often only one."""

    members: tuple[AnyBatch, ...]

    @property
    def table(self) -> Table[Any]:
        """Where the rows go."""
        return self.members[0].table

    @property
    def row_count(self) -> int:
        """Rows of all members."""
        return sum(batch.row_count for batch in self.members)

    def intent_of(self, member: AnyBatch) -> Intent:
        """What is about to be written of a member, and together with what."""
        return Intent(until=member.until, joined=self._ranges() if len(self.members) > 1 else ())

    def inserts(self) -> Sequence[tuple[str, list[Row]]]:
        """The inserts of the set, each with its deduplication token, which follows from the ranges of all members."""
        if len(self.members) == 1:
            return self.members[0].inserts()
        first = self.members[0]
        ranges = ",".join(f"{partition}:{start}-{until - 1}" for partition, start, until in self._ranges())
        groups = sorted({group for batch in self.members for group in batch.groups})
        return [
            (
                f"{first.topic}:{ranges}:epoch{first.epoch}:v{ROW_SCHEMA}:{group}",
                [row for batch in self.members for row in batch.groups.get(group, ())],
            )
            for group in groups
        ]

    def _ranges(self) -> tuple[Range, ...]:
        return tuple((batch.partition, batch.start, batch.until) for batch in self.members)


def join(batches: Iterable[AnyBatch]) -> list[JoinedBatch]:
    """Sets as large as they may be, of batches that nobody has promised yet."""
    by_topic: dict[str, list[AnyBatch]] = {}
    for batch in sorted(batches, key=lambda each: each.partition):
        by_topic.setdefault(batch.topic, []).append(batch)
    return [
        JoinedBatch(tuple(of_topic[begin : begin + MOST_MEMBERS]))
        for of_topic in by_topic.values()
        for begin in range(0, len(of_topic), MOST_MEMBERS)
    ]
