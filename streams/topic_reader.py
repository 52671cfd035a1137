"""Reads what a topic holds, from its beginning to the end it has now: for commands that ask once and leave.

Policies, dead letters and the ledgers of the workers are read with it. Live reading is `streams.faust_app`'s and the
sink's business.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from streams.kafka_admin import KafkaUnavailable, failed, wait_for_kafka
from streams.kafka_connection import KafkaConnection

CONNECT_SECONDS = 5.0
STALL_SECONDS = 20.0
"""Without a single record for this long reading fails instead of hanging: a partition may be without a leader."""

_POLL_MS = 500
_FIRST_STEP = 2_000
_STEP_GROWTH = 8
_FETCH_BYTES = 8 * 1024 * 1024


class TopicAbsent(Exception):  # noqa: N818 - the state of the topic, in the words of the message
    """The cluster does not have the topic."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"Kafka has no topic {topic}. Create the topics with `careline topics create`")
        self.topic = topic


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A committed record, untouched. `appended_at_ms` is the broker's time in milliseconds since the epoch."""

    partition: int
    offset: int
    appended_at_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class TopicReader:
    """Reads whole topics through one connection."""

    def __init__(self, consumer: KafkaConsumer, kafka: KafkaConnection) -> None:
        self._consumer = consumer
        self._kafka = kafka

    def partitions(self, topic: str) -> list[int]:
        """The numbers of its partitions.

        Raises:
            TopicAbsent: the cluster does not have it.
        """
        found = self._consumer.partitions_for_topic(topic)
        if not found:
            raise TopicAbsent(topic)
        return sorted(found)

    def starts(self, topic: str) -> Mapping[int, int]:
        """The offset of the oldest record that each partition still holds; 0 where nothing was ever deleted.

        Raises:
            TopicAbsent: the cluster does not have it.
        """
        starts = self._consumer.beginning_offsets([TopicPartition(topic, number) for number in self.partitions(topic)])
        return {place.partition: offset for place, offset in starts.items()}

    def ends(self, topic: str) -> Mapping[int, int]:
        """The offset after the last committed record of each partition.

        Raises:
            TopicAbsent: the cluster does not have it.
        """
        ends = self._consumer.end_offsets([TopicPartition(topic, number) for number in self.partitions(topic)])
        return {place.partition: offset for place, offset in ends.items()}

    def records(self, topic: str) -> Iterator[StoredRecord]:
        """Every committed record up to the end that the topic has now, in order within each partition.

        Raises:
            TopicAbsent: the cluster does not have it.
            KafkaUnavailable: nothing comes any more although there is more to come.
        """
        yield from self._between(topic, {number: (0, end) for number, end in self.ends(topic).items()})

    def latest(self, topic: str, key: bytes, partition: int | None = None) -> Mapping[int, StoredRecord]:
        """The last committed record with a key in each partition that has one. Reads backwards in growing steps.

        Only one partition is read where the caller knows it.

        Raises:
            TopicAbsent: the cluster does not have it.
            KafkaUnavailable: nothing comes any more although there is more to come.
        """
        found: dict[int, StoredRecord] = {}
        ends = {number: end for number, end in self.ends(topic).items() if partition in {None, number}}
        to_read = {number: (max(0, end - _FIRST_STEP), end) for number, end in ends.items() if end > 0}
        while to_read:
            newer = {record.partition: record for record in self._between(topic, to_read) if record.key == key}
            found |= newer
            to_read = {
                number: (max(0, start - _STEP_GROWTH * (end - start)), start)
                for number, (start, end) in to_read.items()
                if number not in newer and start > 0
            }
        return found

    def _between(self, topic: str, spans: Mapping[int, tuple[int, int]]) -> Iterator[StoredRecord]:
        """The records of each partition from an offset to below another."""
        ends = {TopicPartition(topic, number): end for number, (start, end) in spans.items() if start < end}
        if not ends:
            return
        self._consumer.assign(list(ends))
        self._consumer.seek_to_beginning(*ends)
        for place in ends:
            # What is no longer there is passed over: the position of the first record counts where it is higher.
            self._consumer.seek(place, max(spans[place.partition][0], self._consumer.position(place)))
        moved_at = time.monotonic()
        while ends:
            for place, batch in self._consumer.poll(timeout_ms=_POLL_MS).items():
                moved_at = time.monotonic()
                for record in batch:
                    if record.offset < ends.get(place, 0):
                        yield _stored(record)
            for place in [place for place, end in ends.items() if self._consumer.position(place) >= end]:
                del ends[place]
            if time.monotonic() - moved_at > STALL_SECONDS:
                raise KafkaUnavailable(str(self._kafka), f"{topic} gives no records for {STALL_SECONDS:.0f} s")


@contextmanager
def topic_reader(kafka: KafkaConnection) -> Iterator[TopicReader]:
    """A reader for as long as the block lasts; it sees committed records only and belongs to no group.

    Raises:
        KafkaUnavailable: no broker answers, or the connection broke.
        KafkaRefused: the brokers do not let us in, or not near what is read.
    """
    wait_for_kafka(kafka, timeout=CONNECT_SECONDS)
    try:
        consumer = KafkaConsumer(
            **kafka.for_kafka_python(),
            client_id="careline-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=_FETCH_BYTES,
            allow_auto_create_topics=False,
        )
    except (KafkaError, OSError) as error:
        raise failed(kafka, error) from None
    try:
        yield TopicReader(consumer, kafka)
    except KafkaError as error:
        raise failed(kafka, error) from error
    finally:
        consumer.close()


def _stored(record: object) -> StoredRecord:
    return StoredRecord(
        partition=record.partition,  # type: ignore[attr-defined]  # kafka-python has no annotations
        offset=record.offset,  # type: ignore[attr-defined]
        appended_at_ms=record.timestamp,  # type: ignore[attr-defined]
        key=record.key,  # type: ignore[attr-defined]
        value=record.value,  # type: ignore[attr-defined]
        headers=tuple(record.headers),  # type: ignore[attr-defined]
    )
