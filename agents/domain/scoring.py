"""From raw values to a score whose parts add up to it exactly, and from a score to a band that does not flap.

A two-level weighted mean: signals within their component, components within the score. Signals without data are left
out and the others share their weight; how much of the weight had data is the coverage. Everything is whole numbers:
scores and points are hundredths, and the method of the largest remainder (Hamilton's) hands out what rounding leaves
over. `agents.domain.account_health` calls it.
"""

from collections.abc import Sequence
from math import lcm
from typing import NamedTuple

from agents.domain.health_profile import ComponentRule, Curve, HealthProfile, SignalRule
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


def sub_score(curve: Curve, raw: int) -> int:
    """Where a raw value lies on a curve, in hundredths, rounded to the nearest (halves up)."""
    left, low = curve[0]
    if raw <= left:
        return low
    for right, high in curve:
        if raw < right:
            span = right - left
            return low + (2 * (high - low) * (raw - left) + span) // (2 * span)
        left, low = right, high
    return low


def rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def apportion(numerators: Sequence[int], denominator: int) -> tuple[int, ...]:
    """Whole parts that sum exactly to their rounded sum, each less than one away from `numerator / denominator`.

    What rounding down leaves over goes to the largest remainders, the first of equals.
    """
    total = rounded(sum(numerators), denominator)
    parts = [numerator // denominator for numerator in numerators]
    left_over = total - sum(parts)
    if left_over:
        by_remainder = sorted(range(len(parts)), key=lambda index: -(numerators[index] % denominator))
        for index in by_remainder[:left_over]:
            parts[index] += 1
    return tuple(parts)


class Scorer:
    """A profile ready for use: its signals in order, and the effective weights of every combination of data so far."""

    __slots__ = ("_shares", "profile", "signals")

    def __init__(self, profile: HealthProfile) -> None:
        self.profile = profile
        self.signals: tuple[tuple[ComponentRule, SignalRule], ...] = profile.signals
        self._shares: dict[tuple[bool, ...], Shares] = {}

    def shares(self, sub_scores: Sequence[int | None]) -> Shares:
        """The effective weights when only the signals that have a sub-score count."""
        known = tuple([sub is not None for sub in sub_scores])
        found = self._shares.get(known)
        if found is None:
            found = self._shares[known] = _shares(self.profile, known)
        return found

    def score(self, sub_scores: Sequence[int | None]) -> int | None:
        """The score of sub-scores in hundredths, in the order of the profile's signals; null when nothing is known."""
        weighted = self.shares(sub_scores)
        if not any(weighted.numerators):
            return None
        total = sum([share * (sub or 0) for share, sub in zip(weighted.numerators, sub_scores, strict=True)])
        return rounded(total, weighted.denominator)

    def points(self, sub_scores: Sequence[int | None]) -> tuple[int, ...]:
        """What each signal adds, in hundredths: the parts sum to `score` to the last digit."""
        weighted = self.shares(sub_scores)
        parts = [share * (sub or 0) for share, sub in zip(weighted.numerators, sub_scores, strict=True)]
        return apportion(parts, weighted.denominator)

    def plain_band(self, scored: int) -> Band:
        """The band of a score by itself."""
        if scored >= self.profile.green_from:
            return "green"
        return "amber" if scored >= self.profile.amber_from else "red"

    def band(self, scored: int | None, current: Band | None) -> Band | None:
        """The band of a score that was in band `current`: it is left only when an edge is passed by the hysteresis.

        Upwards at `edge + hysteresis`, downwards below `edge - hysteresis`. Nothing known has no band, and whoever had
        none takes the plain one.
        """
        if scored is None:
            return None
        if current is None:
            return self.plain_band(scored)
        better = self.plain_band(scored - self.profile.hysteresis)
        if _RANK[better] > _RANK[current]:
            return better
        worse = self.plain_band(scored + self.profile.hysteresis)
        if _RANK[worse] < _RANK[current]:
            return worse
        return current


def _shares(profile: HealthProfile, known: tuple[bool, ...]) -> Shares:
    """Exact effective weights: w / sum(w) * s / sum(s), w of the component and s of the signal, over what is known."""
    full_sums = [sum(signal.weight for signal in component.signals) for component in profile.components]
    has_data = iter(known)
    among = [[signal.weight * next(has_data) for signal in component.signals] for component in profile.components]
    known_sums = [sum(weights) for weights in among]
    common = lcm(*(total for total in known_sums if total))
    numerators: list[int] = []
    for component, weights, total in zip(profile.components, among, known_sums, strict=True):
        numerators += [component.weight * weight * (common // total) if total else 0 for weight in weights]
    denominator = sum(numerators)
    if not denominator:
        return Shares(tuple(numerators), 1, tuple(numerators), 0)
    scale = lcm(*full_sums)
    covered = sum(
        component.weight * known_sum * (scale // full)
        for component, known_sum, full in zip(profile.components, known_sums, full_sums, strict=True)
    )
    nominal = scale * sum(component.weight for component in profile.components)
    return Shares(
        numerators=tuple(numerators),
        denominator=denominator,
        published=apportion([numerator * SHARE_UNITS for numerator in numerators], denominator),
        coverage=rounded(covered * SHARE_UNITS, nominal),
    )
