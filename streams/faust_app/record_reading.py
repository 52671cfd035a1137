"""aiokafka's reading of fetched record batches, made to give `agents.ports.Record` instead of a class of its own.

`batch_consumer` applies it to what was fetched before anybody has read from it. Everything else (decompressing, CRC,
aborted transactions, offsets that compaction left out) stays aiokafka's.
"""

from collections.abc import Callable
from typing import Any

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from typing_extensions import override

from agents.ports import Record
from schemas.topics import TopicSpec


class LaneRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka's internals have no types
    """The records of one partition and fetch."""

    topic: TopicSpec

    @override
    def _consumer_record(self, tp: Any, record: Any) -> Record:
        # Not `Record(...)`, which costs twice as much: this runs for every record.
        return tuple.__new__(
            Record,
            (
                self.topic,
                tp.partition,
                record.offset,
                record.key,
                record.value,
                record.headers,
                record.timestamp * 1000,
            ),
        )


def read_as_ours(fetched: FetchResult, topic_of: Callable[[str], TopicSpec]) -> None:
    """Let a fetch give records of ours, from the first to the last."""
    records = fetched._partition_records  # noqa: SLF001 - the one place where aiokafka decides what a record is
    if type(records) is PartitionRecords:
        records.__class__ = LaneRecords
        records.topic = topic_of(records._tp.topic)  # noqa: SLF001 - see above
