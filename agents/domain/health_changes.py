"""When the health of an idle account is another one although nothing happens, and so when it has to be judged again.

`agents.domain.live_health` asks after every judgement; `agents.domain.account` wakes the account then. Values expire at
known instants; while they fade, which is all the time, an account is judged in turns of its own.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from zlib import crc32

from agents.domain.health_profile import HealthProfile, SignalRule
from agents.domain.health_verdict import HealthBook, Verdict
from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.normalisation import Trajectory
from agents.domain.signal_reading import Observation
from schemas.account_state import AccountState

FADING_STEPS = 64
"""An account whose values fade is judged again whenever 1/64 of a half-life has passed: it has lost 1 % by then."""

SHORTEST_STEP_US = HOUR_US
"""However short a half-life is, an idle account is not judged more often."""


def changes_at(  # noqa: PLR0917 - whose, by what, and what is known
    account_id: str,
    state: AccountState,
    book: HealthBook,
    verdict: Verdict,
    observed: Mapping[str, Sequence[Observation]],
    next_version_at: Instant | None,
) -> Instant | None:
    """The first instant after `state.as_of` at which the health may be another one; null when there is none."""
    as_of, memory = state.as_of, state.memory
    changes = _of_ageing(account_id, state, book, observed)
    if verdict.score is not None or memory.told or memory.goals:
        changes.append(_own_time(account_id, as_of, DAY_US))  # what is counted in days from now, and the churn risk
    if memory.days:
        changes.append((as_of // DAY_US + 1) * DAY_US)
    if memory.override is not None and memory.override.until is not None:
        changes.append(memory.override.until)
    if memory.goals:
        changes += [goal.due_at for goal in memory.goals.values() if goal.due_at is not None]
    changes += _of_profile(book.profile_named(verdict.profile), verdict)
    if next_version_at is not None:
        changes.append(next_version_at)
    return min(filter(as_of.__lt__, changes), default=None)


def _of_ageing(
    account_id: str, state: AccountState, book: HealthBook, observed: Mapping[str, Sequence[Observation]]
) -> list[Instant]:
    """When told values expire, and the account's next turn while some of them fade."""
    as_of, ageing = state.as_of, _ageing_in(book)
    changes: list[Instant] = []
    fastest_us: int | None = None
    for name in state.memory.told:
        rule_ageing = ageing.get(name)
        found = observed.get(name) if rule_ageing is not None else None
        if rule_ageing is None or found is None:
            continue
        ttl_us, half_life_us, fades_over_us = rule_ageing
        if ttl_us is not None:
            changes.append(_expires_at(found, ttl_us, as_of, is_mean=half_life_us is not None))
        if fades_over_us is not None and (ttl_us is None or as_of < found[-1].at + ttl_us):
            fastest_us = fades_over_us if fastest_us is None else min(fastest_us, fades_over_us)
    if fastest_us is not None:
        changes.append(_own_time(account_id, as_of, max(SHORTEST_STEP_US, fastest_us // FADING_STEPS)))
    return changes


@lru_cache(maxsize=16)
def _ageing_in(book: HealthBook) -> dict[str, tuple[int | None, int | None, int | None]]:
    """The signals of a book whose values age: time to live, half-life, and the time over which they fade."""
    rules = [book.file.signals[name] for name in book.asked_names if name in book.file.signals]
    ageing = {rule.name: (rule.ttl_us, rule.half_life_us, _fades_over_us(rule)) for rule in rules}
    return {name: each for name, each in ageing.items() if each[0] or each[2]}


def _fades_over_us(rule: SignalRule) -> int | None:
    if isinstance(rule.normalise, Trajectory):
        return rule.normalise.over_us
    return rule.half_life_us


def _expires_at(found: Sequence[Observation], ttl_us: int, as_of: Instant, *, is_mean: bool) -> Instant:
    """When the first of those that count expires; an instant of the past where all have."""
    if is_mean:
        for each in found:
            if each.at + ttl_us > as_of:
                return each.at + ttl_us
    return found[-1].at + ttl_us


def _of_profile(profile: HealthProfile | None, verdict: Verdict) -> list[Instant]:
    if profile is None:
        return []
    changes = [limit.until for limit in (*profile.caps, *profile.floors) if limit.until is not None]
    if verdict.band_since is not None:
        changes.append(verdict.band_since + profile.dwell_us)
    return changes


def _own_time(account_id: str, as_of: Instant, every_us: int) -> Instant:
    """The account's next turn of every so often: not all of them come at once."""
    offset = crc32(account_id.encode()) * every_us >> 32
    return ((as_of - offset) // every_us + 1) * every_us + offset
