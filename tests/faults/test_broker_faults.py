"""F5 and F6: one broker of three gone, two, all of them; bounced in turn; connectors say 503 and workers wait."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.broker_group import BrokerGroup
from tests.faults.fault_story import invent
from tests.faults.house import PATIENCE_SECONDS, House, SteadyLoad, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, counted, wait_until_judged
from tests.faults.webhooks import Webhooks, lost, stored

pytestmark = [pytest.mark.integration, pytest.mark.faults]

ABSENCE_SECONDS = 20.0
CONVERSATIONS = 600


@pytest.fixture
def three(tmp_path: Path) -> Iterator[BrokerGroup]:
    """Three brokers; topics have three copies, two of which must have a record."""
    with BrokerGroup(tmp_path, 3) as group:
        yield group


@pytest.fixture
def three_house(three: BrokerGroup, topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """An installation on three brokers."""
    with closing(House(three.bootstrap, topic_prefix, tmp_path, copies=3)) as house:
        yield house


def test_f5_one_broker_of_three_is_killed(three: BrokerGroup, three_house: House, seed: int, now: int) -> None:
    """Two copies are enough: webhooks are accepted, workers go on, and the broker comes back."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F5 one broker of three", seed)
    house = three_house
    house.publish_policy()
    worker = house.worker()
    webhooks = Webhooks(house)
    wait_until(lambda: "ready" in house.log_of(worker), "the worker works")
    three.kill(2)
    began = time.monotonic()
    house.send(story.records())
    asyncio.run(webhooks.send_for(ABSENCE_SECONDS / 2, "without-2"))
    wait_until_judged(house, story.events + len(webhooks.accepted))
    figures.recover_seconds = time.monotonic() - began
    three.start(2)
    asyncio.run(webhooks.send_for(3, "with-2"))
    wait_until_judged(house, story.events + len(webhooks.accepted))

    figures.lost += lost(house, webhooks)
    figures.notes |= {"answers": dict(webhooks.answers), "slowest answer, seconds": round(webhooks.slowest, 1)}
    _compare_story(house, story, figures, now)
    assert webhooks.answers[200] > 0


def test_f5_too_few_brokers_and_then_each_is_bounced(
    three: BrokerGroup, three_house: House, seed: int, now: int
) -> None:
    """Under `min.insync.replicas` nothing is accepted; then each dies in turn under load, and the books are exact."""
    story = invent(seed, CONVERSATIONS // 2, now)
    records = story.records()
    figures = Figures("F5 two of three, then all in turn", seed)
    house = three_house
    house.publish_policy()
    worker = house.worker()
    webhooks = Webhooks(house)
    asyncio.run(webhooks.send_for(2, "three"))
    house.send(records[: len(records) // 4])
    wait_until(lambda: "ready" in house.log_of(worker), "the worker works")
    for number in (2, 3):
        three.kill(number)
    accepted_before = len(webhooks.accepted)
    asyncio.run(webhooks.send_for(ABSENCE_SECONDS / 2, "one", retry=False))
    accepted_by_one = len(webhooks.accepted) - accepted_before
    refused = webhooks.answers[503]
    three.start(2, 3)
    began = time.monotonic()
    with SteadyLoad(house, records[len(records) // 4 :], seconds=10):
        for number in (1, 2, 3):
            three.kill(number)
            asyncio.run(webhooks.send_for(2, f"without-{number}"))
            three.start(number)
            asyncio.run(webhooks.send_for(2, f"again-{number}"))
    so_far = len(webhooks.accepted)
    while len(webhooks.accepted) == so_far:
        assert time.monotonic() - began < PATIENCE_SECONDS, "webhooks are accepted again"
        asyncio.run(webhooks.send_for(2, f"after-{time.monotonic()}"))
    # What a client sent twice, because it never heard, stands in the log twice; it counts once, and the other is told.
    wait_until(lambda: counted(house) == _in_the_log(house), "every record is accounted for, once")
    figures.recover_seconds = time.monotonic() - began

    figures.lost += lost(house, webhooks)
    figures.notes |= {"answers": dict(webhooks.answers), "accepted by one broker": accepted_by_one}
    compare(house, story, figures, now, of_story_only=True)
    assert_clean(figures)
    assert refused > 0
    assert accepted_by_one == 0, "one copy is not enough"
    assert worker.poll() is None


def _in_the_log(house: House) -> Counter[str]:
    """What the books must say of the interactions that are in the log now."""
    there = stored(house)
    return Counter(applied=len(there), duplicate=sum(there.values()) - len(there), late=0, rejected=0)


def test_f6_all_brokers_are_gone(three: BrokerGroup, three_house: House, seed: int, now: int) -> None:
    """Webhooks hear 503 and Retry-After; workers wait with back-off and go on by themselves."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F6 all brokers gone", seed)
    house = three_house
    house.publish_policy()
    worker = house.worker()
    webhooks = Webhooks(house)
    asyncio.run(webhooks.send_for(2, "before"))
    house.send(records[: len(records) // 2])
    for number in (1, 2, 3):
        three.kill(number)
    asyncio.run(webhooks.send_for(ABSENCE_SECONDS, "away", retry=False))
    assert webhooks.answers[503] > 0
    assert worker.poll() is None
    three.start(1, 2, 3)
    began = time.monotonic()
    house.send(records[len(records) // 2 :])
    asyncio.run(webhooks.send_for(3, "after"))
    wait_until_judged(house, story.events + len(set(stored(house)) & set(webhooks.accepted)))
    figures.recover_seconds = time.monotonic() - began

    figures.lost += lost(house, webhooks)
    lines = house.log_of(worker).count("\n")
    figures.notes |= {"answers": dict(webhooks.answers), "log lines of the worker": lines}
    _compare_story(house, story, figures, now)
    assert lines < 2_000, "a worker that waits must not flood its log"


def _compare_story(house: House, story: Any, figures: Figures, now: int) -> None:
    """The story alone: what came by webhook has conversations of its own."""
    compare(house, story, figures, now, of_story_only=True)
    assert_clean(figures)
    assert counted(house)["applied"] >= story.events
