"""What a policy says about a conversation whose events are all at hand: the engine without a log.

`careline policy test` and `careline policy run` call it; live work goes through `agents.conversation_agent`, on the
same fold.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter

from agents.domain.conversation import Conversation
from agents.domain.entries import entry_of, new_conversation
from agents.domain.instant import Instant
from agents.domain.merged_lives import merged_lives
from agents.domain.narration import Silence, view_of
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import beginning_of
from schemas.clock_view import ClockView
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.sla_event import Cause
from schemas.timeline_entry import TimelineEntry

_time_of = attrgetter("occurred_at")


def judge_conversation(book: PolicyBook, interactions: Sequence[Interaction], now: Instant) -> list[ClockView]:
    """Every clock of one conversation as it stands at `now`.

    Args:
        book: the policies in force.
        interactions: the events of one conversation in any order; those of one instant count in the order given, a
            repeated id counts once.
        now: the clock runs on to here after the last event; events after it still count.

    Returns:
        One view per clock in the order in which the clocks started; empty without interactions.
    """
    return judge_life(book, *life_of(interactions), now) if interactions else []


def life_of(interactions: Sequence[Interaction]) -> tuple[ConversationState, list[TimelineEntry]]:
    """How a conversation begins, and its entries in the order of their time, each id once; of one event at least."""
    ordered = sorted(interactions, key=_time_of)
    once = {interaction.id: interaction for interaction in reversed(ordered)}
    return new_conversation(ordered[0]), [entry_of(each) for each in ordered if once[each.id] is each]


def judge_life(
    book: PolicyBook, beginning: ConversationState, entries: Iterable[TimelineEntry], now: Instant
) -> list[ClockView]:
    """The same for entries that are in order already, and each there once: nothing comes late then."""
    conversation = Conversation(beginning, book, Silence(book))  # no `Timeline` is needed to fold again
    for entry in entries:
        conversation.apply(entry)
    return _views(conversation, book, now)


def judge_together(
    book: PolicyBook, conversations: Sequence[tuple[str, Sequence[Interaction]]], now: Instant
) -> Iterator[tuple[str, list[ClockView]]]:
    """The same for conversations that are merged into each other, each with what the others have handed over to it.

    Args:
        book: the policies in force.
        conversations: their ids, and the events of each as `judge_conversation` wants them. One alone is merged into
            no other; a survivor may be without events.
        now: the clocks run on to here.

    Yields:
        Each conversation with its clocks.
    """
    if len(conversations) == 1:
        ((name, interactions),) = conversations
        yield name, judge_conversation(book, interactions, now)
        return
    lives = merged_lives(book, chain.from_iterable(interactions for _, interactions in conversations))
    for name, life in lives.items():
        yield name, judge_life(book, beginning_of(life), life.entries, now)


def _views(conversation: Conversation, book: PolicyBook, now: Instant) -> list[ClockView]:
    conversation.advance(now)
    state = conversation.state
    return [view_of(state, clock, book, state.advanced_to, Cause(0, 0)) for clock in state.clocks]
