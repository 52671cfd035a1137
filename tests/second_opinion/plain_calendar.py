"""Open hours by definition: an instant is open when some interval of some local day holds it, and nothing closes it.

No arrays, no merging, no bisect. Time between two instants is cut at every wall time that any calendar mentions, and
each piece is asked for as a whole. `plain_clock` counts with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from holidays import country_holidays

US = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAY_US = 86_400_000_000
LOOK_AHEAD_DAYS = 420
"""How far a deadline is looked for, day by day; cases beyond are not asked."""

Ends = tuple[int, int]
"""Seconds after midnight: opens, closes; an overnight interval closes beyond 86,400."""


class NoAnswer(Exception):  # noqa: N818 - the second opinion has none
    """Nothing was found within the days that are looked at."""


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // US


def moment_of(at: int) -> datetime:
    """The instant of so many microseconds since 1970."""
    return EPOCH + at * US


@lru_cache(maxsize=50_000)
def instant_at(day: date, seconds: int, zone: str) -> int:
    """A wall time, `seconds` after midnight: in a gap moved forward by the gap, of two the first."""
    wall = datetime.combine(day, datetime.min.time()) + timedelta(seconds=seconds)
    return microseconds(wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC))


@lru_cache(maxsize=50_000)
def exists(day: date, zone: str) -> bool:
    """Whether any hour of the day can be read off a clock of the zone."""
    for hour in range(24):
        wall = datetime.combine(day, datetime.min.time()) + timedelta(hours=hour)
        there = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
        if there.replace(tzinfo=None) == wall:
            return True
    return False


@lru_cache(maxsize=5_000)
def region_days(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """Public holidays of one year."""
    return frozenset(country_holidays(country, subdiv=subdivision, years=year))


@dataclass
class Plain:
    """A calendar: hours of its own, or a union or intersection of others. `always` is all weekdays from 0 to 86,400."""

    zone: str = "UTC"
    weekly: dict[int, tuple[Ends, ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    regions: tuple[tuple[str, str | None], ...] = ()
    exceptions: dict[date, tuple[Ends, ...]] = field(default_factory=dict)
    breaks: dict[date, tuple[Ends, ...]] = field(default_factory=dict)
    any_of: tuple["Plain", ...] = ()
    all_of: tuple["Plain", ...] = ()
    known: dict[date, tuple[list[Ends], list[Ends]]] = field(default_factory=dict)

    def hours(self, day: date) -> tuple[Ends, ...]:
        """What opens on a day."""
        is_holiday = day in self.holidays or any(day in region_days(*region, day.year) for region in self.regions)
        if is_holiday or not exists(day, self.zone):
            return ()
        return self.exceptions.get(day, self.weekly.get(day.isoweekday(), ()))

    def intervals(self, day: date) -> tuple[list[Ends], list[Ends]]:
        """The hours and the breaks of a day in microseconds."""
        if day not in self.known:
            self.known[day] = tuple(  # type: ignore[assignment]  # of two
                [(instant_at(day, opens, self.zone), instant_at(day, closes, self.zone)) for opens, closes in ends]
                for ends in (self.hours(day), self.breaks.get(day, ()))
            )
        return self.known[day]

    def is_open(self, at: int) -> bool:
        """Whether an instant is open."""
        if self.any_of or self.all_of:
            answers = [member.is_open(at) for member in self.any_of or self.all_of]
            return any(answers) if self.any_of else all(answers)
        opened = False
        for day in days_around(at, at):
            hours, breaks = self.intervals(day)
            for begins, ends in breaks:
                if begins <= at < ends:
                    return False
            for opens, closes in hours:
                if opens <= at < closes:
                    opened = True
        return opened

    def edges(self, start: int, end: int) -> set[int]:
        """Every instant between two others at which something may open or close."""
        found = {edge for member in (*self.any_of, *self.all_of) for edge in member.edges(start, end)}
        for day in days_around(start, end):
            found.update(edge for intervals in self.intervals(day) for pair in intervals for edge in pair)
        return {edge for edge in found if start < edge < end}

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The time between two instants in pieces, each open or closed as a whole."""
        marks = [start, *sorted(self.edges(start, end)), end]
        for begins, ends in pairwise(marks):
            yield begins, ends, self.is_open(begins)

    def ahead(self, start: int) -> Iterator[tuple[int, int, bool]]:
        """The pieces from an instant on, some days at a time."""
        for days in range(0, LOOK_AHEAD_DAYS, 7):
            yield from self.pieces(start + days * DAY_US, start + (days + 7) * DAY_US)
        raise NoAnswer

    def open_time(self, start: int, end: int) -> int:
        """Microseconds open between two instants."""
        return sum(ends - begins for begins, ends, is_open in self.pieces(start, end) if is_open) if start < end else 0

    def next_open(self, at: int) -> int:
        """The first open instant from an instant on."""
        return next(begins for begins, _, is_open in self.ahead(at) if is_open)

    def first_zone(self) -> str:
        """The zone in which days are counted: of a combination the first member's."""
        members = self.any_of or self.all_of
        return members[0].first_zone() if members else self.zone

    def is_business_day(self, day: date) -> bool:
        """Whether a day has hours: its own ones less its breaks, or, of a combination, any open moment."""
        zone = self.first_zone()
        if self.any_of or self.all_of:
            return self.open_time(instant_at(day, 0, zone), instant_at(day + DAY, 0, zone)) > 0
        breaks = [pair for near in (day - DAY, day, day + DAY) for pair in self.intervals(near)[1]]
        return any(
            not any(begins <= edge < ends for begins, ends in breaks)
            for opens, closes in self.intervals(day)[0]
            for edge in [opens, *(ends for _, ends in breaks)]
            if opens <= edge < closes
        )

    def business_days_later(self, start: int, days: int) -> int:
        """The same wall time so many days with hours later, then the next open moment."""
        zone = self.first_zone()
        local = moment_of(start).astimezone(ZoneInfo(zone))
        day = local.date()
        for _ in range(LOOK_AHEAD_DAYS):
            if days == 0:
                break
            day += DAY
            days -= self.is_business_day(day)
        else:
            raise NoAnswer
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        return self.next_open(instant_at(day, seconds, zone) + local.microsecond)


def days_around(start: int, end: int) -> list[date]:
    """The local days, of any zone, whose hours can reach the time between two instants."""
    # A day's hours end within two days, and its midnight is at most a day away from that of UTC.
    first, last = start // DAY_US, end // DAY_US
    return [day_number(number) for number in range(first - 3, last + 2)]


@lru_cache(maxsize=5_000)
def day_number(number: int) -> date:
    """The date so many days after 1970-01-01."""
    return EPOCH.date() + number * DAY
