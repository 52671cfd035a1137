"""Open time between two instants, and the instant at which so much open time has passed: two bisects each.

The hours of `agents.domain.calendar_hours` are compiled into sorted arrays in UTC with the open time that has passed
before each opening, some years at a time and further in both directions when somebody asks. `agents.domain.policy_book`
hands calendars to clocks.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from agents.domain.calendar_hours import CalendarMistake, Hours, hours_of, instant_of_wall_time
from agents.domain.instant import DAY_US, Instant, from_datetime, to_datetime
from schemas.policy import ALWAYS, CalendarSpec

__all__ = ["Calendar", "CalendarMistake", "CalendarNeverOpens", "compile_calendars"]

Edge = Literal["close", "next_open"]

_CHUNK_US = 2 * 366 * DAY_US
"""How far the arrays grow at a time: most clocks live for days, and two years cost some milliseconds."""
_EARLIEST = from_datetime(datetime(1900, 1, 1, tzinfo=UTC))
_LATEST = from_datetime(datetime(2300, 1, 1, tzinfo=UTC))
"""Where calendars end, so that a mistyped year or an absurd target ends in an error and not in centuries of arrays."""
_DRY_US = 5 * 366 * DAY_US
"""After the last date that is mentioned by itself, hours repeat weekly and holidays yearly: five years without an open
moment (they hold a leap day) mean that there will be none."""


class CalendarNeverOpens(ValueError):  # noqa: N818 - the fact itself is the name
    """No open moment, or not enough open time, is left from some instant on."""


class Calendar(Protocol):
    """When a team is at work.

    Intervals are half-open and everything is in real microseconds, so a day of a clock change has 23 or 25 hours.
    Instants before 1900 or after 2299 may raise `ValueError`.
    """

    @property
    def name(self) -> str:
        """As the policy file names it."""

    def open_between(self, start: Instant, end: Instant) -> int:
        """Open time inside `[start, end)` in microseconds; 0 where `end` is not after `start`."""

    def after(self, start: Instant, open_us: int, edge: Edge = "close") -> Instant:
        """When `open_us` of open time have passed since `start`.

        Several instants fit when the time is up at a closing: `close` is the closing itself, `next_open` the opening
        that follows it (the closing where none follows). Nothing to wait for means the next open moment, `start` itself
        included.

        Raises:
            CalendarNeverOpens: so much open time is not left.
        """

    def after_business_days(self, start: Instant, days: int) -> Instant:
        """The same wall time on the `days`-th following day that has hours, then the next open moment (zendesk/biz).

        Days and wall time are those of the calendar's zone; a union or intersection takes its first member's zone.

        Raises:
            CalendarNeverOpens: so many days with hours are not left.
        """

    def is_open(self, at: Instant) -> bool:
        """Whether the instant is inside open hours: an opening is, a closing is not."""

    def next_opening(self, at: Instant) -> Instant:
        """The first open instant at or after `at`.

        Raises:
            CalendarNeverOpens: there is none.
        """


def compile_calendars(specs: Mapping[str, CalendarSpec]) -> dict[str, Calendar]:
    """Every calendar of a file by name, and `always`.

    Raises:
        CalendarMistake: an unknown time zone, region or member, or a calendar that contains itself.
    """
    compiled: dict[str, Calendar] = {name: _CompiledCalendar(name, hours) for name, hours in hours_of(specs).items()}
    compiled[ALWAYS.name] = _AlwaysOpen()
    return compiled


class _AlwaysOpen:
    """24x7: open time is time."""

    name = ALWAYS.name

    def open_between(self, start: Instant, end: Instant) -> int:
        return end - start if end > start else 0

    def after(self, start: Instant, open_us: int, edge: Edge = "close") -> Instant:
        del edge
        return start + open_us if open_us > 0 else start

    def after_business_days(self, start: Instant, days: int) -> Instant:
        return start + days * DAY_US

    def is_open(self, at: Instant) -> bool:
        del at
        return True

    def next_opening(self, at: Instant) -> Instant:
        return at


class _CompiledCalendar:
    """Sorted openings and closings, and the open time before each opening."""

    def __init__(self, name: str, hours: Hours) -> None:
        self.name = name
        self._hours = hours
        self._start_at(0)

    def _start_at(self, at: Instant) -> None:
        self._from = self._until = at
        # Entry 0 is an empty interval at `_from`: so every instant inside the arrays has an entry before it.
        self._opens: list[Instant] = [at]
        self._closes: list[Instant] = [at]
        self._passed: list[int] = [0]  # open time before each opening, counted from an arbitrary origin ...
        self._total = 0  # ... and before `_until`

    def open_between(self, start: Instant, end: Instant) -> int:
        if end <= start:
            return 0
        if start < self._from or end >= self._until:
            self._cover(start)
            self._cover(end)
        opens, closes, passed = self._opens, self._closes, self._passed
        # `_position` twice, written out: calling it would take half of the time of this busiest of all functions.
        first = bisect_right(opens, start) - 1
        last = bisect_right(opens, end) - 1
        since = passed[first] - opens[first] + (start if start < closes[first] else closes[first])  # noqa: FURB136 - quick
        return passed[last] - opens[last] + (end if end < closes[last] else closes[last]) - since  # noqa: FURB136 - as above

    def after(self, start: Instant, open_us: int, edge: Edge = "close") -> Instant:
        if open_us <= 0:
            return self.next_opening(start)
        target = self._position(start) + open_us
        if target > self._total:
            self._grow_until(target - 1, start)
        if edge == "next_open":
            try:
                return self._first_instant_beyond(target, start)
            except CalendarNeverOpens:
                pass
        index = bisect_left(self._passed, target) - 1
        return self._opens[index] + target - self._passed[index]

    def after_business_days(self, start: Instant, days: int) -> Instant:
        if days <= 0:
            return self.next_opening(start)
        local = to_datetime(start).astimezone(self._hours.zone)
        day, left = local.date(), days
        last_open = max(day, self._hours.last_written or day)
        while left > 0:
            day += timedelta(days=1)
            if self._hours.opens_on(day):
                left -= 1
                last_open = max(day, last_open)
            elif day - last_open > timedelta(microseconds=_DRY_US):
                raise self._never_opens(start)
        seconds = (local.hour * 60 + local.minute) * 60 + local.second
        return self.next_opening(instant_of_wall_time(day, seconds, self._hours.zone) + local.microsecond)

    def is_open(self, at: Instant) -> bool:
        self._cover(at)
        return at < self._closes[bisect_right(self._opens, at) - 1]

    def next_opening(self, at: Instant) -> Instant:
        return self._first_instant_beyond(self._position(at), at)

    def _position(self, at: Instant) -> int:
        if not self._from <= at < self._until:
            self._cover(at)
        index = bisect_right(self._opens, at) - 1
        opens, closes = self._opens[index], self._closes[index]
        return self._passed[index] + (at if at < closes else closes) - opens  # noqa: FURB136 - as above

    def _first_instant_beyond(self, position: int, start: Instant) -> Instant:
        """The first instant that is open and has `position` behind it."""
        if position >= self._total:
            self._grow_until(position, start)
        index = bisect_right(self._passed, position) - 1
        return self._opens[index] + position - self._passed[index]

    def _grow_until(self, position: int, start: Instant) -> None:
        """Grow forward until there is open time behind `position`."""
        last_written = self._hours.last_written
        certain = 0 if last_written is None else instant_of_wall_time(last_written, 2 * 86_400, self._hours.zone)
        while self._total <= position:
            if self._until >= _LATEST or self._until - max(self._closes[-1], certain, start) > _DRY_US:
                raise self._never_opens(start)
            self._append(min(self._until + _CHUNK_US, _LATEST))

    def _never_opens(self, start: Instant) -> CalendarNeverOpens:
        return CalendarNeverOpens(
            f"calendar {self.name!r} does not open, or not for long enough, after {to_datetime(start).isoformat()}"
        )

    def _cover(self, at: Instant) -> None:
        """Grow until `at` lies inside the arrays."""
        if not _EARLIEST <= at < _LATEST:
            raise ValueError(f"calendars reach from 1900 to 2299, and {at} microseconds since 1970 is outside")
        if self._from == self._until:
            self._start_at(max(at - _CHUNK_US // 2, _EARLIEST))
        if at >= self._until:
            self._append(min(max(at + 1, self._until) + _CHUNK_US, _LATEST))
        if at < self._from:
            self._prepend(max(at - _CHUNK_US, _EARLIEST))

    def _append(self, until: Instant) -> None:
        # Hours that go on across the seam are two entries that touch, which no question can tell from one.
        for opens, closes in self._hours.intervals(self._until, until):
            self._opens.append(opens)
            self._closes.append(closes)
            self._passed.append(self._total)
            self._total += closes - opens
        self._until = until

    def _prepend(self, since: Instant) -> None:
        before = _CompiledCalendar(self.name, self._hours)
        before._start_at(since)
        before._append(self._from)
        shift = self._passed[0] - before._total
        self._opens = before._opens + self._opens[1:]
        self._closes = before._closes + self._closes[1:]
        self._passed = [passed + shift for passed in before._passed] + self._passed[1:]
        self._from = since
