"""What the account agent remembers of an account for its health, beside its promises: a part of `account_state`.

Instants are microseconds since the epoch, scores and points are hundredths, values are millionths or words, days are
numbered from the epoch on. Fields are only ever appended, with defaults.
"""

from typing import Literal

from msgspec import Struct, field

Heard = tuple[int, str, int | str]
"""One value that was told: when, the id of the signal, and the value."""


class ToldSignal(Struct, array_like=True, gc=False):
    """What was heard of one signal, oldest first, and who told the newest of it."""

    source: str
    heard: list[Heard] = field(default_factory=list)


class GoalState(Struct, array_like=True, gc=False):
    """A customer's goal as it was told last: how much of it is reached, and when it is due."""

    at: int
    id: str
    reached: int
    due_at: int | None = None


class OverrideState(Struct, array_like=True, gc=False):
    """A person's own score, as it was told last; `score` null lifts what was said before."""

    at: int
    id: str
    score: int | None
    because: str = ""
    until: int | None = None
    source: str = ""


class TalkState(Struct, array_like=True, gc=False):
    """One conversation: how many answers our people gave (2 stands for more), and how its end was counted."""

    answers: int = 0
    resolved_day: int | None = None
    """Under which day its first end was counted."""
    is_first_contact: bool = False
    last_day: int = 0


class ActionState(Struct, array_like=True, gc=False):
    """The next action of a play, for as long as the play fits; done or dismissed it does not open again so long."""

    id: str
    opened_at: int
    action: str
    reason: str
    owner: str | None = None
    status: Literal["open", "done", "dismissed"] = "open"
    is_told: bool = False
    """Whether its end was told."""


TellablePart = tuple[str, str | None, int | None, int, int, str | None]
"""Component, signal, sub-score, weight, points and reason of a part that was told."""


class ToldVerdict(Struct, array_like=True, gc=False):
    """What was told last under a published profile."""

    as_of: int
    profile: str | None = None
    score: int | None = None
    band: str | None = None
    band_since: int | None = None
    risk: int | None = None
    parts: list[TellablePart] = field(default_factory=list)
    is_worst: bool = False
    """Whether the band is the lowest of its profile."""
    children: list[str] = field(default_factory=list)
    """The child accounts that made the score: who is one is news even where the score stays."""
    coverage: int | None = None
    """In ten-thousandths, as `agents.domain.known_share` has it; null where an earlier release told it."""


class ChildState(Struct, array_like=True, gc=False):
    """A child account as it said last: its score and its monthly revenue, and whether its link to us counts."""

    score: int | None = None
    revenue: int | None = None
    counts: bool = True
    is_told: bool = False
    """Whether it knows who is above it."""


class FamilyState(Struct, array_like=True, gc=False):
    """Who is above an account and who is below it. `above` begins with the parent, and says what was told last."""

    parent: str | None = None
    said_at: int = 0
    said_id: str = ""
    above: list[str] = field(default_factory=list)
    children: dict[str, ChildState] = field(default_factory=dict)
    told: tuple[str, int | None, int | None, bool] | None = None
    """The last word to a parent: to whom, score, revenue, and whether it counts."""
    told_above: list[str] = field(default_factory=list)
    """The last word to the children."""
    beyond: str | None = None
    """The first child for which there was no room any more; null again when it comes in or leaves."""


class HealthMemory(Struct, array_like=True, gc=False):
    """Everything that a profile may ask for and that is not of the promises."""

    told: dict[str, ToldSignal] = field(default_factory=dict)
    """By signal."""
    days: dict[str, dict[int, int]] = field(default_factory=dict)
    """How often something happened, by what and by day."""
    days_since: int = 0
    """The day at which days were dropped last."""
    customer_at: int | None = None
    agent_at: int | None = None
    """When the customer, and when one of our people, was last heard."""
    talks: dict[str, TalkState] = field(default_factory=dict)
    goals: dict[str, GoalState] = field(default_factory=dict)
    override: OverrideState | None = None
    actions: dict[str, ActionState] = field(default_factory=dict)
    """By play."""
    verdict: ToldVerdict | None = None
    past: list[tuple[int, int]] = field(default_factory=list)
    """The last score of each day, ascending."""
    changes_at: int | None = None
    """When the health changes next although nothing happens."""
    loops: dict[str, int] = field(default_factory=dict)
    """Unhappy answers to surveys that name no conversation and that nobody has come back to: when they were given, by
    the conversation that each has got for itself."""
    family: FamilyState | None = None
