"""F6: Kafka is not there when the processes are started; they wait, say so, and work once it comes."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.topics import ENRICHMENTS
from tests.faults.broker_group import BrokerGroup
from tests.faults.fault_story import Record, invent
from tests.faults.house import House, stop, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, everything_in, wait_until_judged
from tests.faults.warehouse import Warehouse, compare_tables
from tests.faults.webhooks import Webhooks, lost

pytestmark = [pytest.mark.integration, pytest.mark.faults]

TRIES = 5
LONGEST_PAUSE_SECONDS = 5.0
ANNOUNCED = {"work": " ready, ", "connect": "takes records", "sink": "writing", "enrich": "judging messages"}
"""What each says when it begins."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerGroup]:
    """One broker of this test's own."""
    with BrokerGroup(tmp_path, 1) as group:
        yield group


@pytest.fixture
def lonely_house(broker: BrokerGroup, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """An installation on it."""
    with closing(House(broker.bootstrap, topic_prefix, tmp_path)) as house:
        yield house


@pytest.fixture
def lonely_warehouse(lonely_house: House, tmp_path: Path) -> Iterator[Warehouse]:
    """Its ClickHouse."""
    with closing(Warehouse(lonely_house, tmp_path)) as warehouse:
        yield warehouse


def test_f6_kafka_comes_later(
    broker: BrokerGroup, lonely_house: House, lonely_warehouse: Warehouse, seed: int, now: int
) -> None:
    """Worker, connect, sink and enrich: none ends, each says what it waits for, and all work by themselves then."""
    story = invent(seed, 120, now)
    figures = Figures("F6 absent at the start", seed)
    house = lonely_house
    house.publish_policy()
    broker.kill(1)
    started = {
        "work": house.worker(),
        "sink": house.start("sink", CARELINE_CLICKHOUSE=lonely_warehouse.url()),
        "enrich": house.start("enrich"),
    }
    webhooks = Webhooks(house)
    started["connect"] = webhooks.process
    for name, process in started.items():
        wait_until(lambda p=process: len(_pauses(house.log_of(p))) >= TRIES, f"{name} tries again")  # type: ignore[misc]
    asyncio.run(webhooks.send_for(1, "absent", retry=False))
    assert webhooks.answers.keys() == {503}

    broker.start(1)
    figures.recover_seconds = max(
        wait_until(lambda n=name, p=process: ANNOUNCED[n] in house.log_of(p), f"{name} works")  # type: ignore[misc]
        for name, process in started.items()
    )
    house.send(story.records())
    angry = replace(next(iter(story.conversations.values())), id="angry", account="elsewhere", priority="low")
    house.send([Record(b"angry", angry.body(replace(angry.events[0], id="angry-0"), text="This is terrible."))])
    asyncio.run(webhooks.send_for(2, "there"))
    wait_until_judged(house, story.events + 1 + len(webhooks.accepted))
    wait_until(lambda: len(everything_in(house, ENRICHMENTS)) > 0, "what was written is judged")

    figures.lost += lost(house, webhooks)
    compare_tables(house, lonely_warehouse, figures)
    compare(house, story, figures, now, of_story_only=True)
    assert_clean(figures)
    assert webhooks.accepted
    for name, process in started.items():
        pauses = _pauses(house.log_of(process))
        assert pauses[0] < pauses[1] < pauses[2] <= LONGEST_PAUSE_SECONDS, (name, pauses)
        assert "Traceback" not in house.log_of(process), name
        assert stop(process) == 0, name


def _pauses(log: str) -> list[float]:
    """How long it was going to wait each time, in seconds."""
    return [float(found) for found in re.findall(r"Trying again in (\d+\.\d) s", log)]
