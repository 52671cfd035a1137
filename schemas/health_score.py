"""Account health: a score in 0..100 whose parts add up to it exactly, and how much of it rests on data.

`agents.account_agent` emits it keyed by account when it moves.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Band = str
"""`red`, `amber`, `green`, or what a company's own profile calls its bands."""


class Contribution(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one signal adds. `points` of all contributions sum to the score to the last digit.

    `weight` is the effective share after missing signals were taken out (all shares sum to 1); `sub_score` is 0..100.
    What a `cap`, a `floor` or an `override` takes or gives has that as its component, no signal, and a reason.
    """

    component: str
    signal: str | None
    value: float | str | None
    sub_score: float | None
    weight: float
    points: float
    change: float | None = None
    observed_at: datetime | None = None
    event_ids: tuple[str, ...] = ()
    source: str | None = None
    """Who told the newest value; `careline` for what is found out from the SLA events."""
    freshness: float | None = None
    """What age has left of the weight, 0..1; null where it does not fade."""
    because: str | None = None


class ChurnRisk(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How much speaks for an account's leaving, 0..100, as the sum of three parts (`agents.domain.churn_risk`).

    An index that ranks, no probability. `probability` (0..1) is one, learnt from who has left; null without a history.
    """

    index: float
    level: float
    recency: float
    trend: float | None = None
    """Null where nothing was known a month ago; the other two then share its weight."""
    probability: float | None = None


class OpenAction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A next action that waits for somebody, because a play of the profile fits."""

    id: str
    play: str
    action: str
    reason: str
    opened_at: datetime
    owner: str | None = None


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
    churn: ChurnRisk | None = None
    actions: tuple[OpenAction, ...] = ()
    """What is open now; one of each play."""
