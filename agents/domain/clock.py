"""The arithmetic of one clock: when it is due, when it warns, how much open time it has used, how it ends.

Everything is a function of a `ClockState` and the `Promise` that it runs under; `agents.domain.conversation` decides
*when* these are called. A deadline counts open time from `base_at` (where the target counts from) plus the open time of
its pauses.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from agents.domain.calendar import Calendar, CalendarNeverOpens
from agents.domain.instant import SECOND_US, Instant
from agents.domain.policy_book import CompiledPolicy, Promise, Terms
from schemas.conversation_state import ClockState, FinishedCycle
from schemas.policy import Duration, WarningThreshold

REMEMBERED_PAUSES = 64
"""Pauses of a running clock that are known one by one, so that a change of its hours can measure them anew.

Those before them keep the measure of the hours that they had when they were followed by so many.
"""

UNCOUNTED = frozenset({"cancelled", "merged", "retracted"})
"""Endings that are no outcome. A breach of before stays counted with `cancelled` alone."""

OUTSIDE_THE_RATIO = frozenset({"merged", "retracted"})
"""Endings that take a decided outcome out: it is the survivor's, or never was."""


CALENDAR_RUNS_OUT = "calendar runs out"
"""Why a clock with a target is never due: from its start on its calendar is not open for so long."""


def set_target(clock: ClockState, duration: Duration | None) -> None:
    """Take over a target; without one the clock runs but is never due."""
    clock.target_us = None if duration is None or duration.seconds is None else duration.seconds * SECOND_US
    clock.business_days = None if duration is None else duration.business_days


def schedule(clock: ClockState, terms: Terms) -> None:
    """Work out `due_at` and the next warning from the start, the target and the pauses so far.

    Null while paused, and where the calendar is not open for so long any more: such a clock is never due.
    A breach stays where it was; a deadline set by hand is not moved by pauses.
    """
    if clock.breached_at is not None:
        return
    policy, promise = terms
    if not clock.set_by_hand:
        clock.due_at = None if clock.paused_since is not None else _deadline(clock, promise)
    clock.next_warning_at = None
    if policy is not None and policy.warn_at and clock.due_at is not None:
        _schedule_warning(clock, promise.calendar, policy)


def _deadline(clock: ClockState, promise: Promise) -> Instant | None:
    start = clock.started_at if clock.base_at is None else clock.base_at
    paused_us = clock.paused_us - clock.base_paused_us
    try:
        if clock.target_us is not None:
            return promise.calendar.after(start, clock.target_us + paused_us, promise.edge)
        if clock.business_days is not None:
            due = promise.calendar.after_business_days(start, clock.business_days)
            return promise.calendar.after(due, paused_us, promise.edge) if paused_us else due
    except CalendarNeverOpens:
        pass
    return None


def never_due(clock: ClockState) -> str | None:
    """Why a clock will not be due although it has a target; null for every other."""
    if clock.due_at is not None or clock.paused_since is not None:
        return None
    return None if clock.target_us is None and clock.business_days is None else CALENDAR_RUNS_OUT


def _schedule_warning(clock: ClockState, calendar: Calendar, policy: CompiledPolicy) -> None:
    due_at = clock.due_at
    if due_at is None or clock.warnings_given >= len(policy.warn_at):
        return
    ahead = _used_at_warnings(clock, calendar, policy)
    if clock.warnings_given < len(ahead):
        clock.next_warning_at = _warning_instant(clock, calendar, ahead[clock.warnings_given][0], due_at)


def _used_at_warnings(clock: ClockState, calendar: Calendar, policy: CompiledPolicy) -> list[tuple[int, str]]:
    """How much open time is used when each threshold is reached, in this order; one beyond the target is left out."""
    if clock.target_us is None or clock.set_by_hand:
        if clock.due_at is None:
            return []
        start = clock.started_at if clock.base_at is None else clock.base_at
        allowed_us = max(0, calendar.open_between(start, clock.due_at) - _moved_by_us(clock))
        return _used_at(policy.warn_at, allowed_us)
    known = policy.warnings.get(clock.target_us)
    if known is None:
        known = policy.warnings[clock.target_us] = _used_at(policy.warn_at, clock.target_us)
    return known


