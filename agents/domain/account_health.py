"""The health of one account: its signals read from what is remembered, scored, and told when it has moved.

`agents.domain.account` calls `judge` whenever it settles an account. What the numbers are worth is in
`agents.domain.signal_catalogue`, the arithmetic in `agents.domain.scoring`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from agents.domain import churn_risk, contact_volume, known_share, overdue, satisfaction
from agents.domain.instant import to_datetime
from agents.domain.live_signals import source_of
from agents.domain.normalisation import MILLION
from agents.domain.scoring import SHARE_UNITS, Scorer, Shares, points_of, score_of
from agents.domain.signal_reading import normalised
from schemas.account_state import AccountState, PublishedHealth
from schemas.adherence import WINDOW_NAMES
from schemas.health_score import Contribution, HealthScore

KEPT_MOVERS = 3
"""Ids kept of the newest events behind each signal: enough to look one up, little enough for every record."""

_WEEK = 2 * WINDOW_NAMES.index("7d")
"""Where `MetricState.figures` holds the last 7 days."""


def adherence(state: AccountState) -> int | None:
    """Met of all that was decided in the last 7 days, over all metrics, in millionths; null where nothing was."""
    met = breached = 0
    for metric in state.metrics.values():
        met += metric.figures[_WEEK]
        breached += metric.figures[_WEEK + 1]
    return met * MILLION // (met + breached) if met + breached else None


def overdue_load(state: AccountState) -> int | None:
    """The weight of overdue clocks; null where no clock runs and none was decided in the last 30 days."""
    return overdue.load(state.metrics.values(), state.as_of) if state.metrics else None


_READ: dict[str, Callable[[AccountState], int | None]] = {
    "adherence_7d": adherence,
    "overdue_clocks": overdue_load,
    "contact_volume": contact_volume.ratio,
    "csat": satisfaction.mean,
}


def note_mover(state: AccountState, signal: str, at: int, event_id: str) -> None:
    """Remember that an event moved a signal; the newest stay."""
    movers = state.movers.get(signal)
    if movers is None:
        state.movers[signal] = [(at, event_id)]
        return
    movers.append((at, event_id))
    if movers[-2] > movers[-1]:
        movers.sort()
    if len(movers) > KEPT_MOVERS:
        del movers[0]


class Judgement(NamedTuple):
    """One calculation of the score: raw values, sub-scores and points in the order of the profile's signals."""

    readings: list[int | None]
    subs: list[int | None]
    points: tuple[int, ...]
    weighted: Shares


def judge(account_id: str, state: AccountState, scorer: Scorer, cause_id: str | None) -> HealthScore | None:
    """The score at `state.as_of` if it is worth telling: the first, in another band, moved, or of another coverage.

    `state.health` becomes what is told. The figures of every metric must be those of `as_of`.
    """
    readings = [_READ[rule.name](state) for _, rule in scorer.signals]
    if state.health is not None and readings == state.readings:
        return None
    state.readings = readings
    subs = [
        None if raw is None else normalised(rule.normalise, raw)
        for (_, rule), raw in zip(scorer.signals, readings, strict=True)
    ]
    weighted = scorer.shares(subs)
    score = score_of(weighted, subs)
    told = state.health
    band = scorer.band(score, told.band if told is not None else None)
    if score is not None:
        churn_risk.note_score(state.memory.past, score, state.as_of)
    if (
        told is not None
        and band == told.band
        and not _has_moved(scorer, score, told.score)
        and not known_share.has_moved(weighted.coverage, told.coverage)
    ):
        return None
    points = points_of(weighted, subs)
    state.memory.verdict = None
    state.health = PublishedHealth(
        score=score,
        band=band,
        points={rule.name: part for (_, rule), part in zip(scorer.signals, points, strict=True)},
        coverage=weighted.coverage,
    )
    return _published_score(account_id, state, scorer, Judgement(readings, subs, points, weighted), told, cause_id)


