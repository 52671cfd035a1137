"""Conversations that become one: what the absorbed one hands over, and where what still comes for it goes.

The survivor keeps the earliest start and the oldest unanswered message of both, because what was said in the absorbed
conversation is put into its own timeline (`agents.domain.timeline`), and what it had decided counts there from then on
(`agents.domain.absorbed_promises`). `agents.conversation_agent` writes what is made here into the log, keyed by the
survivor, which may live in another partition.

A chain (A into B, B into C) passes on what comes for A twice. A circle (A into B, B into A) is noticed where a record
comes home: one of its conversations survives, the last by its id, and its merge is undone.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from agents.domain.absorbed_promises import decided_promises
from agents.domain.conversation import CHANGES_ATTRIBUTES, PASSED_ON
from agents.domain.entries import CHANGING, stand_in_account
from agents.domain.instant import to_datetime
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry


class Course(NamedTuple):
    """What becomes of a record that a merged conversation has passed on, in the conversation that it comes to."""

    goes_on: bool = False
    """It is passed on once more."""
    survives: bool = False
    """It has closed a circle whose survivor is this conversation: first its merge is undone."""
    is_taken: bool = False
    """It is something new to this conversation."""


def course_of(state: ConversationState, interaction: Interaction) -> Course:
    """What becomes of what was passed on.

    What comes home in a circle was heard here before, except a handover of others, which went through. What was handed
    over here before this conversation was merged itself, and is handed over anew, changes what it had decided by then.
    """
    is_merged = state.merged_into is not None
    is_handover = interaction.type == "handover"
    if comes_home(state, interaction):
        if is_merged and not survives(state, interaction):
            return Course(goes_on=True)
        return Course(survives=is_merged, is_taken=is_handover and interaction.via[0] != state.id)
    if is_merged and is_handover and not any(each.id == interaction.id for each in state.entries):
        return Course(goes_on=True)
    return Course(is_taken=True)


def told_survivor(state: ConversationState, interaction: Interaction, entry: TimelineEntry) -> Iterator[Interaction]:
    """What a survivor is told of something that was taken here; nothing where it is none of its business.

    What comes to be known only after the merge and happened before it can change what was decided by then: this is
    handed over anew, and the survivor takes the higher version (`agents.domain.timeline`).
    """
    into = state.merged_into
    if into is None:
        return
    if entry.type == "merged":
        if (entry.facts or {}).get("into") == into:  # who is merged already is not merged again
            yield handover_of(state, entry)
        return
    merged = next((each for each in reversed(state.entries) if each.type == "merged"), None)
    is_late = merged is not None and entry.at < merged.at
    if entry.type in PASSED_ON and not (is_late and entry.type == "handover"):
        yield passed_on(state, interaction)
    if is_late and merged is not None:
        yield handover_of(state, merged)


def handover_of(state: ConversationState, merged: TimelineEntry) -> Interaction:
    """The life of an absorbed conversation so far, and what it has decided, for its survivor."""
    created_at = state.created_at if state.created_at is not None else merged.at
    # An edit moves no clock: it only says that the conversation had begun.
    began = TimelineEntry(created_at, f"{state.id}:created", "edited")
    said = [_as_told_by(state.id, entry) for entry in state.entries if entry.type in PASSED_ON]
    stood = _stood_at(state, merged)
    return Interaction(
        id=f"handover/{state.id}/{merged.id}",
        source=state.source,
        conversation_id=state.merged_into or "",
        occurred_at=to_datetime(merged.at),
        type="handover",
        clock=state.clock,
        channel=state.channel,
        account_id=None if stood["account_id"] == stand_in_account(state.id) else stood["account_id"],
        tier=stood["tier"],
        segment=stood["segment"],
        contract=stood["contract"],
        language=state.language,
        inbox=stood["inbox"],
        team=stood["team"],
        priority=stood["priority"],
        version=state.revisions,
        handed_over=(began, *said),
        via=(state.id,),
        decided=decided_promises(state),
    )


def _stood_at(state: ConversationState, merged: TimelineEntry) -> dict[str, Any]:
    """How a conversation stood when it was merged; what changed afterwards was its own."""
    now = {name: getattr(state, name) for name in CHANGING}
    if state.initial is None or state.base is not None:  # nothing has changed, or not all that has is known
        return now
    stood = dict(state.initial)
    for entry in state.entries:
        if entry.at > merged.at or entry.type not in CHANGES_ATTRIBUTES:
            continue
        facts = entry.facts or {}
        is_of_same = facts.get("account_id") == stood["account_id"]
        stood.update({name: value for name, value in facts.items() if value or not is_of_same})
    return stood


def passed_on(state: ConversationState, interaction: Interaction) -> Interaction:
    """What came for an absorbed conversation, as its survivor gets it."""
    return msgspec.structs.replace(
        interaction,
        id=f"{state.id}:{interaction.id}",
        conversation_id=state.merged_into or "",
        via=(*interaction.via, state.id),
    )


def comes_home(state: ConversationState, interaction: Interaction) -> bool:
    """Whether a record has gone round in a circle of merges."""
    return state.id in interaction.via


def survives(state: ConversationState, interaction: Interaction) -> bool:
    """Whether this is the conversation of a circle that lives on: one of them, whichever merges crossed on their way.

    Any order would do as long as all of them know it; the last by its id it is.
    """
    return state.id == max(interaction.via[interaction.via.index(state.id) :])


def _as_told_by(conversation: str, entry: TimelineEntry) -> TimelineEntry:
    # What others have decided is among what the conversation that tells it has decided or taken over.
    facts = None if entry.type == "handover" else entry.facts
    return msgspec.structs.replace(entry, id=f"{conversation}:{entry.id}", facts=facts, policies_known=None)
