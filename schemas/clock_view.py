"""The clock now: the latest state of one promise, for boards, forecasts and tables.

`agents.conversation_agent` emits it keyed by clock into a compacted topic; the ClickHouse sink and boards read it.
`policy test` and `policy run` print the same columns.
"""

from datetime import datetime

from msgspec import Struct

from schemas.sla_event import Cause, Outcome


class ClockView(Struct, frozen=True, omit_defaults=True, gc=False):
    """One (conversation, metric, instance).

    Instants are null where unknown or without a target; `due_at` is null while paused.
    """

    id: str
    conversation_id: str
    account_id: str
    metric: str
    instance: int
    outcome: Outcome
    cause: Cause
    as_of: datetime
    source: str = "other"
    clock: str = "wall"
    channel: str = "other"
    tier: str | None = None
    segment: str | None = None
    team: str | None = None
    inbox: str | None = None
    policy: str | None = None
    policy_version: str | None = None
    calendar: str | None = None
    priority: str | None = None
    paused: bool = False
    target_seconds: float | None = None
    started_at: datetime | None = None
    due_at: datetime | None = None
    next_change_at: datetime | None = None
    satisfied_at: datetime | None = None
    breached_at: datetime | None = None
    elapsed_seconds: float | None = None
    wall_elapsed_seconds: float | None = None
    flags: tuple[str, ...] = ()
    """What looks like playing with the clock: shown beside the outcome, never part of it."""