def _has_moved(scorer: Scorer, score: int | None, told: int | None) -> bool:
    return score is not None and told is not None and abs(score - told) >= scorer.profile.publish_step


def _published_score(  # noqa: PLR0917 - what is remembered, what was, what is new
    account_id: str,
    state: AccountState,
    scorer: Scorer,
    judgement: Judgement,
    told: PublishedHealth | None,
    cause_id: str | None,
) -> HealthScore:
    now = state.health or PublishedHealth()
    return HealthScore(
        id=f"{account_id}@{cause_id}",
        account_id=account_id,
        as_of=to_datetime(state.as_of),
        score=_in_points(now.score),
        band=now.band,
        coverage=judgement.weighted.coverage / SHARE_UNITS,
        contributions=_contributions(state, scorer, judgement, told),
        change=_change(scorer, now, told),
        previous_score=_in_points(told.score) if told is not None else None,
        previous_band=told.band if told is not None else None,
        reason=_reason(scorer, judgement, now, told),
        profile=scorer.profile.name,
        profile_version=scorer.profile.version,
        clock=state.clock,
        tier=state.tier,
        segment=state.segment,
        cause_id=cause_id,
        churn=None if now.score is None else churn_risk.told(churn_risk.risk_now(state, now.score)),
    )


def _change(
    scorer: Scorer, now: PublishedHealth, told: PublishedHealth | None
) -> Literal["initial", "changed", "band_changed", "unchanged"]:
    if told is None:
        return "initial"
    if now.band != told.band:
        return "band_changed"
    return "changed" if _has_moved(scorer, now.score, told.score) else "unchanged"


def _in_points(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100


def _contributions(
    state: AccountState, scorer: Scorer, judgement: Judgement, told: PublishedHealth | None
) -> tuple[Contribution, ...]:
    found = []
    readings, subs, added, weighted = judgement
    for (component, rule), raw, sub_score, points, weight in zip(
        scorer.signals, readings, subs, added, weighted.published, strict=True
    ):
        movers = state.movers.get(rule.name, ())
        found.append(
            Contribution(
                component=component.name,
                signal=rule.name,
                value=None if raw is None else raw / rule.raw_unit,
                sub_score=None if sub_score is None else sub_score / 100,
                weight=weight / SHARE_UNITS,
                points=points / 100,
                change=None if told is None else (points - told.points.get(rule.name, 0)) / 100,
                observed_at=to_datetime(movers[-1][0]) if movers else None,
                event_ids=tuple([event_id for _, event_id in movers]),
                source=None if raw is None else source_of(state, rule.name),
            )
        )
    return tuple(found)


def _reason(scorer: Scorer, judgement: Judgement, now: PublishedHealth, told: PublishedHealth | None) -> str:
    """The move in one sentence, with the signal that pulled most in its direction."""
    before = told.score if told is not None else None
    if now.score is None:
        return "Nothing is known yet." if before is None else f"Nothing is known any more; last was {before / 100:.2f}."
    labels = [rule.label for _, rule in scorer.signals]
    if before is None or told is None:
        lowest = min((sub, index) for index, sub in enumerate(judgement.subs) if sub is not None)
        return f"First score {now.score / 100:.2f}; lowest part is {labels[lowest[1]]} at {lowest[0] / 100:.2f}."
    if told.coverage is not None and _change(scorer, now, told) == "unchanged":
        return known_share.sentence(now.score, judgement.weighted.coverage, told.coverage)
    moved = now.score - before
    sign = 1 if moved > 0 else -1
    changes = [
        points - told.points.get(rule.name, 0)
        for points, (_, rule) in zip(judgement.points, scorer.signals, strict=True)
    ]
    most = max(range(len(changes)), key=lambda index: sign * changes[index])
    into = f" into {now.band}" if now.band != told.band else ""
    return (
        f"{'Up' if moved > 0 else 'Down'} {abs(moved) / 100:.2f} to {now.score / 100:.2f}{into}, "
        f"most by {labels[most]} ({changes[most] / 100:+.2f})."
    )
