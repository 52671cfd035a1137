"""Calendars against published answers and against the rules, one case per rule."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.domain.calendar import Calendar, CalendarMistake, CalendarNeverOpens, compile_calendars
from agents.domain.instant import HOUR_US, SECOND_US, Instant, from_datetime, to_datetime
from schemas.policy import CalendarSpec, RegionHolidays, WallInterval

ORACLE = Path(__file__).parents[2] / "../shared/oracle/business_time.json"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE: dict[int, tuple[str, ...]] = dict.fromkeys(range(1, 6), ("09:00-17:00",))


def published_cases() -> list[Any]:
    if not ORACLE.exists():
        reason = pytest.mark.skip(reason="../shared/oracle is not on this machine")
        return [pytest.param({}, marks=reason, id="oracle")]
    return [pytest.param(case, id=case["id"]) for case in json.loads(ORACLE.read_text())]


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def shown(instant: Instant) -> str:
    return to_datetime(instant).strftime("%Y-%m-%d %H:%M")


def hours(*texts: str) -> tuple[WallInterval, ...]:
    def seconds(text: str) -> int:
        hour, minute = text.split(":")
        return int(hour) * 3600 + int(minute) * 60

    pairs = [[seconds(part) for part in text.split("-")] for text in texts]
    return tuple(WallInterval(opens, closes if closes > opens else closes + 86_400) for opens, closes in pairs)


def spec(zone: str, weekly: Mapping[int, tuple[str, ...]], **more: Any) -> CalendarSpec:
    return CalendarSpec(
        name="here", time_zone=zone, weekly={day: hours(*texts) for day, texts in weekly.items()}, **more
    )


def calendar(zone: str, weekly: Mapping[int, tuple[str, ...]], **more: Any) -> Calendar:
    return compile_calendars({"here": spec(zone, weekly, **more)})["here"]


def from_published(case: dict[str, Any]) -> Calendar:
    weekly = {WEEKDAYS.index(day) + 1: tuple("-".join(pair) for pair in pairs) for day, pairs in case["weekly"].items()}
    days = {
        date.fromisoformat(day): hours(*("-".join(p) for p in pairs))
        for day, pairs in case.get("exceptions", {}).items()
    }
    return calendar(
        case["time_zone"], weekly, holidays=frozenset(map(date.fromisoformat, case["holidays"])), exceptions=days
    )


def elapsed_outside_pauses(
    calendar: Calendar, start: Instant, end: Instant, pauses: list[tuple[Instant, Instant]]
) -> int:
    """How pauses compose: the open time inside a pause does not count."""
    paused = sum(calendar.open_between(max(since, start), min(until, end)) for since, until in pauses)
    return calendar.open_between(start, end) - paused


def due_with_pauses(
    calendar: Calendar, start: Instant, target_us: int, pauses: list[tuple[Instant, Instant]], edge: Any
) -> Instant:
    """How pauses compose: what is left of the target when a pause begins is left when it ends."""
    for since, until in pauses:
        used = calendar.open_between(start, since)
        if used >= target_us:
            break
        start, target_us = until, target_us - used
    return calendar.after(start, target_us, edge)


@pytest.mark.parametrize("case", published_cases())
def test_published_answer(case: dict[str, Any]) -> None:
    here = from_published(case)
    start = at(case["start_utc"])
    pauses = [(at(since), at(until)) for since, until in case["pauses_utc"]]
    if case["kind"] == "elapsed":
        elapsed = elapsed_outside_pauses(here, start, at(case["end_utc"]), pauses)
        assert elapsed == case["expected_elapsed_seconds"] * SECOND_US
    else:
        due = due_with_pauses(
            here, start, case["target_seconds"] * SECOND_US, pauses, case.get("edge_convention", "close")
        )
        assert due == at(case["expected_deadline_utc"])


@pytest.mark.parametrize(
    ("here", "start", "open_hours", "close", "next_open"),
    [
        pytest.param(calendar("UTC", OFFICE), "2026-03-02 10:00", 2, "2026-03-02 12:00", "2026-03-02 12:00", id="in"),
        pytest.param(calendar("UTC", OFFICE), "2026-03-06 16:00", 1, "2026-03-06 17:00", "2026-03-09 09:00", id="tie"),
        pytest.param(calendar("UTC", OFFICE), "2026-03-06 17:00", 0, "2026-03-09 09:00", "2026-03-09 09:00", id="zero"),
        pytest.param(calendar("UTC", OFFICE), "2026-03-06 09:00", 0, "2026-03-06 09:00", "2026-03-06 09:00", id="open"),
        pytest.param(
            calendar("UTC", {1: ("09:00-12:00", "13:00-17:00")}),
            "2026-03-02 11:00", 1, "2026-03-02 12:00", "2026-03-02 13:00", id="tie before lunch",
        ),
        pytest.param(
            calendar("UTC", dict.fromkeys(range(1, 8), ("00:00-24:00",))),
            "2026-03-02 10:00", 14, "2026-03-03 00:00", "2026-03-03 00:00", id="24:00 is no edge",
        ),
        pytest.param(
            calendar("UTC", {6: ("22:00-06:00",)}),
            "2026-03-07 23:00", 7, "2026-03-08 06:00", "2026-03-14 22:00", id="overnight",
        ),
        pytest.param(
            calendar("UTC", {6: ("22:00-06:00",)}, holidays=frozenset([date(2026, 3, 8)])),
            "2026-03-07 23:00", 3, "2026-03-08 02:00", "2026-03-08 02:00", id="overnight into a holiday goes on",
        ),
        pytest.param(
            calendar("UTC", {6: ("22:00-06:00",)}, holidays=frozenset([date(2026, 3, 7)])),
            "2026-03-07 23:00", 1, "2026-03-14 23:00", "2026-03-14 23:00", id="a holiday takes its whole night",
        ),
        pytest.param(
            calendar("UTC", {6: ("22:00-06:00",)}, exceptions={date(2026, 3, 7): hours("08:00-09:00")}),
            "2026-03-07 07:00", 2, "2026-03-14 23:00", "2026-03-14 23:00", id="an exception replaces the night",
        ),
        pytest.param(
            calendar("UTC", {6: ("22:00-06:00",)}, breaks={date(2026, 3, 8): hours("01:00-02:00")}),
            "2026-03-07 23:00", 3, "2026-03-08 03:00", "2026-03-08 03:00", id="a break after midnight",
        ),
        pytest.param(
            calendar("UTC", OFFICE, breaks={date(2026, 3, 5): hours("14:00-15:00")}),
            "2026-03-05 13:00", 1, "2026-03-05 14:00", "2026-03-05 15:00", id="tie before a break",
        ),
        pytest.param(
            calendar("UTC", OFFICE, exceptions={date(2026, 12, 24): hours("09:00-12:00"), date(2026, 12, 31): ()},
                     holidays=frozenset([date(2026, 12, 25)])),
            "2026-12-24 11:00", 2, "2026-12-28 10:00", "2026-12-28 10:00", id="half day, then holiday and weekend",
        ),
        pytest.param(
            calendar("UTC", OFFICE, exceptions={date(2026, 12, 25): hours("09:00-12:00")},
                     holidays=frozenset([date(2026, 12, 25)])),
            "2026-12-25 08:00", 1, "2026-12-28 10:00", "2026-12-28 10:00", id="a holiday wins over an exception",
        ),
        pytest.param(
            calendar("UTC", OFFICE, region_holidays=(RegionHolidays("DE", "BE"),)),
            "2026-03-06 16:00", 9, "2026-03-09 17:00", "2026-03-10 09:00", id="region, ordinary week",
        ),
        pytest.param(
            calendar("Europe/Berlin", OFFICE, region_holidays=(RegionHolidays("DE", "BE"),)),
            "2027-03-05 15:30", 1, "2027-03-09 08:30", "2027-03-09 08:30", id="women's day is a holiday in Berlin",
        ),
        pytest.param(
            calendar("America/Los_Angeles", {7: ("02:30-05:00",)}),
            "2014-03-09 00:00", 1, "2014-03-09 11:30", "2014-03-09 11:30", id="opens inside the gap: 03:30",
        ),
        pytest.param(
            calendar("America/Sao_Paulo", {6: ("10:00-24:00",)}),
            "2015-10-17 13:00", 14, "2015-10-18 03:00", "2015-10-24 12:00", id="24:00 inside the gap: 01:00 next day",
        ),
        pytest.param(
            calendar("Europe/Berlin", {7: ("02:30-04:00",)}),
            "2025-10-26 00:00", 2, "2025-10-26 02:30", "2025-10-26 02:30", id="an hour that occurs twice: the first",
        ),
        pytest.param(
            calendar("America/Sao_Paulo", {7: ("00:00-02:00",)}),
            "2015-10-18 00:00", 1, "2015-10-18 04:00", "2015-10-25 02:00", id="a day without midnight opens at 01:00",
        ),
        pytest.param(
            calendar("America/Sao_Paulo", {6: ("22:00-24:00",)}),
            "2016-02-20 20:00", 3, "2016-02-21 03:00", "2016-02-28 01:00", id="23:00 to 24:00 twice: three hours",
        ),
        pytest.param(
            calendar("Australia/Lord_Howe", {7: ("01:00-03:00",)}),
            "2026-10-03 14:00", 2, "2026-10-10 14:30", "2026-10-10 14:30", id="half an hour less",
        ),
        pytest.param(
            calendar("Australia/Lord_Howe", {7: ("01:00-04:00",)}),
            "2026-04-04 14:00", 3, "2026-04-04 17:00", "2026-04-04 17:00", id="half an hour more",
        ),
        pytest.param(
            calendar("Pacific/Apia", OFFICE),
            "2011-12-30 02:00", 2, "2012-01-01 20:00", "2012-01-01 20:00", id="a Friday that never was",
        ),
        pytest.param(
            calendar("Pacific/Apia", {4: ("22:00-06:00",)}),
            "2011-12-30 08:00", 8, "2011-12-30 16:00", "2012-01-05 08:00", id="a night over a day that never was",
        ),
    ],
)  # fmt: skip
def test_when_time_is_up(here: Calendar, start: str, open_hours: int, close: str, next_open: str) -> None:
    assert shown(here.after(at(start), open_hours * HOUR_US)) == close
    assert shown(here.after(at(start), open_hours * HOUR_US, "next_open")) == next_open
    assert here.open_between(at(start), at(close)) == open_hours * HOUR_US


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-03-02 10:15", 1, "2026-03-03 10:15"),
        ("2026-03-05 10:15", 2, "2026-03-09 10:15"),  # over the weekend
        ("2026-03-07 10:15", 1, "2026-03-09 10:15"),  # from a Saturday
        ("2026-03-05 20:00", 1, "2026-03-09 08:00"),  # Friday 20:00 is closed
        ("2026-03-02 05:00", 1, "2026-03-03 08:00"),
        ("2026-03-26 10:15", 2, "2026-03-30 09:15"),  # the same wall time after the clock change
        ("2026-04-02 10:15", 1, "2026-04-07 10:15"),  # over Easter
        ("2026-03-01 10:15", 0, "2026-03-02 08:00"),
    ],
)
def test_business_days(start: str, days: int, due: str) -> None:
    here = calendar("Europe/Berlin", OFFICE, region_holidays=(RegionHolidays("DE", "BE"),))
    assert shown(here.after_business_days(at(start), days)) == due


def test_business_days_of_a_zone_that_left_one_out() -> None:
    apia = spec("Pacific/Apia", OFFICE)
    calendars = compile_calendars({"apia": apia, "any": CalendarSpec(name="any", union=("apia",))})
    thursday = at("2011-12-29 20:00")  # 10:00 there
    for here in calendars["apia"], calendars["any"]:
        assert shown(here.after_business_days(thursday, 1)) == "2012-01-01 20:00"  # Monday 10:00


def test_a_day_whose_breaks_take_all_of_its_night_has_no_hours() -> None:
    here = calendar(
        "UTC",
        {5: ("22:00-06:00",), 1: ("09:00-17:00",)},
        breaks={date(2026, 3, 6): hours("22:00-24:00"), date(2026, 3, 7): hours("00:00-06:00")},
    )
    assert shown(here.after_business_days(at("2026-03-05 10:00"), 1)) == "2026-03-09 10:00"


def test_half_open() -> None:
    here = calendar("UTC", OFFICE)
    assert here.is_open(at("2026-03-02 09:00"))
    assert not here.is_open(at("2026-03-02 17:00"))
    assert not here.is_open(at("2026-03-02 17:00") + 1)
    assert here.is_open(at("2026-03-02 17:00") - 1)


def test_always_is_there_and_is_wall_time() -> None:
    always = compile_calendars({})["always"]
    start = at("2026-03-29 00:30")
    assert always.after(start, 5 * HOUR_US) == start + 5 * HOUR_US
    assert always.open_between(start, start + HOUR_US) == HOUR_US
    assert always.open_between(start, start - HOUR_US) == 0
    assert shown(always.after_business_days(start, 3)) == "2026-04-01 00:30"


def test_combinations() -> None:
    berlin = spec("Europe/Berlin", OFFICE)
    new_york = spec("America/New_York", OFFICE)
    calendars = compile_calendars(
        {
            "b": berlin,
            "n": new_york,
            "any": CalendarSpec(name="any", union=("b", "n")),
            "all": CalendarSpec(name="all", intersection=("b", "n")),
            "round": CalendarSpec(name="round", union=("any", "always")),
        }
    )
    day, following = at("2026-01-12 00:00"), at("2026-01-13 00:00")
    assert calendars["any"].open_between(day, following) == 14 * HOUR_US  # 08:00-22:00
    assert calendars["all"].open_between(day, following) == 2 * HOUR_US  # 14:00-16:00
    assert calendars["round"].open_between(day, following) == 24 * HOUR_US
    assert shown(calendars["all"].after(day, 2 * HOUR_US, "next_open")) == "2026-01-13 14:00"
    assert shown(calendars["any"].after_business_days(at("2026-01-16 21:30"), 1)) == "2026-01-19 21:30"
    assert shown(calendars["all"].after_business_days(at("2026-01-16 21:30"), 1)) == "2026-01-20 14:00"


def test_nothing_left_raises_and_ends() -> None:
    once = calendar("UTC", {}, exceptions={date(2026, 3, 7): hours("08:00-12:00")})
    before, after = at("2020-01-01 00:00"), at("2026-03-07 12:00")
    assert shown(once.next_opening(before)) == "2026-03-07 08:00"
    assert shown(once.after(before, 4 * HOUR_US, "next_open")) == "2026-03-07 12:00"
    asks: list[Callable[[], Instant]] = [
        lambda: once.after(before, 4 * HOUR_US + 1),
        lambda: once.next_opening(after),
        lambda: once.after(after, 0),
        lambda: once.after_business_days(after, 1),
        lambda: calendar("UTC", {}).next_opening(before),
        lambda: calendar("UTC", OFFICE).after(before, 10**18),
    ]
    for ask in asks:
        with pytest.raises(CalendarNeverOpens):
            ask()


def test_what_was_asked_before_makes_no_difference() -> None:
    late, early = at("2026-06-01 12:00"), at("2001-06-01 12:00")
    fresh, asked = calendar("Europe/Berlin", OFFICE), calendar("Europe/Berlin", OFFICE)
    asked.is_open(late)
    assert asked.open_between(early, late) == fresh.open_between(early, late) == 52_168 * HOUR_US  # 6,521 weekdays
    assert asked.after(early, 52_168 * HOUR_US) == late


def test_hours_that_go_on_across_a_seam_are_one() -> None:
    here = calendar("UTC", dict.fromkeys(range(1, 8), ("00:00-24:00",)))
    late, early = at("2026-06-01 00:00"), at("2001-06-01 00:00")
    here.is_open(late)
    assert here.open_between(early, late) == late - early
    assert here.after(early, late - early, "next_open") == late


def test_members_that_are_named_again_and_again_are_compiled_once() -> None:
    specs = {"c0": spec("UTC", OFFICE)}
    for depth in range(1, 31):  # a thousand million times the same hours
        inner = f"c{depth - 1}"
        specs[f"c{depth}"] = CalendarSpec(name=f"c{depth}", union=(inner, inner))
    assert shown(compile_calendars(specs)["c30"].next_opening(at("2026-03-07 09:00"))) == "2026-03-09 09:00"


@pytest.mark.parametrize("names", [range(1, 3_000), range(2_999, 0, -1)])
def test_combinations_may_not_lie_inside_each_other_without_end(names: Iterable[int]) -> None:
    specs = {f"c{name}": CalendarSpec(name=f"c{name}", union=(f"c{name - 1}",)) for name in names}
    with pytest.raises(CalendarMistake, match="more than 32 deep"):
        compile_calendars({**specs, "c0": spec("UTC", OFFICE)})


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ({"a": CalendarSpec(name="a", union=("b",)), "b": CalendarSpec(name="b", intersection=("a",))}, "a > b > a"),
        ({"a": CalendarSpec(name="a", union=("nowhere",))}, "'nowhere' is not declared"),
        ({"a": CalendarSpec(name="a", time_zone="Europe/Berln")}, "'Europe/Berln'"),
        ({"a": CalendarSpec(name="a", time_zone="Europe")}, "'Europe'"),
        ({"a": CalendarSpec(name="a", region_holidays=(RegionHolidays("DE", "ZZ"),))}, "'DE-ZZ'"),
    ],
)
def test_impossible_calendars_are_refused(specs: dict[str, CalendarSpec], said: str) -> None:
    with pytest.raises(CalendarMistake, match=said):
        compile_calendars(specs)
