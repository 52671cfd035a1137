"""What is known of one signal at an instant: from observations to a value, a sub-score and how fresh it is.

A reading is a function of the observations and of `as_of`, whatever the order in which they came. Without a half-life
the newest observation counts, with one the mean of all, the newer the heavier; older ones than the time to live are
forgotten. `agents.domain.health_verdict` reads all signals of a profile and scores them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agents.domain.decay import decayed_mean, freshness
from agents.domain.health_profile import SignalRule
from agents.domain.instant import Instant
from agents.domain.normalisation import (
    BEST,
    Normalisation,
    Steps,
    Tiers,
    Trajectory,
    rounded,
    step_score,
    sub_score,
    trajectory_score,
)


class Observation(NamedTuple):
    """One value of one signal: a number in raw units, or a word."""

    at: Instant
    value: int | str


class Reading(NamedTuple):
    """A signal at an instant. `freshness` is what age has left of its weight, in millionths; 0 where nothing is."""

    value: int | str | None = None
    sub_score: int | None = None
    freshness: int = 0
    observed_at: Instant | None = None


def normalised(normalise: Normalisation | None, value: int | str) -> int | None:
    """The sub-score of one value that was observed just now; null when it is of a kind or a word that has none."""
    if normalise is None:
        return None
    if isinstance(value, str) or isinstance(normalise, Tiers):
        return normalise.of(str(value)) if isinstance(normalise, Tiers) else None
    match normalise:
        case Steps():
            return step_score(normalise.steps, value)
        case Trajectory():
            return trajectory_score(sub_score(normalise.level, value), None, BEST)
        case _:
            return sub_score(normalise, value)


def read(rule: SignalRule, observations: Iterable[Observation], as_of: Instant) -> Reading:
    """What is known of a signal at an instant; what was observed later is not known yet."""
    known = [found for found in observations if found.at <= as_of and _is_readable(rule.normalise, found.value)]
    past = sorted(known, key=lambda found: (found.at, str(found.value)))
    alive = [found for found in past if rule.ttl_us is None or found.at + rule.ttl_us > as_of]
    if not alive:
        return Reading()
    newest = alive[-1].at
    fresh = freshness(as_of - newest, rule.half_life_us)
    if not fresh:
        return Reading()
    if rule.normalise is None:
        return Reading(alive[-1].value, None, fresh, newest)
    if isinstance(rule.normalise, Tiers):
        scores = [Observation(found.at, normalised(rule.normalise, found.value) or 0) for found in alive]
        return Reading(alive[-1].value, _value(rule, scores), fresh, newest)
    value = _value(rule, alive)
    if isinstance(rule.normalise, Trajectory):
        return Reading(value, _heading(rule, rule.normalise, value, past, as_of), fresh, newest)
    return Reading(value, normalised(rule.normalise, value), fresh, newest)


def _is_readable(normalise: Normalisation | None, value: int | str) -> bool:
    if normalise is None:
        return True
    return isinstance(value, int) if not isinstance(normalise, Tiers) else normalise.of(str(value)) is not None


def _value(rule: SignalRule, alive: Sequence[Observation]) -> int:
    """The number that observations (sorted, of numbers) come to. Several of one instant count alike."""
    numbers = [(found.at, found.value) for found in alive if isinstance(found.value, int)]
    if rule.half_life_us is not None:
        return decayed_mean(numbers, rule.half_life_us)
    latest = [number for at, number in numbers if at == numbers[-1][0]]
    return rounded(sum(latest), len(latest))


def _heading(rule: SignalRule, normalise: Trajectory, value: int, past: Sequence[Observation], as_of: Instant) -> int:
    before = [found for found in past if found.at <= as_of - normalise.over_us]
    level_before = sub_score(normalise.level, _value(rule, before)) if before else None
    age = min(normalise.over_us, as_of - past[-1].at)
    recency = BEST - rounded(BEST * age, normalise.over_us)
    return trajectory_score(sub_score(normalise.level, value), level_before, recency)
