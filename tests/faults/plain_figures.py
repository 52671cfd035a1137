"""How promises were kept, counted one by one from the clocks of `plain_oracle`: by account, scope and window.

By the rules of `docs/sla.md`; shares no code with the product. `account_verdicts` and `row_verdicts` compare.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.faults.fault_story import DAY, HOUR, MINUTE
from tests.faults.plain_oracle import PlainClock
from tests.second_opinion.plain_calendar import moment_of

WINDOWS = ("1h", "24h", "7d", "30d", "month")
ROLLING = {"1h": (HOUR, MINUTE), "24h": (DAY, MINUTE), "7d": (7 * DAY, HOUR), "30d": (30 * DAY, HOUR)}
"""Length, and how coarsely the window moves on: whole buckets leave, the running one counts."""
RISK_PARTS = 5
"""The last fifth of the time from start to deadline."""


@dataclass(frozen=True)
class PlainStanding:
    """One value of one scope. Met, breached and ratio are in the order of `WINDOWS`."""

    scope: str
    value: str
    met: tuple[int, ...]
    breached: tuple[int, ...]
    ratio: tuple[float | None, ...]
    open: int
    overdue: int
    at_risk: int


def is_in_window(window: str, decided_at: int, as_of: int) -> bool:
    """Whether something that was decided counts in a window as of an instant."""
    if decided_at > as_of:
        return False
    if window == "month":
        return _month(decided_at) == _month(as_of)
    length, bucket = ROLLING[window]
    return decided_at // bucket > (as_of - length) // bucket


def _month(at: int) -> tuple[int, int]:
    moment: datetime = moment_of(at)
    return moment.year, moment.month


def standings_of(clocks: Sequence[PlainClock], as_of: int) -> dict[tuple[str, str], PlainStanding]:
    """What a report of these clocks says at an instant, by scope and value; what is nothing is left out."""
    found = {}
    for scope, values in (
        ("account", {""}),
        ("channel", {clock.channel for clock in clocks}),
        ("priority", {clock.priority for clock in clocks}),
        ("policy", {clock.priority for clock in clocks}),
    ):
        for value in values:
            among = [clock for clock in clocks if value in {"", clock.channel, clock.priority}]
            standing = _standing(scope, value, among, as_of)
            if scope == "account" or any((*standing.met, *standing.breached, standing.open, standing.overdue)):
                found[scope, value] = standing
    return found


def _standing(scope: str, value: str, clocks: Sequence[PlainClock], as_of: int) -> PlainStanding:
    met, breached = [], []
    for window in WINDOWS:
        decided = [each for each in clocks if each.decided_at and is_in_window(window, each.decided_at, as_of)]
        breached.append(sum(each.breached_at is not None for each in decided))
        met.append(len(decided) - breached[-1])
    running = [each for each in clocks if each.outcome == "open" or is_yet_to_break(each, as_of)]
    return PlainStanding(
        scope,
        value,
        tuple(met),
        tuple(breached),
        tuple(kept / (kept + broken) if kept + broken else None for kept, broken in zip(met, breached, strict=True)),
        open=len(running),
        overdue=sum(is_overdue(each, as_of) for each in clocks),
        at_risk=sum(_is_at_risk(each, as_of) for each in running),
    )


def is_yet_to_break(clock: PlainClock, as_of: int) -> bool:
    """Whether it is unanswered, and was not due then."""
    return clock.outcome == "breached" and (clock.breached_at or 0) > as_of


def is_overdue(clock: PlainClock, as_of: int) -> bool:
    """Whether it is unanswered, and was due then."""
    return clock.outcome == "breached" and (clock.breached_at or 0) <= as_of


def _is_at_risk(clock: PlainClock, as_of: int) -> bool:
    return clock.due_at is not None and as_of >= clock.due_at - (clock.due_at - clock.started_at) // RISK_PARTS


def decided_on_days(clocks: Iterable[PlainClock]) -> Counter[tuple[int, str]]:
    """How much was decided, by the day (UTC, from 1970 on) and as `met/first_response`."""
    return Counter(
        (each.decided_at // DAY, f"{'met' if each.breached_at is None else 'breached'}/{each.metric}")
        for each in clocks
        if each.decided_at is not None
    )
