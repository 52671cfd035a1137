"""What is known of one signal at an instant: from observations to a value, a sub-score and how fresh it is.

A reading is a function of the observations and of `as_of`, whatever the order in which they came. Without a half-life
the newest observation counts, with one the mean of all, the newer the heavier; older ones than the time to live are
forgotten. `agents.domain.health_verdict` reads all signals of a profile and scores them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

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


class Observation(Struct, frozen=True, gc=False):
    """One value of one signal: a number in raw units, or a word."""

    at: Instant
    value: int | str


class Reading(Struct, frozen=True, gc=False):
    """A signal at an instant. `freshness` is what age has left of its weight, in millionths; 0 where nothing is."""

    value: int | str | None = None
    sub_score: int | None = None
    freshness: int = 0
    observed_at: Instant | None = None


_KEPT_SCORES = 1_024

NOTHING = Reading()
"""What is known of a signal that nobody observed."""


def normalised(normalise: Normalisation | None, value: int | str) -> int | None:
    """The sub-score of one value that was observed just now; null when it is of a kind or a word that has none."""
    if isinstance(normalise, tuple) and isinstance(value, int):
        return sub_score(normalise, value)
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


def in_order(observations: Iterable[Observation]) -> list[Observation]:
    """As `read` wants them: ascending in time, and always the same for those of one instant."""
    return sorted(observations, key=lambda found: (found.at, str(found.value)))


def read(rule: SignalRule, observations: Sequence[Observation], as_of: Instant) -> Reading:
    """What is known of a signal at an instant; what was observed later is not known yet.

    Args:
        rule: of the signal.
        observations: in order (`in_order`); only those that count are looked at.
        as_of: the instant.
    """
    return Gauge(rule).read(observations, as_of)


class Gauge:
    """The rule of a signal ready for use: `read` for whoever asks it again and again."""

    __slots__ = ("_half_life_us", "_is_simple", "_normalise", "_scores", "_ttl_us", "name", "rule")

    def __init__(self, rule: SignalRule) -> None:
        self.rule = rule
        self.name = rule.name
        self._normalise = rule.normalise
        self._half_life_us = rule.half_life_us
        self._ttl_us = rule.ttl_us
        self._is_simple = not isinstance(rule.normalise, Trajectory)
        self._scores: dict[int | str, int | None] = {}
        """Sub-scores of values so far: those of a survey are few, and so are counts."""

    def read(self, observations: Sequence[Observation], as_of: Instant) -> Reading:
        """What is known of the signal at an instant, out of observations in order."""
        if len(observations) != 1 or not self._is_simple:
            return _read_several(self.rule, observations, as_of)
        found = observations[0]
        at, value = found.at, found.value
        age_us = as_of - at
        ttl_us = self._ttl_us
        if age_us and (age_us < 0 or (ttl_us is not None and age_us >= ttl_us)):
            return NOTHING
        fresh = freshness(age_us, self._half_life_us)
        if not fresh:
            return NOTHING
        if self._normalise is None:
            return Reading(value, None, fresh, at)
        scores = self._scores
        if value in scores:
            scored = scores[value]
        else:
            if len(scores) >= _KEPT_SCORES:
                scores.clear()
            scored = scores[value] = normalised(self._normalise, value)
        return NOTHING if scored is None else Reading(value, scored, fresh, at)


def _read_several(rule: SignalRule, observations: Sequence[Observation], as_of: Instant) -> Reading:
    alive = _alive(rule, observations, as_of)
    newest = alive[-1].at if alive else as_of
    fresh = freshness(as_of - newest, rule.half_life_us)
    if not alive or not fresh:
        return NOTHING
    if rule.normalise is None:
        return Reading(alive[-1].value, None, fresh, newest)
    if isinstance(rule.normalise, Tiers):
        scores = [Observation(found.at, normalised(rule.normalise, found.value) or 0) for found in alive]
        return Reading(alive[-1].value, _value(rule, scores), fresh, newest)
    value = _value(rule, alive)
    if isinstance(rule.normalise, Trajectory):
        before = _alive(replace(rule, ttl_us=None), observations, as_of - rule.normalise.over_us)
        level_before = sub_score(rule.normalise.level, _value(rule, before)) if before else None
        heading = _heading(rule.normalise, value, level_before, as_of - newest)
        return Reading(value, heading, fresh, newest)
    return Reading(value, normalised(rule.normalise, value), fresh, newest)


def _alive(rule: SignalRule, observations: Sequence[Observation], as_of: Instant) -> list[Observation]:
    """Those that are not forgotten and make up the value: without a half-life, those of the newest instant."""
    if len(observations) == 1 and observations[0].at == as_of:  # of this very instant, as what is found out is
        return [found for found in observations if _is_readable(rule.normalise, found.value)]
    end = bisect_right(observations, as_of, key=_time)
    begin = 0 if rule.ttl_us is None else bisect_right(observations, as_of - rule.ttl_us, key=_time)
    if rule.half_life_us is not None:
        return _readable(rule.normalise, observations[begin:end])
    newest: list[Observation] = []
    for place in range(end - 1, begin - 1, -1):
        found = observations[place]
        if newest and found.at != newest[0].at:
            break
        if _is_readable(rule.normalise, found.value):
            newest.append(found)
    return newest[::-1]


def _time(found: Observation) -> Instant:
    return found.at


def _readable(normalise: Normalisation | None, observations: Sequence[Observation]) -> list[Observation]:
    if normalise is None or isinstance(normalise, Tiers):
        return [found for found in observations if _is_readable(normalise, found.value)]
    return [found for found in observations if isinstance(found.value, int)]  # of a hundred, without as many calls


def _is_readable(normalise: Normalisation | None, value: int | str) -> bool:
    if normalise is None:
        return True
    return isinstance(value, int) if not isinstance(normalise, Tiers) else normalise.of(str(value)) is not None


def _value(rule: SignalRule, alive: Sequence[Observation]) -> int:
    """The number that observations (of numbers) come to. Several of one instant count alike."""
    numbers = [(found.at, found.value) for found in alive if isinstance(found.value, int)]
    if rule.half_life_us is not None:
        return decayed_mean(numbers, rule.half_life_us)
    return rounded(sum(number for _, number in numbers), len(numbers))


def _heading(normalise: Trajectory, value: int, level_before: int | None, age_us: int) -> int:
    recency = BEST - rounded(BEST * min(normalise.over_us, age_us), normalise.over_us)
    return trajectory_score(sub_score(normalise.level, value), level_before, recency)
