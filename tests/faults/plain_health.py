"""How healthy an account is by the profile that Careline ships with, worked out plainly (`docs/health.md`).

Every signal from the clocks, messages and answers of a story: adherence of a week, what is overdue, contacts against
the account's own past, satisfaction. Fractions are exact; what is published is rounded at the end. Shares no code with
the product.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from tests.faults.fault_story import DAY, HOUR, Answer, Conversation
from tests.faults.plain_figures import is_in_window, is_overdue
from tests.faults.plain_oracle import PlainClock, is_question

# Component, its weight, and the signals in it with their weights.
PROFILE = {
    "service": (60, {"adherence_7d": 60, "overdue_clocks": 40}),
    "volume": (15, {"contact_volume": 1}),
    "voice": (25, {"csat": 1}),
}
CURVES: dict[str, tuple[tuple[str, int], ...]] = {
    "adherence_7d": (("0.5", 0), ("0.8", 40), ("0.95", 85), ("1", 100)),
    "overdue_clocks": (("0", 100), ("1", 75), ("4", 35), ("8", 10), ("12", 0)),
    "contact_volume": (("0", 20), ("0.5", 100), ("1.5", 100), ("3", 0)),
    "csat": (("0", 0), ("100", 100)),
}
"""Value and sub-score; straight between, level beyond."""
BANDS = (("red", 0), ("amber", 40), ("green", 70))
HYSTERESIS = 3
SMALLEST_MOVE = Fraction(1, 10)
"""Less than this is not told."""
PRIORITY_WEIGHTS = {"low": Fraction(1, 2), "normal": Fraction(1), "high": Fraction(2), "urgent": Fraction(4)}
AGE_STEPS = (4 * HOUR, DAY, 3 * DAY)
"""An overdue clock weighs double, threefold, fourfold from here on."""
CSAT_HALF_LIFE, CSAT_LIFE = 30 * DAY, 90 * DAY


@dataclass(frozen=True)
class PlainScore:
    """A score with its parts, each in hundredths; a signal without data has none."""

    score: int | None
    subs: Mapping[str, int | None]

    def points(self, component: str) -> Fraction:
        """What a component adds, in hundredths."""
        weights = weights_of(self.subs)
        return sum((weights[each] * (self.subs[each] or 0) for each in PROFILE[component][1]), Fraction(0))

    def band_fits(self, band: str | None) -> bool:
        """Whether a band is that of the score, or one that the hysteresis has kept."""
        if self.score is None:
            return band is None
        names = [name for name, _ in BANDS]
        lowest, highest = (_rank(self.score + 100 * slack) for slack in (-HYSTERESIS, HYSTERESIS))
        return band in names[lowest : highest + 1]


def _rank(score: int) -> int:
    return max(0, sum(score >= 100 * begins for _, begins in BANDS) - 1)


def readings_of(
    clocks: Sequence[PlainClock], conversations: Iterable[Conversation], answers: Sequence[Answer], as_of: int
) -> dict[str, Fraction | None]:
    """The value of each signal of one account at an instant; null where nothing is known."""
    return {
        "adherence_7d": _adherence(clocks, as_of),
        "overdue_clocks": _overdue(clocks, as_of) if clocks else None,
        "contact_volume": _contact_volume(conversations, as_of),
        "csat": _satisfaction(answers, as_of),
    }


def _adherence(clocks: Sequence[PlainClock], as_of: int) -> Fraction | None:
    decided = [each for each in clocks if each.decided_at and is_in_window("7d", each.decided_at, as_of)]
    kept = sum(each.breached_at is None for each in decided)
    return Fraction(kept * 1_000_000 // len(decided), 1_000_000) if decided else None


def _overdue(clocks: Sequence[PlainClock], as_of: int) -> Fraction:
    return sum(
        (
            PRIORITY_WEIGHTS[each.priority] * (1 + bisect_right(AGE_STEPS, as_of - (each.due_at or 0)))
            for each in clocks
            if is_overdue(each, as_of)
        ),
        Fraction(0),
    )


def _contact_volume(conversations: Iterable[Conversation], as_of: int) -> Fraction | None:
    """Seven days against the 28 before, by the day in UTC, as far back as the account is known."""
    told = [(said.at // DAY, is_question(said)) for each in conversations for said in each.events]
    contacts = Counter(day for day, is_contact in told if is_contact)
    if not contacts:
        return None
    recent_from = as_of // DAY - 6
    past_from = max(recent_from - 28, min(day for day, _ in told))
    days = recent_from - past_from
    past = sum(count for day, count in contacts.items() if past_from <= day < recent_from)
    if days < 7 or past * 7 < 3 * days:
        return None
    recent = sum(count for day, count in contacts.items() if day >= recent_from)
    return Fraction(recent * days * 1_000_000 // (past * 7), 1_000_000)


def _satisfaction(answers: Sequence[Answer], as_of: int) -> Fraction | None:
    """The mean on 0 to 100, the newer answers the heavier."""
    known = [each for each in answers if each.at + CSAT_LIFE > as_of]
    if not known:
        return None
    newest = max(each.at for each in known)
    weights = [round(2**20 * 0.5 ** ((newest - each.at) / CSAT_HALF_LIFE)) for each in known]
    scores = [_halves_up(Fraction(each.value - 1, each.scale - 1) * 100_00) for each in known]
    total = sum(weight * score for weight, score in zip(weights, scores, strict=True))
    return Fraction(_halves_up(Fraction(total, sum(weights))), 100)


def sub_score(signal: str, value: Fraction | None) -> int | None:
    """In hundredths."""
    if value is None:
        return None
    points = [(Fraction(at), score) for at, score in CURVES[signal]]
    if value <= points[0][0]:
        return 100 * points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if value < right:
            return 100 * low + _halves_up(100 * (high - low) * (value - left) / (right - left))
    return 100 * points[-1][1]


def score_of(readings: Mapping[str, Fraction | None]) -> PlainScore:
    """The weighted mean of what is known, signals in their components and components in the whole."""
    subs = {signal: sub_score(signal, value) for signal, value in readings.items()}
    return PlainScore(weighted(subs), subs)


def weighted(subs: Mapping[str, int | None]) -> int | None:
    """The score of sub-scores, in hundredths like them."""
    if all(sub is None for sub in subs.values()):
        return None
    return _halves_up(sum((weight * (subs[signal] or 0) for signal, weight in weights_of(subs).items()), Fraction(0)))


def weights_of(subs: Mapping[str, int | None]) -> dict[str, Fraction]:
    """What each signal weighs where only those with a sub-score count; the weights sum to 1."""
    known = {
        name: (weight, {signal: each for signal, each in signals.items() if subs[signal] is not None})
        for name, (weight, signals) in PROFILE.items()
    }
    whole = sum(weight for weight, signals in known.values() if signals)
    found = dict.fromkeys(subs, Fraction(0))
    for weight, signals in known.values():
        for signal, each in signals.items():
            found[signal] = Fraction(weight, whole) * Fraction(each, sum(signals.values()))
    return found


def coverage_of(subs: Mapping[str, int | None]) -> Fraction:
    """How much of the weight has data."""
    return sum(
        (
            Fraction(weight, sum(each for each, _ in PROFILE.values())) * Fraction(each, sum(signals.values()))
            for weight, signals in PROFILE.values()
            for signal, each in signals.items()
            if subs[signal] is not None
        ),
        Fraction(0),
    )


def _halves_up(value: Fraction) -> int:
    return int((2 * value + 1) // 2)
