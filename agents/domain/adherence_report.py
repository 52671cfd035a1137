"""How the promises of one metric stand: every scope and window, error budgets and what is ahead, as one report.

`agents.domain.account` asks for it when it settles an account and tells it if it is not what was told last. All of it
is a function of (state, `as_of`).
"""

from collections.abc import Sequence
from hashlib import blake2b
from heapq import nsmallest
from struct import Struct as Layout
from typing import Any, NamedTuple

import msgspec

from agents.domain import error_budget
from agents.domain.error_budget import MILLION
from agents.domain.instant import Instant, to_datetime
from agents.domain.outcome_cells import COLLECTIVE, OutcomeCells
from agents.domain.promise_windows import is_at_risk, risk_grows_at
from agents.domain.rolling_window import LANE_BITS, LANES, month_of
from schemas.account_state import Labels, MetricState, ObjectiveState, OpenClock
from schemas.adherence import SCOPES, WINDOW_NAMES, DuePromise, ErrorBudget, Forecast, Standing

MOST_DUE = 20
"""Clocks named in a forecast: a screen full."""

_WINDOWS = len(WINDOW_NAMES)
# What is pending lies behind the counts of the windows, so that one addition sums all of a cell.
_OPEN, _OVERDUE, _AT_RISK = (1 << LANE_BITS * (LANES + index) for index in range(3))
_LANES = Layout(f"<{LANES + 3}I")
_encode = msgspec.msgpack.Encoder().encode
_POLICY = SCOPES.index("policy")
_OF_OBJECTIVE = {"7d": 2, "30d": 3, "month": 4}
_30_DAYS = WINDOW_NAMES.index("30d")


class Picture(NamedTuple):
    """What a report says, apart from whom, when and why."""

    standings: tuple[Standing, ...]
    budgets: tuple[ErrorBudget, ...]
    forecast: Forecast | None
    digest: bytes
    """The same for the same picture."""


def spans_of(metric: MetricState) -> tuple[int, ...]:
    """The windows in hours that the objectives of a metric ask for beyond those that everybody has."""
    if not metric.objectives:
        return ()
    days = (error_budget.days_of(each.over) for each in metric.objectives.values() if each.over not in _OF_OBJECTIVE)
    return tuple(sorted({24 * each for each in days if each}))


def picture_of(metric: MetricState, cells: OutcomeCells, as_of: Instant) -> Picture:
    """How a metric stands at the instant that its cells were brought to; `metric.figures` follow."""
    sums = _sums(metric, cells, as_of)
    whole = sum(sums)
    narrowed = _narrowed(sums, cells.labels)
    account, standings, told = _standings(whole, narrowed)
    metric.figures = _figures(account)
    forecast = _forecast(metric, account, as_of)
    budgets = _budgets(metric, cells, narrowed[_POLICY], forecast, as_of) if metric.objectives else ()
    digest = blake2b(_encode((told, budgets, forecast)), digest_size=8).digest()
    return Picture(tuple(standings), budgets, forecast, digest)


def _standings(whole: int, narrowed: list[dict[str, int]]) -> tuple[tuple[int, ...], list[Standing], list[str | bytes]]:
    """The account's counts in lanes, what stands in the account and each value of each scope, and all that as bytes."""
    in_lanes = whole.to_bytes(_LANES.size, "little")
    account = _LANES.unpack(in_lanes)
    counted = {whole: (in_lanes, _counted(account))}  # where all was promised to one tier, its counts are the account's
    standings = [Standing("account", *counted[whole][1])]
    told: list[str | bytes] = [in_lanes]
    for scope, values in zip(SCOPES, narrowed, strict=True):
        for value in sorted(values) if len(values) > 1 else values:
            total = values[value]
            known = counted.get(total)
            if known is None:
                in_lanes = total.to_bytes(_LANES.size, "little")
                known = counted[total] = (in_lanes, _counted(_LANES.unpack(in_lanes)))
            in_lanes, (met, breached, ratio, _, is_open, is_late, at_risk) = known
            standings.append(Standing(scope, met, breached, ratio, value or None, is_open, is_late, at_risk))
            told += (value, in_lanes)
    return account, standings, told


def _narrowed(sums: list[int], labels: Sequence[Labels | None]) -> list[dict[str, int]]:
    """The sum of each value of each scope, in the order of `SCOPES`; those that are nothing are left out."""
    counting = [(total, about) for total, about in zip(sums, labels, strict=True) if total and about is not None]
    if len(counting) == 1:
        ((total, about),) = counting
        return [{value: total} for value in about]
    narrowed: list[dict[str, int]] = [{} for _ in SCOPES]
    for total, about in counting:
        for values, value in zip(narrowed, about, strict=True):
            values[value] = values.get(value, 0) + total
    return narrowed


def _sums(metric: MetricState, cells: OutcomeCells, as_of: Instant) -> list[int]:
    """The outcomes and the pending clocks of each place."""
    beyond = metric.open - len(metric.running)
    unplaced = metric.overdue_beyond or any(clock.cell < 0 for clock in metric.overdue.values())
    collective = cells.place_of(COLLECTIVE) if beyond > 0 or unplaced else -1
    sums = cells.tallies.copy()
    for running in metric.running.values():
        sums[running.cell] += _OPEN + _AT_RISK if is_at_risk(running, as_of) else _OPEN
    for late in metric.overdue.values():
        sums[late.cell if late.cell >= 0 else collective] += _OVERDUE
    if collective >= 0:
        sums[collective] += max(0, beyond) * _OPEN + metric.overdue_beyond * _OVERDUE
    return sums


