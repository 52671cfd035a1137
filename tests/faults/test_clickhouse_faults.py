"""F7: ClickHouse is away, slow, or cut off after it has executed; the sink waits and loses nothing."""

import json
import time
from typing import Any

import pytest

from tests.faults.fault_story import invent
from tests.faults.house import House, stop, wait_until
from tests.faults.tcp_proxy import Fault
from tests.faults.verdicts import Figures, assert_clean, compare, wait_until_judged
from tests.faults.warehouse import Warehouse, compare_tables, facts_in_kafka

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 800


def _sink(house: House, warehouse: Warehouse) -> Any:
    return house.start("sink", CARELINE_CLICKHOUSE=warehouse.url())


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

    compare_tables(house, warehouse, figures)
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

    compare_tables(house, warehouse, figures)
    figures.recover_seconds = time.monotonic() - began
    compare(house, story, figures, now)
    assert_clean(figures)


def test_the_books_are_closed_and_a_gap_is_found(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """`doctor --audit`: even over log, ledgers and ClickHouse; a row that is taken away is missed."""
    story = invent(seed, 200, now)
    house.publish_policy()
    house.worker()
    _sink(house, warehouse)
    house.send(story.records())
    wait_until_judged(house, story.events)
    facts = facts_in_kafka(house)["sla_events"]
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
