"""How well a risk ranks those who have left before those who have stayed: ROC AUC, average precision, lift.

Ties count half, in every measure, so nothing depends on the order of the rows. `backtest_report` asks for all of them.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import sqrt
from statistics import NormalDist, fmean
from typing import NamedTuple

_Z95 = NormalDist().inv_cdf(0.975)
_DECILE = 10


class Outcome(NamedTuple):
    """How much at risk a row was thought to be, and whether it has left."""

    risk: float
    left: bool


def roc_auc(outcomes: Sequence[Outcome]) -> float | None:
    """The chance that one who has left was thought more at risk than one who has stayed; null without both."""
    of_left = [place for place, outcome in zip(_placements(outcomes), outcomes, strict=True) if outcome.left]
    return fmean(of_left) if 0 < len(of_left) < len(outcomes) else None


def roc_auc_interval(outcomes: Sequence[Outcome], accounts: Sequence[str] | None = None) -> tuple[float, float] | None:
    """Its 95 % confidence interval, cut off at 0 and 1, by DeLong, DeLong and Clarke-Pearson (1988).

    Rows of one account are no independent witnesses, so each account is one cluster (Obuchowski, Biometrics 1997);
    where every account has one row, that is DeLong's interval. Null with fewer than two accounts of either kind, from
    which no variance can be told.

    Args:
        outcomes: all rows.
        accounts: of each row; null where each is of its own.
    """
    area = roc_auc(outcomes)
    names = range(len(outcomes)) if accounts is None else accounts
    deviations: tuple[dict[object, float], dict[object, float]] = ({}, {})
    for name, place, outcome in zip(names, _placements(outcomes), outcomes, strict=True):
        of_kind = deviations[outcome.left]
        of_kind[name] = of_kind.get(name, 0.0) + place - (area or 0.0)
    of_stayed, of_left = deviations
    if area is None or len(of_left) < 2 or len(of_stayed) < 2:
        return None
    left = sum(outcome.left for outcome in outcomes)
    stayed = len(outcomes) - left
    together = {name: deviation * of_stayed[name] for name, deviation in of_left.items() if name in of_stayed}
    clusters = len(of_left.keys() | of_stayed.keys())
    variance = (
        _spread_of(of_left) / left**2
        + _spread_of(of_stayed) / stayed**2
        + 2 * clusters / (clusters - 1) * sum(together.values()) / (left * stayed)
    )
    spread = _Z95 * sqrt(max(0.0, variance))
    return max(0.0, area - spread), min(1.0, area + spread)


def _spread_of(deviations: Mapping[object, float]) -> float:
    clusters = len(deviations)
    return clusters / (clusters - 1) * sum(deviation * deviation for deviation in deviations.values())


def _placements(outcomes: Sequence[Outcome]) -> list[float]:
    """For each that has left the share of the others at less risk, for each other the share of those at more."""
    total_left = sum(outcome.left for outcome in outcomes)
    total_stayed = len(outcomes) - total_left
    found = [0.0] * len(outcomes)
    left_before = stayed_before = 0
    in_order = sorted(range(len(outcomes)), key=lambda place: outcomes[place])
    for _, tied in groupby(in_order, key=lambda place: outcomes[place].risk):
        group = list(tied)
        left = sum(outcomes[place].left for place in group)
        stayed = len(group) - left
        for place in group:
            if outcomes[place].left:
                found[place] = (stayed_before + stayed / 2) / total_stayed if total_stayed else 0.0
            else:
                found[place] = 1 - (left_before + left / 2) / total_left if total_left else 0.0
        left_before += left
        stayed_before += stayed
    return found


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
