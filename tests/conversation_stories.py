"""Stories about one conversation, told in a line each, and what the agent makes of them.

Everything happens in the week of Monday 2026-03-02, in UTC; `tue 09:30` is an instant of that week, `09:30` is on
Monday. The office is open 09:00-12:00 and 13:00-18:00 from Monday to Thursday.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from agents.conversation_agent import ConversationAgent
from agents.domain.instant import Instant, from_datetime
from agents.partition_controls import tick
from agents.ports import Record
from schemas.clock_view import ClockView
from schemas.control import Control
from schemas.interaction import Author, Interaction
from schemas.policy import (
    CalendarSpec,
    Duration,
    MetricTarget,
    Policy,
    PolicyFile,
    WallInterval,
    WarningThreshold,
    to_published,
)
from schemas.sla_event import SlaEvent
from schemas.topics import CLOCKS, INTERACTIONS, SLA_EVENTS
from tests.doubles import DictStates, ListEffects, record_of

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOUR = 3600
LONG_AFTER = from_datetime(MONDAY + timedelta(days=400))
"""When the broker got the records, unless a test says otherwise: late enough for no event to be from the future."""

OFFICE = CalendarSpec(
    name="office",
    weekly={day: (WallInterval(9 * HOUR, 12 * HOUR), WallInterval(13 * HOUR, 18 * HOUR)) for day in range(1, 5)},
)


def moment(text: str) -> datetime:
    """`tue 09:30` as a datetime."""
    day, _, clock = text.rpartition(" ")
    hours, minutes = clock.split(":")
    return MONDAY + timedelta(days=DAYS.index(day or "mon"), hours=int(hours), minutes=int(minutes))


def instant(text: str) -> Instant:
    """`tue 09:30` as an instant."""
    return from_datetime(moment(text))


def named(at: datetime | None) -> str:
    """A datetime as `tue 09:30`."""
    if at is None:
        return "never"
    day = (at - MONDAY).days
    if not 0 <= day < len(DAYS):
        return f"{at:%Y-%m-%d %H:%M}"
    return f"{DAYS[day]} {at:%H:%M}" if day else f"{at:%H:%M}"


_AUTHORS: dict[str, dict[str, Any]] = {
    "customer": {"author": Author("customer", "u1")},
    "agent": {"author": Author("agent", "a1")},
    "note": {"author": Author("agent", "a1"), "visibility": "internal"},
    "bot": {"author": Author("bot", "b1")},
    "system": {"author": Author("system")},
    "auto-reply": {"author": Author("agent", "a1"), "automated": "auto_reply"},
    "out-of-office": {"author": Author("customer", "u1"), "automated": "auto_reply"},
}
_CHANGES = {"status": "status_changed", "priority": "priority_changed", "account_id": "account_changed"}


def event(at: str | datetime, what: str, value: Any = None, **more: Any) -> Interaction:
    """`("09:30", "customer")` and the like as an interaction; its id is made of the same words unless one is given."""
    occurred_at = moment(at) if isinstance(at, str) else at
    known: dict[str, Any] = {"conversation_id": "c1", "source": "test", "channel": "email", "account_id": "acme"}
    if what in _AUTHORS:
        known |= {"type": "message"} | _AUTHORS[what]
    elif what in _CHANGES:
        known |= {"type": _CHANGES[what], what: value}
    elif what == "due_set":
        metric, due = value
        known |= {"type": "due_set", "metric": metric, "due_at": moment(due)}
    elif what == "merged":
        known |= {"type": "merged", "into": value}
    elif what == "tagged":
        known |= {"type": "tagged", "tags": value}
    elif what == "assigned":
        known |= {"type": "assigned"} | value
    else:
        known |= {"type": what}
    name = f"{occurred_at:%a%H%M%S.%f}-{what}-{value if isinstance(value, str) else ''}"
    fields: dict[str, Any] = {"id": name, "occurred_at": occurred_at} | known | more
    return Interaction(**fields)


def seconds(text: str | None) -> Duration | None:
    """`1:30` as a duration of an hour and a half of open time, `3 days` as business days."""
    if text is None:
        return None
    if text.endswith(" days"):
        return Duration(business_days=int(text.removesuffix(" days")), text=text)
    hours, minutes = text.split(":")
    return Duration(seconds=int(hours) * HOUR + int(minutes) * 60, text=text)


def target(metric: str, allowed: str | dict[str, str] | None, **more: Any) -> MetricTarget:
    """A promise: one duration for every priority, or one for each."""
    if isinstance(allowed, dict):
        by_priority = {name: duration for name, text in allowed.items() if (duration := seconds(text))}
        return MetricTarget(metric=metric, by_priority=by_priority, **more)
    return MetricTarget(metric=metric, target=seconds(allowed), **more)


def policy(
    targets: Iterable[MetricTarget] = (), version: str = "1", effective_from: datetime | None = None, **more: Any
) -> PolicyFile:
    """A file with one policy `gold` for everybody: first response 4:00, next 2:00, resolution 8:00 unless told."""
    promised = {
        metric: target(metric, text)
        for metric, text in (("first_response", "4:00"), ("next_response", "2:00"), ("first_resolution", "8:00"))
    } | {each.metric: each for each in targets}
    gold = Policy(**({"id": "gold", "calendar": "office", "targets": promised} | more))
    return PolicyFile(version=version, effective_from=effective_from, calendars={"office": OFFICE}, policies=(gold,))


def warn_at(*texts: str) -> tuple[WarningThreshold, ...]:
    """`75%` of the target used, `30m` left."""
    return tuple(
        WarningThreshold(used_ratio=int(text[:-1]) / 100, text=text)
        if text.endswith("%")
        else WarningThreshold(left_seconds=int(text[:-1]) * 60, text=text)
        for text in texts
    )


def activation(policy_file: PolicyFile, as_of: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> Control:
    """The control record that puts a policy file in force."""
    name = f"policy/{policy_file.version}"
    return Control(id=name, kind="policy_activated", as_of=as_of, policy_text=to_published(policy_file))


def log(events: Iterable[Interaction | Control], first: int = 0, appended_at: Instant = LONG_AFTER) -> list[Record]:
    """Events as the records of one partition in this order."""
    return [
        record_of(
            INTERACTIONS,
            each.conversation_id if isinstance(each, Interaction) else None,
            each,
            offset=offset,
            appended_at=appended_at,
        )
        for each, offset in zip(events, count(first))
    ]


class Desk:
    """An agent with its memory and everything it said. `restarted` is another agent on the same memory."""

    def __init__(self, policy_file: PolicyFile | None = None, states: DictStates | None = None) -> None:
        self.states = states if states is not None else DictStates()
        self.effects = ListEffects()
        self.agent = ConversationAgent(self.states, self.effects)
        self.offset = 0
        if policy_file is not None:
            self.take(activation(policy_file))

    def take(self, *events: Interaction | Control, appended_at: Instant = LONG_AFTER) -> "Desk":
        """Process events as one batch."""
        self.take_records(log(events, self.offset, appended_at))
        return self

    def take_records(self, records: Sequence[Record]) -> None:
        """Process records as one batch."""
        self.agent.process(records, LONG_AFTER)
        self.offset = max([self.offset, *(record.offset + 1 for record in records)])

    def until(self, at: str | Instant, clock: str = "wall") -> "Desk":
        """Let time pass: a tick."""
        return self.take(tick(clock, instant(at) if isinstance(at, str) else at))

    def restarted(self) -> "Desk":
        """The next owner of the partition, who has nothing but what was remembered."""
        desk = Desk(states=self.states)
        desk.offset = self.offset
        return desk

    @property
    def events(self) -> list[SlaEvent]:
        """Every SLA event so far."""
        return [each for each in self.effects.on(SLA_EVENTS) if isinstance(each, SlaEvent)]

    @property
    def views(self) -> list[ClockView]:
        """Every clock as it was last published."""
        return [view for view in self.effects.latest(CLOCKS).values() if isinstance(view, ClockView)]

    def clocks(self) -> list[str]:
        """Every clock as a line, in order of its name."""
        return sorted(line_of(view) for view in self.views)

    def story(self, *metrics: str) -> list[str]:
        """What was said about clocks of these metrics: `09:30 activated`."""
        return [said(each) for each in self.events if each.metric in metrics]


def line_of(view: ClockView) -> str:
    """`first_response/1 met due 14:30 used 2:45`."""
    used = round(view.elapsed_seconds or 0)
    due = f" due {named(view.due_at)}" if view.due_at is not None else ""
    paused = " paused" if view.paused else ""
    return f"{view.metric}/{view.instance} {view.outcome}{paused}{due} used {used // HOUR}:{used // 60 % 60:02d}"


def said(each: SlaEvent) -> str:
    """`09:30 activated`, `10:15 warned 75%`, `11:00 cancelled (resolved)`."""
    more = f" {each.warning}" if each.warning else f" ({each.reason})" if each.reason else ""
    return f"{named(each.occurred_at)} {each.kind}{more}"
