"""F15: workers of two releases at once, an upgrade, a rollback; and a memory that a release of today cannot read."""

import struct
import subprocess
from itertools import pairwise

import pytest

from schemas.topics import CONVERSATION_STATE, SLA_EVENTS
from tests.faults.fault_story import Record, invent
from tests.faults.house import PATIENCE_SECONDS, House, stop, wait_until
from tests.faults.next_release import OF_TOMORROW
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 300
LATER_FORMAT = 200


def _of_the_next_release(house: House) -> subprocess.Popen[bytes]:
    return house.start_program("next", ("tests.faults.next_release", "work"), {})


def test_f15_two_releases_and_a_rollback(house: House, seed: int, now: int) -> None:
    """The next release, back to this one, then both; what the other remembers and says more does no harm."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F15 two releases", seed)
    house.publish_policy()
    ends = [len(records) * quarter // 4 for quarter in range(5)]
    parts = [records[begin:end] for begin, end in pairwise(ends)]

    following = _of_the_next_release(house)
    house.send(parts[0])
    wait_until_judged(house, ends[1])
    assert stop(following) == 0
    today = house.worker()
    house.send(parts[1])
    wait_until_judged(house, ends[2])
    following = _of_the_next_release(house)
    wait_until(lambda: "ready" in house.log_of(following), "both work")
    house.send(parts[2])
    wait_until_judged(house, ends[3])
    today.kill()
    today.wait()
    house.send(parts[3])
    house.worker()
    wait_until_judged(house, story.events)

    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
    for topic in (CONVERSATION_STATE, SLA_EVENTS):
        assert any(OF_TOMORROW.encode() in (value or b"") for _, value in everything_in(house, topic)), topic.name


def test_f15_a_memory_in_a_later_format(house: House) -> None:
    """It is not guessed at: the worker ends with one line that says what to do, and touches nothing."""
    later = struct.pack(">BqB", LATER_FORMAT, 0, 0) + b"?"
    house.send([Record(b"s1-c1", later)], CONVERSATION_STATE)
    before = everything_in(house, CONVERSATION_STATE)
    worker = house.worker()

    assert worker.wait(timeout=PATIENCE_SECONDS) == 1
    assert "upgrade all workers first" in house.log_of(worker)
    assert "Traceback" not in house.log_of(worker)
    assert everything_in(house, CONVERSATION_STATE) == before
