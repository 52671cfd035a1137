"""Where the time of a clock went: intervals that follow on each other, each with what it counts.

`agents.domain.explanation` finds the pauses of a clock; here they are laid over the hours of its calendar. The lengths
of the intervals add up to the time on the wall, what they count to the elapsed time, to the microsecond.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from agents.domain.calendar import Calendar
from agents.domain.condition_reasons import KeyFinding
from agents.domain.instant import Instant

IntervalKind = Literal["running", "closed", "paused", "reopened", "folded"]


class PauseSpan(Struct):
    """A stretch of time in which a clock did not run, as it was found while its events were folded again."""

    kind: Literal["paused", "reopened", "folded"]
    """A pause; from a resolution to the reopening that continued it; or what is no longer known in detail."""
    start: Instant
    end: Instant | None
    """Null while it lasts."""
    calendar: Calendar
    """The hours by which the pause is measured: those of its clock, as long as that remembers it by itself."""
    because: tuple[KeyFinding, ...] = ()
    event_id: str | None = None
    open_us: int | None = None
    """How much open time it takes off, where its calendar does not say so (`folded`)."""

    def takes_off_us(self, end: Instant) -> int:
        """Open time that this stretch takes off what the clock has used, up to an instant."""
        return self.calendar.open_between(self.start, end) if self.open_us is None else self.open_us


class Interval(Struct, frozen=True):
    """A stretch of a clock's life, half-open.

    `running` counts all of its time, `closed` (outside hours) none. A pause (`paused`, `reopened`, `folded`) counts the
    open time in it less the open time that it takes off: nothing, unless its hours are not those of the clock any more.
    """

    kind: IntervalKind
    start: Instant
    end: Instant
    counted_us: int
    open_us: int
    """Open time inside: of a pause, what it takes off, and so how far it has moved the deadline."""
    calendar: str
    because: tuple[KeyFinding, ...] = ()
    event_id: str | None = None
    """What began it, where an event did."""

    @property
    def wall_us(self) -> int:
        """How long it is."""
        return self.end - self.start


def intervals_of(
    calendar: Calendar, spans: Sequence[PauseSpan], start: Instant, until: Instant
) -> tuple[Interval, ...]:
    """The life of a clock from its start until an instant, without gaps.

    Args:
        calendar: the hours that the clock runs by.
        spans: when it did not run, in order and without overlap.
        start: from where it counts.
        until: its end, or now.
    """
    found: list[Interval] = []
    place = start
    for span in spans:
        begin = min(max(span.start, place), until)
        end = max(begin, until if span.end is None else min(span.end, until))
        found += _at_work(calendar, place, begin)
        if end > begin:
            found.append(_pause(calendar, span, begin, end))
        place = end
    found += _at_work(calendar, place, until)
    return tuple(found)


def _at_work(calendar: Calendar, start: Instant, end: Instant) -> Iterator[Interval]:
    place = start
    for opening, closing in calendar.intervals(start, end):
        if opening > place:
            yield Interval("closed", place, opening, 0, 0, calendar.name)
        yield Interval("running", opening, closing, closing - opening, closing - opening, calendar.name)
        place = closing
    if place < end:
        yield Interval("closed", place, end, 0, 0, calendar.name)


def _pause(calendar: Calendar, span: PauseSpan, start: Instant, end: Instant) -> Interval:
    # A pause that lasts takes off by the hours of now: they decide when it ends, or change.
    takes_off_us = calendar.open_between(start, end) if span.end is None else span.takes_off_us(end)
    counted_us = calendar.open_between(start, end) - takes_off_us
    return Interval(span.kind, start, end, counted_us, takes_off_us, span.calendar.name, span.because, span.event_id)
