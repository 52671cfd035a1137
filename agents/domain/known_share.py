"""Coverage as news: how much of what makes a score is known moves although the score does not, and is told then.

A score is only as good as what it rests on. Where data runs out under `missing: exclude`, the score of an idle account
may stay for ever while less and less of it is known; whoever reads 80 must not see the coverage of a year ago beside
it. `agents.domain.live_health` and `agents.domain.account_health` ask here.
"""

from agents.domain.scoring import SHARE_UNITS

COVERAGE_STEP = SHARE_UNITS // 20
"""A move of the coverage that is worth telling by itself: five points of a hundred, as one signal of twenty makes."""


def has_moved(coverage: int, told: int | None) -> bool:
    """Whether the coverage (ten-thousandths) is another one than was told.

    Null where an earlier release told it: it is known again with whatever is told next, and no upgrade tells all anew.
    """
    return told is not None and abs(coverage - told) >= COVERAGE_STEP


def sentence(score: int, coverage: int, told: int) -> str:
    """The news where the score has stayed."""
    known, before = _percent(coverage), _percent(told)
    return f"As before, {score / 100:.2f}; {known} of what counts is known now, {before} before."


def _percent(share: int) -> str:
    return f"{share * 100 / SHARE_UNITS:.0f} %"
