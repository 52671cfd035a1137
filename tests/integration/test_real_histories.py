"""Histories that nobody here made, the whole way: the command `import`, Kafka, two workers, the sink, ClickHouse.

What comes out must be what the sources say about their data (`../shared/datasets/SOURCES.md`), what `careline policy
run` says without any broker, and the same when the files are imported again.
"""

import csv
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from clickhouse_connect.driver.client import Client
from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct
from typer.testing import CliRunner

from schemas.adherence import AdherenceFigure, AdherenceReport
from schemas.codec import decode
from schemas.health_score import HealthScore
from schemas.topics import ADHERENCE, ALERTS, CLOCKS, HEALTH, INTERACTIONS, REJECTED, SIGNALS, SLA_EVENTS, TopicSpec
from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from streams.file_kinds import POLICY
from streams.file_publisher import publish_file
from streams.policy_files.clock_columns import instant_text
from streams.settings import Settings
from streams.sinks.clickhouse_connection import ClickHouseTarget
from streams.sinks.recorder import Recorder
from streams.sinks.sink_process import GROUP, SinkOptions, run_sink
from tests.fixtures_kafka import make_topics
from tests.work_processes import PATIENCE_SECONDS, Pipeline

pytestmark = pytest.mark.integration

Contract = TypeVar("Contract", bound=Struct)

PARTITIONS = 4
SOURCES = (INTERACTIONS, SLA_EVENTS, SIGNALS)
RESULTS = (SLA_EVENTS, CLOCKS, ADHERENCE, HEALTH, ALERTS, REJECTED)
HELPDESK_ENDS = datetime(2014, 1, 4, tzinfo=UTC)
HELPDESK_AT_WORK = datetime(2010, 9, 30, 16, tzinfo=UTC)
"""In the middle of a busy month: promises are running, and every window has something in it."""
BOSTON_ENDS = datetime(2022, 6, 1, tzinfo=UTC)


