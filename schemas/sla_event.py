"""What happened to the promises of a conversation: clock events, and the facts that account health needs.

`agents.conversation_agent` emits them keyed by account; `agents.account_agent`, the ClickHouse sink, the metrics and
every subscriber have them next.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

ClockEventKind = Literal[
    "activated",
    "paused",
    "resumed",
    "retargeted",
    "warned",
    "met",
    "breached",
    "satisfied_late",
    "cancelled",
    "merged",
    "outcome_revised",
    "retracted",
]
FactKind = Literal["opened", "contact", "reopened", "resolved", "escalated"]
Outcome = Literal["open", "met", "breached", "satisfied_late", "cancelled", "merged", "retracted"]
"""How a clock stands.

`breached` is due and still unanswered; `satisfied_late` was answered after it; both count as breached.
"""


class Cause(Struct, frozen=True, omit_defaults=True, gc=False):
    """The record that made it happen, and the how-manieth effect of that record it is."""

    partition: int
    offset: int
    index: int = 0
    event_id: str | None = None


class SlaEvent(Struct, frozen=True, omit_defaults=True, gc=False):
    """One step in the life of a clock, or one fact of a conversation (then `metric` is null).

    `occurred_at` is the instant at which it became true in event time: a breach carries its due instant. Seconds with
    the prefix `wall_` are calendar time, those without are open time in the clock's calendar and outside pauses.
    `detected_at` is when a worker noticed; it is the one field that a replay does not repeat.
    """

    id: str
    kind: ClockEventKind | FactKind
    conversation_id: str
    account_id: str
    occurred_at: datetime
    cause: Cause
    source: str
    clock: str = "wall"
    channel: str = "other"
    metric: str | None = None
    instance: int | None = None
    outcome: Outcome | None = None
    previous_outcome: Outcome | None = None
    policy: str | None = None
    policy_version: str | None = None
    calendar: str | None = None
    priority: str | None = None
    tier: str | None = None
    segment: str | None = None
    team: str | None = None
    inbox: str | None = None
    agent: str | None = None
    target_seconds: float | None = None
    objective_ratio: float | None = None
    started_at: datetime | None = None
    due_at: datetime | None = None
    satisfied_at: datetime | None = None
    breached_at: datetime | None = None
    elapsed_seconds: float | None = None
    wall_elapsed_seconds: float | None = None
    overrun_seconds: float | None = None
    wall_overrun_seconds: float | None = None
    warning: str | None = None
    """The threshold of a `warned`, as it stands in the policy: `75%` or `30m`."""
    reason: str | None = None
    author_kind: str | None = None
    status: str | None = None
    detected_at: datetime | None = None
    lateness_seconds: float | None = None
    """For what a timer found: `detected_at` minus `occurred_at` in seconds here, a time warp taken out."""
    previous_decided_at: datetime | None = None
    """For `outcome_revised`, `retracted` and `merged`.

    The instant under which the previous outcome was counted (`satisfied_at` of a met one, else
    `breached_at`), so that a window takes it out exactly where it was put in. Null when it was not counted."""
    objective_over: str | None = None
    """Over what the policy's objective is promised: a number of days such as `30d`, or `month`."""
    flags: tuple[str, ...] = ()
    """What looks like playing with the clock: shown beside the outcome, never part of it."""
    by_channel: str | None = None
    """For a `contact`: the channel of the message where it is another one than that of its conversation."""
