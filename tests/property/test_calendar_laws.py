"""Laws of calendars, checked against sets of open minutes over clock changes, nights, holidays and combinations."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.domain.calendar import Calendar, compile_calendars
from agents.domain.instant import DAY_US, MINUTE_US, Instant, from_datetime
from schemas.policy import CalendarSpec, WallInterval

# Around clock changes of all kinds: Berlin and New York on different Sundays, half an hour (Lord Howe), at midnight
# (Santiago), and a zone without any.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata")
FIRST_DAYS = (
    date(2026, 3, 6),
    date(2026, 3, 27),
    date(2026, 4, 3),
    date(2026, 9, 4),
    date(2026, 10, 23),
    date(2026, 10, 30),
)
DAYS = 5


def wall_intervals() -> st.SearchStrategy[WallInterval]:
    quarters = st.integers(0, 95)
    return st.builds(
        lambda opens, length: WallInterval(opens * 900, (opens + length) * 900), quarters, st.integers(1, 96)
    )


def own_hours() -> st.SearchStrategy[CalendarSpec]:
    hours = st.lists(wall_intervals(), max_size=2).map(tuple)
    days = st.sampled_from(FIRST_DAYS).flatmap(lambda first: st.integers(0, 5).map(lambda n: first + timedelta(days=n)))
    return st.builds(
        CalendarSpec,
        name=st.just("here"),
        time_zone=st.sampled_from(ZONES),
        weekly=st.dictionaries(st.integers(1, 7), hours, min_size=4),
        holidays=st.frozensets(days, max_size=2),
        exceptions=st.dictionaries(days, hours, max_size=2),
        breaks=st.dictionaries(days, hours, max_size=2),
    )


def open_minutes(spec: CalendarSpec, first: date) -> set[int]:
    """Every open minute around `first`, found day by day and minute by minute, nothing merged, nothing bisected."""
    zone = ZoneInfo(spec.time_zone)

    def minutes(day: date, hours: tuple[WallInterval, ...]) -> set[int]:
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time
        result: set[int] = set()
        for interval in hours:
            ends = [
                from_datetime((midnight + timedelta(seconds=seconds)).replace(tzinfo=zone)) // MINUTE_US
                for seconds in (interval.opens_seconds, interval.closes_seconds)
            ]
            result.update(range(*ends))
        return result

    opened: set[int] = set()
    closed: set[int] = set()
    for day in (first + timedelta(days=n) for n in range(-4, DAYS + 4)):
        closed |= minutes(day, spec.breaks.get(day, ()))
        if day not in spec.holidays:
            opened |= minutes(day, spec.exceptions.get(day, spec.weekly.get(day.isoweekday(), ())))
    return opened - closed


def compiled(spec: CalendarSpec) -> Calendar:
    return compile_calendars({"here": spec})["here"]


def start_of(first: date) -> Instant:
    return from_datetime(datetime.fromisoformat(f"{first}T00:00:00+00:00"))


moments = st.integers(0, DAYS * 1440)


@given(own_hours(), st.sampled_from(FIRST_DAYS), moments, moments)
def test_open_time_is_the_count_of_open_minutes(spec: CalendarSpec, first: date, one: int, other: int) -> None:
    here, model = compiled(spec), open_minutes(spec, first)
    origin = start_of(first)
    start, end = sorted((origin // MINUTE_US + one, origin // MINUTE_US + other))
    expected = sum(minute in model for minute in range(start, end))
    assert here.open_between(start * MINUTE_US, end * MINUTE_US) == expected * MINUTE_US
    assert here.is_open(start * MINUTE_US) == (start in model)
    assert here.open_between(end * MINUTE_US, start * MINUTE_US) == 0


@settings(max_examples=50)
@given(own_hours(), own_hours(), st.sampled_from(FIRST_DAYS), moments, moments)
def test_union_and_intersection_are_those_of_sets(
    left: CalendarSpec, right: CalendarSpec, first: date, one: int, other: int
) -> None:
    calendars = compile_calendars(
        {
            "left": left,
            "right": right,
            "any": CalendarSpec(name="any", union=("left", "right")),
            "all": CalendarSpec(name="all", intersection=("left", "right")),
        }
    )
    origin = start_of(first)
    start, end = sorted((origin // MINUTE_US + one, origin // MINUTE_US + other))
    minutes = set(range(start, end))
    models = (open_minutes(left, first), open_minutes(right, first))
    for name, model in (("any", models[0] | models[1]), ("all", models[0] & models[1])):
        assert calendars[name].open_between(start * MINUTE_US, end * MINUTE_US) == len(model & minutes) * MINUTE_US


@given(own_hours(), st.sampled_from(FIRST_DAYS), st.integers(0, DAYS * DAY_US), st.integers(1, 3 * DAY_US))
def test_after_and_open_between_are_inverse(spec: CalendarSpec, first: date, offset: int, open_us: int) -> None:
    here, start = compiled(spec), start_of(first) + offset
    if not any(spec.weekly.values()):
        return
    for edge in ("close", "next_open"):
        due = here.after(start, open_us, edge)
        assert here.open_between(start, due) == open_us
    close, opening = here.after(start, open_us), here.after(start, open_us, "next_open")
    assert here.open_between(start, close - 1) < open_us  # the first instant that fits ...
    assert here.open_between(start, opening + 1) > open_us  # ... and the last
    assert here.after(start, 0) == here.next_opening(start) >= start


@given(own_hours(), st.sampled_from(FIRST_DAYS), st.permutations((-1_100, 0, 1_100)), st.integers(0, 40 * DAY_US))
@settings(max_examples=30)
def test_open_time_adds_up_in_whatever_order_it_is_asked(
    spec: CalendarSpec, first: date, days: list[int], offset: int
) -> None:
    moments = [start_of(first) + day * DAY_US + offset for day in days]
    asked_wildly = compiled(spec)  # grows forwards and backwards
    for moment in moments:
        asked_wildly.is_open(moment)
    start, middle, end = sorted(moments)
    asked_in_order = compiled(spec)
    parts = asked_in_order.open_between(start, middle) + asked_in_order.open_between(middle, end)
    assert asked_wildly.open_between(start, end) == parts
    assert 0 <= asked_wildly.open_between(start, middle) <= parts


@given(own_hours(), own_hours(), st.sampled_from(FIRST_DAYS), st.lists(st.integers(0, DAYS * DAY_US), min_size=3))
def test_combinations_bound_their_members_and_splitting_changes_nothing(
    left: CalendarSpec, right: CalendarSpec, first: date, offsets: list[int]
) -> None:
    calendars = compile_calendars(
        {
            "left": left,
            "right": right,
            "any": CalendarSpec(name="any", union=("left", "right")),
            "all": CalendarSpec(name="all", intersection=("left", "right")),
        }
    )
    start, *middle, end = sorted(start_of(first) + offset for offset in offsets)
    open_us = {name: here.open_between(start, end) for name, here in calendars.items()}
    one, other = open_us["left"], open_us["right"]
    assert open_us["all"] <= min(one, other)
    assert max(one, other) <= open_us["any"] <= open_us["always"] == end - start
    assert open_us["any"] + open_us["all"] == one + other
    for name, here in calendars.items():
        spans = list(pairwise((start, *middle, end)))
        parts = [here.open_between(*span) for span in spans]
        assert sum(parts) == open_us[name]
        assert all(0 <= part <= until - since for part, (since, until) in zip(parts, spans, strict=True))


@given(
    own_hours(), st.sampled_from(FIRST_DAYS), st.lists(st.integers(0, DAYS * DAY_US), min_size=2, max_size=2),
    st.lists(st.integers(0, 2 * DAY_US), min_size=2, max_size=2),
)  # fmt: skip
def test_later_starts_and_longer_targets_are_due_no_earlier(
    spec: CalendarSpec, first: date, offsets: list[int], targets: list[int]
) -> None:
    here = compiled(spec)
    if not any(spec.weekly.values()):
        return
    earlier, later = sorted(start_of(first) + offset for offset in offsets)
    shorter, longer = sorted(targets)
    for edge in ("close", "next_open"):
        assert earlier <= here.after(earlier, shorter, edge) <= here.after(earlier, longer, edge)
        # Nothing to wait for means the next open moment, which lies behind a closing that some time is up at.
        if shorter or edge == "next_open":
            assert here.after(earlier, shorter, edge) <= here.after(later, shorter, edge)
    assert here.after(earlier, longer) <= here.after(earlier, longer, "next_open")
    assert here.after_business_days(earlier, 1) <= here.after_business_days(earlier, 2)


@given(own_hours(), st.sampled_from(FIRST_DAYS))
def test_every_edge_is_half_open_to_the_microsecond(spec: CalendarSpec, first: date) -> None:
    if not any(spec.weekly.values()):
        return
    here, model = compiled(spec), open_minutes(spec, first)
    minutes = range(start_of(first) // MINUTE_US, start_of(first) // MINUTE_US + DAYS * 1440)
    for at in (minute * MINUTE_US for minute in minutes if (minute in model) != (minute - 1 in model)):
        opens = at // MINUTE_US in model
        assert here.is_open(at) == opens
        assert here.is_open(at - 1) != opens
        assert here.open_between(at - 1, at) == (not opens)
        assert here.open_between(at, at + 1) == opens
        if opens:
            assert here.next_opening(at - 1) == here.next_opening(at) == at
            assert here.after(at - 1, 1) == at + 1
        else:
            assert here.after(at - 1, 1) == at
            assert here.after(at - 1, 1, "next_open") == here.next_opening(at) > at
