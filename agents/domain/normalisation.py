"""From a raw value to a sub-score: curves, steps, words and trajectories, all in hundredths of 0..100.

`agents.domain.health_profile` says which signal is read by which of them; `agents.domain.signal_reading` calls them.
Raw numbers are whole numbers in a unit that the signal fixes, so that equal input gives equal output everywhere.
"""

from functools import lru_cache

from msgspec import Struct

MILLION = 1_000_000
"""Ratios are raw values in millionths, and so is every number out of a file."""

BEST = 100_00
"""The highest sub-score, in hundredths."""

Curve = tuple[tuple[int, int], ...]
"""Points (raw value, hundredths of 0..100) with ascending raw values; straight lines between them, level beyond the
ends. Two points are a clamped line."""


class Steps(Struct, frozen=True, tag=True):
    """The sub-score of the highest key that the value reaches; below the lowest key that of the lowest."""

    steps: Curve


class Tiers(Struct, frozen=True, tag=True):
    """A sub-score for each word; words are compared without regard to case and to blanks around them."""

    words: dict[str, int]

    def of(self, word: str) -> int | None:
        """The sub-score of a word; null for one that is not listed."""
        return self.words.get(tier_key(word))


class Trajectory(Struct, frozen=True, tag=True):
    """Where a value stands, where it is heading, and how lately it was heard of (level 40, trend 30, recency 30).

    The level is read off a curve; the trend is 50 where the level is what it was `over_us` ago, and moves by half of
    what the level has moved; the recency falls from 100 to 0 within `over_us`. The shares are Tenzo's.
    """

    level: Curve
    over_us: int


Normalisation = Curve | Steps | Tiers | Trajectory

LEVEL_SHARE, TREND_SHARE, RECENCY_SHARE = 40, 30, 30


@lru_cache(maxsize=4_096)
def tier_key(word: str) -> str:
    """The form in which words are compared."""
    return word.strip().casefold()


def rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def sub_score(curve: Curve, raw: int) -> int:
    """Where a raw value lies on a curve, in hundredths, rounded to the nearest (halves up)."""
    left, low = curve[0]
    if raw <= left:
        return low
    for right, high in curve:
        if raw < right:
            return low + rounded((high - low) * (raw - left), right - left)
        left, low = right, high
    return low


def step_score(steps: Curve, raw: int) -> int:
    """The sub-score of the highest step that a value reaches."""
    found = steps[0][1]
    for reached_from, score in steps:
        if raw < reached_from:
            break
        found = score
    return found


def trajectory_score(level: int, level_before: int | None, recency: int) -> int:
    """Level, trend and recency as one sub-score; without an earlier level the other two share the weight of the trend.

    Args:
        level: where the value stands, in hundredths.
        level_before: where it stood a period ago, in hundredths; null when nothing was known then.
        recency: in hundredths.
    """
    total, weight = LEVEL_SHARE * level + RECENCY_SHARE * recency, LEVEL_SHARE + RECENCY_SHARE
    if level_before is not None:
        total += TREND_SHARE * (BEST + level - level_before) // 2
        weight += TREND_SHARE
    return rounded(total, weight)


def extremes(normalise: Normalisation) -> tuple[int, int]:
    """The lowest and the highest sub-score that any value can have."""
    match normalise:
        case Tiers():
            scores = list(normalise.words.values())
        case Steps():
            scores = [score for _, score in normalise.steps]
        case Trajectory():
            scores = [0, BEST]
        case _:
            scores = [score for _, score in normalise]
    return min(scores), max(scores)
