"""The runner of a story: its pace by a clock that is an argument, and ticks only behind what they cover."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.domain.instant import SECOND_US
from streams.simulation.company_runner import CompanyRunner
from streams.simulation.event_delivery import DeliveryCounts, Event
from streams.simulation.story import DEFAULT_START, Story, StoryPlan
from streams.simulation.story_pace import LONGEST_STEP_SECONDS, StoryPace


@given(st.lists(st.floats(min_value=0, max_value=5), max_size=30), st.sampled_from([1.0, 60.0, 900.0]))
def test_a_story_keeps_the_pace_of_the_wall_and_waits_after_a_pause(steps: list[float], warp: float) -> None:
    now = [0.0]
    pace = StoryPace(DEFAULT_START, warp, lambda: now[0])
    assert pace.advance() == DEFAULT_START

    expected = 0.0
    for step in steps:
        now[0] += step
        before = pace.frontier_at
        expected += min(step, LONGEST_STEP_SECONDS) * warp
        assert pace.advance() >= before
    assert abs(pace.frontier_at - DEFAULT_START - expected * SECOND_US) <= len(steps) + 1e-3 * SECOND_US


@dataclass
class Log:
    """Takes events and ticks in the order in which they come."""

    counts: DeliveryCounts = field(default_factory=DeliveryCounts)
    entries: list[Event | int] = field(default_factory=list)

    async def deliver(self, events: Sequence[Event]) -> None:
        await asyncio.sleep(0)
        self.entries += events
        self.counts.accepted += len(events)

    async def close(self) -> None:
        pass

    async def tick(self, clock: str, as_of: int, warp: float, *, accounts: bool) -> None:
        self.entries.append(as_of)


def run_story(seconds: float) -> tuple[Log, CompanyRunner]:
    now = [1_000.0]

    def passing() -> float:
        now[0] += 0.02
        return now[0]

    log = Log()
    story = Story(StoryPlan(seed=3, starts_at=DEFAULT_START, events_per_hour=5_000))
    runner = CompanyRunner(story, 900.0, log, log, wall_seconds=passing, steady_seconds=passing)
    asyncio.run(runner.run(asyncio.Event(), seconds))
    return log, runner


def test_a_tick_stands_behind_all_that_happened_up_to_it_and_nothing_else() -> None:
    log, runner = run_story(3.0)
    story = iter(Story(StoryPlan(seed=3, starts_at=DEFAULT_START, events_per_hour=5_000)))

    upcoming = next(story)
    delivered: list[Event] = []
    for entry in log.entries:
        if not isinstance(entry, int):
            delivered.append(entry)
            continue
        expected = []
        while upcoming[0] <= entry:
            expected.append(upcoming[1])
            upcoming = next(story)
        assert delivered == expected
        delivered = []
    assert runner.progress.events == log.counts.accepted > 50
    assert log.entries[-1] == runner.progress.reached_at


def test_it_stops_so_long_after_the_first_event() -> None:
    _, runner = run_story(2.0)
    first, last = runner.progress.first_event_at, runner.progress.last_event_at

    assert first is not None
    assert last is not None
    assert last - first == pytest.approx(2.0, abs=0.5)


def test_it_stops_when_it_is_told_to() -> None:
    log = Log()
    story = Story(StoryPlan(seed=3, starts_at=DEFAULT_START, events_per_hour=5_000))
    stop = asyncio.Event()
    stop.set()

    progress = asyncio.run(CompanyRunner(story, 900.0, log, log).run(stop))

    assert progress.events == 0
    assert log.entries == [DEFAULT_START]
