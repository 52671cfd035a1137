"""What a row says: how its conversation stands, and which events happened.

`streams.history.row_reader` makes these; `streams.history.conversations` gathers them, `conversation_history` turns
them into interactions.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.interaction import AuthorKind, InteractionType, Status, SurveyKind

RowReason = Literal[
    "no_conversation",
    "unreadable_time",
    "unreadable_number",
    "unreadable_flag",
    "unknown_word",
    "missing_value",
    "repeated_id",
    "merged_into_itself",
]


class UnusableRow(ValueError):  # noqa: N818 - what it is
    """The row cannot be used as the mapping wants it. `reason` is a stable code, `detail` says what is wrong."""

    def __init__(self, reason: RowReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class EventBody(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """An event without its time and place, in the keys that mappings and policy tests use.

    Fields are only ever appended: the id of an event is computed from its JSON, among others.
    """

    type: InteractionType
    author: AuthorKind = "system"
    public: bool = True
    automated: bool = False
    text: str | None = None
    status: Status | None = None
    priority: str | None = None
    tags: tuple[str, ...] | None = None
    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    metric: str | None = None
    due_at: datetime | None = None
    into: str | None = None
    kind: SurveyKind | None = None
    score: float | None = None
    scale: float | None = None
    account: str | None = None
    received_at: datetime | None = None
    id: str | None = None
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None


class EventDraft(Struct, frozen=True, gc=False):
    """An event of a row: when, and what. `repeat` tells equal changes of one instant apart."""

    at: datetime
    body: EventBody
    repeat: int = 0


class Standing(Struct, frozen=True, gc=False):
    """What a row says about its conversation and its customer; null or empty where it says nothing."""

    account: str | None = None
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None
    channel: str | None = None
    priority: str | None = None
    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    type: str | None = None
    tags: tuple[str, ...] | None = None
    language: str | None = None
    status: Status | None = None


class RowOfHistory(Struct, frozen=True, gc=False):
    """A row among the others of its conversation: the time of its earliest event, what it says, and its events.

    A row of one event, as in most files, holds just its body: a million rows are a hundred megabytes less.
    """

    at: datetime
    standing: Standing
    events: tuple[EventDraft, ...] | EventBody

    @property
    def drafts(self) -> tuple[EventDraft, ...]:
        """The events, in the order of the mapping's entries."""
        events = self.events
        return (EventDraft(self.at, events),) if isinstance(events, EventBody) else events
