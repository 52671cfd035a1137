"""What happens at an invented company, from a seed: conversations as plain JSON events, in the order of their time.

Deadlines are never near the time at which a test runs, so that what must come out does not depend on how fast it is.
`plain_oracle` knows the meaning; nothing here or there comes from the product.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.second_opinion.plain_calendar import moment_of

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000

OLD_RATIO = 0.25
"""A past to compare a week with. Of one message each: a second one could come more than a week behind the time."""
PRIORITIES = ("urgent", "normal", "low")
CHANNELS = ("email", "chat", "slack")

POLICY = """
version: "{version}"
calendars:
  office: {{time_zone: UTC, weekly: {{mon-fri: [09:00-12:00, 13:00-18:00]}}}}
policies:
  - id: urgent
    when: {{priority: urgent}}
    calendar: always
    targets: {{first_response: 30m, next_response: 45m, first_resolution: 6h}}
  - id: normal
    when: {{priority: normal}}
    calendar: office
    targets: {{first_response: 4h, next_response: 3h, first_resolution: 16h}}
  - id: low
    calendar: always
    targets: {{first_response: 60d, next_response: 60d, first_resolution: 90d}}
"""


@dataclass(frozen=True)
class Said:
    """One thing that happened. `at` is in microseconds since 1970."""

    id: str
    at: int
    type: str = "message"
    by: str = "customer"
    public: bool = True
    automated: bool = False
    status: str | None = None


@dataclass(frozen=True)
class Conversation:
    """What happened in one conversation, in order of time."""

    id: str
    account: str
    priority: str
    channel: str
    events: tuple[Said, ...]

    def body(self, said: Said, **changes: Any) -> bytes:
        """An event as JSON, as a connector would write it."""
        event: dict[str, Any] = {
            "id": said.id,
            "source": "faults",
            "conversation_id": self.id,
            "occurred_at": moment_of(said.at).isoformat(),
            "received_at": moment_of(said.at + SECOND).isoformat(),
            "type": said.type,
            "author": {"kind": said.by, "id": f"{said.by}-1"},
            "visibility": "public" if said.public else "internal",
            "channel": self.channel,
            "priority": self.priority,
            "account_id": self.account,
        }
        if said.automated:
            event["automated"] = "auto_reply"
        if said.status:
            event["status"] = said.status
        return json.dumps(event | changes).encode()


@dataclass(frozen=True)
class Answer:
    """How satisfied an account was, from 1 to `scale`."""

    id: str
    account: str
    at: int
    value: int
    scale: int = 5

    def body(self) -> bytes:
        """A survey's answer as JSON."""
        moment = moment_of(self.at)
        signal = {"id": self.id, "source": "faults", "account_id": self.account, "kind": "survey", "name": "csat"}
        times = {"occurred_at": moment.isoformat(), "received_at": moment.isoformat()}
        return json.dumps(signal | times | {"value": self.value, "scale": self.scale}).encode()


@dataclass(frozen=True)
class Record:
    """What goes into the log: a key and bytes."""

    key: bytes | None
    value: bytes | None
    at: int = 0


@dataclass
class Story:
    """All conversations of one seed."""

    seed: int
    conversations: dict[str, Conversation] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(each.events) for each in self.conversations.values())

    def records(self) -> list[Record]:
        """Every event, in the order of its time over all conversations."""
        found = [
            Record(each.id.encode(), each.body(said), said.at)
            for each in self.conversations.values()
            for said in each.events
        ]
        return sorted(found, key=lambda record: record.at)

    def answer_records(self) -> list[Record]:
        """Every answer to a survey, in the order of its time."""
        return [Record(each.account.encode(), each.body(), each.at) for each in self.answers]


def invent(seed: int, count: int, now: int) -> Story:
    """`count` conversations: most began one to six days before `now` (microseconds), a quarter up to 25 days."""
    story = Story(seed)
    dice = random.Random(seed)
    for number in range(count):
        name = f"s{seed}-c{number}"
        while True:
            made = _conversation(name, dice, now)
            if is_settled(made, now):
                break
        story.conversations[name] = made
    return story


def survey(seed: int, accounts: int, count: int, now: int) -> tuple[Answer, ...]:
    """`count` answers of the first accounts of the last 80 days."""
    dice = random.Random(seed)
    answers = [
        Answer(f"s{seed}-a{number}", f"account-{dice.randrange(accounts)}", now - dice.randrange(80 * DAY), value)
        for number, value in enumerate(dice.choices((1, 2, 3, 4, 5), k=count))
    ]
    return tuple(sorted(answers, key=lambda each: each.at))


def is_settled(conversation: Conversation, now: int) -> bool:
    """Whether no deadline of it falls into the time of the test, from a minute ago to six hours ahead."""
    from tests.faults.plain_oracle import clocks_of

    deadlines = [clock.due_at for clock in clocks_of(conversation, now) if clock.due_at is not None]
    return not any(now - MINUTE < due < now + 6 * HOUR for due in deadlines)


def _conversation(name: str, dice: random.Random, now: int) -> Conversation:
    if dice.random() < OLD_RATIO:
        events: tuple[Said, ...] = (Said(f"{name}-0", now - dice.randrange(7 * DAY, 25 * DAY)),)
    else:
        events = tuple(_events(name, dice, now - dice.randrange(1 * DAY, 6 * DAY), now - 10 * MINUTE))
    return Conversation(
        id=name,
        account=f"account-{dice.randrange(20)}",
        priority=dice.choice(PRIORITIES),
        channel=dice.choice(CHANNELS),
        events=events,
    )


def _events(name: str, dice: random.Random, began: int, end: int) -> Iterator[Said]:
    opening = Said(f"{name}-0", began)
    yield opening
    at, waiting = began, False
    for number in range(1, dice.randrange(1, 9)):
        at += dice.choice((3 * MINUTE, 20 * MINUTE, 50 * MINUTE, 2 * HOUR, 7 * HOUR)) + dice.randrange(MINUTE)
        if at >= end:
            return
        said = Said(f"{name}-{number}", at)
        what = dice.random()
        if waiting:
            # While the customer is waited for, either it is over or our side goes on.
            yield replace(said, type="status_changed", by="agent", status="open")
            waiting = False
        elif what < 0.30:
            yield said
        elif what < 0.62:
            yield replace(said, by="agent")
        elif what < 0.70:
            yield replace(said, by="bot", automated=True)
        elif what < 0.78:
            yield replace(said, by="agent", public=False)
        elif what < 0.90:
            yield replace(said, type="status_changed", by="agent", status="waiting_on_customer")
            waiting = True
        else:
            yield replace(said, type="status_changed", by="agent", status="resolved")
            return
