"""F7 and F8: ClickHouse is away, slow, cut off after it has executed, or refuses; the sink waits and loses nothing."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.topics import ADHERENCE, CLOCKS, HEALTH, SLA_EVENTS
from streams.sinks.clickhouse_connection import open_clickhouse, read_target
from tests.faults.fault_story import invent
from tests.faults.house import House, stop, wait_until
from tests.faults.tcp_proxy import Fault, TcpProxy
from tests.faults.verdicts import Figures, assert_clean, compare, everything_in, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 800
TABLES = {"sla_events": SLA_EVENTS, "clocks": CLOCKS, "adherence": ADHERENCE, "health": HEALTH}


class Warehouse:
    """A ClickHouse server behind a way that can be spoilt."""

    def __init__(self, house: House, folder: Path) -> None:
        pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
        self._house = house
        self._folder = folder / "clickhouse"
        self.server, self.port = house.clickhouse(self._folder)
        self.proxy = TcpProxy("127.0.0.1", self.port)
        with open_clickhouse(read_target(self.url(self.port)), create_database=True):
            pass

    def url(self, port: int | None = None) -> str:
        """Through the proxy, unless a port is given."""
        return f"http://127.0.0.1:{port or self.proxy.port}/careline"

    def client(self) -> Client:
        """A connection past the proxy."""
        return open_clickhouse(read_target(self.url(self.port)))

    def stop(self) -> None:
        """The server is gone; its data stay."""
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(timeout=30)

    def start(self) -> None:
        """It is back, on the same port."""
        self.server, _ = self._house.clickhouse(self._folder, self.port)

    def ask(self, query: str) -> list[Any]:
        """Rows of an answer."""
        with self.client() as client:
            return list(client.query(query).result_rows)


@pytest.fixture
def warehouse(house: House, tmp_path: Path) -> Iterator[Warehouse]:
    """A ClickHouse server of this test's own."""
    warehouse = Warehouse(house, tmp_path)
    yield warehouse
    warehouse.proxy.close()


def _sink(house: House, warehouse: Warehouse) -> Any:
    return house.start("sink", CARELINE_CLICKHOUSE=warehouse.url())


def _in_kafka(house: House) -> dict[str, set[str]]:
    return {
        table: {str(json.loads(value)["id"]) for _, value in everything_in(house, topic) if value and b'"id"' in value}
        for table, topic in TABLES.items()
    }


def _wait_and_compare(house: House, warehouse: Warehouse, figures: Figures) -> None:
    """Every fact of the topics stands in its table once, also without FINAL: tokens, not merges, see to it."""
    facts = _in_kafka(house)["sla_events"]
    wait_until(
        lambda: warehouse.ask("SELECT uniqExact(id) FROM sla_events")[0][0] >= len(facts), "everything is in ClickHouse"
    )
    rows, distinct = warehouse.ask("SELECT count(), uniqExact(id) FROM sla_events")[0]
    figures.doubled += rows - distinct
    figures.lost += len(facts) - distinct
    clocks = _in_kafka(house)["clocks"]
    wait_until(lambda: warehouse.ask("SELECT uniqExact(id) FROM clocks")[0][0] >= len(clocks), "all clocks are there")
    missing = clocks - {row[0] for row in warehouse.ask("SELECT id FROM clocks FINAL")}
    figures.lost += len(missing)