def _used_at(thresholds: tuple[WarningThreshold, ...], allowed_us: int) -> list[tuple[int, str]]:
    found = []
    for threshold in thresholds:
        if threshold.used_ratio is not None:
            used_at = round(allowed_us * threshold.used_ratio)
        else:
            used_at = allowed_us - (threshold.left_seconds or 0) * SECOND_US
        if 0 <= used_at <= allowed_us:
            found.append((used_at, threshold.text))
    found.sort()
    return found


def _warning_instant(clock: ClockState, calendar: Calendar, used_at: int, due_at: Instant) -> Instant:
    start = clock.started_at if clock.base_at is None else clock.base_at
    try:
        return min(calendar.after(start, used_at + _moved_by_us(clock)), due_at)
    except CalendarNeverOpens:  # a due date set by hand, beyond the last open hour
        return due_at


def _moved_by_us(clock: ClockState) -> int:
    """The open time of pauses that moved the deadline."""
    return 0 if clock.set_by_hand else clock.paused_us - clock.base_paused_us


def give_warning(clock: ClockState, terms: Terms) -> str | None:
    """Count the warning that is reached now and look for the next; the threshold as the policy writes it."""
    policy, promise = terms
    clock.next_warning_at = None
    if policy is None:
        return None
    ahead = _used_at_warnings(clock, promise.calendar, policy)
    if clock.warnings_given >= len(ahead):
        return None
    text = ahead[clock.warnings_given][1]
    clock.warnings_given += 1
    _schedule_warning(clock, promise.calendar, policy)
    return text


def pass_warnings(clock: ClockState, terms: Terms, at: Instant) -> str | None:
    """After the deadline moved at an instant: count the thresholds that lie behind it, and wait for the others.

    Returns:
        The last threshold that the move itself has passed, to be told at the instant of the move; null without one.
    """
    policy, promise = terms
    due_at = clock.due_at
    if policy is None or due_at is None:
        clock.warnings_given = 0
        clock.next_warning_at = None
        return None
    given = clock.warnings_given
    behind = [
        text
        for used_at, text in _used_at_warnings(clock, promise.calendar, policy)
        if _warning_instant(clock, promise.calendar, used_at, due_at) < at
    ]
    clock.warnings_given = len(behind)
    clock.next_warning_at = None
    _schedule_warning(clock, promise.calendar, policy)
    return behind[-1] if len(behind) > given else None


def used_us(clock: ClockState, calendar: Calendar, until: Instant) -> int:
    """Open time outside pauses from the start until an instant."""
    started_at = clock.started_at
    if until <= started_at:
        return 0
    paused_since = clock.paused_since
    if paused_since is not None and paused_since < until:
        until = paused_since
    return max(0, calendar.open_between(started_at, until) - clock.paused_us)


def overrun_us(clock: ClockState, calendar: Calendar, elapsed_us: int) -> int:
    """Open time beyond the target. What was used before the target began to count (`base_at`) is no overrun.

    0 without a target, and for a deadline set by hand, which allows an instant and no amount of time.
    """
    if clock.target_us is None or clock.set_by_hand:
        return 0
    if clock.base_at is not None:
        elapsed_us -= calendar.open_between(clock.started_at, clock.base_at) - clock.base_paused_us
    return max(0, elapsed_us - clock.target_us)


def pause(clock: ClockState, terms: Terms, at: Instant) -> None:
    """Stop the clock. Its deadline is unknown until it runs again; one set by hand stays."""
    clock.paused_since = at
    schedule(clock, terms)


def resume(clock: ClockState, terms: Terms, at: Instant) -> None:
    """Let the clock run again. Only the open time inside the pause moves the deadline."""
    settle_pause(clock, terms, at)
    clock.paused_since = None
    schedule(clock, terms)
    if clock.due_at is not None and clock.due_at < at and clock.breached_at is None and not clock.set_by_hand:
        clock.due_at = at  # nothing was left when it stopped: its deadline, a closing before now, came inside the pause


def go_on(clock: ClockState, calendar: Calendar, finished: FinishedCycle, at: Instant) -> None:
    """Continue what a resolution had ended: the time used before counts, the time in between is a pause."""
    clock.started_at = finished.started_at
    if finished.unlisted_us is None:
        clock.paused_us = finished.paused_us
    else:
        clock.paused_us = finished.unlisted_us + open_in(finished.pauses, calendar)
    clock.pauses = finished.pauses
    add_pause(clock, calendar, finished.satisfied_at, at)


