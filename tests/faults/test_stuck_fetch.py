"""F21: the connection that a worker fetches over hangs, while its heartbeats go on; the worker notices and leaves."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.broker_group import BrokerGroup
from tests.faults.fault_story import invent
from tests.faults.house import PATIENCE_SECONDS, House, wait_until
from tests.faults.tcp_proxy import Fault, TcpProxy
from tests.faults.verdicts import Figures, assert_clean, compare, counted, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 300
STUCK_AFTER_SECONDS = 5
CONSUMER = b"faust"
"""How the name of the client begins with which a worker fetches, and nobody else."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[BrokerGroup, TcpProxy]]:
    """One broker, and the way that all clients take to it."""
    group = BrokerGroup(tmp_path, 1)
    way = TcpProxy("127.0.0.1", group.nodes[0].port)
    group.advertise(1, way.port)
    with group:
        yield group, way
    way.close()


@pytest.fixture
def house_behind(broker: tuple[BrokerGroup, TcpProxy], topic_prefix: str, tmp_path: Path) -> Iterator[House]:
    """An installation behind that way."""
    with closing(House(broker[0].bootstrap, topic_prefix, tmp_path)) as house:
        yield house


def test_f21_a_fetch_that_hangs(broker: tuple[BrokerGroup, TcpProxy], house_behind: House, seed: int, now: int) -> None:
    """The group believes that it lives, and nothing comes: it leaves with a status that says so, another goes on."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F21 stuck fetch", seed)
    house, way = house_behind, broker[1]
    house.publish_policy()
    stuck = house.worker(CARELINE_STUCK_AFTER_SECONDS=str(STUCK_AFTER_SECONDS))
    house.send(records[: len(records) // 2])
    wait_until_judged(house, len(records) // 2)
    way.spoil(Fault(mode="hung fetches", client=CONSUMER))
    wait_until(lambda: way.swallowed > 0, "a fetch hangs")
    house.send(records[len(records) // 2 :])
    began = time.monotonic()

    assert stuck.wait(timeout=PATIENCE_SECONDS) == 1
    figures.notes["noticed after, seconds"] = round(time.monotonic() - began, 1)
    assert "stuck: nothing is fetched of" in house.log_of(stuck)
    way.mend()
    house.worker()
    wait_until_judged(house, story.events)
    figures.recover_seconds = time.monotonic() - began
    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
