"""The health of one account live under a profile file: judged by its book, told when it has moved, woken when it will.

`agents.domain.account` settles accounts with it once a file is published, and where a person overrides a score; the
arithmetic is `agents.domain.health_verdict`, as it is for files. What is told is a function of (state, `as_of`); only
the band, the open actions and what a change is measured against remember what was before. When to judge again is in
`agents.domain.health_changes`.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from agents.domain import churn_risk, family, next_actions
from agents.domain.children import COMPONENT
from agents.domain.churn_risk import Risk
from agents.domain.health_changes import changes_at
from agents.domain.health_story import reason_of
from agents.domain.health_verdict import Account, HealthBook, Override, Part, Verdict
from agents.domain.instant import Instant, to_datetime
from agents.domain.live_signals import FOUND_OUT, NO_ORIGIN, Reader, observed_now, origin_of, reader_of
from agents.domain.next_actions import Moved
from agents.domain.normalisation import MILLION
from agents.domain.scoring import SHARE_UNITS
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.account_state import AccountState, PublishedHealth
from schemas.health_memory import ToldVerdict
from schemas.health_score import Contribution, HealthScore

_COMPONENTS = {rule.name: component.name for component, rule in DEFAULT_PROFILE.signals}

RISK_STEP = 1_00
"""A move of the churn risk that is worth telling by itself: one point."""


class Judged(NamedTuple):
    """What came of judging an account: what is to be told, which actions have moved, and when to judge again."""

    score: HealthScore | None
    moved: list[Moved]
    is_worst: bool
    """Whether it is in the lowest band of its profile."""
    exact: int | None = None
    """The score in hundredths, whether or not it is to be told."""


def judge(
    account_id: str, state: AccountState, book: HealthBook, next_version_at: Instant | None, cause_id: str | None
) -> Judged:
    """Judge an account at `state.as_of`; what is told is remembered in its state, and so is when to look again.

    The figures of every metric must be those of `as_of`.

    Args:
        account_id: whose.
        state: of the account.
        book: the profile file in force.
        next_version_at: when another one comes into force.
        cause_id: the record that led here.
    """
    memory, as_of = state.memory, state.as_of
    account = Account(account_id, {"account": account_id, "tier": state.tier, "segment": state.segment})
    observed = observed_now(state, readers_of(book))
    override = _override(state)
    before = _before(account_id, state)
    verdict = book.judge(account, observed, as_of, before, override, children=family.children_of(state))
    if verdict.score is not None:
        churn_risk.note_score(memory.past, verdict.score, as_of)
    risk = None if verdict.score is None else churn_risk.risk_now(state, verdict.score, book.file.calibration)
    moved = next_actions.follow(account_id, memory, verdict.plays, as_of)
    memory.changes_at = changes_at(account_id, state, book, verdict, observed, next_version_at)
    told = memory.verdict
    is_worst = verdict.band is not None and verdict.band == _worst(book, verdict.profile)
    children = [] if memory.family is None else _children_of(verdict.parts)
    is_as_told = told is not None and not _has_moved(risk, told.risk) and children == told.children
    if verdict.change == "unchanged" and not moved and is_as_told:
        return Judged(None, moved, is_worst, verdict.score)
    _remember(state, verdict, risk, children, is_worst=is_worst)
    return Judged(_score(state, book, verdict, risk, cause_id), moved, is_worst, verdict.score)


# what goes in


@lru_cache(maxsize=16)
def readers_of(book: HealthBook) -> tuple[tuple[str, Reader | None], ...]:
    """Every signal that a book asks for, each with how it is found out."""
    return tuple((name, reader_of(name)) for name in book.asked_names)


def _override(state: AccountState) -> Override | None:
    said = state.memory.override
    if said is None or said.score is None or (said.until is not None and said.until <= state.as_of):
        return None
    return Override(said.score, said.because, said.until)


def was_worst(state: AccountState) -> bool:
    """Whether what was told last was the lowest band."""
    told = state.memory.verdict
    if told is not None:
        return told.is_worst
    return state.health is not None and state.health.band == "red"


def is_overridden(state: AccountState) -> bool:
    """Whether a person's word stands in place of the score now."""
    return _override(state) is not None


def _before(account_id: str, state: AccountState) -> Verdict | None:
    """What was told last; also by the built-in profile, whose parts are then known by their points alone."""
    told, published = state.memory.verdict, state.health
    if told is not None:
        parts = tuple(
            [
                Part(component, signal, None, sub, weight, points, None, because)
                for component, signal, sub, weight, points, because in told.parts
            ]
        )
        return Verdict(account_id, told.as_of, told.profile, told.score, told.band, told.band_since, 0, parts)
    if published is None:
        return None
    parts = tuple(
        Part(_COMPONENTS.get(name, ""), name, None, None, 0, points) for name, points in published.points.items()
    )
    return Verdict(account_id, state.as_of, DEFAULT_PROFILE.name, published.score, published.band, None, 0, parts)


