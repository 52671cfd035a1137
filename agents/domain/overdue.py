"""How heavily overdue clocks weigh: by their priority, and more the longer they wait.

`agents.domain.account_health` reads the load as a signal; `agents.domain.account` asks when it will next grow by
itself. The weight grows in steps, not continuously, so that an idle account changes at known instants and at no others.
"""

from bisect import bisect_right
from collections.abc import Iterable

from agents.domain.instant import DAY_US, HOUR_US, Instant
from schemas.account_state import MetricState, OverdueClock

KEPT_CLOCKS = 1_000
"""Overdue clocks kept one by one for each metric: under 100 kB, so that ten metrics fit into a Kafka record. The
load has long reached its worst by then; those beyond are counted, each as a fresh one of priority normal."""

UNIT = 2
"""Weights are halves: two units are one fresh overdue clock of priority normal."""

PRIORITY_UNITS = {"low": 1, "normal": 2, "high": 4, "urgent": 8}
"""Doubling with each step, as target times of common policies halve with it (Zendesk's and Intercom's templates)."""

AGE_STEPS_US = (4 * HOUR_US, DAY_US, 3 * DAY_US)
"""Half a working day, a day, and longer than a weekend: the load of a clock doubles, triples, quadruples there."""


def enter(metric: MetricState, clock_id: str, clock: OverdueClock) -> None:
    """A clock is past due and unanswered from here on."""
    if clock_id in metric.overdue or len(metric.overdue) < KEPT_CLOCKS:
        metric.overdue[clock_id] = clock
    else:
        metric.overdue_beyond += 1


def leave(metric: MetricState, clock_id: str) -> OverdueClock | None:
    """A clock is no longer overdue; null when it was only counted, or was not overdue."""
    clock = metric.overdue.pop(clock_id, None)
    if clock is None and metric.overdue_beyond:
        metric.overdue_beyond -= 1
    return clock


def load(metrics: Iterable[MetricState], as_of: Instant) -> int:
    """The weight of all overdue clocks in halves of a fresh one of priority normal."""
    units = 0
    for metric in metrics:
        units += metric.overdue_beyond * UNIT
        for clock in metric.overdue.values():
            steps = 1 + bisect_right(AGE_STEPS_US, as_of - clock.due_at)
            units += PRIORITY_UNITS.get(clock.priority or "normal", UNIT) * steps
    return units


def grows_at(metrics: Iterable[MetricState], as_of: Instant) -> Instant | None:
    """The next instant at which the load grows although nothing happens."""
    soonest: Instant | None = None
    for metric in metrics:
        for clock in metric.overdue.values():
            step = bisect_right(AGE_STEPS_US, as_of - clock.due_at)
            if step < len(AGE_STEPS_US):
                at = clock.due_at + AGE_STEPS_US[step]
                if soonest is None or at < soonest:
                    soonest = at
    return soonest
