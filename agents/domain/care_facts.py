"""What the facts of conversations say beside the promises: reopenings, escalations, first contacts, the last exchange.

`agents.domain.account` notes every fact here; `agents.domain.live_signals` reads shares and counts. Days are numbered
from the epoch on (UTC).
"""

from agents.domain.instant import DAY_US, Instant
from schemas.health_memory import HealthMemory, TalkState
from schemas.sla_event import SlaEvent

KEPT_DAYS = 90
"""A quarter, over which advocacy is counted. Others look back for a month; what comes two months late is right too."""

MONTH_DAYS = 30

KEPT_TALKS = 500
"""Conversations whose answers are counted one by one, those of the last quarter: enough for a busy account."""

MANY_ANSWERS = 2


def count(memory: HealthMemory, what: str, at: Instant, by: int = 1) -> None:
    """Count something on its day, or take it back from there."""
    days = memory.days.setdefault(what, {})
    day = at // DAY_US
    number = days.get(day, 0) + by
    if number > 0:
        days[day] = number
        return
    days.pop(day, None)
    if not days:
        del memory.days[what]


def total(memory: HealthMemory, what: str, as_of: Instant, over_days: int) -> int:
    """How often something happened in the last days, today included."""
    days = memory.days.get(what)
    if not days:
        return 0
    today = as_of // DAY_US
    return sum(number for day, number in days.items() if today - over_days < day <= today)


def forget(memory: HealthMemory, as_of: Instant) -> None:
    """Drop what no count reaches any more; once a day is enough."""
    today = as_of // DAY_US
    if today == memory.days_since or not (memory.days or memory.talks):
        return
    memory.days_since = today
    for what, days in list(memory.days.items()):
        kept = {day: number for day, number in days.items() if day > today - KEPT_DAYS}
        if kept:
            memory.days[what] = kept
        else:
            del memory.days[what]
    for name in [name for name, talk in memory.talks.items() if talk.last_day <= today - KEPT_DAYS]:
        del memory.talks[name]


def note(memory: HealthMemory, event: SlaEvent, at: Instant) -> None:
    """Take in one fact of a conversation."""
    match event.kind:
        case "contact" if event.author_kind in {None, "customer"}:
            memory.customer_at = at if memory.customer_at is None else max(memory.customer_at, at)
        case "contact" if event.author_kind == "agent":
            memory.agent_at = at if memory.agent_at is None else max(memory.agent_at, at)
            talk = _talk(memory, event.conversation_id, at)
            talk.answers = min(MANY_ANSWERS, talk.answers + 1)
        case "resolved":
            count(memory, "resolved", at)
            _end(memory, event.conversation_id, at)
        case "reopened":
            count(memory, "reopened", at)
            _begin_again(memory, event.conversation_id, at)
        case "escalated":
            count(memory, "escalated", at)
        case _:
            pass


def _talk(memory: HealthMemory, conversation_id: str, at: Instant) -> TalkState:
    talks = memory.talks
    talk = talks.get(conversation_id)
    if talk is None:
        talk = talks[conversation_id] = TalkState()
        if len(talks) > KEPT_TALKS:
            del talks[min(talks, key=lambda name: (talks[name].last_day, name))]
    talk.last_day = max(talk.last_day, at // DAY_US)
    return talk


def _end(memory: HealthMemory, conversation_id: str, at: Instant) -> None:
    """The first end of an answered conversation counts, and as a first contact if one answer was enough."""
    talk = memory.talks.get(conversation_id)
    if talk is None or talk.resolved_day is not None:
        return
    talk.resolved_day = at // DAY_US
    talk.is_first_contact = talk.answers == 1
    count(memory, "answered", at)
    if talk.is_first_contact:
        count(memory, "first_contact", at)


def _begin_again(memory: HealthMemory, conversation_id: str, at: Instant) -> None:
    """What came back was not solved at the first contact."""
    talk = memory.talks.get(conversation_id)
    if talk is None:
        return
    talk.last_day = max(talk.last_day, at // DAY_US)
    if talk.is_first_contact and talk.resolved_day is not None:
        talk.is_first_contact = False
        count(memory, "first_contact", talk.resolved_day * DAY_US, -1)
