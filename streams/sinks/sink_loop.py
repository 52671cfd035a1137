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

from agents.forgetting import forgotten_accounts
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from streams.kafka_refusal import is_refusal
from streams.sinks.batch_intent import AnyBatch, BatchLimits, Intent, PartitionBatch, read_intent, write_intent
from streams.sinks.clickhouse_writer import ClickHouseWriter, InsertFailedError
from streams.sinks.joined_batch import JoinedBatch, join
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
    key: bytes | None
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
        join: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the loop; `consumer` belongs to a group, reads committed records only and commits nothing by itself.

        Args:
            consumer: Of result records as bytes.
            writer: Writes batches.
            topics: The tables by physical topic name.
            recorder: Told what happens.
            limits: When batches are cut.
            join: Whether the partitions of a topic share inserts: only where no other sink ever owns any of them.
            clock: Steady seconds.
        """
        self.counts = SinkCounts()
        self._consumer = consumer
        self._writer = writer
        self._topics = topics
        self._recorder = recorder
        self._limits = self._limits_now = limits or BatchLimits()
        self._join = join
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
        crowded = limits.are_reached_by(filled)
        return filled if crowded or any(self._is_due(batch, now, limits) for batch in filled) else []

    def _is_due(self, batch: AnyBatch, now: float, limits: BatchLimits) -> bool:
        return batch.is_due(now, limits) and (batch.promised is None or self._repeated(batch) is not None)

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
        for owned in self._partners_to_begin():
            self._begin(owned, self._consumer.position(owned))
        for owned, batch in self._batches.items():
            if batch.promised is not None:
                self._read_to_promise(owned, batch)

    def _partners_to_begin(self) -> set[TopicPartition]:
        """What was promised together with a batch; it may have no record any more that would begin it."""
        named = {owned for batch in self._batches.values() for owned in _partners(batch)}
        return (named & self._consumer.assignment()) - self._batches.keys() if named else named

    def _begin(self, owned: TopicPartition, first_offset: int) -> AnyBatch | None:
        """The batch that begins at the committed offset; null when its records have to be read first."""
        try:
            start, intent = self._committed(owned)
        except KafkaError as error:
            if is_refusal(error):
                raise
            logger.warning("Kafka does not say what was committed, trying again: %s", error)
            self._consumer.seek(owned, first_offset)
            return None
        if intent is not None:
            logger.info("%s[%d]: repeating the batch %d..%d", *owned, start, intent.until - 1)
        topic = self._topics[owned.topic]
        batch: AnyBatch = PartitionBatch(topic.table, owned.topic, owned.partition, topic.epoch, start)
        if intent is not None:
            batch.promised, batch.joined = intent.until, intent.joined
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
            if isinstance(event, Control):
                accounts = forgotten_accounts(event) if event.kind == "account_forgotten" else ()
                batch.forget(record.offset, accounts, now, told_by=event.relayed_from)
            else:
                batch.add(record.offset, event, now, len(record.value or b""))
        except ContractViolation as violation:
            if violation.reason == "tombstone" and record.key is not None:
                batch.forget(record.offset, [record.key.decode("utf-8", "replace")], now)
                return
            batch.skip(record.offset, now)
            self._say_skipped(batch, record.offset, violation)

    def _say_skipped(self, batch: AnyBatch, offset: int, violation: ContractViolation) -> None:
        self.counts.skipped += 1
        self._recorder.sink_skipped(batch.topic)
        logger.warning("%s[%d]@%d left out: %s", batch.topic, batch.partition, offset, violation.detail)

    def _write(self, batches: list[AnyBatch], stop: threading.Event) -> None:
        ready = self._sets(batches)
        promises = {_owned(b): _intended(b, each) for each in ready for b in each.members if b.promised is None}
        if not ready or not self._commit(promises, stop):
            return
        written: Offsets = {}
        self._writing_seconds = 0.0
        for each in ready:
            if self._holds(each) and self._insert(each, stop):
                written |= {_owned(batch): OffsetAndMetadata(batch.until, "", -1) for batch in each.members}
            elif not self._holds(each):
                self._begin_anew(each.members)
        self._limits_now = self._limits.after(self._writing_seconds)
        self._consumer.resume(*self._consumer.paused())
        if self._commit({owned: offset for owned, offset in written.items() if owned in self._batches}, stop):
            self._begin_next(written)

    def _sets(self, batches: list[AnyBatch]) -> list[JoinedBatch]:
        """What is written in the same inserts: as it was promised, or as it is about to be."""
        fresh = [batch for batch in batches if batch.promised is None]
        sets = join(fresh) if self._join else [JoinedBatch((batch,)) for batch in fresh]
        repeated = [self._repeated(batch) for batch in batches if batch.is_complete()]
        return sets + list({_owned(each.members[0]): each for each in repeated if each is not None}.values())

    def _repeated(self, batch: AnyBatch) -> JoinedBatch | None:
        """The set that a batch was promised in; null while part of it is still to be read.

        A partner with another owner, or whose offset somebody has set by hand, can not be had: the batch is alone then.
        """
        members: list[AnyBatch] = []
        for owned in _partners(batch):
            partner = self._batches.get(owned)
            if partner is None and owned in self._consumer.assignment():
                return None
            if partner is None or partner.joined != batch.joined:
                return JoinedBatch((batch,))
            members.append(partner)
        if not all(partner.is_complete() for partner in members):
            return None
        return JoinedBatch(tuple(members or (batch,)))

    def _holds(self, joined: JoinedBatch) -> bool:
        return all(self._batches.get(_owned(batch)) is batch for batch in joined.members)

    def _begin_anew(self, batches: Iterable[AnyBatch]) -> None:
        """Forget what was not written, and read it again where the partition is still ours: as promised, if it was."""
        for batch in list(batches):
            if self._batches.get(_owned(batch)) is batch:
                del self._batches[_owned(batch)]
                if _owned(batch) in self._consumer.assignment():
                    self._consumer.seek(_owned(batch), batch.start)

    def _begin_next(self, written: Iterable[TopicPartition]) -> None:
        for owned in written:
            batch = self._batches.get(owned)
            if batch is not None:
                self._batches[owned] = batch.next_batch()

    def _insert(self, batch: JoinedBatch, stop: threading.Event) -> bool:
        """Write one set, waiting for ClickHouse as long as it takes; false when it was given up."""
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

    def _wait(self, seconds: float, batch: JoinedBatch, stop: threading.Event) -> bool:
        """Stay a member of the group without reading; false when stopping, or when a partition went elsewhere."""
        until = self._clock() + seconds
        while self._clock() < until:
            if stop.is_set() or not self._holds(batch):
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
                self._begin_anew(self._batches.values())
                return False
            except KafkaError as error:
                if is_refusal(error):
                    raise
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


def _event_in(record: ResultRecord, table: Table[Any]) -> Struct:
    """The result in a record, or a control among the results."""
    expected = table.topic.contracts[0]
    found = contract_in(record.headers, expected)
    if found is Control and Control in table.topic.contracts:
        return decode(Control, record.value)
    if found is not expected:
        raise ContractViolation("unknown_type", f"it is of another contract than {expected.__name__}")
    return decode(expected, record.value)


def _owned(batch: AnyBatch) -> TopicPartition:
    return TopicPartition(batch.topic, batch.partition)


def _partners(batch: AnyBatch) -> list[TopicPartition]:
    return [TopicPartition(batch.topic, partition) for partition, _, _ in batch.joined]


def _intended(batch: AnyBatch, joined: JoinedBatch) -> OffsetAndMetadata:
    return OffsetAndMetadata(batch.start, write_intent(joined.intent_of(batch)), -1)


def _has_something(batch: AnyBatch) -> bool:
    return batch.opened_at is not None or batch.is_complete()
