"""Which event describes a conversation: its first own one, however late it comes to be known.

What others hand over to a conversation may lie before it, and describes it only until then (`agents.domain.merging`).
`agents.domain.timeline` folds from the beginning that is found here.
"""

from typing import Any

from agents.domain.entries import CHANGING, LASTING, new_conversation
from schemas.conversation_state import UNDESCRIBED, ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry


def remember_description(state: ConversationState) -> None:
    """Keep apart which event describes a conversation, before its first entry may become that of another."""
    if state.described_at is not None:
        return
    if state.entries:
        state.described_at = state.entries[0].at
    elif state.created_at is None:
        state.described_at = UNDESCRIBED


def describes(state: ConversationState, interaction: Interaction, entry: TimelineEntry) -> bool:
    """Whether an event is the first of the conversation's own, which says how it stood; what others said does not."""
    if state.horizon_at is not None or interaction.via:
        return False
    return entry.at < (state.entries[0].at if state.described_at is None else state.described_at)


def stands_in(state: ConversationState, handover: TimelineEntry) -> bool:
    """Whether a conversation of which nothing else is known is described by this handover: the earliest."""
    if state.described_at != UNDESCRIBED:
        return False
    return all(handover.at <= each.at for each in state.entries if each.type == "handover")


def description(state: ConversationState, event: Interaction | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """How a conversation began, by an event or as is remembered: what may change of that, and what lasts."""
    if event is None:
        return state.initial or attributes(state), {}
    described = new_conversation(event)
    return attributes(described), {name: getattr(described, name) for name in LASTING}


def attributes(state: ConversationState) -> dict[str, Any]:
    """What later events may change, as it is now."""
    return {name: getattr(state, name) for name in CHANGING}
