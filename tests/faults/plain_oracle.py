"""What a story means, from the rules of `docs/sla.md` alone: every clock as it must end.

Shares no code with the product. Calendars and deadlines are those of the second opinion, which does not either.
`plain_figures` counts the clocks and `plain_health` scores them; `verdicts` compares.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.faults.fault_story import HOUR, MINUTE, Conversation, Said
from tests.second_opinion.plain_calendar import Plain
from tests.second_opinion.plain_clock import Pause, Promise, ending_of

DAY_SECONDS = 86_400
ALWAYS = Plain(weekly=dict.fromkeys(range(1, 8), ((0, DAY_SECONDS),)))
OFFICE = Plain(weekly=dict.fromkeys(range(1, 6), ((9 * 3600, 12 * 3600), (13 * 3600, 18 * 3600))))
DAY = 24 * HOUR

TARGETS = {
    "urgent": (ALWAYS, {"first_response": 30 * MINUTE, "next_response": 45 * MINUTE, "first_resolution": 6 * HOUR}),
    "normal": (OFFICE, {"first_response": 4 * HOUR, "next_response": 3 * HOUR, "first_resolution": 16 * HOUR}),
    "low": (ALWAYS, {"first_response": 60 * DAY, "next_response": 60 * DAY, "first_resolution": 90 * DAY}),
}
WAITING = {"waiting_on_customer", "waiting_on_third_party", "on_hold"}


@dataclass(frozen=True)
class PlainClock:
    """A clock as it must stand in the end; instants in microseconds."""

    conversation: str
    account: str
    channel: str
    priority: str
    """The policy is called like it."""
    metric: str
    instance: int
    started_at: int
    outcome: str
    due_at: int | None
    breached_at: int | None
    satisfied_at: int | None
    elapsed_us: int

    @property
    def id(self) -> str:
        """The key of its view."""
        return f"{self.conversation}/{self.metric}/{self.instance}"

    @property
    def decided_at(self) -> int | None:
        """Under which instant it counts: that of its breach, whatever came after, else that of its answer."""
        if self.breached_at is not None:
            return self.breached_at
        return self.satisfied_at if self.outcome == "met" else None


def clocks_of(conversation: Conversation, now: int) -> list[PlainClock]:
    """Every clock of a conversation as it stands at `now`."""
    return [
        *_first_response(conversation, now),
        *_next_responses(conversation, now),
        *_first_resolution(conversation, now),
    ]


def all_clocks(conversations: Iterable[Conversation], now: int) -> dict[str, PlainClock]:
    """Every clock of a story by its id."""
    return {clock.id: clock for each in conversations for clock in clocks_of(each, now)}


def is_question(said: Said) -> bool:
    """Whether a customer wrote something that asks for an answer."""
    return said.type == "message" and said.by == "customer" and said.public and not said.automated


def _is_answer(said: Said) -> bool:
    return said.type == "message" and said.by == "agent" and said.public and not said.automated


def _resolved_at(conversation: Conversation) -> int | None:
    return next((said.at for said in conversation.events if said.status in {"resolved", "closed"}), None)


def _first_response(conversation: Conversation, now: int) -> list[PlainClock]:
    asked = next(said.at for said in conversation.events if is_question(said))
    answered = next((said.at for said in conversation.events if _is_answer(said) and said.at > asked), None)
    return [_clock(conversation, "first_response", 1, asked, (), answered, now)]


def _next_responses(conversation: Conversation, now: int) -> list[PlainClock]:
    clocks: list[PlainClock] = []
    begun, asked = False, None
    for said in conversation.events:
        if _is_answer(said):
            if asked is not None:
                clocks.append(_clock(conversation, "next_response", len(clocks) + 1, asked, (), said.at, now))
            begun, asked = True, None
        elif is_question(said) and begun and asked is None:
            asked = said.at
        elif said.status in {"resolved", "closed"} and asked is not None:
            ended = _clock(conversation, "next_response", len(clocks) + 1, asked, (), None, said.at)
            clocks.append(replace(ended, outcome="cancelled"))
            asked = None
    if asked is not None:
        clocks.append(_clock(conversation, "next_response", len(clocks) + 1, asked, (), None, now))
    return clocks


def _first_resolution(conversation: Conversation, now: int) -> list[PlainClock]:
    pauses: list[Pause] = []
    for said in conversation.events:
        if said.status in WAITING:
            pauses.append((said.at, None))
        elif said.status is not None and pauses and pauses[-1][1] is None:
            pauses[-1] = (pauses[-1][0], said.at)
    resolved = _resolved_at(conversation)
    return [_clock(conversation, "first_resolution", 1, conversation.events[0].at, tuple(pauses), resolved, now)]


def _clock(
    conversation: Conversation,
    metric: str,
    instance: int,
    start: int,
    pauses: tuple[Pause, ...],
    satisfied_at: int | None,
    now: int,
) -> PlainClock:
    calendar, targets = TARGETS[conversation.priority]
    end = ending_of(Promise(calendar, target_us=targets[metric]), start, pauses, satisfied_at, now)
    return PlainClock(
        conversation=conversation.id,
        account=conversation.account,
        channel=conversation.channel,
        priority=conversation.priority,
        metric=metric,
        instance=instance,
        started_at=start,
        outcome=end.outcome,
        due_at=end.due_at,
        breached_at=end.breached_at,
        satisfied_at=satisfied_at,
        elapsed_us=end.elapsed_us,
    )
