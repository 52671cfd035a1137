"""F14: the clock of a worker is wrong, by an hour or by years, and steps while it works: time is that of the log."""

import json
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import INTERACTIONS, SLA_EVENTS
from tests.faults.fault_story import MINUTE, SECOND, Conversation, Said, Story
from tests.faults.house import House, stop, wait_until
from tests.faults.verdicts import Figures, assert_clean, committed_records, compare, wait_until_judged

pytestmark = [pytest.mark.integration, pytest.mark.faults]

HOUR_SECONDS = 3600.0
TEN_YEARS_SECONDS = 10 * 365 * 86_400.0
DUE_IN_SECONDS = 8
"""Time enough for the event to be judged before; nothing fails where it is not."""
NOTICED_WITHIN_SECONDS = 20.0
"""Much more than a breach takes, much less than a clock is wrong by."""
MOST_TICKS = 60


@dataclass(frozen=True)
class WrongClock:
    """A clock that a test sets."""

    file: Path

    def set(self, seconds: float) -> None:
        """Wrong by so much from now on."""
        whole = self.file.with_suffix(".new")
        whole.write_text(str(seconds))
        whole.replace(self.file)

    def worker(self, house: House) -> subprocess.Popen[bytes]:
        """A worker that goes by it, on a machine in a zone of its own."""
        return house.start_program(
            "work", ("tests.faults.wrong_clock", str(self.file), "work"), {"TZ": "America/St_Johns"}
        )


def _asked(name: str, due_in_seconds: float, count: int) -> dict[str, Conversation]:
    """Urgent questions that nobody answers; their first response is due at a time of the test's own clock."""
    at = time.time_ns() // 1000 - 30 * MINUTE + round(due_in_seconds * SECOND)
    made = [
        Conversation(f"{name}-{n}", "account-1", "urgent", "email", (Said(f"{name}-{n}-0", at + n * 100_000),))
        for n in range(count)
    ]
    return {each.id: each for each in made}


def test_f14_the_clock_of_a_worker_steps(house: House, seed: int, tmp_path: Path) -> None:
    """An hour fast, an hour slow, ten years slow and fast: breaches are told when they are due, and no others."""
    figures = Figures("F14 clock of a worker", seed)
    clock, story = WrongClock(tmp_path / "clock"), Story(seed)
    house.publish_policy()
    clock.set(HOUR_SECONDS)
    worker = clock.worker(house)
    wait_until(lambda: house.log_of(worker).count("ready") >= 2, "the worker works")
    due = 0
    for number, seconds in enumerate((HOUR_SECONDS, -HOUR_SECONDS, -TEN_YEARS_SECONDS, TEN_YEARS_SECONDS)):
        clock.set(seconds)
        soon, later = _asked(f"soon{number}", DUE_IN_SECONDS, 5), _asked(f"later{number}", 25 * 60, 5)
        story.conversations |= soon | later
        due += len(soon)
        house.send([*Story(seed, soon).records(), *Story(seed, later).records()])
        wait_until(lambda: len(_first_breaches(house)) >= due, f"what is due is told, {seconds:+.0f} s")  # noqa: B023

    _compare(house, story, figures)
    assert worker.poll() is None


def test_f14_a_worker_begins_years_back(house: House, seed: int, tmp_path: Path) -> None:
    """Nobody writes any more, and the only worker believes it is ten years ago: it asks the log what time it is."""
    figures = Figures("F14 begins years back", seed)
    clock = WrongClock(tmp_path / "clock")
    house.publish_policy()
    first = house.worker()
    wait_until(lambda: house.log_of(first).count("ready") >= 2, "the worker works")
    story = Story(seed, _asked("soon", 2 * DUE_IN_SECONDS, 10) | _asked("later", 25 * 60, 10))
    house.send(story.records())
    wait_until_judged(house, story.events)
    assert stop(first) == 0
    clock.set(-TEN_YEARS_SECONDS)
    began = time.monotonic()
    worker = clock.worker(house)
    wait_until(lambda: len(_first_breaches(house)) >= 10, "what is due is told")
    figures.recover_seconds = time.monotonic() - began

    _compare(house, story, figures, noticed_within=figures.recover_seconds + NOTICED_WITHIN_SECONDS)
    assert worker.poll() is None


def _compare(house: House, story: Story, figures: Figures, noticed_within: float = NOTICED_WITHIN_SECONDS) -> None:
    compare(house, story, figures, time.time_ns() // 1000)
    told = _first_breaches(house)
    lateness = [appended_at - _seconds(event["due_at"]) for appended_at, event in told]
    noticed = [appended_at - _seconds(event["detected_at"]) for appended_at, event in told]
    ticks = _ticks(house)
    figures.notes |= {
        "told after, seconds": (round(min(lateness), 2), round(max(lateness), 2)),
        "detected before told, seconds": (round(min(noticed), 2), round(max(noticed), 2)),
        "ticks": dict(ticks),
    }
    assert_clean(figures)
    assert 0 <= min(lateness) <= max(lateness) < noticed_within, figures
    # When it was noticed is a time of the log as well, to within what a commit takes.
    assert -1 < min(noticed) <= max(noticed) < NOTICED_WITHIN_SECONDS, figures
    assert sum(ticks.values()) < MOST_TICKS, "a clock that is fast must not flood the log with ticks"


def _first_breaches(house: House) -> list[tuple[float, dict[str, Any]]]:
    """Every breach that was told, and when its record was appended, in seconds since 1970."""
    told = [(record.timestamp / 1000, json.loads(record.value)) for record in committed_records(house, SLA_EVENTS)]
    return [(at, event) for at, event in told if event.get("kind") == "breached"]


def _ticks(house: House) -> Counter[int]:
    """How many ticks stand in each partition."""
    found = (record for record in committed_records(house, INTERACTIONS) if b'"tick"' in record.value)
    return Counter(record.partition for record in found)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