def _has_moved(risk: Risk | None, told: int | None) -> bool:
    if risk is None or told is None:
        return (risk is None) != (told is None)
    return abs(risk.total - told) >= RISK_STEP


# what comes out


def _worst(book: HealthBook, name: str | None) -> str | None:
    profile = book.profile_named(name)
    return None if profile is None else profile.bands[0].name


def _children_of(parts: Iterable[Part]) -> list[str]:
    """The children that make a score, each with a mark where it has none or closes a circle."""
    return [
        f"{'!' if part.because else '?' if part.sub_score is None else ''}{part.signal}"
        for part in parts
        if part.component == COMPONENT
    ]


def _remember(state: AccountState, verdict: Verdict, risk: Risk | None, children: list[str], *, is_worst: bool) -> None:
    state.memory.verdict = ToldVerdict(
        as_of=verdict.as_of,
        profile=verdict.profile,
        score=verdict.score,
        band=verdict.band,
        band_since=verdict.band_since,
        risk=None if risk is None else risk.total,
        parts=[
            (part.component, part.signal, part.sub_score, part.weight, part.points, part.because)
            for part in verdict.parts
        ],
        is_worst=is_worst,
        children=children,
    )
    # Should the profile be taken away, the built-in one goes on from here.
    points = {part.signal: part.points for part in verdict.parts if part.signal is not None}
    state.health = PublishedHealth(verdict.score, verdict.band, points)
    state.readings = []


def _score(
    state: AccountState, book: HealthBook, verdict: Verdict, risk: Risk | None, cause_id: str | None
) -> HealthScore:
    before = verdict.previous
    return HealthScore(
        id=f"{verdict.account}@{cause_id}",
        account_id=verdict.account,
        as_of=to_datetime(state.as_of),
        score=_in_points(verdict.score),
        band=verdict.band,
        coverage=verdict.coverage / SHARE_UNITS,
        contributions=_contributions(state, verdict),
        change=verdict.change,
        previous_score=None if before is None else _in_points(before.score),
        previous_band=None if before is None else before.band,
        reason=reason_of(verdict),
        profile=verdict.profile or "",
        profile_version=book.file.version,
        clock=state.clock,
        tier=state.tier,
        segment=state.segment,
        cause_id=cause_id,
        churn=None if risk is None else churn_risk.told(risk),
        actions=next_actions.open_actions(state.memory),
    )


def _contributions(state: AccountState, verdict: Verdict) -> tuple[Contribution, ...]:
    before = verdict.previous
    if before is None:
        return tuple([_contribution(state, part, None) for part in verdict.parts])
    added = before.added()
    return tuple(
        [
            _contribution(state, part, part.points - added.get((part.component, part.signal), 0))
            for part in verdict.parts
        ]
    )


def _contribution(state: AccountState, part: Part, change: int | None) -> Contribution:
    component, signal, value = part.component, part.signal, part.value
    is_found = signal is not None and component != COMPONENT
    source, observed_at, event_ids = origin = origin_of(state, signal or "") if is_found else NO_ORIGIN
    if origin is NO_ORIGIN and part.freshness == 0 and value is None and part.sub_score is None:
        return _unknown(component, signal, change)
    if component == "override" and state.memory.override is not None:
        source = state.memory.override.source
    sub_score, freshness = part.sub_score, part.freshness
    return Contribution(
        component=component,
        signal=signal,
        value=value / MILLION if isinstance(value, int) else value,
        sub_score=None if sub_score is None else sub_score / 100,
        weight=part.weight / SHARE_UNITS,
        points=part.points / 100,
        change=None if change is None else change / 100,
        observed_at=None if observed_at is None else to_datetime(observed_at),
        event_ids=event_ids,
        source=source or (FOUND_OUT if value is not None and signal is not None else None),
        freshness=None if freshness is None else freshness / MILLION,
        because=part.because,
    )


@lru_cache(maxsize=1_024)
def _unknown(component: str, signal: str | None, change: int | None) -> Contribution:
    """What is told of a signal of which nothing is known, the same for all accounts."""
    return Contribution(
        component=component,
        signal=signal,
        value=None,
        sub_score=None,
        weight=0.0,
        points=0.0,
        change=None if change is None else change / 100,
        freshness=0.0,
    )


def _in_points(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100
