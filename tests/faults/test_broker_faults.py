"""F5 and F6: one broker of three gone, all of them gone; connectors say 503 and workers wait."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from schemas.topics import INTERACTIONS
from tests.faults.broker_group import BrokerGroup
from tests.faults.fault_story import invent
from tests.faults.house import House, wait_until
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged
from tests.senders.own_words_senders import NEW_SECRET, sign_standard

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
    house = House(three.bootstrap, topic_prefix, tmp_path, copies=3)
    yield house
    house.close()


class Webhooks:
    """A connect process, and a sender that keeps book of what it was answered."""

    def __init__(self, house: House) -> None:
        self.process = house.start(
            "connect", "--listen", "127.0.0.1:0", CARELINE_WEBHOOK_SECRET=NEW_SECRET, CARELINE_REPLICATION_FACTOR="3"
        )
        wait_until(lambda: "receiving http" in house.log_of(self.process), "connect listens")
        line = next(line for line in house.log_of(self.process).splitlines() if line.startswith("receiving"))
        self.url = line.split()[1]
        self.accepted: list[str] = []
        self.answers: Counter[int] = Counter()
        self.slowest = 0.0

    async def send_for(self, seconds: float, name: str, retry: bool = True) -> None:
        """Send one message after another, each again until it is accepted where `retry` is set."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
            end, number = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                number += 1
                await self._send(session, f"{name}-{number}", end if retry else 0.0)

    async def _send(self, session: aiohttp.ClientSession, message_id: str, until: float) -> None:
        from datetime import UTC, datetime

        body = json.dumps(
            {"id": message_id, "conversation": message_id, "at": datetime.now(UTC).isoformat(), "from": "customer"}
        ).encode()
        while True:
            began = time.monotonic()
            headers = sign_standard(NEW_SECRET, body, datetime.now(UTC))
            try:
                async with session.post(self.url, data=body, headers=headers) as answer:
                    self.answers[answer.status] += 1
                    if answer.status == 200:
                        self.accepted.append(message_id)
                    elif answer.status == 503:
                        assert answer.headers["Retry-After"] == "10"
            except (TimeoutError, aiohttp.ClientError):
                self.answers[0] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if message_id in self.accepted[-1:] or time.monotonic() > until:
                return
            await asyncio.sleep(0.5)


def _stored(house: House) -> Counter[str]:
    values = (json.loads(value) for _, value in everything_in(house, INTERACTIONS) if value)
    return Counter(str(event.get("id")) for event in values)


def _lost(house: House, webhooks: Webhooks) -> int:
    stored = _stored(house)
    return sum(message_id not in stored for message_id in webhooks.accepted)


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

    figures.lost += _lost(house, webhooks)
    figures.notes |= {"answers": dict(webhooks.answers), "slowest answer, seconds": round(webhooks.slowest, 1)}
    _compare_story(house, story, figures, now)
    assert webhooks.answers[200] > 0


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
    for number in (1, 2, 3):
        three._launch(three.nodes[number - 1])
    for number in (1, 2, 3):
        three.wait_for(number)
    began = time.monotonic()
    house.send(records[len(records) // 2 :])
    asyncio.run(webhooks.send_for(3, "after"))
    wait_until_judged(house, story.events + len(set(_stored(house)) & set(webhooks.accepted)))
    figures.recover_seconds = time.monotonic() - began

    figures.lost += _lost(house, webhooks)
    lines = house.log_of(worker).count("\n")
    figures.notes |= {"answers": dict(webhooks.answers), "log lines of the worker": lines}
    _compare_story(house, story, figures, now)
    assert lines < 2_000, "a worker that waits must not flood its log"


def _compare_story(house: House, story: Any, figures: Figures, now: int) -> None:
    """The story alone: what came by webhook has conversations of its own."""
    compare(house, story, figures, now, of_story_only=True)
    assert_clean(figures)
    assert counted(house)["applied"] >= story.events
