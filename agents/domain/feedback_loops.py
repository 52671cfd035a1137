"""An unhappy answer to a survey, told as a signal of an account, becomes the beginning of a follow-up.

Surveys come keyed by their account, and the clock `follow_up` belongs to a conversation, perhaps in another partition.
So the account tells the conversation through the log, under an id that follows from the signal's:
`agents.domain.account` collects what is made here, `agents.conversation_agent` has it next, and what becomes of the
clock comes back as SLA events. A survey that names no conversation gets one of its own, which the next word of ours to
the account satisfies.
"""

from collections.abc import Iterator

from agents.domain.conversation import SURVEY
from agents.domain.entries import is_dissatisfied
from agents.domain.instant import Instant, to_datetime
from agents.domain.occurrences import OF_A_SURVEY
from schemas.health_memory import HealthMemory
from schemas.interaction import Author, Interaction
from schemas.interaction_words import SurveyKind
from schemas.signal import Signal
from schemas.sla_event import SlaEvent

MOST_LOOPS = 50
"""Open loops without a conversation that an account remembers: more unhappy people than that are no single case."""

_KINDS: dict[str, SurveyKind] = {"csat": "csat", "nps": "nps", "ces": "ces"}


def opened(memory: HealthMemory, signal: Signal, at: Instant) -> Iterator[Interaction]:
    """What a survey says to its conversation; nothing where nobody has to come back to anybody.

    A correction is always passed on: what it corrects may have been unhappy. Of what a survey of another kind without a
    scale says, nothing is known. What an import tells is history: nobody asks here.
    """
    if signal.kind != "survey" or signal.via is not None:  # its conversation has begun already
        return
    kind = _KINDS.get(signal.name)
    if signal.value is None or (kind is None and signal.scale is None):
        return
    answer = Interaction(
        id=f"survey/{signal.id}",
        source=signal.source,
        conversation_id=signal.conversation_id or _own_conversation(signal),
        occurred_at=signal.occurred_at,
        type="survey_response",
        received_at=signal.received_at,
        clock=signal.clock,
        channel="other" if signal.conversation_id else SURVEY,
        author=Author("customer"),
        account_id=signal.account_id,
        account_hint=signal.account_hint,
        tier=signal.tier,
        segment=signal.segment,
        conversation_type=OF_A_SURVEY,
        kind=kind,
        score=signal.value,
        scale=signal.scale,
        raw_reference=signal.raw_reference,
        version=signal.version,
        via=(f"survey/{signal.id}",),
    )
    is_low = is_dissatisfied(answer)
    if not is_low and signal.version == 0:
        return
    yield answer
    if signal.conversation_id is None:
        memory.loops.pop(answer.conversation_id, None)
        if is_low:
            memory.loops[answer.conversation_id] = at
            if len(memory.loops) > MOST_LOOPS:
                del memory.loops[min(memory.loops, key=lambda each: (memory.loops[each], each))]
            if memory.agent_at is not None and memory.agent_at >= at:  # told late: somebody has come back since
                yield from closed(memory, signal.account_id, signal.clock, memory.agent_at, f"before/{signal.id}")


def heard(memory: HealthMemory, event: SlaEvent, at: Instant) -> Iterator[Interaction]:
    """What a word of ours to an account says to its open loops that no conversation was named for."""
    if memory.loops and event.kind == "contact" and event.author_kind == "agent":
        yield from closed(memory, event.account_id, event.clock, at, event.id)


def closed(memory: HealthMemory, account_id: str, clock: str, at: Instant, cause_id: str) -> Iterator[Interaction]:
    """Whoever of ours spoke with an account at an instant has come back to all that it had said by then."""
    for conversation in [each for each, said_at in memory.loops.items() if said_at <= at]:
        del memory.loops[conversation]
        yield Interaction(
            id=f"contact/{cause_id}",
            source="careline",
            conversation_id=conversation,
            occurred_at=to_datetime(at),
            type="message",
            clock=clock,
            channel=SURVEY,
            direction="outbound",
            author=Author("agent"),
            account_id=account_id,
            conversation_type=OF_A_SURVEY,
            via=(cause_id,),
        )


def _own_conversation(signal: Signal) -> str:
    return f"survey:{signal.source}:{signal.id}"
