"""What a calendar says about its days, as intervals in UTC: from `schemas.policy.CalendarSpec` to open time.

Rules and where they come from (zendesk/biz where nothing else is said): a date exception replaces the weekly hours of
its date; a holiday wins over both; a break is closed time on its date, whichever day the hours around it belong to;
overnight hours belong to the day they start on and fall away or are replaced with it; a wall time that does not exist
moves forward by the gap, one that occurs twice is the first.
`agents.domain.calendar` compiles the intervals for looking up.
"""

import warnings
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache, reduce
from itertools import chain
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agents.domain.instant import DAY_US, SECOND_US, Instant, to_datetime
from agents.domain.interval_set import Interval, common, merged, within, without
from schemas.policy import ALWAYS, CalendarSpec, RegionHolidays, WallInterval

CHUNK_US = 1_840 << 34
"""Hours are compiled in pieces of about a year (2**34 microseconds are the time slots of `compiled_calendar`).

All calendars have the same grid from 1970 on, so what a combination needs of its members is compiled once.
"""

_DAY_SECONDS = 86_400
_DEEPEST = 32
"""Combinations inside each other: nobody means more, and each level is a call within a call."""
_ORDINAL_OF_1970 = date(1970, 1, 1).toordinal()
_ONE_DAY = timedelta(days=1)
_A_YEAR_THAT_ALL_REGIONS_HAVE = 2020


class CalendarMistake(ValueError):  # noqa: N818 - it is the file that is wrong, in the words of who wrote it
    """A calendar cannot be what its specification says. `calendar` names it."""

    def __init__(self, calendar: str, message: str) -> None:
        super().__init__(f"calendar {calendar!r}: {message}")
        self.calendar = calendar


class Hours(Protocol):
    """When something is open: one calendar's own hours, or a combination of others."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days are told apart; of a combination it is the first member's."""

    @property
    def depth(self) -> int:
        """How many combinations lie inside each other: 0 for hours of one's own."""

    @property
    def last_written(self) -> date | None:
        """The last date that is mentioned by itself; after it only what repeats for ever applies."""

    def chunk(self, number: int) -> Sequence[Interval]:
        """Open time of one piece of the grid of `CHUNK_US`, merged and cut at both ends, remembered."""

    def opens_on(self, day: date) -> bool:
        """Whether the day has hours of its own."""


class AlwaysHours:
    """24x7 in UTC."""

    depth = 0
    zone = ZoneInfo("UTC")
    last_written: date | None = None

    def chunk(self, number: int) -> Sequence[Interval]:
        """All of it."""
        return [_bounds_of(number)]

    def opens_on(self, day: date) -> bool:
        """Every day."""
        del day
        return True


