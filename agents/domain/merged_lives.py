"""Conversations of a file that are merged into each other: what belongs to each of them in the end.

Live, what a merged conversation passes on goes through the log, from partition to partition
(`agents.conversation_agent`). Here all events are at hand: they are gone through once in the order of their time, and
what is passed on is there at once. Nothing is computed on the way but what a conversation has decided when it is
merged: each life is folded when all of it is known (`agents.domain.verdict`, `agents.domain.explanation`).
"""

from collections import deque
from collections.abc import Iterable, Mapping
from operator import attrgetter

from agents.domain.conversation import Conversation
from agents.domain.entries import describe, entry_of, new_conversation
from agents.domain.merging import course_of, passed_on, told_survivor
from agents.domain.narration import Silence
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import beginning_of
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry

_time_of = attrgetter("occurred_at")


def merged_lives(book: PolicyBook, interactions: Iterable[Interaction]) -> Mapping[str, ConversationState]:
    """What belongs to each of some conversations that are merged, by their ids.

    Args:
        book: says how a conversation stands when it is merged.
        interactions: of all of them, in any order; those of one instant count in the order given, a repeated id once.

    Returns:
        Conversations as they began, with their entries in order and without a clock: to be folded. A survivor without
        an event of its own is among them.
    """
    lives = _Lives(book)
    for interaction in sorted(interactions, key=_time_of):
        lives.take(interaction)
    for state in lives.states.values():
        state.entries.sort(key=attrgetter("at"))
    return lives.states


class _Lives:
    def __init__(self, book: PolicyBook) -> None:
        self._book = book
        self.states: dict[str, ConversationState] = {}
        self._heard: dict[str, set[str]] = {}
        """The ids of the entries of each."""
        self._undescribed: set[str] = set()
        """Those of which nothing is known yet but what was handed over to them."""

    def take(self, interaction: Interaction) -> None:
        """An event, and all that is passed on because of it."""
        waiting = deque([interaction])
        while waiting:
            waiting.extend(self._take(waiting.popleft()))

    def _take(self, interaction: Interaction) -> Iterable[Interaction]:
        """An event in its conversation; what that one passes on."""
        state = self._life_of(interaction)
        if interaction.via:
            course = course_of(state, interaction)
            if course.goes_on:
                yield passed_on(state, interaction)
            if course.survives:
                state.entries = [entry for entry in state.entries if entry.type != "merged"]
                state.merged_into = None
            if not course.is_taken:
                return
        entry = entry_of(interaction)
        if entry.id not in self._heard[state.id]:
            self._hear(state, [*interaction.handed_over, entry])
            if entry.type == "merged":
                if state.merged_into is None:
                    state.merged_into = interaction.into
                state = self._folded(state)  # how it stands by now, and what it has decided
            yield from told_survivor(state, interaction, entry)

    def _life_of(self, interaction: Interaction) -> ConversationState:
        key = interaction.conversation_id
        if key not in self.states:
            self.states[key] = new_conversation(interaction)
            self._heard[key] = set()
            if interaction.via:
                self._undescribed.add(key)
        if key in self._undescribed and not interaction.via:
            self._undescribed.remove(key)
            describe(self.states[key], interaction)
        return self.states[key]

    def _hear(self, state: ConversationState, entries: Iterable[TimelineEntry]) -> None:
        heard = self._heard[state.id]
        for entry in entries:
            if entry.id not in heard:
                heard.add(entry.id)
                state.entries.append(entry)
                state.created_at = entry.at if state.created_at is None else min(entry.at, state.created_at)

    def _folded(self, state: ConversationState) -> ConversationState:
        folded = beginning_of(state)
        fold = Conversation(folded, self._book, Silence(self._book))
        for entry in sorted(state.entries, key=attrgetter("at")):
            folded.entries.append(entry)
            fold.apply(entry)
        return folded
