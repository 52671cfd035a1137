"""One conversation from the first question to the answer of the survey, written down as interactions and a signal.

Everything follows from the conversation's own seed and the circumstances at its beginning. `story` puts many
conversations beside each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agents.domain.instant import DAY_US, MINUTE_US, SECOND_US, Instant, to_datetime
from schemas.interaction import Author, Interaction, InteractionType
from schemas.signal import Signal
from streams.simulation.floor_hours import FloorHours
from streams.simulation.scenario_table import Circumstances
from streams.simulation.simulated_company import (
    CHANNELS_OF_TIER,
    INBOXES,
    PRIORITIES,
    CustomerAccount,
    SimulatedCompany,
    choose,
)

Event = Interaction | Signal
Timed = tuple[Instant, Event]

ANSWER_MINUTES = {"urgent": 6.0, "high": 14.0, "normal": 30.0, "low": 70.0}
"""Median working minutes until an answer: about half of what `policy.yaml` of the demo promises."""

ANSWER_SPREAD = 0.55
"""Sigma of the lognormal: with the medians above about every tenth answer is late on an ordinary day."""

LIVE_CHANNELS = frozenset({"chat", "phone"})
LIVE_FACTOR = 0.25
"""In a chat somebody is looking at the screen already."""

MOST_ROUNDS = 4
SATISFACTION_SCALE = 5.0

QUESTIONS = (
    "Good morning, the export has stopped half way.",
    "We cannot sign in since this morning.",
    "Could you explain the last invoice?",
    "The figures on the dashboard look wrong.",
    "How do we add a colleague?",
    "Your API answers with 500.",
)
FOLLOW_UPS = (
    "It still happens.",
    "Here is the file that you asked for.",
    "Thank you, and one more question.",
    "Any news?",
)
ANSWERS = (
    "Thank you for your patience, here is what we found.",
    "Could you send us the file?",
    "We have changed the setting; please try again.",
    "This is fixed in the version of today.",
)
EMPTY_ANSWER = "We are looking into it."
RECEIPT = "We have received your message."


@dataclass(slots=True)
class ConversationScript:
    """Writes one conversation.

    Args:
        id: Of the conversation; the ids of its events follow from it.
        account: Who writes.
        opens_at: When.
        company: Who answers.
        hours: When they work.
        circumstances: How things are when it begins.
        stamp: Fields that every event carries: source and clock.
        question: What the customer writes first; null for one of `QUESTIONS`.
    """

    id: str
    account: CustomerAccount
    opens_at: Instant
    company: SimulatedCompany
    hours: FloorHours
    circumstances: Circumstances
    stamp: dict[str, Any]
    question: str | None = None
    _rng: Random = field(init=False)
    _at: Instant = field(init=False)
    _number: int = field(init=False, default=0)
    _late_seconds: float = field(init=False, default=0.0)
    _priority: str = field(init=False)
    _channel: str = field(init=False)
    _inbox: str = field(init=False)
    _agent: str = field(init=False)
    _person: str = field(init=False)

    def __post_init__(self) -> None:
        rng = self._rng = Random(self.id)
        self._at = self.opens_at
        self._channel = choose(rng, CHANNELS_OF_TIER[self.account.tier])
        self._inbox = choose(rng, INBOXES)
        is_alarm = rng.random() < self.circumstances.urgency
        self._priority = "urgent" if is_alarm else choose(rng, PRIORITIES)
        self._agent = rng.choice(self.company.agents[self._inbox])
        self._person = rng.choice(self.account.people)

    def events(self) -> Iterator[Timed]:
        """The whole conversation in the order of its own time."""
        rng = self._rng
        asked = rng.choice(QUESTIONS)
        yield self._customer_says(asked if self.question is None else self.question)
        if self._channel in {"email", "form"}:
            self._pass(rng.uniform(1, 5))
            yield self._says("bot", RECEIPT, author=Author("bot", "receipt"), automated="auto_reply")
        if rng.random() < self.circumstances.unanswered:
            return
        yield from self._taken_over()
        for round_number in range(rng.randint(1, MOST_ROUNDS)):
            yield from self._answered(hurried=round_number == 0)
            if rng.random() < 0.35:
                break
            yield from self._customer_comes_back()
        yield from self._resolved()
        if rng.random() < 0.08 + 0.3 * self.circumstances.gaming:
            yield from self._reopened()
        if rng.random() < self.circumstances.surveyed:
            yield self._satisfaction()

    # the parts of a conversation

    def _taken_over(self) -> Iterator[Timed]:
        rng = self._rng
        self._work(rng.uniform(20, 120))
        yield self._event("assigned", team=self._inbox, agent=self._agent)
        if rng.random() < 0.04 and self._priority in {"normal", "high"}:
            self._pass(rng.uniform(10, 60))
            self._priority = "urgent" if self._priority == "high" else "high"
            yield self._event("priority_changed", priority=self._priority)
        if rng.random() < 0.12:
            self._pass(rng.uniform(30, 120))
            yield self._says("agent", "Looks like the release of last night.", visibility="internal")

    def _answered(self, *, hurried: bool) -> Iterator[Timed]:
        rng = self._rng
        minutes = ANSWER_MINUTES[self._priority] * rng.lognormvariate(0.0, ANSWER_SPREAD)
        if self._channel in LIVE_CHANNELS:
            minutes *= LIVE_FACTOR
        if hurried and rng.random() < self.circumstances.gaming:
            self._work(60 * min(minutes, 0.9 * ANSWER_MINUTES[self._priority]))
            yield self._says("agent", EMPTY_ANSWER)
            self._pass(5)
            yield self._event("status_changed", status="waiting_on_customer")
            return
        asked_at = self._at
        self._work(60 * minutes * self.circumstances.slowness)
        self._late_seconds += (self._at - asked_at) / SECOND_US - 60 * ANSWER_MINUTES[self._priority]
        yield self._says("agent", rng.choice(ANSWERS))
        if rng.random() < 0.3:
            self._pass(rng.uniform(2, 20))
            yield self._event("status_changed", status=rng.choice(("waiting_on_customer", "on_hold")))

    def _customer_comes_back(self) -> Iterator[Timed]:
        self._work(60 * self._rng.lognormvariate(3.0, 0.9) * (0.2 if self._channel in LIVE_CHANNELS else 1.0))
        yield self._customer_says(self._rng.choice(FOLLOW_UPS))
        self._pass(1)
        yield self._event("status_changed", status="open")

    def _resolved(self) -> Iterator[Timed]:
        self._work(60 * self._rng.lognormvariate(2.0, 0.8))
        yield self._event("status_changed", status="resolved")

    def _reopened(self) -> Iterator[Timed]:
        self._work(60 * self._rng.lognormvariate(3.5, 0.8))
        yield self._customer_says("I am afraid that it is back.")
        self._pass(1)
        yield self._event("status_changed", status="open")
        yield from self._answered(hurried=False)
        yield from self._resolved()

    def _satisfaction(self) -> Timed:
        """Who waited long is less content; one point for each hour beyond what is usual."""
        rng = self._rng
        content = 4.6 - max(0.0, self._late_seconds) / 3600 - self.circumstances.discontent
        score = round(content + rng.gauss(0, 0.7))
        at = self._at + round(rng.uniform(5, 60) * MINUTE_US)
        return at, Signal(
            id=f"{self.id}/csat",
            account_id=self.account.id,
            occurred_at=to_datetime(at),
            kind="survey",
            name="csat",
            value=float(min(SATISFACTION_SCALE, max(1, score))),
            scale=SATISFACTION_SCALE,
            conversation_id=self.id,
            tier=self.account.tier,
            segment=self.account.segment,
            **self.stamp,
        )

    # words

    def _customer_says(self, text: str) -> Timed:
        author = Author("customer", self._person)
        return self._event("message", author=author, text=text, direction="inbound", **self._belonging())

    def _says(self, kind: str, text: str, **more: Any) -> Timed:  # noqa: ANN401 - as in `_event`
        more.setdefault("author", Author("agent", self._agent))
        return self._event("message", text=text, direction="outbound" if kind == "agent" else None, **more)

    def _belonging(self) -> dict[str, Any]:
        return {
            "tier": self.account.tier,
            "segment": self.account.segment,
            "account_hint": f"domain:{self.account.domain}",
            "inbox": self._inbox,
            "team": self._inbox,
            "priority": self._priority,
        }

    def _event(self, kind: InteractionType, **facts: Any) -> Timed:  # noqa: ANN401 - the contract checks them
        self._number += 1
        return self._at, Interaction(
            id=f"{self.id}/{self._number}",
            conversation_id=self.id,
            account_id=self.account.id,
            occurred_at=to_datetime(self._at),
            type=kind,
            channel=self._channel,
            **self.stamp,
            **facts,
        )

    # time

    def _pass(self, seconds: float) -> None:
        self._at += round(seconds * SECOND_US)

    def _work(self, seconds: float) -> None:
        self._at = self.hours.after_working(self._at, seconds)


def stray_message(script_id: str, account: CustomerAccount, at: Instant, stamp: dict[str, Any]) -> Interaction:
    """A message of nine days ago that a mail server finds again: too old to change what has been decided."""
    return Interaction(
        id=f"{script_id}/stray",
        conversation_id=script_id,
        account_id=account.id,
        occurred_at=to_datetime(at - 9 * DAY_US),
        type="message",
        channel="email",
        author=Author("customer", account.people[0]),
        text="Found in the queue of a mail server.",
        **stamp,
    )


def broken_event(script_id: str, account: CustomerAccount, at: Instant, stamp: dict[str, Any]) -> Interaction:
    """What a careless sender makes: a change of status that does not say to which."""
    return Interaction(
        id=f"{script_id}/broken",
        conversation_id=script_id,
        account_id=account.id,
        occurred_at=to_datetime(at),
        type="status_changed",
        **stamp,
    )