class DeclaredHours:
    """The hours of one calendar with weekly hours, exceptions, holidays and breaks in one time zone.

    Raises:
        CalendarMistake: the time zone or a region is unknown.
    """

    depth = 0

    def __init__(self, spec: CalendarSpec) -> None:
        self._spec = spec
        self.zone = zone_of(spec.name, spec.time_zone)
        for region in spec.region_holidays:
            try:
                days_of_region(region, _A_YEAR_THAT_ALL_REGIONS_HAVE)
            except LookupError as unknown:
                raise CalendarMistake(spec.name, str(unknown)) from None
        self.last_written: date | None = max([*spec.exceptions, *spec.breaks, *spec.holidays], default=None)
        self._chunks: dict[int, Sequence[Interval]] = {}

    def chunk(self, number: int) -> Sequence[Interval]:
        """Open time of one piece of the grid of `CHUNK_US`, merged and cut at both ends, remembered."""
        known = self._chunks.get(number)
        if known is None:
            known = self._chunks[number] = self._intervals(*_bounds_of(number))
        return known

    def _intervals(self, start: Instant, end: Instant) -> list[Interval]:
        # Overnight hours reach one day further, and a local date is up to a day away from that of UTC.
        first = to_datetime(start).date() - 2 * _ONE_DAY
        days = [first + index * _ONE_DAY for index in range((to_datetime(end).date() - first).days + 4)]
        midnights = self._midnights(days)
        opened: list[Interval] = []
        for index, day in enumerate(days[:-2]):
            hours = self._hours_of(day)
            midnight, following, after_next = midnights[index : index + 3]
            if hours and following - midnight == after_next - following == DAY_US:
                # No zone ever changed its clock twice within three days, so these two are ordinary ones.
                opened += [
                    (midnight + opens * SECOND_US, midnight + closes * SECOND_US)
                    for opens, closes in map(_ends_of, hours)
                ]
            elif hours and following > midnight:
                opened += [self._placed(day, interval) for interval in hours]
        breaks = self._spec.breaks
        closed = merged(self._placed(day, interval) for day in days if day in breaks for interval in breaks[day])
        left = without(merged(opened), closed) if closed else merged(opened)
        return within(left, start, end)

    def _midnights(self, days: Sequence[date]) -> list[Instant]:
        """When these days, one after another, begin. Every third is looked up in the zone, the others if need be."""
        known = {index: instant_of_wall_time(days[index], 0, self.zone) for index in range(0, len(days), 3)}
        found: list[Instant] = []
        for index, day in enumerate(days):
            before, offset = index - index % 3, index % 3
            following = known.get(before + 3)
            if following is None or following - known[before] != 3 * DAY_US:
                found.append(instant_of_wall_time(day, 0, self.zone))
            else:  # no zone ever changed its clock there and back within three days
                found.append(known[before] + offset * DAY_US)
        return found

    def opens_on(self, day: date) -> bool:
        """Whether hours that start on the day are left after its breaks. A day that its zone left out has none."""
        hours = self._hours_of(day)
        if not hours:
            return False
        midnight = instant_of_wall_time(day, 0, self.zone)
        if instant_of_wall_time(day, _DAY_SECONDS, self.zone) <= midnight:
            return False
        opened = merged(self._placed(day, interval) for interval in hours)
        nights = (day - _ONE_DAY, day, day + _ONE_DAY)  # hours and breaks may both go on after midnight
        breaks = self._spec.breaks
        closed = merged(self._placed(near, interval) for near in nights for interval in breaks.get(near, ()))
        return bool(without(opened, closed))

    def _hours_of(self, day: date) -> tuple[WallInterval, ...]:
        spec = self._spec
        replaced = spec.exceptions.get(day)
        hours = spec.weekly.get(day.isoweekday(), ()) if replaced is None else replaced
        if not hours or day in spec.holidays:
            return ()
        if any(day in days_of_region(region, day.year) for region in spec.region_holidays):
            return ()
        return hours

    def _placed(self, day: date, interval: WallInterval) -> Interval:
        return (
            instant_of_wall_time(day, interval.opens_seconds, self.zone),
            instant_of_wall_time(day, interval.closes_seconds, self.zone),
        )


