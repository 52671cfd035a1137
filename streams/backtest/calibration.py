"""From a risk to a probability of leaving, and how honest that is: isotonic regression out of fold, Brier, reliability.

A probability is learnt from other accounts than the one that it is for (`folds`), so Brier score and reliability say
what can be expected of accounts that nobody has seen yet. `backtest_report` asks for them.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from streams.backtest.ranking import Outcome

MOST_BINS = 10


class Isotonic:
    """A probability that never falls as the risk rises (pool adjacent violators), straight between what was learnt.

    Args:
        outcomes: at least one.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        blocks: list[_Block] = []
        for risk, tied in groupby(sorted(outcomes), key=lambda outcome: outcome.risk):
            group = list(tied)
            blocks.append(_Block(risk, risk, sum(outcome.left for outcome in group), len(group)))
            while len(blocks) > 1 and blocks[-2].left * blocks[-1].size >= blocks[-1].left * blocks[-2].size:
                above, below = blocks.pop(), blocks.pop()
                blocks.append(_Block(below.low, above.high, below.left + above.left, below.size + above.size))
        self._risks = [edge for block in blocks for edge in (block.low, block.high)]
        self._shares = [block.left / block.size for block in blocks for _ in range(2)]

    def probability(self, risk: float) -> float:
        """Of leaving, 0..1; beyond what was learnt that of the nearest."""
        place = bisect_left(self._risks, risk)
        if place == 0:
            return self._shares[0]
        if place == len(self._risks):
            return self._shares[-1]
        low, high = self._risks[place - 1], self._risks[place]
        below, above = self._shares[place - 1], self._shares[place]
        return min(above, below + (above - below) * ((risk - low) / (high - low)))

    def points(self) -> list[tuple[float, float]]:
        """Risks in ascending order, each with its probability: straight lines between them are what was learnt."""
        return list(dict(zip(self._risks, self._shares, strict=True)).items())


class _Block(NamedTuple):
    low: float
    high: float
    left: int
    size: int


class ReliabilityBin(NamedTuple):
    """Rows for which about the same was predicted, and what has come of them; shares in 0..1."""

    predicted: float
    observed: float
    n: int


def out_of_fold(outcomes: Sequence[Outcome], folds: Sequence[int]) -> list[float]:
    """The probability of leaving of each row, learnt from the rows of all other folds. There are two folds or more."""
    learnt = {
        fold: Isotonic([outcome for outcome, own in zip(outcomes, folds, strict=True) if own != fold])
        for fold in set(folds)
    }
    return [learnt[fold].probability(outcome.risk) for outcome, fold in zip(outcomes, folds, strict=True)]


def brier(outcomes: Sequence[Outcome], probabilities: Sequence[float]) -> float:
    """The mean squared distance of the probability from what has happened: 0 is best (Brier 1950, of two classes)."""
    squares = [(p - outcome.left) ** 2 for outcome, p in zip(outcomes, probabilities, strict=True)]
    return sum(squares) / len(squares)


def reliability(outcomes: Sequence[Outcome], probabilities: Sequence[float]) -> list[ReliabilityBin]:
    """What was predicted and what has happened, in up to ten groups of about equal size, by rising prediction.

    Rows of the same prediction stay together.
    """
    ordered = sorted((p, outcome.left) for outcome, p in zip(outcomes, probabilities, strict=True))
    wanted = len(ordered) / MOST_BINS
    bins: list[ReliabilityBin] = []
    pending: list[tuple[float, bool]] = []
    done = 0
    for _, tied in groupby(ordered, key=lambda row: row[0]):
        pending += tied
        if done + len(pending) >= wanted * (len(bins) + 1):
            bins.append(_bin(pending))
            done += len(pending)
            pending = []
    return [*bins, _bin(pending)] if pending else bins


def _bin(rows: Sequence[tuple[float, bool]]) -> ReliabilityBin:
    count = len(rows)
    return ReliabilityBin(sum(p for p, _ in rows) / count, sum(left for _, left in rows) / count, count)
