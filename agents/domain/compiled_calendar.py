"""The lookups of one calendar: sorted arrays in UTC, compiled about a year at a time and further when somebody asks.

`agents.domain.calendar` makes one of these from the hours of each calendar (`agents.domain.calendar_hours`) and says
what every method means. A lookup of an instant is a step into a table of time slots, which tells the few openings that
it can lie behind, and a bisect among those; so it takes the same time however long the arrays have grown.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from agents.domain.calendar_hours import CHUNK_US, Hours, instant_of_wall_time
from agents.domain.instant import DAY_US, Instant, from_datetime, to_datetime

Edge = Literal["close", "next_open"]

_SLOT_BITS = 34
"""A slot is 2**34 microseconds, under five hours: few slots of a working week see more than one opening.

A chunk of hours is so many whole slots.
"""
_EARLIEST = from_datetime(datetime(1900, 1, 1, tzinfo=UTC))
_LATEST = from_datetime(datetime(2300, 1, 1, tzinfo=UTC))
"""Where calendars end, so that a mistyped year or an absurd target ends in an error and not in centuries of arrays."""
_DRY_US = 5 * 366 * DAY_US
"""After the last date that is mentioned by itself, hours repeat weekly and holidays yearly: five years without an open
moment (they hold a leap day) mean that there will be none."""


class CalendarNeverOpens(ValueError):  # noqa: N818 - the fact itself is the name
    """No open moment, or not enough open time, is left from some instant on."""


class CompiledCalendar:
    """A `Calendar` out of `Hours`.

    Entry 0 of the arrays is an empty interval at their beginning and the last one an empty interval at their end, so
    every instant inside has an entry before it and one behind it.
    """

    def __init__(self, name: str, hours: Hours) -> None:
        self.name = name
        self._hours = hours
        self._from: Instant = 0
        self._until: Instant = 0
        self._opens: list[Instant] = []
        self._closes: list[Instant] = []
        self._passed: list[int] = []  # open time before each opening, counted from the beginning of the arrays ...
        self._total = 0  # ... and before their end
        self._slots: list[int] = []  # the last entry that opens at or before the beginning of each slot
        self._days: dict[date, bool] = {}
        self._marks: list[int] = []  # the same for slots of open time: the last entry with so much behind it, or less

    def open_between(self, start: Instant, end: Instant) -> int:
        """Open time inside `[start, end)` in microseconds."""
        if end <= start:
            return 0
        if start < self._from or end >= self._until:
            self._cover(start, end)
        opens, closes, slots, origin = self._opens, self._closes, self._slots, self._from
        # `_entry_at` twice, written out: calling it would take a third of the time of this busiest of all functions.
        slot = (start - origin) >> _SLOT_BITS
        first = slots[slot]
        if opens[first + 1] <= start:
            first = bisect_right(opens, start, first + 2, slots[slot + 1] + 1) - 1
        closing = closes[first]
        if end <= closing:
            return end - start
        slot = (end - origin) >> _SLOT_BITS
        last = slots[slot]
        if opens[last + 1] <= end:
            last = bisect_right(opens, end, last + 2, slots[slot + 1] + 1) - 1
        passed = self._passed
        since = passed[first] - opens[first] + (start if start < closing else closing)  # noqa: FURB136 - the quicker
        closing = closes[last]
        return passed[last] - opens[last] + (end if end < closing else closing) - since  # noqa: FURB136

    def after(self, start: Instant, open_us: int, edge: Edge = "close") -> Instant:
        """When `open_us` of open time have passed since `start`."""
        if open_us <= 0:
            return self.next_opening(start)
        if not self._from <= start < self._until:
            self._cover(start)
        opens, slots = self._opens, self._slots
        slot = (start - self._from) >> _SLOT_BITS  # `_entry_at`, written out as above
        index = slots[slot]
        if opens[index + 1] <= start:
            index = bisect_right(opens, start, index + 2, slots[slot + 1] + 1) - 1
        closing = self._closes[index]
        due = start + open_us
        if due < closing:
            return due
        passed = self._passed
        position = passed[index] - opens[index] + (due if start < closing else closing + open_us)
        if position > self._total:
            self._grow_until(position - 1, start)
        if edge == "next_open":
            try:
                return self._first_instant_beyond(position, start)
            except CalendarNeverOpens:
                pass
        marks, slot = self._marks, position >> _SLOT_BITS
        index = bisect_left(passed, position, marks[slot], marks[slot + 1] + 1) - 1
        return opens[index] + position - passed[index]

    def after_business_days(self, start: Instant, days: int) -> Instant:
        """The same wall time on the `days`-th following day that has hours, then the next open moment."""
        if days <= 0:
            return self.next_opening(start)
        hours = self._hours
        local = to_datetime(start).astimezone(hours.zone)
        day, left = local.date(), days
        last_open = max(day, hours.last_written or day)
        while left > 0:
            day += timedelta(days=1)
            if self._has_hours(day):
                left -= 1
                last_open = max(day, last_open)
            elif day - last_open > timedelta(microseconds=_DRY_US):
                raise self._never_opens(start)
        seconds = (local.hour * 60 + local.minute) * 60 + local.second
        return self.next_opening(instant_of_wall_time(day, seconds, hours.zone) + local.microsecond)

    def _has_hours(self, day: date) -> bool:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._hours.opens_on(day)
        return known

    def is_open(self, at: Instant) -> bool:
        """Whether the instant is inside open hours."""
        index = self._entry_at(at)  # first: it may compile other arrays
        return at < self._closes[index]

    def next_opening(self, at: Instant) -> Instant:
        """The first open instant at or after `at`."""
        index = self._entry_at(at)
        opens, closing = self._opens[index], self._closes[index]
        if at < closing:
            return at
        return self._first_instant_beyond(self._passed[index] + closing - opens, at)

    def intervals(self, start: Instant, end: Instant) -> list[tuple[Instant, Instant]]:
        """The open intervals inside `[start, end)`, cut to it; those that touch are one."""
        if end <= start:
            return []
        self._cover(start, end)
        found: list[tuple[Instant, Instant]] = []
        for index in range(self._entry_at(start), self._entry_at(end) + 1):
            opening, closing = max(self._opens[index], start), min(self._closes[index], end)
            if found and found[-1][1] == opening < closing:
                found[-1] = found[-1][0], closing
            elif opening < closing:
                found.append((opening, closing))
        return found

    def _entry_at(self, at: Instant) -> int:
        """The last entry that opens at or before an instant."""
        if not self._from <= at < self._until:
            self._cover(at)
        slots = self._slots
        slot = (at - self._from) >> _SLOT_BITS
        return bisect_right(self._opens, at, slots[slot], slots[slot + 1] + 1) - 1

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
            if self._until >= _LATEST or self._until - max(self._closes[-2], certain, start) > _DRY_US:
                raise self._never_opens(start)
            self._append()

    def _never_opens(self, start: Instant) -> CalendarNeverOpens:
        return CalendarNeverOpens(
            f"calendar {self.name!r} does not open, or not for long enough, after {to_datetime(start).isoformat()}"
        )

    def _cover(self, *instants: Instant) -> None:
        """Grow until these instants lie inside the arrays."""
        for at in instants:
            if not _EARLIEST <= at < _LATEST:
                raise ValueError(f"calendars reach from 1900 to 2299, and {at} microseconds since 1970 is outside")
        first, last = min(instants), max(instants)
        if not self._slots or first < self._from:
            # What is there already is compiled again, out of intervals that the hours remember.
            until = self._until if self._slots else first
            self._from = self._until = first // CHUNK_US * CHUNK_US
            self._opens, self._closes, self._passed = [self._from] * 2, [self._from] * 2, [0, 0]
            self._total, self._slots, self._marks = 0, [0], []
            last = max(last, until - 1)
        while last >= self._until:
            self._append()

    def _append(self) -> None:
        """Compile the next chunk. Callers hold on to the lists, so these grow in place."""
        opens, closes, passed = self._opens, self._closes, self._passed
        for array in (opens, closes, passed, self._slots):
            array.pop()
        # Hours that go on across a seam are two entries that touch, which no question can tell from one.
        for opening, closing in self._hours.chunk(self._until // CHUNK_US):
            opens.append(opening)
            closes.append(closing)
            passed.append(self._total)
            self._total += closing - opening
        until = self._until + CHUNK_US
        opens.append(until)
        closes.append(until)
        passed.append(self._total)
        _mark(self._slots, opens, range(self._until, until + 1, 1 << _SLOT_BITS))
        del self._marks[-2:]  # what lies beyond the end so far
        first = len(self._marks)
        _mark(self._marks, passed, range(first << _SLOT_BITS, self._total + (2 << _SLOT_BITS), 1 << _SLOT_BITS))
        self._until = until


def _mark(marks: list[int], ascending: Sequence[int], beginnings: Iterable[int]) -> None:
    """Append for each slot the last index whose value is not beyond the beginning of the slot."""
    index, last = marks[-1] if marks else 0, len(ascending) - 1
    for beginning in beginnings:
        while index < last and ascending[index + 1] <= beginning:
            index += 1
        marks.append(index)
