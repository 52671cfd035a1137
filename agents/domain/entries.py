"""From an interaction to what the clocks remember of it: an entry of the timeline, or the beginning of a conversation.

`agents.conversation_agent` calls this for every interaction, `agents.domain.verdict` for those of a file;
`agents.domain.timeline` puts entries in order.
"""

from typing import Any

import msgspec

from agents.domain.absorbed_promises import facts_of
from agents.domain.empty_words import is_holding_reply, is_only_thanks
from agents.domain.instant import from_datetime
from agents.domain.satisfaction import DEFAULT_SCALE, lowest_mark
from schemas.clock_view import ClockView
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry

DEFAULT_WORDS: dict[str, str] = {
    each.default: each.default
    for each in msgspec.structs.fields(ClockView)
    if each.name in {"clock", "channel", "source"}
}

LASTING = ("id", "source", "clock", "channel", "language", "conversation_type")
"""What the first event says once and for all."""

CHANGING = ("account_id", "tier", "segment", "contract", "inbox", "team", "agent", "priority", "tags")
"""What later events may change, so that folding again needs to know how it began."""

_DEFAULT_SCALES = {"csat": DEFAULT_SCALE, "nps": 10.0, "ces": 7.0}
"""The scales on which these are asked unless the source says otherwise."""

_NPS_DETRACTOR = 6
"""0 to 6 of 10 is a detractor (Reichheld, The One Number You Need to Grow, 2003)."""


def use_default_words(state: ConversationState) -> None:
    """One string object for one word.

    msgspec leaves out a default by its identity, so a remembered `wall` would be written where a fresh one is not, and
    a replay would differ from the first time by its bytes.
    """
    state.clock = DEFAULT_WORDS.get(state.clock, state.clock)
    state.channel = DEFAULT_WORDS.get(state.channel, state.channel)
    state.source = DEFAULT_WORDS.get(state.source, state.source)


def stand_in_account(conversation_id: str) -> str:
    """Whose a conversation is of which no account is known: one of its own."""
    return f"conversation:{conversation_id}"


def new_conversation(interaction: Interaction) -> ConversationState:
    """A conversation as its first event describes it."""
    state = ConversationState(
        id=interaction.conversation_id,
        source=interaction.source,
        account_id=interaction.account_id or stand_in_account(interaction.conversation_id),
        clock=interaction.clock,
        channel=interaction.channel,
        tier=interaction.tier,
        segment=interaction.segment,
        contract=interaction.contract,
        language=interaction.language,
        conversation_type=interaction.conversation_type,
        inbox=interaction.inbox,
        team=interaction.team,
        agent=interaction.agent,
        priority=interaction.priority or "normal",
        tags=interaction.tags,
    )
    use_default_words(state)
    return state


def describe(state: ConversationState, interaction: Interaction) -> None:
    """Let an event say how a conversation began of which only what was handed over to it is known."""
    described = new_conversation(interaction)
    for name in (*LASTING, *CHANGING):
        setattr(state, name, getattr(described, name))


def entry_of(interaction: Interaction) -> TimelineEntry:
    """What an interaction means to the clocks.

    Raises:
        ValueError: an instant has no time zone.
    """
    author = interaction.author
    kind = interaction.type
    return TimelineEntry(
        from_datetime(interaction.occurred_at),
        interaction.id,
        kind,
        author.kind,
        interaction.visibility == "public",
        interaction.automated is not None,
        _facts_of_message(interaction) if kind == "message" else _facts(interaction),
        None,
        interaction.version,
    )


def note_channel(entry: TimelineEntry, state: ConversationState, interaction: Interaction) -> None:
    """Let a message say by which channel it came where that is another one than its conversation's."""
    if interaction.type == "message" and interaction.channel != state.channel:
        entry.facts = {**(entry.facts or {}), "channel": interaction.channel}


def _facts_of_message(interaction: Interaction) -> dict[str, Any] | None:
    author, text = interaction.author, interaction.text
    if author.kind == "agent":
        facts: dict[str, Any] | None = {"author_id": author.id} if author.id else None
        if text and is_holding_reply(text):
            facts = {**(facts or {}), "holding": True}
        return facts
    return {"thanks": True} if text and author.kind == "customer" and is_only_thanks(text) else None


def _facts(interaction: Interaction) -> dict[str, Any] | None:  # noqa: C901, PLR0911 - a table, one row for each type
    match interaction.type:
        case "status_changed":
            return {"status": interaction.status}
        case "priority_changed":
            return {"priority": interaction.priority} if interaction.priority else None
        case "tagged":
            return {"tags": interaction.tags}
        case "assigned":
            stated = {name: getattr(interaction, name) for name in ("inbox", "team", "agent")}
            return {name: value for name, value in stated.items() if value is not None}
        case "account_changed":
            return {
                "account_id": interaction.account_id,
                "tier": interaction.tier,
                "segment": interaction.segment,
                "contract": interaction.contract,
            }
        case "due_set":
            return {"metric": interaction.metric, "due_at": from_datetime(interaction.due_at)}  # type: ignore[arg-type]
        case "merged":
            return {"into": interaction.into}
        case "handover":
            return (
                facts_of(interaction.via[0], interaction.decided) if interaction.decided and interaction.via else None
            )
        case "no_reply_needed":
            return {"reason": interaction.automated} if interaction.automated else None
        case "survey_response":
            return {"kind": interaction.kind, "low": is_dissatisfied(interaction)}
        case "call_started" | "call_answered":
            return {"author_id": interaction.author.id} if interaction.author.id else None
        case _:
            return None


def is_dissatisfied(interaction: Interaction) -> bool:
    """Whether an answer to a survey asks for a follow-up: the lower half of the scale, for NPS a detractor.

    NPS is asked from 0 to 10, whatever the rule for other scales.
    """
    if interaction.score is None:
        return False
    kind = interaction.kind or "csat"
    scale = interaction.scale or _DEFAULT_SCALES[kind]
    if kind == "nps":
        return interaction.score * 10 <= _NPS_DETRACTOR * scale
    lowest = lowest_mark(scale)
    return 2 * (interaction.score - lowest) < scale - lowest


def missing_in(interaction: Interaction) -> str | None:
    """The field that an interaction of this type cannot do without and does not have; null when it is whole."""
    for name in _NEEDED.get(interaction.type, ()):
        if getattr(interaction, name) is None:
            return name
    return None


_NEEDED = {
    "status_changed": ("status",),
    "priority_changed": ("priority",),
    "account_changed": ("account_id",),
    "due_set": ("metric", "due_at"),
    "merged": ("into",),
}
