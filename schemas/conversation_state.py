"""What the conversation agent remembers: a compact timeline and the clocks that follow from it.

Written by `agents.conversation_agent` into the changelog topic, read back by the next owner of the partition, so it
evolves like any message: fields are only ever appended, with defaults. Instants are microseconds since the epoch
(`agents.domain.instant`).
"""

from typing import Any

from msgspec import Struct, field

from schemas.interaction_words import Status
from schemas.sla_event import Outcome
from schemas.timeline_entry import TimelineEntry

STATE_VERSION = 1

UNDESCRIBED = 2**63 - 1
"""Later than any event: of a conversation nothing is known but what was handed over to it."""


class ClockState(Struct, array_like=True, omit_defaults=True, gc=False):
    """One promise: (metric, instance). Open until `outcome` says otherwise; `breached` is open and past due."""

    metric: str
    instance: int
    started_at: int
    policy: str | None = None
    policy_version: str | None = None
    priority: str | None = None
    target_us: int | None = None
    business_days: int | None = None
    due_at: int | None = None
    set_by_hand: bool = False
    base_at: int | None = None
    """From where the target counts, where a policy change moved it; else `started_at`."""
    paused_since: int | None = None
    paused_us: int = 0
    """Open time inside finished pauses."""
    base_paused_us: int = 0
    """How much of `paused_us` lies before `base_at` and moves the deadline no more."""
    outcome: Outcome = "open"
    breached_at: int | None = None
    satisfied_at: int | None = None
    ended_at: int | None = None
    """When it was cancelled, merged or retracted; when first, if more than once."""
    elapsed_us: int | None = None
    warnings_given: int = 0
    next_warning_at: int | None = None
    reason: str | None = None
    agent: str | None = None
    flags: tuple[str, ...] = ()
    """What looks like playing with the clock (`agents.domain.clock_gaming`): shown beside the outcome."""
    pauses: tuple[tuple[int, int], ...] = ()
    """The latest finished pauses while it runs, from and to: under other hours they take off other open time."""
    absorbed: Outcome | None = None
    """With `merged`: how it stood when its conversation was merged; what was decided by then is handed over."""
    origin: str | None = None
    """The clock of a merged conversation that it was taken over from, `conversation/metric/instance`."""


class FinishedCycle(Struct, array_like=True, omit_defaults=True, gc=False):
    """How a clock stood when it was satisfied, so that a reopened conversation can continue it."""

    started_at: int
    paused_us: int
    satisfied_at: int
    pauses: tuple[tuple[int, int], ...] = ()
    """As of the clock; the one that ran when it was satisfied ends there."""
    unlisted_us: int | None = None
    """How much of `paused_us` is in none of them; null where none is known."""


class ConversationState(Struct, array_like=True, omit_defaults=True, gc=False):
    """A conversation as its clocks see it.

    `entries` are the events after `horizon_at`, in order; everything before is folded into `base` (an encoded state)
    and can no longer be re-evaluated. `forgotten_ids` are eight-byte digests of the ids of folded events, end to end.
    """

    id: str
    source: str = "other"
    account_id: str = ""
    clock: str = "wall"
    channel: str = "other"
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None
    language: str | None = None
    conversation_type: str | None = None
    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    priority: str = "normal"
    tags: tuple[str, ...] = ()
    status: Status | None = None
    created_at: int | None = None
    opened_by: str | None = None
    responded: bool = False
    policy: str | None = None
    policy_version: str | None = None
    hand_set: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    clocks: list[ClockState] = field(default_factory=list)
    advanced_to: int = 0
    next_change_at: int | None = None
    entries: list[TimelineEntry] = field(default_factory=list)
    base: bytes | None = None
    horizon_at: int | None = None
    forgotten_ids: bytes = b""
    initial: dict[str, Any] | None = None
    """The attributes as the first event gave them, kept once a later event has changed one."""
    revisions: int = 0
    """How often what had been told was told anew. Later ids carry it, so that no id ever means two things."""
    finished: dict[str, FinishedCycle] = field(default_factory=dict)
    """By metric: what a reopening continues."""
    unanswered_since: int | None = None
    """The customer's latest message that nobody of ours has answered publicly."""
    team_before: str | None = None
    team_since: int | None = None
    merged_into: str | None = None
    """The survivor, to which everything that still comes for this conversation is passed on."""
    asked_at: int | None = None
    """The customer's oldest message that is still to be answered."""
    answered_at: int | None = None
    """Our latest public message since which nothing was resolved."""
    reopened_at: int | None = None
    """When it was last reopened; null if it never was."""
    statuses: list[tuple[int, str]] = field(default_factory=list)
    """The latest changes of status, for clocks that are promised afterwards (`agents.domain.natural_start`)."""
    withdrawn: dict[str, int] = field(default_factory=dict)
    """By metric: the highest instance that was shown once and never was, as is known now."""
    former_accounts: tuple[str, ...] = ()
    """Under which accounts something of it was told before."""
    described_at: int | None = None
    """When its own event was that describes it, once others' are handed over to it; null: its first entry does."""


class ClockAnchor(Struct, array_like=True, omit_defaults=True, gc=False):
    """Where a clock stood when its latest tick was appended: from this the time on that clock now can be told."""

    as_of: int
    appended_at: int
    rate: float = 1.0


class ActivePolicy(Struct, array_like=True, omit_defaults=True):
    """A policy file that was activated through the log, and from when on it is in force."""

    version: str
    in_force_from: int
    text: str


class SourceProgress(Struct, array_like=True, omit_defaults=True, gc=False):
    """How far a source has delivered (`heartbeat`), or how long its deliveries may take to settle."""

    as_of: int | None = None
    settle_us: int = 0


class PartitionLedger(Struct, array_like=True, omit_defaults=True):
    """What a partition has done with its records.

    `applied + duplicate + late + rejected` is what was accepted; controls are not counted.
    """

    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    controls: int = 0
    next_offset: int = 0
    anchors: dict[str, ClockAnchor] = field(default_factory=dict)
    policies: list[ActivePolicy] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    """How many clocks are not yet decided, by `metric/stage` (`agents.domain.clock.stage`)."""
    sources: dict[str, SourceProgress] = field(default_factory=dict)
    """Sources that deliver with a delay, by name."""
    links: dict[str, str] = field(default_factory=dict)
    """Accounts that turned out to be others: what is still stamped with the old id belongs to the new one."""
    forgotten: dict[str, int] = field(default_factory=dict)
    """Until when accounts are forgotten, by a digest of their id (`agents.forgetting`)."""
    released: list[str] = field(default_factory=list)
    """Clocks of imports that have come to their end; the latest of them."""
