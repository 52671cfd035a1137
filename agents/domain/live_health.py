"""The health of one account live under a profile file: judged by its book, told when it has moved, woken when it will.

`agents.domain.account` settles accounts with it once a file is published, and where a person overrides a score; the
arithmetic is `agents.domain.health_verdict`, as it is for files. What is told is a function of (state, `as_of`); only
the band, the open actions and what a change is measured against remember what was before. When to judge again is in
`agents.domain.health_changes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import astuple

from agents.domain import churn_risk, family, known_share, next_actions
from agents.domain.children import COMPONENT
from agents.domain.churn_risk import Risk
from agents.domain.health_changes import changes_at
from agents.domain.health_story import sentence
from agents.domain.health_verdict import Account, HealthBook, Override, Part, Verdict, added_by
from agents.domain.instant import Instant, to_datetime
from agents.domain.live_signals import (
    FOUND_OUT,
    NO_ORIGIN,
    RECKONED_FROM,
    Readers,
    observed_now,
    origin_of,
    readers_of,
)
from agents.domain.next_actions import Moved
from agents.domain.normalisation import MILLION
from agents.domain.scoring import SHARE_UNITS
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.account_state import AccountState, PublishedHealth
from schemas.health_memory import TellablePart, ToldVerdict
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
    observed = observed_now(state, _readers_of(book))
    override = None if memory.override is None else _override(state)
    children_now = () if memory.family is None else family.children_of(state)
    verdict = book.judge(account, observed, as_of, _before(account_id, state), override, children=children_now)
    if verdict.score is not None:
        churn_risk.note_score(memory.past, verdict.score, as_of)
    risk = None if verdict.score is None else churn_risk.risk_now(state, verdict.score, book.file.calibration)
    moved = next_actions.follow(account_id, memory, verdict.plays, as_of)
    memory.changes_at = changes_at(account_id, state, book, verdict, observed, next_version_at)
    told = memory.verdict
    is_worst = verdict.band is not None and verdict.band == _worst(book, verdict.profile)
    children = [] if memory.family is None else _children_of(verdict.parts)
    if verdict.change == "unchanged" and not moved and told is not None and _is_as_told(verdict, risk, children, told):
        return Judged(None, moved, is_worst, verdict.score)
    stood, parts = _stood(state), verdict.told_parts()
    why = _why(verdict, parts, stood, None if told is None else told.coverage)
    _remember(state, verdict, parts, risk, children, is_worst=is_worst)
    return Judged(_score(state, book, verdict, stood, risk, why, cause_id), moved, is_worst, verdict.score)


# what goes in


@lru_cache(maxsize=16)
def _readers_of(book: HealthBook) -> Readers:
    return readers_of(book.asked_names)


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
    """What was told last, without its parts: most judgements do not ask for them (`_stood`)."""
    told, published = state.memory.verdict, state.health
    if told is not None:
        return Verdict(account_id, told.as_of, told.profile, told.score, told.band, told.band_since)
    if published is None:
        return None
    return Verdict(account_id, state.as_of, DEFAULT_PROFILE.name, published.score, published.band)


def _stood(state: AccountState) -> Sequence[TellablePart]:
    """The parts that were told last; those of the built-in profile are known by their points alone."""
    told, published = state.memory.verdict, state.health
    if told is not None:
        return told.parts
    points = {} if published is None else published.points
    return [(_COMPONENTS.get(name, ""), name, None, 0, added, None) for name, added in points.items()]


def _is_as_told(verdict: Verdict, risk: Risk | None, children: list[str], told: ToldVerdict) -> bool:
    """Whether what stands beside a score that has stayed has stayed as well."""
    return (
        not _has_moved(risk, told.risk)
        and not known_share.has_moved(verdict.coverage, told.coverage)
        and children == told.children
        and _limits(verdict.parts) == _told_limits(told.parts)
    )


def _limits(parts: Sequence[Part]) -> list[tuple[str, str | None]]:
    """What holds a score, and why: it may change where the score stays. Limits come behind all signals."""
    found = []
    for part in reversed(parts):
        if part.signal is not None:
            break
        found.append((part.component, part.because))
    return found[::-1]


def _told_limits(parts: Sequence[TellablePart]) -> list[tuple[str, str | None]]:
    return [(part[0], part[5]) for part in parts if part[1] is None]


def _why(verdict: Verdict, parts: Sequence[TellablePart], stood: Sequence[TellablePart], covered: int | None) -> str:
    """The move in one sentence. Where the score has stayed: what holds it now, or how much of it is known now."""
    if verdict.change != "unchanged" or verdict.score is None:
        return sentence(verdict, parts, stood)
    now = _limits(verdict.parts)
    if now != _told_limits(stood):
        held = " and ".join(f"the {name} ({because})" for name, because in now)
        return f"As before, {verdict.score / 100:.2f}; now {f'held by {held}' if held else 'by itself'}."
    if covered is not None and known_share.has_moved(verdict.coverage, covered):
        return known_share.sentence(verdict.score, verdict.coverage, covered)
    return sentence(verdict, parts, stood)


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


def _remember(
    state: AccountState,
    verdict: Verdict,
    parts: list[TellablePart],
    risk: Risk | None,
    children: list[str],
    *,
    is_worst: bool,
) -> None:
    state.memory.verdict = ToldVerdict(
        as_of=verdict.as_of,
        profile=verdict.profile,
        score=verdict.score,
        band=verdict.band,
        band_since=verdict.band_since,
        risk=None if risk is None else risk.total,
        parts=parts,
        is_worst=is_worst,
        children=children,
        coverage=verdict.coverage,
    )
    # Should the profile be taken away, the built-in one goes on from here.
    points = {part[1]: part[4] for part in parts if part[1] is not None}
    state.health = PublishedHealth(verdict.score, verdict.band, points, verdict.coverage)
    state.readings = []


def _score(  # noqa: PLR0917 - what is judged, what is told of it, and what was told before
    state: AccountState,
    book: HealthBook,
    verdict: Verdict,
    stood: Sequence[TellablePart],
    risk: Risk | None,
    why: str,
    cause_id: str | None,
) -> HealthScore:
    before = verdict.previous
    return HealthScore(
        id=f"{verdict.account}@{cause_id}",
        account_id=verdict.account,
        as_of=to_datetime(state.as_of),
        score=_in_points(verdict.score),
        band=verdict.band,
        coverage=verdict.coverage / SHARE_UNITS,
        contributions=_contributions(state, verdict.parts, None if before is None else added_by(stood)),
        change=verdict.change,
        previous_score=None if before is None else _in_points(before.score),
        previous_band=None if before is None else before.band,
        reason=why,
        profile=verdict.profile or "",
        profile_version=book.file.version,
        clock=state.clock,
        tier=state.tier,
        segment=state.segment,
        cause_id=cause_id,
        churn=None if risk is None else churn_risk.told(risk),
        actions=next_actions.open_actions(state.memory) if state.memory.actions else (),
    )


def _contributions(
    state: AccountState, parts: Sequence[Part], added: Mapping[tuple[str, str | None], int] | None
) -> tuple[Contribution, ...]:
    """What the parts are told as; `added` are the points that were told before."""
    told, movers = state.memory.told, state.movers
    found = []
    for part in parts:
        component, signal, sub_score, weight, points, because, value, _, freshness = astuple(part)
        change = None if added is None else points - added.get((component, signal), 0)
        source, observed_at, event_ids = NO_ORIGIN
        if signal is None:
            if component == "override" and state.memory.override is not None:
                source = state.memory.override.source or None
        elif component != COMPONENT:
            if signal in told or signal in movers or signal in RECKONED_FROM:
                source, observed_at, event_ids = origin_of(state, signal)
            if freshness == 0 and observed_at is None and value is None and sub_score is None:
                found.append(_unknown(component, signal, change))
                continue
            if not source:
                source = None if value is None else FOUND_OUT
        elif value is not None:
            source = FOUND_OUT
        told_as = Contribution(
            component=component,
            signal=signal,
            value=value / MILLION if isinstance(value, int) else value,
            sub_score=None if sub_score is None else sub_score / 100,
            weight=weight / SHARE_UNITS,
            points=points / 100,
            change=None if change is None else change / 100,
            observed_at=None if observed_at is None else to_datetime(observed_at),
            event_ids=event_ids,
            source=source,
            freshness=None if freshness is None else freshness / MILLION,
            because=because,
        )
        found.append(told_as)
    return tuple(found)


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
