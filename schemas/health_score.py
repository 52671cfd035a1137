"""Account health: a score in 0..100 whose parts add up to it exactly, and how much of it rests on data.

`agents.account_agent` emits it keyed by account when it moves.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Band = Literal["red", "amber", "green"]


class Contribution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one signal adds. `points` of all contributions sum to the score to the last digit.

    `weight` is the effective share after missing signals were taken out (all shares sum to 1); `sub_score` is 0..100.
    """

    component: str
    signal: str
    value: float | None
    sub_score: float | None
    weight: float
    points: float
    change: float | None = None
    observed_at: datetime | None = None
    event_ids: tuple[str, ...] = ()


class HealthScore(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The health of one account as of an instant.

    `score` and `band` are null when nothing is known: silence is not health.
    """

    id: str
    account_id: str
    as_of: datetime
    score: float | None
    band: Band | None
    coverage: float
    """Share of the weight that had data, 0..1."""
    contributions: tuple[Contribution, ...] = ()
    change: Literal["initial", "changed", "band_changed", "unchanged"] = "changed"
    previous_score: float | None = None
    previous_band: Band | None = None
    reason: str | None = None
    """The move in one sentence, naming its largest cause."""
    profile: str = "default"
    profile_version: str | None = None
    clock: str = "wall"
    tier: str | None = None
    segment: str | None = None
    cause_id: str | None = None