def settle_pause(clock: ClockState, terms: Terms, at: Instant) -> None:
    """Count the pause so far; a clock that is paused stays so."""
    if clock.paused_since is not None:
        add_pause(clock, terms.promise.calendar, clock.paused_since, at)
        clock.paused_since = at


def add_pause(clock: ClockState, calendar: Calendar, begins: Instant, ends: Instant) -> None:
    """Take a stretch of time off what the clock uses."""
    if ends <= begins:
        return
    clock.paused_us += calendar.open_between(begins, ends)
    pauses = clock.pauses
    if pauses and pauses[-1][1] == begins:
        begins, pauses = pauses[-1][0], pauses[:-1]
    clock.pauses = (*pauses[1 - REMEMBERED_PAUSES :], (begins, ends))


def open_in(pauses: Iterable[tuple[Instant, Instant]], calendar: Calendar) -> int:
    """The open time inside pauses by the hours of a calendar."""
    return sum(calendar.open_between(begins, ends) for begins, ends in pauses)


def measure_pauses(clock: ClockState, before: Calendar, now: Calendar) -> None:
    """The clock runs by other hours from now on: its pauses count by them too, like the time that it has used."""
    if now is before:
        return
    clock.paused_us += open_in(clock.pauses, now) - open_in(clock.pauses, before)
    if clock.base_at is not None:
        until = clock.base_at
        cut = [(begins, min(ends, until)) for begins, ends in clock.pauses]  # nothing is open in one that begins later
        clock.base_paused_us += open_in(cut, now) - open_in(cut, before)


def finished_cycle(clock: ClockState, calendar: Calendar, at: Instant) -> FinishedCycle:
    """How the clock stands when it is satisfied, for the clock that continues it."""
    unlisted_us, since = clock.paused_us - open_in(clock.pauses, calendar), clock.paused_since
    pauses = clock.pauses if since is None or since >= at else (*clock.pauses, (since, at))
    return FinishedCycle(clock.started_at, unlisted_us + open_in(pauses, calendar), at, pauses, unlisted_us)


def is_late(clock: ClockState, terms: Terms, at: Instant) -> bool:
    """Whether an open clock is past due at an instant, a paused one too: what it has used is more than it may."""
    if clock.outcome != "open":
        return False
    if clock.due_at is None and clock.paused_since is not None:
        calendar = terms.promise.calendar
        if overrun_us(clock, calendar, used_us(clock, calendar, at)) > 0:
            clock.due_at = _deadline(clock, terms.promise)
    return clock.due_at is not None and clock.due_at < at


def counted_at(clock: ClockState) -> Instant | None:
    """The instant under which the outcome counts: when it was met, else when it was breached; null when it does not."""
    if clock.outcome in OUTSIDE_THE_RATIO:
        return None
    return clock.satisfied_at if clock.outcome == "met" else clock.breached_at


def next_change(clock: ClockState) -> Instant | None:
    """The next instant at which time alone changes this clock: a warning or the deadline."""
    if clock.outcome != "open" or clock.due_at is None:
        return None
    if clock.paused_since is not None and not clock.set_by_hand:
        return None
    if clock.next_warning_at is not None and clock.next_warning_at <= clock.due_at:
        return clock.next_warning_at
    return clock.due_at


def has_standing(clock: ClockState) -> bool:
    """Whether the figures of an account hold the clock: it runs, or its outcome or its breach counts."""
    if clock.outcome in UNCOUNTED:
        return clock.breached_at is not None and clock.outcome not in OUTSIDE_THE_RATIO
    return True


def is_as_told(clock: ClockState, other: ClockState) -> bool:
    """Whether nothing that is said of a clock differs: its pauses one by one, which older states lack, are not."""
    return clock == other or replace(clock, pauses=other.pauses) == other


def stage(clock: ClockState) -> str:
    """How far a running clock has come: `running`, `warned`, `paused` or `overdue`."""
    if clock.breached_at is not None:
        return "overdue"
    if clock.paused_since is not None:
        return "paused"
    return "warned" if clock.warnings_given else "running"


def is_running(clock: ClockState) -> bool:
    """Whether the promise is still to be kept: not yet answered, cancelled or merged; it may be overdue."""
    return clock.outcome == "open" or clock.outcome == "breached"  # noqa: PLR1714 - the quicker of the two
