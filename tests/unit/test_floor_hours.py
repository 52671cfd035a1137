"""When a simulated company works: nights, weekends, two time zones, the next morning."""

from datetime import datetime

import pytest

from agents.domain.instant import from_datetime, to_datetime
from streams.simulation.floor_hours import BERLIN, FloorHours, working_morning
from streams.simulation.story import DEFAULT_START


def instant(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("after", "opens"),
    [
        ("2026-03-02T08:00+01:00", "2026-03-02T08:00+01:00"),
        ("2026-03-02T08:00:01+01:00", "2026-03-03T08:00+01:00"),
        ("2026-03-06T20:00+01:00", "2026-03-09T08:00+01:00"),  # Friday evening: Monday
        ("2026-03-27T20:00+01:00", "2026-03-30T08:00+02:00"),  # the clocks change in between
    ],
)
def test_the_next_working_morning(after: str, opens: str) -> None:
    assert working_morning(instant(after), BERLIN) == instant(opens)


@pytest.mark.parametrize(
    ("begins", "hours", "ends"),
    [
        ("2026-03-02T08:00+01:00", 2, "2026-03-02T10:00+01:00"),
        ("2026-03-02T23:00+01:00", 2, "2026-03-03T09:00+01:00"),  # New York closes at midnight in Berlin
        ("2026-03-06T23:30+01:00", 1, "2026-03-09T08:30+01:00"),  # and for the weekend
    ],
)
def test_work_passes_while_somebody_is_there(begins: str, hours: int, ends: str) -> None:
    assert to_datetime(FloorHours().after_working(instant(begins), 3600 * hours)) == to_datetime(instant(ends))


def test_the_story_begins_on_a_working_morning() -> None:
    assert working_morning(DEFAULT_START, BERLIN) == DEFAULT_START
    assert FloorHours().staffed(DEFAULT_START)
