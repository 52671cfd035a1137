"""Reads the result topics and writes them into ClickHouse, each record once.

Batches per partition (`batch_intent`), cut together: one commit to Kafka promises all of them, each is written under
its token (`clickhouse_writer`), and one commit moves all offsets behind them. A crash between any two of these steps
repeats the same batches, and ClickHouse drops what it has. While ClickHouse is away nothing more is read, so memory
stays bounded; while it is slow, batches grow.

Several sinks share the partitions when ClickHouse is a server. `sink_process` puts the parts together.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import CommitFailedError, IllegalStateError, KafkaError, RebalanceInProgressError
from kafka.structs import OffsetAndMetadata
from msgspec import Struct
from typing_extensions import override

from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from streams.sinks.batch_intent import AnyBatch, BatchLimits, Intent, PartitionBatch, read_intent, write_intent
from streams.sinks.clickhouse_writer import ClickHouseWriter, InsertFailedError
from streams.sinks.recorder import Recorder
from streams.sinks.rows import Table

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""How long to wait for records: the loop looks at ages, lag and the wish to stop this often."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 15.0
"""How long after its return ClickHouse may go unnoticed."""
SAY_SO_EVERY_SECONDS = 60.0
LAG_EVERY_SECONDS = 5.0
KAFKA_ANSWER_MS = 10_000
CONSUMER_NAME = "sink"

Offsets = dict[TopicPartition, OffsetAndMetadata]


@dataclass(frozen=True, slots=True)
class TopicTable:
    """A topic of the cluster and the table that it fills; `epoch` counts the topic's lives."""

    table: Table[Any]
    epoch: int


class ResultRecord(Protocol):
    """What the loop needs of a Kafka record."""

    offset: int
    headers: list[tuple[str, bytes]]
    value: bytes | None


@dataclass(slots=True)
class SinkCounts:
    """What this sink has done since its start."""

    rows: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    skipped: int = 0
    retries: int = 0


