"""Open time between two instants, and the instant at which so much open time has passed.

The hours of `agents.domain.calendar_hours` are compiled (`agents.domain.compiled_calendar`) into sorted arrays in UTC
with the open time that has passed before each opening. `agents.domain.policy_book` hands calendars to clocks.
"""

from collections.abc import Mapping
from typing import Protocol

from agents.domain.calendar_hours import CalendarMistake, hours_of
from agents.domain.compiled_calendar import CalendarNeverOpens, CompiledCalendar, Edge
from agents.domain.instant import DAY_US, Instant
from schemas.policy import ALWAYS, CalendarSpec

__all__ = ["Calendar", "CalendarMistake", "CalendarNeverOpens", "Edge", "compile_calendars"]


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

    def intervals(self, start: Instant, end: Instant) -> list[tuple[Instant, Instant]]:
        """The open intervals inside `[start, end)` in order, as long and as few as can be.

        Their lengths add up to `open_between(start, end)`.
        """


def compile_calendars(specs: Mapping[str, CalendarSpec]) -> dict[str, Calendar]:
    """Every calendar of a file by name, and `always`.

    Raises:
        CalendarMistake: an unknown time zone, region or member, or a calendar that contains itself.
    """
    compiled: dict[str, Calendar] = {name: CompiledCalendar(name, hours) for name, hours in hours_of(specs).items()}
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

    def intervals(self, start: Instant, end: Instant) -> list[tuple[Instant, Instant]]:
        return [(start, end)] if end > start else []