@pytest.mark.quick
def test_f7_away_slow_and_cut_off(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """Stopped for a while, then slow, then every answer is reset after the insert was executed."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    third = len(records) // 3
    figures = Figures("F7 ClickHouse away, slow, cut off", seed)
    house.publish_policy()
    worker, sink = house.worker(), _sink(house, warehouse)
    wait_until(lambda: "writing" in house.log_of(sink), "the sink writes")
    warehouse.stop()
    house.send(records[:third])
    wait_until_judged(house, third)
    time.sleep(5)
    assert sink.poll() is None
    warehouse.start()
    began = time.monotonic()
    warehouse.proxy.spoil(Fault(delay_seconds=1.0))
    house.send(records[third : 2 * third])
    time.sleep(4)
    warehouse.proxy.spoil(Fault(mode="reset after execution"))
    house.send(records[2 * third :])
    wait_until(lambda: warehouse.proxy.resets >= 3, "inserts are executed and their answers lost")
    warehouse.proxy.mend()
    wait_until_judged(house, story.events)

    _wait_and_compare(house, warehouse, figures)
    figures.recover_seconds = time.monotonic() - began
    figures.notes["answers lost"] = warehouse.proxy.resets
    compare(house, story, figures, now)
    assert_clean(figures)
    assert worker.poll() is None
    assert stop(sink) == 0


def test_f7_a_sink_killed_between_insert_and_commit(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """SIGKILL while its answer is on the way, three times; the next sink repeats the batch and nothing is doubled."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F7 sink killed after insert", seed)
    house.publish_policy()
    house.worker()
    house.send(story.records())
    wait_until_judged(house, story.events)
    for _ in range(3):
        sink = _sink(house, warehouse)
        wait_until(lambda sink=sink: "writing" in house.log_of(sink), "the sink writes")  # type: ignore[misc]
        warehouse.proxy.spoil(Fault(mode="reset after execution"))
        before = warehouse.proxy.resets
        wait_until(lambda before=before: warehouse.proxy.resets > before, "an answer is lost")  # type: ignore[misc]
        sink.kill()
        sink.wait()
        warehouse.proxy.mend()
    began = time.monotonic()
    _sink(house, warehouse)

    _wait_and_compare(house, warehouse, figures)
    figures.recover_seconds = time.monotonic() - began
    compare(house, story, figures, now)
    assert_clean(figures)


def test_f8_clickhouse_refuses(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """A table that is gone is no reason to drop anything: the sink says so, tries in growing pauses, and goes on."""
    story = invent(seed, 200, now)
    figures = Figures("F8 ClickHouse refuses", seed)
    house.publish_policy()
    house.worker()
    sink = _sink(house, warehouse)
    wait_until(lambda: "writing" in house.log_of(sink), "the sink writes")
    with warehouse.client() as client:
        client.command("RENAME TABLE clocks TO clocks_elsewhere")
    house.send(story.records())
    wait_until_judged(house, story.events)
    wait_until(lambda: "careline migrate" in house.log_of(sink), "the sink says what is missing")
    time.sleep(5)
    with warehouse.client() as client:
        client.command("RENAME TABLE clocks_elsewhere TO clocks")

    _wait_and_compare(house, warehouse, figures)
    lines = house.log_of(sink).count("\n")
    figures.notes["log lines"] = lines
    compare(house, story, figures, now)
    assert_clean(figures)
    assert lines < 100


def test_the_books_are_closed_and_a_gap_is_found(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """`doctor --audit`: even over log, ledgers and ClickHouse; a row that is taken away is missed."""
    story = invent(seed, 200, now)
    house.publish_policy()
    house.worker()
    _sink(house, warehouse)
    house.send(story.records())
    wait_until_judged(house, story.events)
    facts = _in_kafka(house)["sla_events"]
    wait_until(lambda: warehouse.ask("SELECT uniqExact(id) FROM sla_events")[0][0] >= len(facts), "all is stored")

    lines = _audited(house, warehouse)
    assert [line for line in lines if line["missing"] or line["surplus"]] == []
    of_interactions = [line for line in lines if line["book"] == "interactions"]
    assert sum(line["accepted"] for line in of_interactions) == story.events

    with warehouse.client() as client:
        client.command("DELETE FROM sla_events WHERE id IN (SELECT id FROM sla_events LIMIT 3)")
    lines = _audited(house, warehouse)
    assert sum(line["missing"] for line in lines) == 3


def _audited(house: House, warehouse: Warehouse) -> list[dict[str, Any]]:
    doctor = house.start("doctor", "--audit", "--json", CARELINE_CLICKHOUSE=warehouse.url(warehouse.port))
    doctor.wait(timeout=60)
    lines: list[dict[str, Any]] = json.loads(house.log_of(doctor).splitlines()[-1])
    return lines