class SinkLoop:
    """The loop of one sink process. Everything happens on the thread that calls `run`."""

    def __init__(
        self,
        consumer: KafkaConsumer,
        writer: ClickHouseWriter,
        topics: Mapping[str, TopicTable],
        *,
        recorder: Recorder,
        limits: BatchLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the loop; `consumer` belongs to a group, reads committed records only and commits nothing by itself.

        Args:
            consumer: Of result records as bytes.
            writer: Writes batches.
            topics: The tables by physical topic name.
            recorder: Told what happens.
            limits: When batches are cut.
            clock: Steady seconds.
        """
        self.counts = SinkCounts()
        self._consumer = consumer
        self._writer = writer
        self._topics = topics
        self._recorder = recorder
        self._limits = self._limits_now = limits or BatchLimits()
        self._clock = clock
        self._batches: dict[TopicPartition, AnyBatch] = {}
        self._lag_told_at = 0.0
        self._writing_seconds = 0.0

    def run(self, stop: threading.Event) -> None:
        """Read and write until `stop` is set; what has been read is written before returning, if ClickHouse answers."""
        self._consumer.subscribe(topics=list(self._topics), listener=_Forget(self._forget))
        self._recorder.sink_available(answers=True)
        while not stop.is_set():
            self._take_in(POLL_SECONDS)
            self._write(self._due(), stop)
            self._tell_lag()
        self._write([batch for batch in self._batches.values() if _has_something(batch)], stop)

    def _due(self) -> list[AnyBatch]:
        """What to write now: with one batch all others, because the commits are the same two for any number."""
        filled = [batch for batch in self._batches.values() if _has_something(batch)]
        now, limits = self._clock(), self._limits_now
        crowded = sum(batch.row_count for batch in filled) >= limits.rows_in_memory
        return filled if crowded or any(batch.is_due(now, limits) for batch in filled) else []

    def _take_in(self, seconds: float) -> None:
        polled = self._consumer.poll(timeout_ms=int(seconds * 1000), max_records=self._limits.rows)
        now = self._clock()
        for owned, records in polled.items():
            batch = self._batches.get(owned) or self._begin(owned, records[0].offset)
            if batch is None:
                continue
            for record in records:
                if not batch.accepts(record.offset):
                    break
                self._add(batch, record, now)
        for owned, batch in self._batches.items():
            if batch.promised is not None:
                self._read_to_promise(owned, batch)

    def _begin(self, owned: TopicPartition, first_offset: int) -> AnyBatch | None:
        """The batch that begins at the committed offset; null when its records have to be read first."""
        try:
            start, intent = self._committed(owned)
        except KafkaError as error:
            logger.warning("Kafka does not say what was committed, trying again: %s", error)
            self._consumer.seek(owned, first_offset)
            return None
        if intent is not None:
            logger.info("%s[%d]: repeating the batch %d..%d", *owned, start, intent.until - 1)
        topic = self._topics[owned.topic]
        promised = intent.until if intent is not None else None
        batch: AnyBatch = PartitionBatch(topic.table, owned.topic, owned.partition, topic.epoch, start, promised)
        self._batches[owned] = batch
        if first_offset == start:
            return batch
        # Either a gap, or records that were read and forgotten with a batch that could not be committed: the consumer
        # keeps its position then. Only reading again tells which.
        self._consumer.seek(owned, start)
        return None

    def _committed(self, owned: TopicPartition) -> tuple[int, Intent | None]:
        committed = self._consumer.committed(owned, metadata=True, timeout_ms=KAFKA_ANSWER_MS)
        if committed is None:
            return self._consumer.beginning_offsets([owned], timeout_ms=KAFKA_ANSWER_MS)[owned], None
        return committed.offset, read_intent(committed.metadata)

    def _read_to_promise(self, owned: TopicPartition, batch: AnyBatch) -> None:
        # What lies beyond the promised end is read again, as part of the next batch.
        batch.passed(self._consumer.position(owned))
        if batch.is_complete() and self._consumer.position(owned) > batch.until:
            self._consumer.seek(owned, batch.until)

    def _add(self, batch: AnyBatch, record: ResultRecord, now: float) -> None:
        try:
            event = _event_in(record, batch.table)
            if event is None:
                batch.skip(record.offset, now)
            else:
                batch.add(record.offset, event, now)
        except ContractViolation as violation:
            batch.skip(record.offset, now)
            if violation.reason != "tombstone":  # a value that was forgotten on purpose
                self._say_skipped(batch, record.offset, violation)

    def _say_skipped(self, batch: AnyBatch, offset: int, violation: ContractViolation) -> None:
        self.counts.skipped += 1
        self._recorder.sink_skipped(batch.topic)
        logger.warning("%s[%d]@%d left out: %s", batch.topic, batch.partition, offset, violation.detail)

    def _write(self, batches: list[AnyBatch], stop: threading.Event) -> None:
        complete = [batch for batch in batches if batch.promised is None or batch.is_complete()]
        if not complete or not self._commit({_owned(b): _intended(b) for b in complete if b.promised is None}, stop):
            return
        written: Offsets = {}
        self._writing_seconds = 0.0
        for batch in complete:
            if self._batches.get(_owned(batch)) is batch and self._insert(batch, stop):
                written[_owned(batch)] = OffsetAndMetadata(batch.until, "", -1)
        self._limits_now = self._limits.after(self._writing_seconds)
        self._consumer.resume(*self._consumer.paused())
        if self._commit({owned: offset for owned, offset in written.items() if owned in self._batches}, stop):
            self._begin_next(written)

    def _begin_next(self, written: Iterable[TopicPartition]) -> None:
        for owned in written:
            batch = self._batches.get(owned)
            if batch is not None:
                self._batches[owned] = batch.next_batch()

    def _insert(self, batch: AnyBatch, stop: threading.Event) -> bool:
        """Write one batch, waiting for ClickHouse as long as it takes; false when it was given up."""
        retry_seconds = FIRST_RETRY_SECONDS
        away_since = said_at = self._clock()
        first = True
        while True:
            started = self._clock()
            try:
                rows = self._writer.write(batch)
            except InsertFailedError as failure:
                self.counts.retries += 1
                self._recorder.sink_retried()
                self._recorder.sink_available(answers=False)
                if first or self._clock() - said_at >= SAY_SO_EVERY_SECONDS:
                    said_at = self._clock()
                    logger.warning("waiting for ClickHouse for %.0f s: %s", said_at - away_since, failure)
                first = False
                if not self._wait(retry_seconds, batch, stop):
                    return False
                retry_seconds = min(2 * retry_seconds, LONGEST_RETRY_SECONDS)
                continue
            if not first:
                logger.info("ClickHouse answers again after %.0f s", self._clock() - away_since)
                self._recorder.sink_available(answers=True)
            self._writing_seconds += self._clock() - started
            self._count(rows)
            return True

    def _count(self, rows: Mapping[str, int]) -> None:
        self.counts.batches += 1
        for table, count in rows.items():
            self.counts.rows[table] = self.counts.rows.get(table, 0) + count

    def _wait(self, seconds: float, batch: AnyBatch, stop: threading.Event) -> bool:
        """Stay a member of the group without reading; false when stopping, or when the partition went elsewhere."""
        until = self._clock() + seconds
        while self._clock() < until:
            if stop.is_set() or self._batches.get(_owned(batch)) is not batch:
                return False
            self._consumer.pause(*self._consumer.assignment())
            self._take_in(min(POLL_SECONDS, seconds))
        return True

    def _commit(self, offsets: Offsets, stop: threading.Event) -> bool:
        """Commit to Kafka; false when the partitions are no longer ours or Kafka stays away until the end."""
        while offsets:
            try:
                self._consumer.commit(offsets, timeout_ms=KAFKA_ANSWER_MS)
            except (CommitFailedError, RebalanceInProgressError, IllegalStateError):
                logger.info("the partitions have moved; their next owner repeats the open batches")
                self._batches.clear()
                return False
            except KafkaError as error:
                logger.warning("Kafka does not take a commit, trying again: %s", error)
                if stop.wait(FIRST_RETRY_SECONDS):
                    return False
            else:
                return True
        return True

    def _forget(self, revoked: Iterable[TopicPartition]) -> None:
        for owned in revoked:
            self._batches.pop(owned, None)
            self._recorder.partition_released(CONSUMER_NAME, owned.topic, owned.partition)

    def _tell_lag(self) -> None:
        if self._clock() - self._lag_told_at < LAG_EVERY_SECONDS:
            return
        self._lag_told_at = self._clock()
        for owned in self._consumer.assignment():
            end = self._consumer.highwater(owned)
            if end is not None:
                batch = self._batches.get(owned)
                written = self._consumer.position(owned) if batch is None else batch.start
                self._recorder.lag(CONSUMER_NAME, owned.topic, owned.partition, max(0, end - written))


class _Forget(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no annotations
    """Tells the loop which partitions are no longer its own; their open batches belong to the next owner."""

    def __init__(self, forget: Callable[[Iterable[TopicPartition]], None]) -> None:
        self._on_revoked = forget

    @override
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._on_revoked(list(revoked))

    @override
    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Nothing: a batch begins with its first record."""


def _event_in(record: ResultRecord, table: Table[Any]) -> Struct | None:
    """The result in a record; null for a control, which tells a table nothing."""
    expected = table.topic.contracts[0]
    found = contract_in(record.headers, expected)
    if found is Control and Control in table.topic.contracts:
        return None
    if found is not expected:
        raise ContractViolation("unknown_type", f"it is of another contract than {expected.__name__}")
    return decode(expected, record.value)


def _owned(batch: AnyBatch) -> TopicPartition:
    return TopicPartition(batch.topic, batch.partition)


def _intended(batch: AnyBatch) -> OffsetAndMetadata:
    return OffsetAndMetadata(batch.start, write_intent(batch.intent()), -1)


def _has_something(batch: AnyBatch) -> bool:
    return batch.opened_at is not None or batch.is_complete()
