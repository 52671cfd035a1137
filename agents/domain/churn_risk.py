"""How much speaks for an account's leaving: from where its score stands, where it is heading, and how lately it spoke.

The index is 100 less the trajectory of the score (`agents.domain.normalisation.trajectory_score`: level 40, trend 30,
recency 30): it never falls when the score falls, when it has fallen more in a month, or when the account is silent for
longer. It ranks accounts and is no probability; a probability is read off a curve that `careline health backtest
--calibration` has learnt from who has left. `agents.domain.live_health` publishes both beside the score.
"""

from typing import NamedTuple

from agents.domain.instant import DAY_US, Instant
from agents.domain.live_signals import silent_since
from agents.domain.normalisation import (
    BEST,
    LEVEL_SHARE,
    MILLION,
    RECENCY_SHARE,
    TREND_SHARE,
    Curve,
    rounded,
    sub_score,
)
from schemas.account_state import AccountState
from schemas.health_score import ChurnRisk

TREND_DAYS = 30
"""A month: long enough for a trend, short enough to act."""

SILENT_DAYS = 60
"""Two months without a word, and recency has nothing left (as `days_since_contact`)."""


class Risk(NamedTuple):
    """The index in hundredths of 0..100 and its parts, which sum to it; `probability` in millionths."""

    total: int
    level: int
    trend: int | None
    recency: int
    probability: int | None = None


def risk_of(score: int, score_before: int | None, silent_us: int | None, calibration: Curve | None = None) -> Risk:
    """The risk of an account.

    Args:
        score: now, in hundredths.
        score_before: a month ago; null when nothing was known then, and the other two share the weight of the trend.
        silent_us: since the account was last heard; null when it never was, which counts as the longest silence.
        calibration: score to probability of leaving in millionths, falling; null without a history.
    """
    longest_us = SILENT_DAYS * DAY_US
    silence = longest_us if silent_us is None else min(longest_us, max(0, silent_us))
    level = LEVEL_SHARE * (BEST - score)
    recency = RECENCY_SHARE * rounded(BEST * silence, longest_us)
    whole = LEVEL_SHARE + RECENCY_SHARE
    trend = 0
    if score_before is not None:
        trend = TREND_SHARE * (BEST - (score - score_before)) // 2
        whole += TREND_SHARE
    total = rounded(level + trend + recency, whole)
    level_part, recency_part = rounded(level, whole), rounded(recency, whole)
    if score_before is None:
        return Risk(total, total - recency_part, None, recency_part, _probability(calibration, score))
    trend_part = total - level_part - recency_part
    return Risk(total, level_part, trend_part, recency_part, _probability(calibration, score))


def risk_now(state: AccountState, score: int, calibration: Curve | None = None) -> Risk:
    """The risk of an account as it stands at `as_of`."""
    since = silent_since(state)
    silent_us = None if since is None else state.as_of - since
    return risk_of(score, score_before(state.memory.past, state.as_of), silent_us, calibration)


def told(risk: Risk) -> ChurnRisk:
    """A risk as it is published."""
    return ChurnRisk(
        index=risk.total / 100,
        level=risk.level / 100,
        recency=risk.recency / 100,
        trend=None if risk.trend is None else risk.trend / 100,
        probability=None if risk.probability is None else risk.probability / MILLION,
    )


def _probability(calibration: Curve | None, score: int) -> int | None:
    return None if calibration is None else sub_score(calibration, score)


def note_score(past: list[tuple[int, int]], score: int, as_of: Instant) -> None:
    """Remember the last score of each day, for as long as the trend looks back."""
    day = as_of // DAY_US
    if past and past[-1][0] == day:
        past[-1] = (day, score)
        return
    past.append((day, score))
    # The last one before the month begins is where the trend begins.
    while len(past) > 1 and past[1][0] <= day - TREND_DAYS:
        del past[0]


def score_before(past: list[tuple[int, int]], as_of: Instant) -> int | None:
    """The score that stood a month ago; null when none did."""
    until = as_of // DAY_US - TREND_DAYS
    found = None
    for day, score in past:
        if day > until:
            break
        found = score
    return found
