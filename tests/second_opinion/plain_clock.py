"""One promise, walked through piece by piece: when it is due, how much of it is used, how it ends.

Written from the rules alone (`docs/sla.md`); it knows nothing of bases, positions or states.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tests.second_opinion.plain_calendar import NoAnswer, Plain

Pause = tuple[int, int | None]
"""From and to; null is still paused."""


@dataclass(frozen=True)
class Promise:
    """What is promised: microseconds of open time, or business days."""

    calendar: Plain
    edge: Literal["close", "next_open"] = "close"
    target_us: int | None = None
    business_days: int | None = None


@dataclass(frozen=True)
class Ending:
    """How a clock stands at the end of its story."""

    outcome: str
    due_at: int | None
    breached_at: int | None
    elapsed_us: int


def ending_of(promise: Promise, start: int, pauses: Sequence[Pause], satisfied_at: int | None, now: int) -> Ending:
    """The clock at `now`, or as its answer left it.

    Pauses are in order and apart from each other; none begins after `satisfied_at` or `now`.
    """
    due_at = due(promise, start, pauses)
    until = now if satisfied_at is None else satisfied_at
    is_late = due_at is not None and due_at < until
    outcome = ("breached" if is_late else "open") if satisfied_at is None else "satisfied_late" if is_late else "met"
    return Ending(
        outcome=outcome,
        due_at=due_at,
        breached_at=due_at if is_late else None,
        elapsed_us=used(promise.calendar, start, until, pauses),
    )


def used(calendar: Plain, start: int, until: int, pauses: Sequence[Pause]) -> int:
    """Open time outside pauses."""
    return (
        sum(ends - begins for begins, ends, counts in outside_pauses(calendar.pieces(start, until), pauses) if counts)
        if start < until
        else 0
    )


def due(promise: Promise, start: int, pauses: Sequence[Pause]) -> int | None:
    """When it breaks; null when it is paused before that and to the end of the story."""
    if promise.business_days is not None:
        return _due_in_days(promise, start, promise.business_days, pauses)
    return _due_in_open_time(promise, start, promise.target_us or 0, pauses)


def _due_in_open_time(promise: Promise, start: int, target_us: int, pauses: Sequence[Pause]) -> int | None:
    """The first instant outside a pause that has the target behind it; with `next_open` it must be open too."""
    left = target_us
    for begins, ends, counts in outside_pauses(promise.calendar.ahead(start), pauses):
        if any(since <= begins and until is None for since, until in pauses):
            return None
        is_pause = any(since <= begins < (until or ends) for since, until in pauses)
        if left == 0 and not is_pause and (counts or (promise.edge == "close" and target_us)):
            return begins
        if counts:
            if left < ends - begins:
                return begins + left
            left -= ends - begins
    raise NoAnswer


def _due_in_days(promise: Promise, start: int, days: int, pauses: Sequence[Pause]) -> int | None:
    """The day first, then the open time of pauses on top of it."""
    calendar = promise.calendar
    unmoved = due_at = calendar.business_days_later(start, days)
    waited = 0
    for since, until in pauses:
        if since > due_at:
            break
        if until is None:
            return None
        waited += calendar.open_time(max(since, start), until)
        moved = _due_in_open_time(promise, unmoved, waited, ()) if waited else unmoved
        due_at = until if moved is None else max(until, moved)
    return due_at


def outside_pauses(pieces: Iterator[tuple[int, int, bool]], pauses: Sequence[Pause]) -> Iterator[tuple[int, int, bool]]:
    """The same pieces, cut where pauses begin and end; time in a pause does not count."""
    cuts = sorted({edge for pause in pauses for edge in pause if edge is not None})
    for begins, ends, is_open in pieces:
        marks = [begins, *(cut for cut in cuts if begins < cut < ends), ends]
        for first, last in pairwise(marks):
            paused = any(since <= first and (until is None or first < until) for since, until in pauses)
            yield first, last, is_open and not paused
