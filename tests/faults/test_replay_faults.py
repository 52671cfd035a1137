"""F18 and F20: everything again from the beginning, and a start with nothing in memory."""

import asyncio
import json
import re
import time
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.ports import LEDGER_PREFIX
from schemas.topics import CONVERSATION_STATE, SLA_EVENTS
from streams.lane.changelog import from_value, to_value
from streams.lane.outbox import Outbox
from streams.lane.partition_states import Remembered, Wake
from streams.record_batch import NO_HEADERS
from tests.faults.fault_story import DAY, Story, invent
from tests.faults.house import House, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged
from tests.faults.warehouse import Warehouse
from tests.process_memory import most_resident_mb, resident_mb

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 800
LANES = 3
"""Kinds of lanes, each of which says that it is ready."""
MORE_KEYS = 50_000
MOST_MEMORY_RATIO = 1.5
"""What reading back may take at most, of what it keeps."""
OF_THE_MOMENT = ("detected_at", "lateness_seconds", "cause")
"""When something was noticed is no part of what happened; offsets differ between two logs."""


def _told(house: House) -> dict[str, dict[str, Any]]:
    events = (
        json.loads(value) for _, value in everything_in(house, SLA_EVENTS) if value and b'"conversation_id"' in value
    )
    return {event["id"]: {key: value for key, value in event.items() if key not in OF_THE_MOMENT} for event in events}


def _run(house: House, story: Story, workers: int, database: str) -> None:
    house.publish_policy()
    house.send(story.records())
    for _ in range(workers):
        house.worker()
    house.start("sink", CARELINE_CLICKHOUSE=database)
    wait_until_judged(house, story.events)


SAME = {
    "every outcome by hour": "SELECT * FROM {}.outcomes_hourly ORDER BY ALL",
    "adherence": """
        SELECT account_id, metric, scope, scope_value, window, met, breached, ratio, open, overdue
        FROM {}.adherence_now WHERE window IN ('30d', 'month') ORDER BY ALL""",
    # A score is told when it moves, by a tenth at least: how near the last told one is, `compare` has judged.
    "health": "SELECT account_id, band FROM {}.health_now ORDER BY account_id",
    "care": """
        SELECT scope, scope_value, begins_at, partition, mapSort(counts) FROM {}.rollups FINAL
        WHERE bucket = 'day' ORDER BY scope, scope_value, begins_at, partition""",
}
"""What two runs of one log must agree on to the last digit. Shorter windows end when somebody looks."""


def _different(warehouse: Warehouse) -> list[str]:
    """What the tables of the two runs do not agree on, with the first row on each side."""
    found = []
    for name, question in SAME.items():
        one, other = (warehouse.ask(question.format(database)) for database in ("careline", "other"))
        if one != other or not one:
            apart = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
            found.append(f"{name}: {len(one)} and {len(other)} rows, {len(apart)} differ: {apart[:1]}")
    return found


def test_f18_replay_with_other_workers(
    house: House, other_house: House, warehouse: Warehouse, seed: int, now: int
) -> None:
    """One worker and three say the same of one log: events field by field, adherence, health and ClickHouse's sums."""
    story = invent(seed, CONVERSATIONS // 2, now)
    figures = Figures("F18 replay", seed)

    _run(house, story, 1, warehouse.url())
    _run(other_house, story, 3, warehouse.url().replace("/careline", "/other"))

    # What a deadline brings about comes with a tick, after the events: comparing waits for it.
    compare(house, story, figures, now)
    compare(other_house, story, figures, now)
    first, second = _told(house), _told(other_house)
    figures.lost += len(first.keys() ^ second.keys())
    figures.wrong += sum(first[event_id] != second[event_id] for event_id in first.keys() & second.keys())
    assert_clean(figures)
    wait_until(lambda: not _different(warehouse), lambda: f"the tables agree: {_different(warehouse)}")


def test_f20_recovery_of_the_memory(house: House, seed: int, now: int) -> None:
    """A worker that remembers nothing reads its memory back, says how far it is, and goes on; it needs little more."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F20 cold start", seed)
    house.publish_policy()
    first = house.worker()
    wait_until(lambda: house.log_of(first).count(" ready, ") >= LANES, "the worker works")
    bare = resident_mb(first.pid)
    house.send(records[: len(records) // 2])
    wait_until_judged(house, len(records) // 2)
    first.kill()
    first.wait()
    asyncio.run(_remember_more(house, MORE_KEYS))
    began = time.monotonic()
    second = house.worker()
    wait_until(lambda: house.log_of(second).count(" ready, ") >= LANES, "the memory is read back")
    steady, peak = resident_mb(second.pid), most_resident_mb(second.pid)
    house.send(records[len(records) // 2 :])
    wait_until_judged(house, len(records))
    figures.recover_seconds = time.monotonic() - began

    figures.notes["MB bare, steady, peak"] = (round(bare), round(steady), round(peak))
    keys = [int(found) for found in re.findall(r"(\d+) keys recovered in", house.log_of(second))]
    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
    assert sum(keys) > MORE_KEYS
    assert peak - bare < MOST_MEMORY_RATIO * (steady - bare), figures


async def _remember_more(house: House, count: int) -> None:
    """As many open conversations as a large company has: the states of the story again, under keys of their own."""
    states = [value for key, value in everything_in(house, CONVERSATION_STATE) if value and not _is_ledger(key)]
    far = Wake("wall", time.time_ns() // 1000 + 365 * DAY)
    outbox = Outbox()
    for number in range(count):
        state = from_value(states[number % len(states)]).state
        place = (house.prefix + CONVERSATION_STATE.name, number % house.partitions)
        outbox.put(place, f"more:{number}".encode(), to_value(Remembered(state, far)), *NO_HEADERS)
    outbox.finish()
    async with (
        AIOKafkaProducer(
            bootstrap_servers=house.servers.split(","), transactional_id=f"{house.prefix}more"
        ) as producer,
        producer.transaction(),
    ):
        await asyncio.gather(
            *[await producer.send_batch(batch, topic, partition=partition) for (topic, partition), batch in outbox]
        )


def _is_ledger(key: bytes | None) -> bool:
    return key is None or key.startswith(LEDGER_PREFIX.encode())
