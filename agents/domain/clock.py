"""The arithmetic of one clock: when it is due, when it warns, how much open time it has used, how it ends.

Everything is a function of a `ClockState` and the `Promise` that it runs under; `agents.domain.conversation` decides
*when* these are called. A deadline counts open time from `base_at` (where the target counts from) plus the open time of
its pauses.
"""

from agents.domain.calendar import Calendar
from agents.domain.instant import SECOND_US, Instant
from agents.domain.policy_book import CompiledPolicy, Promise
from schemas.conversation_state import ClockState
from schemas.policy import Duration, WarningThreshold


def set_target(clock: ClockState, duration: Duration | None) -> None:
    """Take over a target; without one the clock runs but is never due."""
    clock.target_us = None if duration is None or duration.seconds is None else duration.seconds * SECOND_US
    clock.business_days = None if duration is None else duration.business_days


def schedule(clock: ClockState, promise: Promise, policy: CompiledPolicy | None) -> None:
    """Work out `due_at` and the next warning from the start, the target and the pauses so far. Null while paused.

    A breach stays where it was; a deadline set by hand is not moved by pauses.
    """
    if clock.breached_at is not None:
        return
    if clock.set_by_hand:
        _schedule_warnings(clock, promise.calendar, policy)
        return
    clock.due_at = None if clock.paused_since is not None else _deadline(clock, promise)
    _schedule_warnings(clock, promise.calendar, policy)


def _deadline(clock: ClockState, promise: Promise) -> Instant | None:
    start = clock.started_at if clock.base_at is None else clock.base_at
    paused_us = clock.paused_us - clock.base_paused_us
    if clock.target_us is not None:
        return promise.calendar.after(start, clock.target_us + paused_us, promise.edge)
    if clock.business_days is not None:
        due = promise.calendar.after_business_days(start, clock.business_days)
        return promise.calendar.after(due, paused_us, promise.edge) if paused_us else due
    return None


def _schedule_warnings(clock: ClockState, calendar: Calendar, policy: CompiledPolicy | None) -> None:
    clock.next_warning_at = None
    if policy is None or not policy.warn_at or clock.due_at is None:
        return
    pending = warnings(clock, calendar, policy.warn_at)[clock.warnings_given :]
    if pending:
        clock.next_warning_at = pending[0][0]


def warnings(
    clock: ClockState, calendar: Calendar, thresholds: tuple[WarningThreshold, ...]
) -> list[tuple[Instant, str]]:
    """When each threshold is reached, in order of time, computed in open time.

    A threshold beyond the target is left out.
    """
    if clock.due_at is None:
        return []
    start = clock.started_at if clock.base_at is None else clock.base_at
    paused_us = 0 if clock.set_by_hand else clock.paused_us - clock.base_paused_us
    allowed_us = clock.target_us
    if allowed_us is None or clock.set_by_hand:
        allowed_us = max(0, calendar.open_between(start, clock.due_at) - paused_us)
    found = []
    for threshold in thresholds:
        if threshold.used_ratio is not None:
            used_us = round(allowed_us * threshold.used_ratio)
        else:
            used_us = allowed_us - (threshold.left_seconds or 0) * SECOND_US
        if used_us >= 0:
            found.append((min(calendar.after(start, used_us + paused_us), clock.due_at), threshold.text))
    return sorted(found)


def used_us(clock: ClockState, calendar: Calendar, until: Instant) -> int:
    """Open time outside pauses from the start until an instant."""
    if until <= clock.started_at:
        return 0
    running_until = until if clock.paused_since is None else min(until, clock.paused_since)
    return max(0, calendar.open_between(clock.started_at, running_until) - clock.paused_us)


def pause(clock: ClockState, promise: Promise, policy: CompiledPolicy | None, at: Instant) -> None:
    """Stop the clock. Its deadline is unknown until it runs again; one set by hand stays."""
    clock.paused_since = at
    schedule(clock, promise, policy)


def resume(clock: ClockState, promise: Promise, policy: CompiledPolicy | None, at: Instant) -> None:
    """Let the clock run again. Only the open time inside the pause moves the deadline."""
    if clock.paused_since is not None:
        clock.paused_us += promise.calendar.open_between(clock.paused_since, at)
        clock.paused_since = None
    schedule(clock, promise, policy)


def next_change(clock: ClockState) -> Instant | None:
    """The next instant at which time alone changes this clock: a warning or the deadline."""
    if clock.outcome != "open" or clock.due_at is None:
        return None
    if clock.paused_since is not None and not clock.set_by_hand:
        return None
    if clock.next_warning_at is not None and clock.next_warning_at <= clock.due_at:
        return clock.next_warning_at
    return clock.due_at


def stage(clock: ClockState) -> str:
    """How far a running clock has come: `running`, `warned`, `paused` or `overdue`."""
    if clock.breached_at is not None:
        return "overdue"
    if clock.paused_since is not None:
        return "paused"
    return "warned" if clock.warnings_given else "running"


def is_running(clock: ClockState) -> bool:
    """Whether the promise is still to be kept: not yet answered, cancelled or merged; it may be overdue."""
    return clock.outcome in {"open", "breached"}