class CombinedHours:
    """Open while any (`union`) or while all (`intersection`) of its members are."""

    def __init__(self, members: Sequence[Hours], *, all_of_them: bool) -> None:
        self._members = members
        self._all_of_them = all_of_them
        self._chunks: dict[int, Sequence[Interval]] = {}
        self.zone = members[0].zone
        self.depth: int = 1 + max(member.depth for member in members)
        self.last_written = max((day for member in members if (day := member.last_written)), default=None)

    def chunk(self, number: int) -> Sequence[Interval]:
        """Open time of one piece of the grid of `CHUNK_US`, merged and cut at both ends, remembered."""
        known = self._chunks.get(number)
        if known is None:
            known = self._chunks[number] = self._combined([member.chunk(number) for member in self._members])
        return known

    def _combined(self, parts: Sequence[Sequence[Interval]]) -> Sequence[Interval]:
        return reduce(common, parts) if self._all_of_them else merged(chain.from_iterable(parts))

    def opens_on(self, day: date) -> bool:
        """Whether anything is open between the day's two midnights: a combination has no hours that start on a day."""
        midnight = instant_of_wall_time(day, 0, self.zone)
        following = instant_of_wall_time(day, _DAY_SECONDS, self.zone)
        if following <= midnight:  # the zone left it out
            return False
        for number in range(midnight // CHUNK_US, (following - 1) // CHUNK_US + 1):
            intervals = self.chunk(number)
            behind = bisect_left(intervals, (following,))
            if behind and intervals[behind - 1][1] > midnight:
                return True
        return False


def hours_of(specs: Mapping[str, CalendarSpec]) -> dict[str, Hours]:
    """The hours of every calendar of a file, members resolved; `always` is added where it is not declared.

    Raises:
        CalendarMistake: an unknown time zone, region or member, a combination with hours of its own, or a calendar that
            contains itself.
    """
    resolved: dict[str, Hours] = {ALWAYS.name: AlwaysHours()}
    for name in specs:
        _resolve(name, specs, resolved, ())
    return resolved


def _resolve(name: str, specs: Mapping[str, CalendarSpec], resolved: dict[str, Hours], path: tuple[str, ...]) -> Hours:
    if len(path) > _DEEPEST:
        raise CalendarMistake(path[0], f"is a combination of combinations, more than {_DEEPEST} deep")
    if name in path:
        raise CalendarMistake(name, f"contains itself: {' > '.join([*path[path.index(name) :], name])}")
    if name in resolved:
        return resolved[name]
    spec = specs[name]
    if not spec.union and not spec.intersection:
        resolved[name] = DeclaredHours(spec)
        return resolved[name]
    if (spec.union and spec.intersection) or spec.weekly or spec.exceptions:
        raise CalendarMistake(name, "is either hours, a union or an intersection, one of the three")
    members = []
    for member in spec.union or spec.intersection:
        if member not in specs and member not in resolved:
            raise CalendarMistake(name, f"its member {member!r} is not declared")
        members.append(_resolve(member, specs, resolved, (*path, name)))
    combined = CombinedHours(members, all_of_them=bool(spec.intersection))
    if combined.depth > _DEEPEST:
        raise CalendarMistake(name, f"is a combination of combinations, more than {_DEEPEST} deep")
    resolved[name] = combined
    return combined


def instant_of_wall_time(day: date, seconds: int, zone: ZoneInfo) -> Instant:
    """The instant of so many wall-clock seconds after a local midnight; beyond 86,400 it lies on the next day.

    A wall time inside a gap moves forward by the gap; one that occurs twice is the first: both are what the offset
    before the change (`fold=0`) gives.
    """
    wall = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001 - the zone is set below
    offset = wall.replace(tzinfo=zone).utcoffset()
    ahead = 0 if offset is None else offset.days * 86_400 + offset.seconds
    return (day.toordinal() - _ORDINAL_OF_1970) * DAY_US + (seconds - ahead) * SECOND_US


def zone_of(calendar: str, name: str) -> ZoneInfo:
    """The IANA time zone of a calendar.

    Raises:
        CalendarMistake: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: a folder of the time zone database such as `Europe`.
        raise CalendarMistake(calendar, f"there is no time zone {name!r}") from None


@lru_cache(maxsize=4_096)
def days_of_region(region: RegionHolidays, year: int) -> frozenset[date]:
    """The holidays of a year: worked out once, however many calendars of however many workers have them.

    Raises:
        LookupError: there is no such region.
    """
    from holidays import country_holidays  # noqa: PLC0415 - a fifth of a second, and most calendars name no country

    try:
        with warnings.catch_warnings():
            # Of some religious holidays the dates are known for some decades only; nothing can be done about it here.
            warnings.simplefilter("ignore")
            return frozenset(country_holidays(region.country, subdiv=region.subdivision, years=year))
    except (NotImplementedError, AttributeError, TypeError):
        place = region.country if region.subdivision is None else f"{region.country}-{region.subdivision}"
        raise LookupError(f"the holidays of {place!r} are not known") from None


def _bounds_of(number: int) -> Interval:
    return number * CHUNK_US, (number + 1) * CHUNK_US


def _ends_of(interval: WallInterval) -> tuple[int, int]:
    return interval.opens_seconds, interval.closes_seconds
