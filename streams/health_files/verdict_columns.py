"""A verdict as the commands print it: the keys that `docs/health.md` promises, in that order.

`careline health test` prints them as `actual`, `careline health run` one account a line, `careline health explain` one
object.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agents.domain.health_story import reason_of
from agents.domain.health_verdict import Part, Verdict, added_by
from agents.domain.instant import Instant, to_datetime
from agents.domain.normalisation import MILLION
from agents.domain.scoring import SHARE_UNITS
from schemas.health_score import Contribution, HealthScore
from streams.policy_files.clock_columns import instant_text

COLUMNS = (
    "account",
    "as_of",
    "score",
    "band",
    "coverage",
    "profile",
    "profile_version",
    "change",
    "previous_score",
    "previous_band",
    "reason",
    "contributions",
    "plays",
)


def columns_of(verdict: Verdict, version: str) -> dict[str, Any]:
    """One verdict; null where nothing is known. The `points` of the contributions sum to the score to the last digit.

    Args:
        verdict: to be shown.
        version: of the profile file.
    """
    before = verdict.previous
    added_before = None if before is None else added_by(before.told_parts())
    return {
        "account": verdict.account,
        "as_of": instant_column(verdict.as_of),
        "score": points_column(verdict.score),
        "band": verdict.band,
        "coverage": verdict.coverage / SHARE_UNITS,
        "profile": verdict.profile,
        "profile_version": version if verdict.profile is not None else None,
        "change": verdict.change,
        "previous_score": points_column(before.score) if before is not None else None,
        "previous_band": before.band if before is not None else None,
        "reason": reason_of(verdict),
        "contributions": [_contribution(part, added_before) for part in verdict.parts],
        "plays": [play._asdict() for play in verdict.plays],
    }


def published_columns(health: HealthScore) -> dict[str, Any]:
    """What a worker has told of an account, with the same keys, and the ids of the events that moved each signal."""
    return {
        "account": health.account_id,
        "as_of": instant_text(health.as_of),
        "score": health.score,
        "band": health.band,
        "coverage": health.coverage,
        "profile": health.profile,
        "profile_version": health.profile_version,
        "change": health.change,
        "previous_score": health.previous_score,
        "previous_band": health.previous_band,
        "reason": health.reason,
        "contributions": [_told_contribution(part) for part in health.contributions],
        "plays": [
            {"id": action.play, "action": action.action, "owner": action.owner, "reason": action.reason}
            for action in health.actions
        ],
        "churn": None if health.churn is None else msgspec.to_builtins(health.churn),
    }


def _told_contribution(part: Contribution) -> dict[str, Any]:
    found: dict[str, Any] = {
        "component": part.component,
        "signal": part.signal,
        "value": part.value,
        "sub_score": part.sub_score,
        "weight": part.weight,
        "points": part.points,
        "change": part.change,
        "observed_at": None if part.observed_at is None else instant_text(part.observed_at),
        "event_ids": list(part.event_ids),
        "source": part.source,
        "freshness": part.freshness,
    }
    return found if part.because is None else found | {"because": part.because}


def changes_of(told: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The changes of a story: when, to what and why."""
    return [
        {
            "at": instant_column(verdict.as_of),
            "change": verdict.change,
            "score": points_column(verdict.score),
            "band": verdict.band,
            "reason": reason_of(verdict),
        }
        for verdict in told
    ]


def _contribution(part: Part, added_before: Mapping[tuple[str, str | None], int] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "component": part.component,
        "signal": part.signal,
        "value": value_column(part.value),
        "sub_score": points_column(part.sub_score),
        "weight": part.weight / SHARE_UNITS,
        "points": part.points / 100,
        "change": None
        if added_before is None
        else (part.points - added_before.get((part.component, part.signal), 0)) / 100,
        "observed_at": instant_column(part.observed_at),
    }
    return found if part.because is None else found | {"because": part.because}


def instant_column(at: Instant | None) -> str | None:
    """An instant as text; null stays null."""
    return None if at is None else instant_text(to_datetime(at))


def points_column(hundredths: int | None) -> float | None:
    """A score or points; null stays null."""
    return None if hundredths is None else hundredths / 100


def value_column(value: int | str | None) -> int | float | str | None:
    """The value of a signal: a word, or a number out of millionths."""
    if not isinstance(value, int):
        return value
    whole, rest = divmod(value, MILLION)
    return value / MILLION if rest else whole
