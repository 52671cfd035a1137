"""F7: while ClickHouse is away, and while the sink catches up, its memory is bounded; alerts and SLA events flow on."""

import json
import random
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.topics import ALERTS, REJECTED, SLA_EVENTS
from tests.faults.fault_story import MINUTE, SECOND, Conversation, Record, Said, Story, invent
from tests.faults.house import House, stop, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, everything_in, wait_until_judged
from tests.faults.warehouse import Warehouse, compare_tables
from tests.process_memory import most_resident_mb, resident_mb

pytestmark = [pytest.mark.integration, pytest.mark.faults]

AWAY_SECONDS = 22.0
LETTERS, LETTER_BYTES = 1_000, 80_000
"""Dead letters of 107 MB in Kafka, more than three times what the sink may hold."""
MOST_GROWTH_MB = 150.0
DUE_IN_SECONDS = 10


def test_f7_memory_is_bounded_while_clickhouse_is_away(house: House, warehouse: Warehouse, seed: int, now: int) -> None:
    """Much more than fits comes in meanwhile; breaches are told in time, and everything is written in the end."""
    story = invent(seed, 200, now)
    figures = Figures("F7 memory of the sink", seed)
    records = story.records()
    house.publish_policy()
    worker = house.worker()
    sink = house.start("sink", CARELINE_CLICKHOUSE=warehouse.url())
    house.send(records[: len(records) // 2])
    wait_until_judged(house, len(records) // 2)
    wait_until(lambda: warehouse.ask("SELECT count() FROM clocks")[0][0] > 0, "the sink writes")
    before = resident_mb(sink.pid)
    warehouse.stop()
    began = time.monotonic()
    alerts_before = len(everything_in(house, ALERTS))
    due = _due_soon()
    house.send(due.records())
    house.send(records[len(records) // 2 :])
    house.send(_dead_letters(seed), REJECTED)
    wait_until_judged(house, story.events + due.events)
    wait_until(lambda: len(_breached(house) & due.conversations.keys()) == len(due.conversations), "breaches are told")
    alerts = len(everything_in(house, ALERTS)) - alerts_before
    time.sleep(max(0.0, began + AWAY_SECONDS - time.monotonic()))
    while_away = most_resident_mb(sink.pid) - before
    assert sink.poll() is None
    warehouse.start()
    began = time.monotonic()
    compare_tables(house, warehouse, figures)
    wait_until(
        lambda: _letters(warehouse) == LETTERS, lambda: f"all letters are there, not {_letters(warehouse)}", 120.0
    )
    figures.recover_seconds = time.monotonic() - began

    in_all = most_resident_mb(sink.pid) - before
    figures.notes |= {"grown by MB": (round(while_away), round(in_all)), "before": round(before), "alerts": alerts}
    story.conversations |= due.conversations
    compare(house, story, figures, time.time_ns() // 1000)
    assert_clean(figures)
    assert alerts > 0
    assert while_away < MOST_GROWTH_MB, figures
    assert in_all < MOST_GROWTH_MB, figures
    assert worker.poll() is None
    assert stop(sink) == 0


def _due_soon() -> Story:
    at = time.time_ns() // 1000 - 30 * MINUTE + DUE_IN_SECONDS * SECOND
    made = [Conversation(f"due-{n}", "account-1", "urgent", "email", (Said(f"due-{n}-0", at),)) for n in range(10)]
    return Story(0, {each.id: each for each in made})


def _dead_letters(seed: int) -> Iterator[Record]:
    """What a connector writes of requests that it cannot understand; bytes that nothing makes smaller."""
    dice = random.Random(seed)
    for number in range(LETTERS):
        letter: dict[str, Any] = {
            "id": f"letter-{number}",
            "reason": "not_understood",
            "detail": "nobody knows",
            "origin": {"connector": "webhook"},
            "rejected_at": "2026-11-01T00:00:00Z",
            "value": b64encode(dice.randbytes(LETTER_BYTES)).decode(),
        }
        yield Record(b"webhook", json.dumps(letter).encode())


def _letters(warehouse: Warehouse) -> int:
    return int(warehouse.ask("SELECT uniqExact(id) FROM rejected")[0][0])


def _breached(house: House) -> set[str]:
    events = (json.loads(value) for _, value in everything_in(house, SLA_EVENTS) if value)
    return {event["conversation_id"] for event in events if event["kind"] == "breached"}
