"""What the readers of an account are told: adherence figures and alerts, as contracts with deterministic ids.

`agents.domain.account` asks for them when it settles an account; health scores come from
`agents.domain.account_health`.
"""

from typing import Literal

from agents.domain.instant import to_datetime
from agents.domain.promise_windows import OPEN, OVERDUE, clock_id_of
from agents.domain.rolling_window import WINDOWS
from schemas.account_state import AccountState
from schemas.adherence import AdherenceFigure
from schemas.alert import Alert
from schemas.health_score import HealthScore
from schemas.sla_event import SlaEvent

_PRESSING = frozenset({"high", "urgent"})


def changed_figures(
    account_id: str, state: AccountState, metric_name: str, told: list[int], cause_id: str | None
) -> list[AdherenceFigure]:
    """The figures of a metric that are no longer those told before; all of them when none were told."""
    now = state.metrics[metric_name].figures
    beside_changed = not told or told[OPEN:] != now[OPEN:]
    as_of = to_datetime(state.as_of)
    changed = []
    for index, window in enumerate(WINDOWS):
        at = 2 * index
        if not beside_changed and told[at : at + 2] == now[at : at + 2]:
            continue
        met, breached = now[at], now[at + 1]
        changed.append(
            AdherenceFigure(
                id=f"{account_id}/{metric_name}/{window.name}@{cause_id}",
                account_id=account_id,
                metric=metric_name,
                window=window.name,
                as_of=as_of,
                met=met,
                breached=breached,
                ratio=met / (met + breached) if met + breached else None,
                clock=state.clock,
                open=now[OPEN],
                overdue=now[OVERDUE],
                tier=state.tier,
                segment=state.segment,
                cause_id=cause_id,
            )
        )
    return changed


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


def red_alert(health: HealthScore) -> Alert | None:
    """An account turned red (`firing`) or is red no longer (`resolved`); null for any other move."""
    is_red, was_red = health.band == "red", health.previous_band == "red"
    if is_red == was_red:
        return None
    key = f"AccountHealthRed/{health.account_id}"
    state: Literal["firing", "resolved"] = "firing" if is_red else "resolved"
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
