"""How well a risk ranks those who have left before those who have stayed: ROC AUC, average precision, lift.

Ties count half, in every measure, so nothing depends on the order of the rows. `backtest_report` asks for all of them.
"""

from collections.abc import Sequence
from itertools import groupby
from math import sqrt
from statistics import NormalDist, fmean, variance
from typing import NamedTuple

_Z95 = NormalDist().inv_cdf(0.975)
_DECILE = 10


class Outcome(NamedTuple):
    """How much at risk a row was thought to be, and whether it has left."""

    risk: float
    left: bool


def roc_auc(outcomes: Sequence[Outcome]) -> float | None:
    """The chance that one who has left was thought more at risk than one who has stayed; null without both."""
    of_left, of_stayed = _placements(outcomes)
    return fmean(of_left) if of_left and of_stayed else None


def roc_auc_interval(outcomes: Sequence[Outcome]) -> tuple[float, float] | None:
    """Its 95 % confidence interval by DeLong, DeLong and Clarke-Pearson (1988), cut off at 0 and 1.

    Null with fewer than two of either kind, from which no variance can be told.
    """
    of_left, of_stayed = _placements(outcomes)
    if len(of_left) < 2 or len(of_stayed) < 2:
        return None
    area = fmean(of_left)
    spread = _Z95 * sqrt(variance(of_left) / len(of_left) + variance(of_stayed) / len(of_stayed))
    return max(0.0, area - spread), min(1.0, area + spread)


def _placements(outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """For each that has left the share of the others at less risk, for each other the share of those at more."""
    ordered = sorted(outcomes)
    total_left = sum(outcome.left for outcome in ordered)
    total_stayed = len(ordered) - total_left
    of_left: list[float] = []
    of_stayed: list[float] = []
    left_before = stayed_before = 0
    for _, tied in groupby(ordered, key=lambda outcome: outcome.risk):
        group = list(tied)
        left = sum(outcome.left for outcome in group)
        stayed = len(group) - left
        if total_stayed:
            of_left += [(stayed_before + stayed / 2) / total_stayed] * left
        if total_left:
            of_stayed += [1 - (left_before + left / 2) / total_left] * stayed
        left_before += left
        stayed_before += stayed
    return of_left, of_stayed


def roc_points(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """The ROC curve from (0, 0) to (1, 1): the share of those who stayed, and of those who left, above each risk."""
    total_left = sum(outcome.left for outcome in outcomes)
    total_stayed = len(outcomes) - total_left
    points, left, stayed = [(0.0, 0.0)], 0, 0
    for group in _by_falling_risk(outcomes):
        left += sum(outcome.left for outcome in group)
        stayed += sum(not outcome.left for outcome in group)
        points.append((stayed / max(1, total_stayed), left / max(1, total_left)))
    return points


def average_precision(outcomes: Sequence[Outcome]) -> float | None:
    """The mean of the precision, weighted by the recall that each risk adds, as scikit-learn has it.

    Null without any who left.
    """
    total = sum(outcome.left for outcome in outcomes)
    if not total:
        return None
    area, left, seen = 0.0, 0, 0
    for group in _by_falling_risk(outcomes):
        added = sum(outcome.left for outcome in group)
        left += added
        seen += len(group)
        area += added / total * left / seen
    return area


def lift_of_top(outcomes: Sequence[Outcome], share: int = _DECILE) -> float | None:
    """How many times more of the riskiest tenth have left than of all; null without any who left.

    The tenth is rounded to whole rows, at least one. Where its edge goes through rows of equal risk, each of them
    counts with the share of them that is within.
    """
    total = sum(outcome.left for outcome in outcomes)
    if not total:
        return None
    size = max(1, round(len(outcomes) / share))
    within, room = 0.0, size
    for group in _by_falling_risk(outcomes):
        taken = min(room, len(group))
        within += sum(outcome.left for outcome in group) * taken / len(group)
        room -= taken
        if not room:
            break
    return (within / size) / (total / len(outcomes))


def _by_falling_risk(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    ordered = sorted(outcomes, reverse=True)
    return [list(group) for _, group in groupby(ordered, key=lambda outcome: outcome.risk)]
