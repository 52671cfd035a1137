"""One thing that happened in one conversation with a customer, in the words that all channels share.

Connectors (`streams.connectors`) and imports (`streams.history`) make interactions; they travel in the topic
`interactions`, keyed by conversation; `agents.conversation_agent` has them next.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.conversation_state import ClockState
from schemas.interaction_words import AuthorKind, InteractionType, Status, SurveyKind
from schemas.timeline_entry import TimelineEntry

__all__ = ["Attachment", "Author", "AuthorKind", "Interaction", "InteractionType", "Status", "SurveyKind"]


class Author(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who did it, as known at the time of the event.

    An agent who leaves the company later stays an agent in the events of before. `id` is the provider's own id of the
    person, never a name or an address.
    """

    kind: AuthorKind = "system"
    id: str | None = None


class Attachment(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What was attached: metadata only, never the content."""

    name: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None


class Interaction(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A canonical interaction.

    Instants are aware and in UTC. `occurred_at` is the source's own time and the only one that decides anything;
    `received_at` is when we first saw it. `id` is unique within its conversation and the same for every delivery of
    the same event, so that a repeated delivery is recognised.
    """

    id: str
    source: str
    """The connector instance that it came from, for example `zendesk` or `import:3f9a`."""
    conversation_id: str
    occurred_at: datetime
    type: InteractionType = "message"
    received_at: datetime | None = None
    clock: str = "wall"
    """What moves time for this conversation: `wall`, `import:<id>` or `simulation:<seed>`."""

    channel: str = "other"
    direction: Literal["inbound", "outbound"] | None = None
    author: Author = Author()
    visibility: Literal["public", "internal"] = "public"
    automated: str | None = None
    """Why this counts as written by a machine (`auto_reply`, `bounce`, `campaign` ...); null when a person wrote it."""
    text: str | None = None
    attachments: tuple[Attachment, ...] = ()

    account_id: str | None = None
    """The customer, stamped where the event enters.

    A provisional one follows from the identity (`domain:acme.example`).
    """
    account_hint: str | None = None
    """The identity that the account was found by, as `kind:value`, for example `domain:acme.example`."""
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None
    language: str | None = None

    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    conversation_type: str | None = None
    priority: str | None = None
    tags: tuple[str, ...] = ()
    status: Status | None = None
    source_status: str | None = None

    metric: str | None = None
    due_at: datetime | None = None
    into: str | None = None
    kind: SurveyKind | None = None
    score: float | None = None
    scale: float | None = None

    raw_reference: str | None = None
    version: int = 0
    """Grows with every correction of the same event."""

    handed_over: tuple[TimelineEntry, ...] = ()
    """With `handover`: what a conversation that was merged into this one has lived through."""
    via: tuple[str, ...] = ()
    """The merged conversations that have passed it on, oldest first; so a circle of merges is noticed."""
    decided: tuple[ClockState, ...] = ()
    """With `handover`: the promises that it had decided by then, which from now on count here or not at all."""
