"""From raw values to a score whose parts add up to it exactly, and from a score to a band that does not flap.

A two-level weighted mean: signals within their component, components within the score. Signals without data are left
out and the others share their weight; how much of the weight had data is the coverage. Everything is whole numbers:
scores and points are hundredths, and the method of the largest remainder (Hamilton's) hands out what rounding leaves
over. `agents.domain.account_health` calls it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import lcm
from typing import NamedTuple

from agents.domain.health_profile import Curve, HealthProfile
from schemas.health_score import Band

SHARE_UNITS = 10_000
"""Effective weights and coverage are published in ten-thousandths."""

_RANK: dict[Band, int] = {"red": 0, "amber": 1, "green": 2}


class Shares(NamedTuple):
    """Effective weights where only some signals have data: `numerators[i] / denominator`, zero for those without."""

    numerators: tuple[int, ...]
    denominator: int
    published: tuple[int, ...]
    """The same in ten-thousandths; they sum to 10,000 exactly."""
    coverage: int
    """Share of the nominal weight that has data, in ten-thousandths."""


class Scored(NamedTuple):
    """A score in hundredths, and the points of each signal, which sum to it. Null when nothing is known."""

    score: int | None
    points: tuple[int, ...]


def sub_score(curve: Curve, raw: int) -> int:
    """Where a raw value lies on a curve, in hundredths, rounded to the nearest (halves up)."""
    position = bisect_right(curve, raw, key=_raw_of)
    if position == 0:
        return curve[0][1]
    if position == len(curve):
        return curve[-1][1]
    (left, low), (right, high) = curve[position - 1], curve[position]
    span = right - left
    return low + (2 * (high - low) * (raw - left) + span) // (2 * span)


def _raw_of(point: tuple[int, int]) -> int:
    return point[0]


def apportion(numerators: Sequence[int], denominator: int) -> tuple[int, ...]:
    """Whole parts that sum exactly to their rounded sum, each less than one away from `numerator / denominator`.

    What rounding down leaves over goes to the largest remainders, the first of equals.
    """
    total = (2 * sum(numerators) + denominator) // (2 * denominator)
    parts = [numerator // denominator for numerator in numerators]
    left_over = total - sum(parts)
    if left_over:
        by_remainder = sorted(range(len(parts)), key=lambda index: -(numerators[index] % denominator))
        for index in by_remainder[:left_over]:
            parts[index] += 1
    return tuple(parts)


@lru_cache(maxsize=1024)
def shares(profile: HealthProfile, known: tuple[bool, ...]) -> Shares:
    """The effective weights when only the `known` signals (in the order of the profile) have data."""
    within: list[int] = []
    weights: list[int] = []
    sums: list[int] = []
    nominal = covered = 0
    scale = lcm(*(sum(signal.weight for signal in component.signals) for component in profile.components))
    position = 0
    for component in profile.components:
        has_data = known[position : position + len(component.signals)]
        position += len(component.signals)
        among = [signal.weight if has else 0 for signal, has in zip(component.signals, has_data, strict=True)]
        within += among
        weights += [component.weight] * len(among)
        sums += [sum(among)] * len(among)
        full = sum(signal.weight for signal in component.signals)
        nominal += component.weight * scale
        covered += component.weight * sum(among) * (scale // full)
    common = lcm(*(total for total in sums if total))
    numerators = tuple(
        weight * share * (common // total) if total else 0
        for weight, share, total in zip(weights, within, sums, strict=True)
    )
    denominator = sum(numerators)
    if not denominator:
        return Shares(numerators, 1, numerators, 0)
    published = apportion([numerator * SHARE_UNITS for numerator in numerators], denominator)
    return Shares(numerators, denominator, published, apportion([covered * SHARE_UNITS], nominal)[0])


def score(profile: HealthProfile, sub_scores: Sequence[int | None]) -> Scored:
    """The score of sub-scores in hundredths, in the order of the profile's signals; null is a signal without data."""
    weighted = shares(profile, tuple([sub is not None for sub in sub_scores]))
    if not any(weighted.numerators):
        return Scored(None, (0,) * len(sub_scores))
    parts = [share * (sub or 0) for share, sub in zip(weighted.numerators, sub_scores, strict=True)]
    points = apportion(parts, weighted.denominator)
    return Scored(sum(points), points)


def plain_band(profile: HealthProfile, scored: int) -> Band:
    """The band of a score by itself."""
    if scored >= profile.green_from:
        return "green"
    return "amber" if scored >= profile.amber_from else "red"


def band(profile: HealthProfile, scored: int | None, current: Band | None) -> Band | None:
    """The band of a score that was in band `current`: it is left only when an edge is passed by the hysteresis.

    Upwards at `edge + hysteresis`, downwards below `edge - hysteresis`. Nothing known has no band, and whoever had none
    takes the plain one.
    """
    if scored is None:
        return None
    if current is None:
        return plain_band(profile, scored)
    better = plain_band(profile, scored - profile.hysteresis)
    if _RANK[better] > _RANK[current]:
        return better
    worse = plain_band(profile, scored + profile.hysteresis)
    if _RANK[worse] < _RANK[current]:
        return worse
    return current