def _figures(lanes: tuple[int, ...]) -> list[int]:
    """The account's own counts in the layout of `MetricState.figures`."""
    return [
        *(lanes[0], lanes[5], lanes[1], lanes[6], lanes[2], lanes[7], lanes[3], lanes[8]),
        *(lanes[10], lanes[11]),
        *(lanes[4], lanes[9], lanes[12]),
    ]


def _counted(lanes: tuple[int, ...]) -> tuple[Any, ...]:
    """The fields of a `Standing` behind its scope, of one without a value."""
    met, breached = lanes[:_WINDOWS], lanes[_WINDOWS:LANES]
    ratio = tuple([kept / (kept + broken) if kept or broken else None for kept, broken in zip(met, breached)])  # noqa: B905 - quick
    return (met, breached, ratio, None, *lanes[LANES:])


def _forecast(metric: MetricState, account: tuple[int, ...], as_of: Instant) -> Forecast | None:
    """Null where no clock is known to fall due."""
    ahead = [(clock.due_at, name, clock) for name, clock in metric.running.items() if clock.due_at is not None]
    if not ahead:
        return None
    met, breached = account[_30_DAYS], account[_WINDOWS + _30_DAYS]
    chance = round((breached + 1) / (met + breached + 2), 6)
    due = tuple([_due(name, clock, due_at, as_of) for due_at, name, clock in nsmallest(MOST_DUE, ahead)])
    return Forecast(chance, round(len(ahead) * chance, 3), due)


def _due(name: str, clock: OpenClock, due_at: Instant, as_of: Instant) -> DuePromise:
    conversation_id, _, instance = name.rsplit("/", 2)
    return DuePromise(conversation_id, int(instance), to_datetime(due_at), is_at_risk(clock, as_of))


def _budgets(
    metric: MetricState, cells: OutcomeCells, by_policy: dict[str, int], forecast: Forecast | None, as_of: Instant
) -> tuple[ErrorBudget, ...]:
    """The error budgets of all policies that something was promised under; others are forgotten once they are quiet."""
    found = []
    for policy in sorted(metric.objectives):
        objective = metric.objectives[policy]
        total = by_policy.get(policy)
        if total is None and not objective.burning:
            del metric.objectives[policy]
            continue
        lanes = _LANES.unpack((total or 0).to_bytes(_LANES.size, "little"))
        places = {
            place for place, labels in enumerate(cells.labels) if labels is not None and labels[_POLICY] == policy
        }
        met, breached = _in_period(objective, cells, lanes, places)
        ends_at = month_of(as_of)[1] if objective.over == "month" else None
        ahead = _due_until(metric, places, ends_at)
        chance = forecast.breach_ratio if forecast is not None else 0.0
        found.append(_budget(policy, objective, lanes, (met, breached), ahead, chance))
    return tuple(found)


def _in_period(
    objective: ObjectiveState, cells: OutcomeCells, lanes: tuple[int, ...], places: set[int]
) -> tuple[int, int]:
    window = _OF_OBJECTIVE.get(objective.over)
    if window is None:
        return cells.decided_in(24 * (error_budget.days_of(objective.over) or 30), sorted(places))
    return lanes[window], lanes[_WINDOWS + window]


def _due_until(metric: MetricState, places: set[int], ends_at: Instant | None) -> int:
    return sum(
        clock.cell in places and clock.due_at is not None and (ends_at is None or clock.due_at < ends_at)
        for clock in metric.running.values()
    )


def _budget(  # noqa: PLR0917 - the parts that all of it is made of
    policy: str,
    objective: ObjectiveState,
    lanes: tuple[int, ...],
    period: tuple[int, int],
    ahead: int,
    chance: float,
) -> ErrorBudget:
    met, breached = period
    decided, ratio = met + breached, objective.ratio
    allowed = error_budget.allowed(decided, ratio)
    known = decided + ahead
    return ErrorBudget(
        policy=policy,
        objective_ratio=ratio / MILLION,
        over=objective.over,
        met=met,
        breached=breached,
        allowed=allowed,
        left=allowed - breached,
        left_ratio=round(1 - breached / allowed, 6) if allowed else None,
        burn=error_budget.burn_rates(list(lanes[:_WINDOWS]), list(lanes[_WINDOWS:LANES]), objective.over, ratio),
        open=ahead,
        expected_breaches=round(ahead * chance, 3),
        forecast_ratio=round((met + ahead * (1 - chance)) / known, 6) if known else None,
        breaches_left=max(0, known * (MILLION - ratio) // MILLION - breached),
    )


def changes_at(metric: MetricState, cells: OutcomeCells, as_of: Instant) -> Instant | None:
    """The next instant at which the picture is another one although nothing happens."""
    changes = [cells.expires_at(), risk_grows_at(metric, as_of)]
    if metric.running and any(objective.over == "month" for objective in metric.objectives.values()):
        changes.append(month_of(as_of)[1])
    return min([at for at in changes if at is not None], default=None)


def note_objective(metric: MetricState, policy: str, said: ObjectiveState) -> bool:
    """Take over what an event says of the objective of its policy; false when that is known, or a newer one spoke."""
    known = metric.objectives.get(policy)
    if known is None:
        metric.objectives[policy] = said
        return True
    if (said.said_at, said.ratio, said.over) <= (known.said_at, known.ratio, known.over):
        return False
    is_other = (said.ratio, said.over) != (known.ratio, known.over)
    known.said_at, known.ratio, known.over = said.said_at, said.ratio, said.over
    return is_other
