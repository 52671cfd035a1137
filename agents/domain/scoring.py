"""From sub-scores to a score whose parts add up to it exactly, and from a score to a band that does not flap.

A two-level weighted mean: signals within their component, components within the score. What a signal weighs fades with
its freshness, and a component weighs as much as its freshest signal; so signals without data are left out and the
others share their weight. How much of the weight had data is the coverage. Everything is whole numbers: scores and
points are hundredths, and the method of the largest remainder (Hamilton's) hands out what rounding leaves over.
`agents.domain.account_health` (live) and `agents.domain.health_verdict` (a file) call it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import repeat
from math import gcd, lcm
from operator import mul

from msgspec import Struct

from agents.domain.health_profile import ComponentRule, HealthProfile, SignalRule
from agents.domain.instant import Instant
from agents.domain.normalisation import BEST, MILLION, rounded
from agents.domain.signal_reading import Gauge

SHARE_UNITS = 10_000
"""Effective weights and coverage are published in ten-thousandths."""

_KEPT_COMBINATIONS = 4_096
"""Of what is known: as many as twelve signals have that some accounts have and others have not; some 5 MB."""

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


class KnownSignals:
    """The signals of a profile of which something is known, and how they share its weight.

    Freshnesses and shares are columns in their order.
    """

    __slots__ = ("_alone", "_fresh", "_together", "_whole", "components", "names")

    def __init__(self, profile: HealthProfile, places: Sequence[int]) -> None:
        signals = profile.signals
        self.components = tuple([signals[place][0].name for place in places])
        self.names = tuple([signals[place][1].name for place in places])
        self._alone: list[tuple[int, int, int]] = []
        """Whatever is alone in its component, as most are, has all of it: its column, the weight of the component, and
        what it covers of the whole."""
        self._together: list[tuple[list[int], list[int], int, int]] = []
        """Those that share a component: columns, weights, the weight of the component, what a unit of theirs covers."""
        self._fresh: Shares | None = None
        sums = [sum(signal.weight for signal in component.signals) for component in profile.components]
        scale = lcm(*sums)
        self._whole = scale * sum(component.weight for component in profile.components)
        for component, total in zip(profile.components, sums, strict=True):
            columns = [column for column, place in enumerate(places) if signals[place][0] is component]
            weights = [signals[places[column]][1].weight for column in columns]
            covers = component.weight * scale // total  # `scale` makes the sums of all components comparable
            if len(columns) == 1:
                self._alone.append((columns[0], component.weight, covers * weights[0]))
            elif columns:
                self._together.append((columns, weights, component.weight, covers))

    def shares(self, freshness: Sequence[int]) -> Shares:
        """The effective weights, those of fresh values being larger."""
        if freshness.count(MILLION) != len(freshness):
            return self._weighed(freshness, MILLION)  # too many different ones to be worth remembering
        if self._fresh is None:
            self._fresh = self._weighed([1] * len(freshness), 1)
        return self._fresh

    def _weighed(self, freshness: Sequence[int], full: int) -> Shares:
        """Exact effective weights: w * f / sum * s * f / sum, w of the component and s of the signal, of what is known.

        f is the freshness, of which `full` is all; that of a component is the largest of its signals.
        """
        numerators = [0] * len(freshness)
        common, covered = 1, 0
        for column, of_component, covers in self._alone:
            fresh = freshness[column]
            numerators[column] = of_component * fresh
            covered += covers * fresh
        shared: list[tuple[list[int], int, list[int], int]] = []
        for columns, weights, of_component, covers in self._together:
            among = [freshness[column] for column in columns]
            weighed = list(map(mul, weights, among))
            total = sum(weighed)
            if total:  # in lowest terms numbers stay small
                covered += covers * total
                divisor = gcd(*weighed)
                total //= divisor
                common = lcm(common, total)
                shared.append((columns, of_component * max(among), [share // divisor for share in weighed], total))
        if common != 1:
            numerators = [common * numerator for numerator in numerators]
        for columns, pull, weighed, total in shared:
            by = pull * (common // total)
            for column, share in zip(columns, weighed, strict=True):
                numerators[column] = by * share
        denominator = sum(numerators)
        if not denominator:
            return Shares(tuple(numerators), 1, tuple(numerators), 0)
        return Shares(
            numerators=tuple(numerators),
            denominator=denominator,
            published=apportion([numerator * SHARE_UNITS for numerator in numerators], denominator),
            coverage=rounded(covered * SHARE_UNITS, full * self._whole),
        )


class Scorer:
    """A profile ready for use: its signals in order, and the effective weights of every combination of data so far.

    Sub-scores and freshnesses are those of the profile's signals, in order. A sub-score is in hundredths, null where
    nothing is known; a freshness in millionths, null stands for all of what is known being fresh.
    """

    __slots__ = (
        "_band_names",
        "_edges",
        "_known",
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
        self._known: dict[tuple[int, ...], KnownSignals] = {}
        self._shares: dict[tuple[int, ...], Shares] = {}
        self._stand_ins = [_STANDS_FOR_MISSING.get(rule.missing or profile.missing) for _, rule in self.signals]
        self.fills = any(stand_in is not None for stand_in in self._stand_ins)
        """Whether anything stands for what is missing (`filled`)."""

    def known(self, places: tuple[int, ...]) -> KnownSignals:
        """Some of the signals, by their places: those of which something is known."""
        found = self._known.get(places)
        if found is None:
            if len(self._known) >= _KEPT_COMBINATIONS:
                self._known.clear()
            found = self._known[places] = KnownSignals(self.profile, places)
        return found

    def shares(self, sub_scores: Sequence[int | None], freshness: Sequence[int] | None = None) -> Shares:
        """The effective weights when only the signals that have a sub-score count, the fresh ones more."""
        places = tuple([place for place, sub in enumerate(sub_scores) if sub is not None])
        if freshness is not None:
            return self._spread(places, self.known(places).shares([freshness[place] for place in places]))
        found = self._shares.get(places)
        if found is None:
            found = self._shares[places] = self._spread(places, self.known(places).shares([MILLION] * len(places)))
        return found

    def _spread(self, places: Sequence[int], among: Shares) -> Shares:
        """The weights of all signals, where those of some are known."""
        numerators, published = [0] * len(self.signals), [0] * len(self.signals)
        for place, numerator, share in zip(places, among.numerators, among.published, strict=True):
            numerators[place], published[place] = numerator, share
        return Shares(tuple(numerators), among.denominator, tuple(published), among.coverage)

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

    def rank(self, scored: int) -> int:
        """Which band a score is in by itself, counted from the lowest."""
        return bisect_right(self._edges, scored)

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
