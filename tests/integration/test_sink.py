"""The sink on a real Kafka and the real engine: every result once, through crashes, absence and unreadable records."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from kafka import KafkaProducer, TopicPartition
from kafka.errors import CommitFailedError
from kafka.structs import OffsetAndMetadata
from msgspec.structs import replace
from typing_extensions import override

from schemas.clock_view import ClockView
from schemas.codec import EVENT_TYPES, decode, encode, headers_of
from schemas.control import Control
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import CLOCKS, SLA_EVENTS
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from streams.sinks.batch_intent import BatchLimits, read_intent
from streams.sinks.clickhouse_connection import ClickHouseTarget
from streams.sinks.clickhouse_writer import ClickHouseWriter, InsertFailedError
from streams.sinks.joined_batch import JoinedBatch
from streams.sinks.recorder import Recorder
from streams.sinks.rows import TABLES
from streams.sinks.sink_loop import SinkCounts, SinkLoop, TopicTable
from streams.sinks.sink_process import GROUP, SinkError, SinkOptions, run_sink
from streams.steady_consumer import SteadyConsumer
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS = 40
"""A test that has not seen its rows by then fails by its own assertion instead of hanging."""
ALL_AT_ONCE = BatchLimits(rows=1000, age_seconds=PATIENCE_SECONDS, rows_in_memory=40)
"""Cuts all partitions when they have 40 rows together."""


class CrashError(Exception):
    """Stands for kill -9: it leaves the loop at once, past every clean-up of the loop."""


class WatchedWriter(ClickHouseWriter):
    """The real writer; stops the loop once enough rows are written, and fails where a test wants it to."""

    def __init__(self, target: ClickHouseTarget, stop: threading.Event, stop_after: int) -> None:
        super().__init__(target, Recorder())
        self.tokens: list[str] = []
        self.failures = 0
        self.crash: str | None = None
        self._stop = stop
        self._left = stop_after

    @override
    def write(self, batch: JoinedBatch) -> dict[str, int]:
        if self.crash == "before the insert":
            raise CrashError
        if self.failures:
            self.failures -= 1
            raise InsertFailedError("connection refused")
        rows = super().write(batch)
        if self.crash == "after the insert":
            raise CrashError
        self.tokens += [token for token, _ in batch.inserts()]
        self._left -= sum(rows.values())
        if self._left <= 0:
            self._stop.set()
        return rows


class RefusedConsumer(SteadyConsumer):
    """The real consumer, whose nth commits fail as they do when the group has moved on, while it keeps its position."""

    refused: frozenset[int] = frozenset()
    commits = 0

    @override
    def commit(self, *arguments: Any, **options: Any) -> None:
        self.commits += 1
        if self.commits in self.refused:
            raise CommitFailedError
        super().commit(*arguments, **options)


class Sink:
    """A loop over the topics of one test."""

    def __init__(self, kafka: EmbeddedKafka, prefix: str, target: ClickHouseTarget) -> None:
        self.kafka, self.prefix, self.target = kafka, prefix, target
        self.group = prefix + GROUP
        self.commits = 0
        self._stops: list[threading.Event] = []

    def consumer(self, refused: frozenset[int] = frozenset()) -> RefusedConsumer:
        consumer = RefusedConsumer(
            bootstrap_servers=self.kafka.bootstrap,
            group_id=self.group,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        consumer.refused = refused
        return consumer

    def run(
        self,
        stop_after: int,
        limits: BatchLimits,
        *,
        failures: int = 0,
        crash: str | None = None,
        refused: frozenset[int] = frozenset(),
        join: bool = False,
    ) -> WatchedWriter:
        stop = threading.Event()
        self._stops.append(stop)
        patience = threading.Timer(PATIENCE_SECONDS, stop.set)
        patience.start()
        writer = WatchedWriter(self.target, stop, stop_after)
        writer.failures, writer.crash = failures, crash
        consumer = self.consumer(refused)
        topics = {self.prefix + table.topic.name: TopicTable(table, epoch=1) for table in TABLES}
        try:
            SinkLoop(consumer, writer, topics, recorder=Recorder(), limits=limits, join=join).run(stop)
        finally:
            patience.cancel()
            self.commits = consumer.commits
            consumer.close()
            writer.close()
        return writer

    def stop_all(self) -> None:
        for stop in self._stops:
            stop.set()

    def committed(self, partition: int) -> Any:
        consumer = self.consumer()
        try:
            return consumer.committed(TopicPartition(self.prefix + SLA_EVENTS.name, partition), metadata=True)
        finally:
            consumer.close()


@pytest.fixture
def sink(kafka: EmbeddedKafka, topic_prefix: str, clickhouse: Client, clickhouse_target: ClickHouseTarget) -> Sink:
    make_topics(kafka, topic_prefix)
    return Sink(kafka, topic_prefix, clickhouse_target)


@pytest.fixture
def producer(kafka: EmbeddedKafka) -> Iterator[KafkaProducer]:
    with KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all") as sender:
        yield sender


def sla_event(number: int) -> SlaEvent:
    return SlaEvent(
        id=f"e{number}",
        kind="met",
        conversation_id="c",
        account_id="a",
        occurred_at=datetime(2010 + number % 14, 6, 1, tzinfo=UTC),
        cause=Cause(0, number),
        source="test",
    )


def send(producer: KafkaProducer, sink: Sink, event: Any, topic: str = SLA_EVENTS.name, partition: int = 0) -> None:
    headers = headers_of(event, "test", event.id, NOW)
    producer.send(sink.prefix + topic, key=event.id.encode(), value=encode(event), headers=headers, partition=partition)


def send_all(producer: KafkaProducer, sink: Sink, numbers: range, partitions: int = 1) -> None:
    for number in numbers:
        send(producer, sink, sla_event(number), partition=number % partitions)
    producer.flush()


def stored(clickhouse: Client) -> tuple[int, int]:
    """Rows as they lie there, before anything is replaced, and distinct ids."""
    rows, ids = clickhouse.query("SELECT count(), uniqExact(id) FROM sla_events").result_rows[0]
    return rows, ids


def test_every_contract_arrives_in_its_table_past_unreadable_records(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, project_root: Path
) -> None:
    total = 0
    for table in TABLES:
        contract = table.topic.contracts[0]
        folder = project_root / "schemas" / "examples" / EVENT_TYPES[contract]
        producer.send(sink.prefix + table.topic.name, key=b"k", value=b"\xff not json", partition=0)
        producer.send(sink.prefix + table.topic.name, key=b"forgotten", value=None, partition=0)
        for path in folder.glob("*.json"):
            if path.stem != "schema":
                send(producer, sink, decode(contract, path.read_bytes()), table.topic.name)
                total += 1
    producer.flush()
    sink.run(total, BatchLimits(age_seconds=0.1))
    sql = "SELECT count() FROM {} FINAL"
    counts = {table.name: clickhouse.query(sql.format(table.name)).result_rows[0][0] for table in TABLES}
    assert sum(counts.values()) == total
    assert all(counts.values()), counts


@pytest.mark.parametrize("moment", ["before the insert", "after the insert"])
def test_crash_repeats_the_same_batch_and_stores_it_once(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, moment: str
) -> None:
    send_all(producer, sink, range(30))
    with pytest.raises(CrashError):
        sink.run(30, BatchLimits(rows=30, age_seconds=PATIENCE_SECONDS), crash=moment)
    promised = read_intent(sink.committed(0).metadata)
    assert promised is not None
    assert sink.committed(0).offset == 0

    send_all(producer, sink, range(30, 50))
    writer = sink.run(50, BatchLimits(rows=1000, age_seconds=0.1))
    assert f":0-{promised.until - 1}:" in writer.tokens[0]
    assert stored(clickhouse) == (50, 50)
    assert sink.committed(0).offset == 50
    assert read_intent(sink.committed(0).metadata) is None


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize("moment", ["before the insert", "after the insert"])
def test_crash_repeats_the_batches_of_all_partitions(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, moment: str, join: bool
) -> None:
    send_all(producer, sink, range(40), partitions=2)
    with pytest.raises(CrashError):  # apart: with the batch of one partition written, or none
        sink.run(40, ALL_AT_ONCE, crash=moment, join=join)
    assert sink.commits == 1
    for partition in (0, 1):
        intent = read_intent(sink.committed(partition).metadata)
        assert sink.committed(partition).offset == 0
        assert intent is not None
        assert (intent.until, intent.joined) == (20, ((0, 0, 20), (1, 0, 20)) if join else ())

    send_all(producer, sink, range(40, 60), partitions=2)
    writer = sink.run(60, BatchLimits(rows=1000, age_seconds=0.1), join=join)
    prefix = sink.prefix + SLA_EVENTS.name
    promised = {"0:0-19,1:0-19"} if join else {"0:0-19", "1:0-19"}
    written = [token.removeprefix(f"{prefix}:").partition(":epoch")[0] for token in writer.tokens]
    assert set(written[: len(promised)]) <= promised <= set(written)
    assert stored(clickhouse) == (60, 60)
    assert [sink.committed(partition).offset for partition in (0, 1)] == [30, 30]


def test_what_was_promised_jointly_is_written_by_whoever_has_only_a_part(
    sink: Sink, producer: KafkaProducer, clickhouse: Client
) -> None:
    send_all(producer, sink, range(40), partitions=2)
    with pytest.raises(CrashError):
        sink.run(40, ALL_AT_ONCE, crash="before the insert", join=True)
    other = sink.consumer()
    other.assign([TopicPartition(sink.prefix + SLA_EVENTS.name, 1)])
    other.commit({TopicPartition(sink.prefix + SLA_EVENTS.name, 1): OffsetAndMetadata(5, "by hand", -1)})
    other.close()
    writer = sink.run(35, BatchLimits(rows=1000, age_seconds=0.1), join=True)
    assert stored(clickhouse) == (35, 35)
    assert any(":0:0-19:epoch" in token for token in writer.tokens)


@pytest.mark.parametrize("join", [False, True])
def test_round_of_writing_costs_two_commits_for_all_partitions(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, join: bool
) -> None:
    send_all(producer, sink, range(40), partitions=2)
    sink.run(40, ALL_AT_ONCE, join=join)
    assert stored(clickhouse) == (40, 40)
    assert sink.commits == 2


def test_waits_for_clickhouse_and_then_writes_everything(
    sink: Sink, producer: KafkaProducer, clickhouse: Client
) -> None:
    send_all(producer, sink, range(20))
    sink.run(20, BatchLimits(age_seconds=0.1), failures=2)
    assert stored(clickhouse) == (20, 20)


def test_stopping_writes_what_was_read(sink: Sink, producer: KafkaProducer, clickhouse: Client) -> None:
    send_all(producer, sink, range(10))
    sink.run(1, BatchLimits(rows=3, age_seconds=0.1))
    assert sink.committed(0).offset == stored(clickhouse)[0] > 0


@pytest.mark.parametrize("join", [False, True])
@pytest.mark.parametrize("refused", [{1}, {2}, {3}, {4}, {1, 2, 3}, {2, 4}])
def test_refused_commit_loses_and_doubles_nothing(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, refused: set[int], join: bool
) -> None:
    send_all(producer, sink, range(16), partitions=2)
    sink.run(16, BatchLimits(rows=4, age_seconds=0.05), refused=frozenset(refused), join=join)
    send_all(producer, sink, range(16, 20), partitions=2)
    for _ in range(4):
        if any(at is None or at.offset < 10 for at in map(sink.committed, (0, 1))):
            sink.run(1, BatchLimits(age_seconds=0.05), join=join)
    assert stored(clickhouse) == (20, 20)


def test_two_sinks_share_and_one_takes_over(sink: Sink, producer: KafkaProducer, clickhouse: Client) -> None:
    limits = BatchLimits(rows=7, age_seconds=0.05)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(sink.run, 40, limits)
        second = threads.submit(sink.run, 160, limits)
        for number in range(200):
            send(producer, sink, sla_event(number), partition=number % 2)
        producer.flush()
        first.result()
        # Whoever is left writes on, past what the other one had read and not written.
        while not second.done() and stored(clickhouse)[1] < 200:
            threading.Event().wait(0.1)
        sink.stop_all()
        second.result()
    assert stored(clickhouse) == (200, 200)


def test_what_a_transaction_took_back_is_no_result(
    sink: Sink, kafka: EmbeddedKafka, clickhouse: Client, topic_prefix: str
) -> None:
    with KafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=f"{topic_prefix}tx", enable_idempotence=True
    ) as producer:
        producer.init_transactions()
        for numbers, keep in ((range(5), True), (range(5, 9), False), (range(9, 12), True)):
            producer.begin_transaction()
            send_all(producer, sink, numbers)
            if keep:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
    sink.run(8, BatchLimits(age_seconds=0.1))
    assert stored(clickhouse) == (8, 8)
    ids = {row[0] for row in clickhouse.query("SELECT id FROM sla_events").result_rows}
    assert ids == {f"e{number}" for number in (*range(5), *range(9, 12))}


@pytest.mark.parametrize("join", [False, True])
def test_what_is_forgotten_is_deleted_up_to_its_place_and_again_by_a_replay(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, *, join: bool
) -> None:
    forgotten = Control(id="f", kind="account_forgotten", as_of=NOW, account_id="a")
    other = replace(sla_event(1), account_id="b")
    view = ClockView("c/m/1", "c", "a", "m", 1, "met", Cause(0, 0), NOW, "s", "wall", "chat")
    for event in (sla_event(0), other, forgotten, sla_event(2)):
        send(producer, sink, event)
    send(producer, sink, view, CLOCKS.name)
    producer.send(sink.prefix + CLOCKS.name, key=b"c/m/1", value=None, partition=0)
    producer.flush()
    for _ in range(2):
        sink.run(4, BatchLimits(age_seconds=0.3), join=join)
        left = clickhouse.query("SELECT account_id, id FROM sla_events FINAL ORDER BY id").result_rows
        assert left == [("b", "e1"), ("a", "e2")]
        assert clickhouse.command("SELECT count() FROM clocks") == 0
        assert clickhouse.command("SELECT count() FROM system.mutations WHERE NOT is_done") == 0
        sink.group += "-replayed"


@pytest.mark.parametrize("together", [False, True])
def test_a_slow_partition_that_forgets_takes_nothing_of_the_new_life_that_a_fast_one_tells(
    sink: Sink, producer: KafkaProducer, clickhouse: Client, *, together: bool
) -> None:
    """Each partition of interactions passes the forgetting on behind what it had told itself."""
    forgotten = Control(id="f", kind="account_forgotten", as_of=NOW, account_id="a", relays=2)
    slow = {number: replace(sla_event(number), cause=Cause(1, number)) for number in (1, 3, 6)}
    first, second = (replace(forgotten, relayed_from=partition) for partition in (0, 1))
    for event in (sla_event(0), slow[1], first, sla_event(2), slow[3], second, sla_event(5), slow[6]):
        send(producer, sink, event)
    producer.flush()
    for _ in range(2):
        sink.run(6, BatchLimits(age_seconds=0.3) if together else BatchLimits(rows=1))
        left = clickhouse.query("SELECT id FROM sla_events FINAL ORDER BY id").result_rows
        assert left == [("e2",), ("e5",), ("e6",)]
        sink.group += "-replayed"


def test_whole_process_migrates_writes_and_tells_of_missing_topics(
    kafka: EmbeddedKafka, topic_prefix: str, clickhouse_target: ClickHouseTarget, empty_clickhouse: Client
) -> None:
    stop = threading.Event()
    options = SinkOptions(kafka=KafkaConnection(kafka.bootstrap), target=clickhouse_target, topic_prefix=topic_prefix)
    said: list[str] = []
    with pytest.raises(SinkError, match="careline topics create"):
        run_sink(options, stop, Recorder(), said.append)
    make_topics(kafka, topic_prefix)
    stop.set()
    assert run_sink(options, stop, Recorder(), said.append) == SinkCounts()
    assert empty_clickhouse.command("SELECT count() FROM sla_events") == 0
    assert empty_clickhouse.command("SELECT groupUniqArray(epoch) FROM topic_epochs") == "[1]"
    assert said[0].startswith("migrated the embedded ClickHouse in memory: 0001_results")
