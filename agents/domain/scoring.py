"""From sub-scores to a score whose parts add up to it exactly, and from a score to a band that does not flap.

A two-level weighted mean: signals within their component, components within the score. What a signal weighs fades with
its freshness, and a component weighs as much as its freshest signal; so signals without data are left out and the
others share their weight. How much of the weight had data is the coverage. Everything is whole numbers: scores and
points are hundredths, and the method of the largest remainder (Hamilton's) hands out what rounding leaves over.
`agents.domain.account_health` (live) and `agents.domain.health_verdict` (a file) call it.
"""

from collections.abc import Sequence
from itertools import repeat
from math import gcd, lcm
from operator import is_not, mul

from msgspec import Struct

from agents.domain.health_profile import ComponentRule, HealthProfile, SignalRule
from agents.domain.instant import Instant
from agents.domain.normalisation import BEST, MILLION, rounded
from agents.domain.signal_reading import Gauge

SHARE_UNITS = 10_000
"""Effective weights and coverage are published in ten-thousandths."""

_ALL_OR_NOTHING = frozenset({0, MILLION})
_STANDS_FOR_MISSING = {"neutral": BEST // 2, "worst": 0}


class Shares(Struct, frozen=True, gc=False):
    """Effective weights where only some signals have data: `numerators[i] / denominator`, zero for those without."""

    numerators: tuple[int, ...]
    denominator: int
    published: tuple[int, ...]
    """The same in ten-thousandths; they sum to 10,000 exactly."""
    coverage: int
    """Share of the nominal weight that has data, in ten-thousandths."""


def apportion(numerators: Sequence[int], denominator: int) -> tuple[int, ...]:
    """Whole parts that sum exactly to their rounded sum, each less than one away from `numerator / denominator`.

    What rounding down leaves over goes to the largest remainders, the first of equals.
    """
    if not numerators:
        return ()
    parts, remainders = zip(*map(divmod, numerators, repeat(denominator)), strict=True)
    left_over = rounded(sum(remainders), denominator)
    if not left_over:
        return parts
    handed_out = list(parts)
    if left_over == 1:
        handed_out[remainders.index(max(remainders))] += 1
        return tuple(handed_out)
    # Sorting keeps the order of equals, also when it is reversed.
    by_remainder = sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)
    for index in by_remainder[:left_over]:
        handed_out[index] += 1
    return tuple(handed_out)


def score_of(weighted: Shares, sub_scores: Sequence[int | None]) -> int | None:
    """The score in hundredths, where the effective weights are known; null when nothing else is."""
    if not any(weighted.numerators):
        return None
    total = sum([share * (sub or 0) for share, sub in zip(weighted.numerators, sub_scores, strict=True)])
    return rounded(total, weighted.denominator)


def points_of(weighted: Shares, sub_scores: Sequence[int | None]) -> tuple[int, ...]:
    """What each signal adds, in hundredths, where the effective weights are known."""
    known = sub_scores if None not in sub_scores else [sub or 0 for sub in sub_scores]
    return apportion(list(map(mul, weighted.numerators, known)), weighted.denominator)


