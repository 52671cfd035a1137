"""What the readers of an account are told: adherence reports and alerts, as contracts with deterministic ids.

`agents.domain.account` asks for them when it settles an account; health scores come from
`agents.domain.account_health`.
"""

from typing import Literal

from agents.domain.adherence_report import Picture
from agents.domain.error_budget import BURN_WINDOWS, BurnWindow
from agents.domain.instant import to_datetime
from agents.domain.promise_windows import clock_id_of
from schemas.account_state import AccountState
from schemas.adherence import AdherenceReport, BurnRate, ErrorBudget
from schemas.alert import Alert
from schemas.health_score import HealthScore
from schemas.sla_event import SlaEvent

_PRESSING = frozenset({"high", "urgent"})


def report(
    account_id: str, state: AccountState, metric_name: str, picture: Picture, cause_id: str | None
) -> AdherenceReport:
    """How a metric stands, as a contract."""
    return AdherenceReport(
        id=f"{account_id}/{metric_name}@{cause_id}",
        account_id=account_id,
        metric=metric_name,
        as_of=to_datetime(state.as_of),
        standings=picture.standings,
        clock=state.clock,
        tier=state.tier,
        segment=state.segment,
        cause_id=cause_id,
        budgets=picture.budgets,
        forecast=picture.forecast,
    )


def burn_alerts(
    account_id: str, state: AccountState, metric_name: str, budgets: tuple[ErrorBudget, ...], cause_id: str | None
) -> list[Alert]:
    """Budgets that have come to burn in a window (`firing`), or burn there no longer (`resolved`).

    What fires is remembered in the state, so each is stated once, whoever goes on with the account.
    """
    objectives = state.metrics[metric_name].objectives
    found = []
    for budget in budgets:
        burning = objectives[budget.policy].burning
        for window, rate in zip(BURN_WINDOWS, budget.burn, strict=True):
            if rate.burning == (window.name in burning):
                continue
            if rate.burning:
                burning.append(window.name)
            else:
                burning.remove(window.name)
            found.append(_burn_alert(account_id, state, metric_name, budget, (window, rate), cause_id))
    return found


def _burn_alert(  # noqa: PLR0917 - whom, what and why
    account_id: str,
    state: AccountState,
    metric_name: str,
    budget: ErrorBudget,
    burn: tuple[BurnWindow, BurnRate],
    cause_id: str | None,
) -> Alert:
    window, rate = burn
    key = f"ErrorBudgetBurning/{account_id}/{metric_name}/{budget.policy}/{window.name}"
    subject = f"The error budget of {metric_name} of {account_id} under {budget.policy}"
    percent = f"{budget.objective_ratio * 100:g} % over {budget.over}"
    if rate.burning:
        summary = (
            f"{subject} ({percent}) burns at {rate.rate:.1f} in {window.name}, where {rate.factor:.1f} is too much; "
            f"{budget.left:.1f} of {budget.allowed:.1f} breaches are left"
        )
    else:
        summary = f"{subject} ({percent}) no longer burns too fast in {window.name}"
    phase: Literal["firing", "resolved"] = "firing" if rate.burning else "resolved"
    return Alert(
        id=f"{key}/{phase}@{cause_id}",
        key=key,
        name="ErrorBudgetBurning",
        state=phase,
        severity=window.severity,
        account_id=account_id,
        occurred_at=to_datetime(state.as_of),
        summary=summary,
        metric=metric_name,
        policy=budget.policy,
        tier=state.tier,
        clock=state.clock,
        cause_id=cause_id,
        window=window.name,
    )


def breach_alert(event: SlaEvent, state: Literal["firing", "resolved"]) -> Alert:
    """A promise was broken and waits to be kept late (`firing`), or there is nothing left to wait for (`resolved`)."""
    key = f"PromiseBreached/{clock_id_of(event)}"
    subject = f"{event.metric} of {event.conversation_id}"
    if state == "firing":
        due = event.due_at or event.occurred_at
        summary = f"{subject} was due at {due.isoformat(timespec='seconds')} and is not answered"
    else:
        summary = f"{subject} is no longer overdue: {event.outcome or event.kind}"
    return Alert(
        id=f"{key}/{state}@{event.id}",
        key=key,
        name="PromiseBreached",
        state=state,
        severity="critical" if event.priority in _PRESSING else "warning",
        account_id=event.account_id,
        occurred_at=event.occurred_at,
        summary=summary,
        conversation_id=event.conversation_id,
        metric=event.metric,
        instance=event.instance,
        policy=event.policy,
        priority=event.priority,
        channel=event.channel,
        tier=event.tier,
        team=event.team,
        due_at=event.due_at,
        clock=event.clock,
        cause_id=event.id,
    )


def worst_alert(health: HealthScore, *, is_worst: bool, was_worst: bool) -> Alert | None:
    """An account has come into the lowest band of its profile (`firing`) or out of it; null for any other move."""
    if is_worst == was_worst:
        return None
    key = f"AccountHealthRed/{health.account_id}"
    state: Literal["firing", "resolved"] = "firing" if is_worst else "resolved"
    score = "without a score" if health.score is None else f"at {health.score:.2f}"
    return Alert(
        id=f"{key}/{state}@{health.cause_id}",
        key=key,
        name="AccountHealthRed",
        state=state,
        severity="critical",
        account_id=health.account_id,
        occurred_at=health.as_of,
        summary=f"Health of {health.account_id} is {health.band or 'unknown'} {score}: {health.reason}",
        tier=health.tier,
        clock=health.clock,
        cause_id=health.cause_id,
    )
