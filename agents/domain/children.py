"""The score of a parent account out of those of its children: a mean, a mean weighted by value, or the worst.

Each child is a part, with its share and its points, and the points sum to the score to the last digit, as those of
signals do (`agents.domain.scoring`). `agents.domain.health_verdict` asks here where a profile aggregates; who is whose
child live is `agents.domain.family`'s business, and in files `streams.health_files`'.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.domain.health_profile import Aggregation
from agents.domain.normalisation import MILLION, rounded
from agents.domain.scoring import SHARE_UNITS, apportion

COMPONENT = "children"
CIRCLE = "it is above its parent: a circle of parents, which ends here"

MOST_CHILDREN = 500
"""About 40 bytes each: a group of companies has dozens."""

BEYOND = f"an account has no more than {MOST_CHILDREN} children: there was no room for this one"


class Child(NamedTuple):
    """A child at an instant: its score, null without one, and its revenue a month, both in hundredths.

    `because` says why one does not count.
    """

    id: str
    score: int | None
    revenue: int | None = None
    counts: bool = True
    because: str = CIRCLE


class ChildPart(NamedTuple):
    """What a child adds. The share is in ten-thousandths, points are hundredths."""

    child: Child
    share: int
    points: int


def parts_of_children(children: Sequence[Child], how: Aggregation) -> tuple[list[ChildPart], int]:
    """What every child adds, in the order of their ids, and the share of their weight that has a score.

    The coverage is in ten-thousandths, 0 where no child has a score.
    """
    ordered = sorted(children)
    counting = [child for child in ordered if child.counts]
    weights = _weights(counting, how)
    known = sum(weights[child.id] for child in counting if child.score is not None)
    total = sum(weights.values())
    if not known:
        return [ChildPart(child, 0, 0) for child in ordered], 0
    weighing = [weights.get(child.id, 0) if child.score is not None else 0 for child in ordered]
    points = apportion([weight * (child.score or 0) for child, weight in zip(ordered, weighing, strict=True)], known)
    shares = apportion([weight * SHARE_UNITS for weight in weighing], known)
    if how == "worst":  # one child makes the score, but only who knows all of them knows which
        known, total = sum(child.score is not None for child in counting), len(counting)
    coverage = max(1, rounded(known * SHARE_UNITS, total))
    return [ChildPart(*each) for each in zip(ordered, shares, points, strict=True)], coverage


def _weights(children: Sequence[Child], how: Aggregation) -> Mapping[str, int]:
    """What the children weigh. By value, one whose revenue is not known weighs as much as the others on average."""
    if how == "worst":
        known = [child for child in children if child.score is not None]
        worst = min(known, key=lambda child: (child.score, child.id), default=None)
        return {child.id: int(child is worst) for child in children}
    if how == "by_value":
        revenues = [child.revenue for child in children if child.revenue is not None and child.revenue > 0]
        if revenues:
            usual = max(1, rounded(sum(revenues), len(revenues)))
            return {child.id: usual if child.revenue is None else max(0, child.revenue) for child in children}
    return {child.id: 1 for child in children}


def shown_score(child: Child) -> int | None:
    """The score as the value of a signal, in millionths."""
    return None if child.score is None else child.score * (MILLION // 100)


def circle_of(account_id: str, above: Sequence[str]) -> Sequence[str]:
    """The accounts of the circle that an account is part of, given those above it, nearest first; empty without one."""
    return above[: above.index(account_id) + 1] if account_id in above else ()


def ends_circle(account_id: str, above: Sequence[str]) -> bool:
    """Whether this account's parent does not count, because it would close a circle.

    In a circle it is the one with the last id: any order would do as long as all of them know it, as for merges.
    """
    circle = circle_of(account_id, above)
    return bool(circle) and account_id == max(circle)
