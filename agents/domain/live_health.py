"""The health of one account live under a profile file: judged by its book, told when it has moved, woken when it will.

`agents.domain.account` settles accounts with it once a file is published, and where a person overrides a score; the
arithmetic is `agents.domain.health_verdict`, as it is for files. What is told is a function of (state, `as_of`); only
the band, the open actions and what a change is measured against remember what was before.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from agents.domain import churn_risk, family, next_actions
from agents.domain.children import COMPONENT
from agents.domain.churn_risk import Risk
from agents.domain.health_profile import HealthProfile, SignalRule
from agents.domain.health_story import reason_of
from agents.domain.health_verdict import Account, HealthBook, Override, Part, Verdict
from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from agents.domain.live_signals import FOUND_OUT, Reader, observations_of, origin_of, reader_of
from agents.domain.next_actions import Moved
from agents.domain.normalisation import MILLION, Trajectory
from agents.domain.scoring import SHARE_UNITS
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from agents.domain.signal_reading import Observation
from schemas.account_state import AccountState, PublishedHealth
from schemas.health_memory import ToldVerdict
from schemas.health_score import Contribution, HealthScore

FADING_STEPS = 64
"""An account whose values fade is judged again whenever 1/64 of a half-life has passed: it has lost 1 % by then."""

SHORTEST_STEP_US = HOUR_US
"""However short a half-life is, an idle account is not judged more often."""

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
    observed = {name: found for name, reader in readers_of(book) if (found := observations_of(state, name, reader))}
    override = _override(state)
    before = _before(account_id, state)
    verdict = book.judge(account, observed, as_of, before, override, children=family.children_of(state))
    if verdict.score is not None:
        churn_risk.note_score(memory.past, verdict.score, as_of)
    risk = None if verdict.score is None else churn_risk.risk_now(state, verdict.score, book.file.calibration)
    moved = next_actions.follow(account_id, memory, verdict.plays, as_of)
    memory.changes_at = min(
        (at for at in _changes(account_id, state, book, verdict, observed) if at > as_of),
        default=None,
    )
    if next_version_at is not None and (memory.changes_at is None or next_version_at < memory.changes_at):
        memory.changes_at = next_version_at
    told = memory.verdict
    is_worst = verdict.band is not None and verdict.band == _worst(book, verdict.profile)
    is_as_told = told is not None and not _has_moved(risk, told.risk) and _children_of(verdict.parts) == told.children
    if verdict.change == "unchanged" and not moved and is_as_told:
        return Judged(None, moved, is_worst, verdict.score)
    _remember(state, verdict, risk, is_worst=is_worst)
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
            Part(component, signal, None, sub, weight, points, None, because)
            for component, signal, sub, weight, points, because in told.parts
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


# when to look again


def _changes(
    account_id: str,
    state: AccountState,
    book: HealthBook,
    verdict: Verdict,
    observed: dict[str, list[Observation]],
) -> Iterator[Instant]:
    """Instants at which the health is another one although nothing happens; some of them may have passed."""
    as_of, memory = state.as_of, state.memory
    step: int | None = None
    for name, found in observed.items():
        rule = book.file.signals.get(name)
        if rule is None or name not in memory.told:
            continue
        if rule.ttl_us is not None:
            yield from _expiries(rule, found, as_of)
        fades_over = _fades_over(rule)
        if fades_over is not None and (rule.ttl_us is None or as_of < found[-1].at + rule.ttl_us):
            step = fades_over if step is None else min(step, fades_over)
    if step is not None:
        yield _own_time(account_id, as_of, max(SHORTEST_STEP_US, step // FADING_STEPS))
    if verdict.score is not None or memory.told or memory.goals:
        yield _own_time(account_id, as_of, DAY_US)  # what is counted in days from now, and the churn risk
    if memory.days:
        yield (as_of // DAY_US + 1) * DAY_US
    if memory.override is not None and memory.override.until is not None:
        yield memory.override.until
    yield from (goal.due_at for goal in memory.goals.values() if goal.due_at is not None)
    yield from _changes_of_profile(_profile(book, verdict.profile), verdict)


def _changes_of_profile(profile: HealthProfile | None, verdict: Verdict) -> Iterator[Instant]:
    if profile is not None:
        yield from (limit.until for limit in (*profile.caps, *profile.floors) if limit.until is not None)
        if verdict.band_since is not None:
            yield verdict.band_since + profile.dwell_us


def _own_time(account_id: str, as_of: Instant, every_us: int) -> Instant:
    """The account's next turn of every so often: not all of them come at once."""
    offset = crc32(account_id.encode()) * every_us >> 32
    return ((as_of - offset) // every_us + 1) * every_us + offset


def _expiries(rule: SignalRule, found: list[Observation], as_of: Instant) -> Iterator[Instant]:
    ttl_us = rule.ttl_us or 0
    if rule.half_life_us is None:
        yield found[-1].at + ttl_us
        return
    for each in found:
        if each.at + ttl_us > as_of:
            yield each.at + ttl_us
            return


def _fades_over(rule: SignalRule) -> int | None:
    if isinstance(rule.normalise, Trajectory):
        return rule.normalise.over_us
    return rule.half_life_us


# what comes out


def _profile(book: HealthBook, name: str | None) -> HealthProfile | None:
    for profile in book.file.profiles:
        if profile.name == name:
            return profile
    return None


def _worst(book: HealthBook, name: str | None) -> str | None:
    profile = _profile(book, name)
    return None if profile is None else profile.bands[0].name


def _children_of(parts: Iterable[Part]) -> list[str]:
    """The children that make a score, each with a mark where it has none or closes a circle."""
    return [
        f"{'!' if part.because else '?' if part.sub_score is None else ''}{part.signal}"
        for part in parts
        if part.component == COMPONENT
    ]


def _remember(state: AccountState, verdict: Verdict, risk: Risk | None, *, is_worst: bool) -> None:
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
        children=_children_of(verdict.parts),
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
        contributions=tuple([_contribution(state, part, before) for part in verdict.parts]),
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


def _contribution(state: AccountState, part: Part, before: Verdict | None) -> Contribution:
    is_found = part.signal is not None and part.component != COMPONENT
    source, observed_at, event_ids = origin_of(state, part.signal or "") if is_found else (None, None, ())
    if part.component == "override" and state.memory.override is not None:
        source = state.memory.override.source
    value = part.value / MILLION if isinstance(part.value, int) else part.value
    return Contribution(
        component=part.component,
        signal=part.signal,
        value=value,
        sub_score=_in_points(part.sub_score),
        weight=part.weight / SHARE_UNITS,
        points=part.points / 100,
        change=None if before is None else (part.points - before.points_of(part)) / 100,
        observed_at=None if observed_at is None else to_datetime(observed_at),
        event_ids=event_ids,
        source=source or (FOUND_OUT if part.value is not None and part.signal is not None else None),
        freshness=None if part.freshness is None else part.freshness / MILLION,
        because=part.because,
    )


def _in_points(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100