@dataclass
class House:
    """One installation: what runs in it, and what can be asked of it."""

    pipeline: Pipeline
    settings: Settings
    target: ClickHouseTarget
    clickhouse: Client
    stop: threading.Event = field(default_factory=threading.Event)

    def open(self, policy: Path) -> None:
        publish_file(self.settings, POLICY, policy)
        for _ in range(2):
            self.pipeline.start_worker()
        options = SinkOptions(kafka=self.settings.kafka, target=self.target, topic_prefix=self.settings.topic_prefix)
        self._sink = threading.Thread(target=run_sink, args=(options, self.stop, Recorder()))
        self._sink.start()

    def close(self) -> None:
        self.stop.set()
        self._sink.join()

    def command(self, *words: str | Path) -> Any:
        environment = {
            "CARELINE_KAFKA": self.settings.kafka_servers,
            "CARELINE_TOPIC_PREFIX": self.settings.topic_prefix,
        }
        result = CliRunner().invoke(app, [str(word) for word in words], env=environment)
        assert result.exit_code == 0, result.output
        return result

    def import_file(self, example: Path, history: Path, now: datetime) -> dict[str, Any]:
        words = ("import", "--mapping", example / "mapping.yaml", "--now", now.isoformat(), "--json", history)
        summary: dict[str, Any] = json.loads(self.command(*words).stdout)
        return summary

    def wait(self, events: int) -> Counter[str]:
        """The ledgers once that many events are accounted for and nobody has anything left to read."""
        ledger = self.pipeline.wait_until_applied(events)
        end = time.monotonic() + PATIENCE_SECONDS
        quiet = 0
        while quiet < 2 and time.monotonic() < end:  # twice: a tick may have been on its way
            workers, sink = self.settings.topic(self.settings.group), self.settings.topic(GROUP)
            quiet = 0 if self._unread(workers, SOURCES) or self._unread(sink, RESULTS) else quiet + 1
        assert quiet, "workers and sink did not come to an end"
        return ledger

    def _unread(self, group: str, topics: tuple[TopicSpec, ...]) -> int:
        return sum(1 for topic in topics for _ in self._records(topic, group))

    def told(self, topic: TopicSpec, contract: type[Contract]) -> list[Contract]:
        """Everything committed to a topic so far."""
        return [decode(contract, record.value) for record in self._records(topic)]

    def _records(self, topic: TopicSpec, group: str | None = None) -> Iterator[Any]:
        """Committed records from where the group stands, or from the beginning, to the end."""
        places = [TopicPartition(self.settings.topic(topic.name), number) for number in range(PARTITIONS)]
        with closing(
            KafkaConsumer(
                bootstrap_servers=self.settings.kafka_servers,
                group_id=group,
                enable_auto_commit=False,
                isolation_level="read_committed",
            )
        ) as consumer:
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, (consumer.committed(place) if group else None) or 0)
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(timeout_ms=100).values():
                    yield from records

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.clickhouse.query(sql).result_rows]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All results as they lie in ClickHouse, with the offsets that they came from and when they came."""
        tables = ("sla_events", "clocks", "adherence", "health", "alerts", "rejected")
        return {table: self.rows(f"SELECT * FROM {table} FINAL ORDER BY id, version") for table in tables}


@pytest.fixture
def house(
    kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path, clickhouse_target: ClickHouseTarget, clickhouse: Client
) -> Iterator[House]:
    make_topics(kafka, topic_prefix, PARTITIONS)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path, PARTITIONS)
    settings = Settings(kafka_servers=kafka.bootstrap, topic_prefix=topic_prefix)
    house = House(pipeline, settings, clickhouse_target, clickhouse)
    try:
        yield house
    finally:
        house.close()
        pipeline.close()


def dataset(shared: Path, name: str) -> Path:
    path = shared / "datasets" / name
    if not path.exists():
        pytest.skip(f"needs ../shared/datasets/{name}, which is not here")
    return path


def test_a_help_desk_of_21_348_events(house: House, shared: Path, project_root: Path) -> None:
    history, example = dataset(shared, "helpdesk/helpdesk.csv"), project_root / "examples" / "helpdesk"
    house.open(example / "policy.yaml")
    summary = house.import_file(example, history, HELPDESK_ENDS)
    ledger = house.wait(summary["events"])

    assert (summary["rows"], summary["rejected"], ledger["late"], ledger["rejected"]) == (21_348, {}, 0, 0)
    assert ledger["applied"] + ledger["duplicate"] == summary["events"]
    _published_figures_come_out(house)
    _the_same_as_without_a_broker(house, example, history)

    known = house.everything()
    again = house.import_file(example, history, HELPDESK_ENDS)
    assert again["clock"] == summary["clock"]
    ledger_again = house.wait(2 * summary["events"])
    assert (ledger_again["applied"], ledger_again["rejected"]) == (ledger["applied"], 0)
    assert ledger_again["duplicate"] + ledger_again["late"] == ledger["duplicate"] + summary["events"]
    assert house.everything() == known


def _published_figures_come_out(house: House) -> None:
    found = house.rows(
        "SELECT metric, count(), median(wall_elapsed_seconds) / 3600, quantile(0.9)(wall_elapsed_seconds) / 3600 "
        "FROM clocks FINAL WHERE satisfied_at IS NOT NULL GROUP BY metric ORDER BY metric"
    )
    # The source says neither how it interpolates nor more digits.
    published = [("first_resolution", 4_569, 143.38, 716.1), ("first_response", 4_207, 17.04, 355.6)]
    for (metric, count, median, p90), expected in zip(found, published, strict=True):
        assert (metric, count) == expected[:2]
        assert median == pytest.approx(expected[2], abs=0.005)
        assert p90 == pytest.approx(expected[3], rel=0.001)
    assert house.rows("SELECT count() = uniqExact(id) FROM sla_events") == [(1,)], "nothing is told twice"
    assert house.rows("SELECT count() FROM rejected") == [(0,)]
    judged_early = "SELECT count() FROM sla_events WHERE kind = 'outcome_revised'"
    assert house.rows(judged_early) == [(0,)], "no ticket is judged early because another one is newer"


def _the_same_as_without_a_broker(house: House, example: Path, history: Path) -> None:
    words = ("--policies", example / "policy.yaml", "--mapping", example / "mapping.yaml")
    printed = house.command("policy", "run", *words, "--now", HELPDESK_ENDS.isoformat(), history).stdout
    expected = [json.loads(line) for line in printed.splitlines()]
    for clock in expected:
        clock["account"] = clock["account"] or f"conversation:{clock['conversation']}"
    columns = [name for name in expected[0] if not name.endswith("elapsed_seconds")]
    stored = {"conversation": "conversation_id", "account": "account_id"}
    # How much of an unanswered clock is used up depends on when it was looked at.
    sql = ", ".join(stored.get(name, name) for name in columns) + ", if(satisfied_at IS NULL, NULL, elapsed_seconds)"
    found = {row[:-1]: row[-1] for row in map(_printed, house.rows(f"SELECT {sql} FROM clocks FINAL"))}
    told = {
        tuple(clock[name] for name in columns): clock["elapsed_seconds"] if clock["satisfied_at"] else None
        for clock in expected
    }
    assert found == told


def _printed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(instant_text(value) if isinstance(value, datetime) else value for value in row)


def test_accounts_are_told_once_and_count_what_was_decided(
    house: House, shared: Path, project_root: Path, tmp_path: Path
) -> None:
    """The help desk as it stood on a busy day, counted again from the clocks."""
    example, history = project_root / "examples" / "helpdesk", tmp_path / "until_then.csv"
    with dataset(shared, "helpdesk/helpdesk.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    time_of = header.index("Complete Timestamp")
    happened = [row for row in rows if row[time_of] < f"{HELPDESK_AT_WORK:%Y/%m/%d %H:%M:%S}"]
    with history.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *happened])
    house.open(example / "policy.yaml")
    house.wait(house.import_file(example, history, HELPDESK_AT_WORK)["events"])

    of_import = [figure for figure in _figures_of_accounts(house) if figure.clock != "wall"]
    assert {figure.as_of for figure in of_import} == {HELPDESK_AT_WORK}
    places = Counter((figure.account_id, figure.metric, figure.window) for figure in of_import)
    assert set(places.values()) == {1}
    for window, length, width in (("24h", 24, "minute"), ("7d", 7 * 24, "hour"), ("30d", 30 * 24, "hour")):
        # A bucket counts when its start lies after the end minus the window (`agents.domain.rolling_window`).
        first = HELPDESK_AT_WORK - timedelta(hours=length) + timedelta(**{f"{width}s": 1})
        counted = house.clickhouse.query(
            "SELECT account_id, metric, countIf(kept), countIf(NOT kept) FROM outcomes "
            "WHERE decided_at BETWEEN {first:DateTime64(6, 'UTC')} AND {last:DateTime64(6, 'UTC')} GROUP BY ALL",
            parameters={"first": first.replace(tzinfo=None), "last": HELPDESK_AT_WORK.replace(tzinfo=None)},
        ).result_rows
        figures = [
            (each.account_id, each.metric, each.met, each.breached)
            for each in of_import
            if each.window == window and each.met + each.breached
        ]
        assert sorted(figures) == sorted(map(tuple, counted))
        assert figures
    _promises_that_run_live_on(house, [figure for figure in of_import if figure.window == "30d"])
    _health_adds_up(house, of_import)


def _figures_of_accounts(house: House) -> list[AdherenceFigure]:
    told = house.told(ADHERENCE, AdherenceReport)
    return [figure for report in told for figure in report.figures() if figure.scope == "account"]


def _promises_that_run_live_on(house: House, figures: list[AdherenceFigure]) -> None:
    """What was open when the story ended runs on the wall since then, and was due years ago."""
    running = sum(figure.open for figure in figures)
    overdue = sum(figure.overdue for figure in figures)
    assert running
    assert house.rows("SELECT countIf(outcome = 'open'), countIf(outcome = 'breached') FROM clocks FINAL") == [
        (0, running + overdue)
    ]
    assert house.rows("SELECT DISTINCT clock FROM clocks FINAL WHERE outcome = 'breached'") == [("wall",)]
    afterwards = [figure for figure in _figures_of_accounts(house) if figure.clock == "wall"]
    latest = {(figure.account_id, figure.metric): figure for figure in afterwards if figure.window == "30d"}
    assert sum(figure.open for figure in latest.values()) == 0


def _health_adds_up(house: House, figures: list[AdherenceFigure]) -> None:
    scores = [score for score in house.told(HEALTH, HealthScore) if score.clock != "wall"]
    assert {score.as_of for score in scores} == {HELPDESK_AT_WORK}
    accounts = house.rows("SELECT uniqExact(account_id) FROM sla_events")
    assert [(len({score.account_id for score in scores}),)] == [(len(scores),)] == accounts
    week: dict[str, list[int]] = {}
    for figure in figures:
        if figure.window == "7d":
            met, decided = week.setdefault(figure.account_id, [0, 0])
            week[figure.account_id] = [met + figure.met, decided + figure.met + figure.breached]
    for score in scores:
        parts = {part.signal: part for part in score.contributions}
        met, decided = week.get(score.account_id, [0, 0])  # whose promises are long over is not told of
        assert parts["adherence_7d"].value == (pytest.approx(met / decided, abs=1e-6) if decided else None)
        assert score.score is None or score.score == pytest.approx(sum(part.points for part in score.contributions))
        assert (score.score is None) == (score.coverage == 0)


def test_a_city_of_100_requests_keeps_its_own_verdicts(house: House, shared: Path, project_root: Path) -> None:
    history, example = dataset(shared, "boston311/boston311-100.csv"), project_root / "examples" / "boston311"
    house.open(example / "policy.yaml")
    summary = house.import_file(example, history, BOSTON_ENDS)
    ledger = house.wait(summary["events"])
    assert ledger["applied"] == summary["events"]

    with history.open(encoding="utf-8", newline="") as file:
        requests = [row for row in csv.DictReader(file) if row["target_dt"]]
    city = {row["case_enquiry_id"]: row["ontime"] for row in requests}
    assert Counter(city.values()) == {"ONTIME": 72, "OVERDUE": 17}
    found = dict(
        house.rows(
            "SELECT conversation_id, if(outcome = 'met', 'ONTIME', 'OVERDUE') FROM clocks FINAL "
            "WHERE metric = 'first_resolution' AND due_at IS NOT NULL"
        )
    )
    assert found == city
