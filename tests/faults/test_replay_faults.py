"""F18 and F20: everything again from the beginning, and a start with nothing in memory."""

import json
import time
from typing import Any

import pytest

from schemas.topics import SLA_EVENTS
from tests.faults.fault_story import Story, invent
from tests.faults.house import House
from tests.faults.verdicts import Figures, assert_clean, compare, counted, everything_in, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CONVERSATIONS = 800
OF_THE_MOMENT = ("detected_at", "lateness_seconds", "cause")
"""When something was noticed is no part of what happened; offsets differ between two logs."""


def _told(house: House) -> dict[str, dict[str, Any]]:
    events = (
        json.loads(value) for _, value in everything_in(house, SLA_EVENTS) if value and b'"conversation_id"' in value
    )
    return {event["id"]: {key: value for key, value in event.items() if key not in OF_THE_MOMENT} for event in events}


def _run(house: House, story: Story, workers: int) -> None:
    house.publish_policy()
    house.send(story.records())
    for _ in range(workers):
        house.worker()
    wait_until_judged(house, story.events)


def test_f18_replay_with_other_workers(house: House, other_house: House, seed: int, now: int) -> None:
    """The same log read by one worker and by three says the same events, field by field."""
    story = invent(seed, CONVERSATIONS, now)
    figures = Figures("F18 replay", seed)

    _run(house, story, 1)
    _run(other_house, story, 3)

    # What a deadline brings about comes with a tick, after the events: comparing waits for it.
    compare(house, story, figures, now)
    compare(other_house, story, figures, now)
    first, second = _told(house), _told(other_house)
    figures.lost += len(first.keys() ^ second.keys())
    figures.wrong += sum(first[event_id] != second[event_id] for event_id in first.keys() & second.keys())
    assert_clean(figures)


def test_f20_recovery_of_the_memory(house: House, seed: int, now: int) -> None:
    """A worker that remembers nothing reads its memory back, says how far it is, and goes on."""
    story = invent(seed, CONVERSATIONS, now)
    records = story.records()
    figures = Figures("F20 cold start", seed)
    house.publish_policy()
    first = house.worker()
    house.send(records[: len(records) // 2])
    wait_until_judged(house, len(records) // 2)
    first.kill()
    first.wait()
    house.send(records[len(records) // 2 :])
    began = time.monotonic()
    second = house.worker()
    wait_until_judged(house, len(records))
    figures.recover_seconds = time.monotonic() - began

    assert "recovered in" in house.log_of(second)
    compare(house, story, figures, now)
    assert_clean(figures)
    assert +counted(house) == {"applied": story.events}
