"""The rows of one conversation as what its clocks live through, without what is asked only of events that are told.

`careline policy run` needs of an event neither its id nor how its conversation stood. So from most rows
(`streams.history.row_reader`) it goes straight to the engine (`agents.domain.verdict`), which spares it two thirds of
the time that stating interactions and understanding them takes. The rules are those of
`streams.history.conversation_history`, which states the conversations whose rows differ in what they say.
"""

from collections.abc import Sequence

from agents.domain.entries import entry_of, new_conversation
from agents.domain.instant import from_datetime
from agents.domain.verdict import life_of
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.timeline_entry import TimelineEntry
from streams.history.conversation_history import (
    CHANGES,
    NOWHERE,
    BodyModels,
    HistoryTeller,
    drafts_of,
    in_order,
    is_steady,
    said_of_all,
    stated,
)
from streams.history.row_events import EventBody, EventDraft, RowOfHistory

Life = tuple[ConversationState, list[TimelineEntry]]
"""How a conversation begins, and its entries in order, each there once."""


class LifeReader:
    """Reads the lives of conversations out of their rows, one after another."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._teller = HistoryTeller(source)
        self._models = BodyModels(_entry_with)

    def life(self, conversation: str, rows: Sequence[RowOfHistory]) -> tuple[Life, int]:
        """The life of a conversation, and how many events tell of it, repetitions included.

        Args:
            conversation: its id.
            rows: all of its rows in file order, one at least.
        """
        ordered = in_order(rows)
        if is_steady(ordered):
            drafts = drafts_of(ordered)
            entries = self._entries(drafts)
            if entries is not None:
                return (self._beginning(conversation, ordered[0]), entries), len(drafts)
        told = self._teller.interactions(conversation, rows)
        return life_of(told), len(told)

    def _beginning(self, conversation: str, first: RowOfHistory) -> ConversationState:
        said = said_of_all(conversation, first.standing)
        return new_conversation(Interaction(id="", source=self._source, occurred_at=first.at, **said))

    def _entries(self, drafts: Sequence[EventDraft]) -> list[TimelineEntry] | None:
        """The entries of events, without ids, for which no clock asks; null when one changes how things stand."""
        models = self._models
        entries = []
        known = set()
        for draft in drafts:
            body = draft.body
            model, encoded = models.of(body)
            if model.type in CHANGES:
                return None
            name = body.id or (draft.at, encoded)  # what else would make its id
            if name not in known:
                known.add(name)
                at = from_datetime(draft.at)
                entries.append(
                    TimelineEntry(at, "", model.type, model.author, model.public, model.automated, model.facts)
                )
        return entries


def _entry_with(body: EventBody) -> TimelineEntry:
    """An entry with this body, at no time."""
    return entry_of(stated(body, **NOWHERE))