class Scorer:
    """A profile ready for use: its signals in order, and the effective weights of every combination of data so far.

    Sub-scores and freshnesses are those of the profile's signals, in order. A sub-score is in hundredths, null where
    nothing is known; a freshness in millionths, null stands for all of what is known being fresh.
    """

    __slots__ = (
        "_band_names",
        "_edges",
        "_layout",
        "_nominal",
        "_shares",
        "_stand_ins",
        "components",
        "fills",
        "gauges",
        "names",
        "profile",
        "signals",
    )

    def __init__(self, profile: HealthProfile) -> None:
        self.profile = profile
        self.signals: tuple[tuple[ComponentRule, SignalRule], ...] = profile.signals
        self.components = tuple([component.name for component, _ in self.signals])
        self.names = tuple([rule.name for _, rule in self.signals])
        self.gauges = tuple([Gauge(rule) for _, rule in self.signals])
        self._band_names = [band.name for band in profile.bands]
        self._edges = [band.begins_at for band in profile.bands[1:]]
        self._shares: dict[tuple[int, ...], Shares] = {}
        self._stand_ins = [_STANDS_FOR_MISSING.get(rule.missing or profile.missing) for _, rule in self.signals]
        self.fills = any(stand_in is not None for stand_in in self._stand_ins)
        """Whether anything stands for what is missing (`filled`)."""
        sums = [sum(signal.weight for signal in component.signals) for component in profile.components]
        scale = lcm(*sums)
        # The weight of each component, those of its signals, and what makes the sums of all components comparable.
        self._layout = [
            (component.weight, [signal.weight for signal in component.signals], scale // total)
            for component, total in zip(profile.components, sums, strict=True)
        ]
        self._nominal = scale * sum(component.weight for component in profile.components)

    def shares(self, sub_scores: Sequence[int | None], freshness: Sequence[int] | None = None) -> Shares:
        """The effective weights when only the signals that have a sub-score count, the fresh ones more."""
        if freshness is None:
            weighing = tuple([0 if sub is None else 1 for sub in sub_scores])
        else:
            weighing = tuple(map(mul, freshness, map(is_not, sub_scores, repeat(None))))
            if _ALL_OR_NOTHING.issuperset(weighing):
                weighing = tuple([fresh // MILLION for fresh in weighing])
            else:  # too many different ones to be worth remembering
                return self._weighed(weighing, MILLION)
        found = self._shares.get(weighing)
        if found is None:
            found = self._shares[weighing] = self._weighed(weighing, 1)
        return found

    def filled(self, sub_scores: Sequence[int | None], freshness: Sequence[int]) -> tuple[list[int | None], list[int]]:
        """Sub-scores and freshnesses with something in place of what is missing, where a signal or the profile asks.

        A value that has faded in part is missing in part: so nothing jumps when the rest of it is gone. Where nothing
        at all is known it stays so.
        """
        subs, fresh = list(sub_scores), list(freshness)
        if not any(fresh):
            return subs, fresh
        for index, stand_in in enumerate(self._stand_ins):
            if stand_in is not None:
                known = 0 if subs[index] is None else fresh[index]
                subs[index] = rounded(known * (subs[index] or 0) + (MILLION - known) * stand_in, MILLION)
                fresh[index] = MILLION
        return subs, fresh

    def score(self, sub_scores: Sequence[int | None], freshness: Sequence[int] | None = None) -> int | None:
        """The score of sub-scores in hundredths; null when nothing is known."""
        return score_of(self.shares(sub_scores, freshness), sub_scores)

    def points(self, sub_scores: Sequence[int | None], freshness: Sequence[int] | None = None) -> tuple[int, ...]:
        """What each signal adds, in hundredths: the parts sum to `score` to the last digit."""
        return points_of(self.shares(sub_scores, freshness), sub_scores)

    def _weighed(self, weighing: Sequence[int], full: int) -> Shares:
        """Exact effective weights: w * f / sum * s * f / sum, w of the component and s of the signal, of what is known.

        `weighing` holds f of every signal, of which `full` is all; that of a component is the largest of its signals.
        """
        numerators = [0] * len(weighing)
        common, covered, first = 1, 0, 0
        shared: list[tuple[int, int, list[int], int]] = []
        for of_component, weights, factor in self._layout:
            after = first + len(weights)
            among = weighing[first:after]
            weighed = list(map(mul, weights, among))
            total = sum(weighed)
            if total:
                covered += of_component * factor * total
                pull = of_component * max(among)
                if total in weighed:  # one alone, as mostly: it has all of its component
                    numerators[first + weighed.index(total)] = pull
                else:  # in lowest terms numbers stay small
                    divisor = gcd(*weighed)
                    total //= divisor
                    common = lcm(common, total)
                    shared.append((first, pull, [share // divisor for share in weighed], total))
            first = after
        if common != 1:
            numerators = [common * numerator for numerator in numerators]
        for first, pull, weighed, total in shared:
            by = pull * (common // total)
            numerators[first : first + len(weighed)] = [by * share for share in weighed]
        denominator = sum(numerators)
        if not denominator:
            return Shares(tuple(numerators), 1, tuple(numerators), 0)
        return Shares(
            numerators=tuple(numerators),
            denominator=denominator,
            published=apportion(list(map(mul, numerators, repeat(SHARE_UNITS))), denominator),
            coverage=rounded(covered * SHARE_UNITS, full * self._nominal),
        )

    def rank(self, scored: int) -> int:
        """Which band a score is in by itself, counted from the lowest."""
        return sum([scored >= edge for edge in self._edges])

    def plain_band(self, scored: int) -> str:
        """The band of a score by itself."""
        return self._band_names[self.rank(scored)]

    def band(self, scored: int | None, current: str | None) -> str | None:
        """The band of a score that was in band `current`: it is left only when an edge is passed by the hysteresis.

        Upwards at `edge + hysteresis`, downwards below `edge - hysteresis`. Nothing known has no band, and whoever had
        none, or one that the profile does not know, takes the plain one.
        """
        if scored is None:
            return None
        names = self._band_names
        if current is None or current not in names:
            return self.plain_band(scored)
        better = self.rank(scored - self.profile.hysteresis)
        worse = self.rank(scored + self.profile.hysteresis)
        return names[max(better, min(worse, names.index(current)))]

    def settled_band(
        self, scored: int | None, current: str | None, since: Instant | None, as_of: Instant
    ) -> tuple[str | None, Instant]:
        """The band at `as_of`, and since when: a band is kept for the profile's dwell, if only anything is known.

        Args:
            scored: in hundredths.
            current: the band until now.
            since: when it was entered.
            as_of: now.
        """
        band = self.band(scored, current)
        if since is None or current is None or (band == current):
            return band, as_of if since is None or band != current else since
        if band is not None and as_of - since < self.profile.dwell_us:
            return current, since
        return band, as_of
