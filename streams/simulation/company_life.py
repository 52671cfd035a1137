"""Months in the life of a simulated company, with everything that `hidden_truth` makes show in what can be observed.

A pure function of a seed: conversations with their texts and surveys, weekly figures of use, monthly invoices. Nothing
in it says who is going to leave; an account that has left just writes and uses no more. `careline simulate --months`
writes it to a file, `streams.truth` judges it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, from_datetime, to_datetime
from schemas.signal import Signal, SignalKind
from streams.simulation.conversation_script import ConversationScript, Event, Timed
from streams.simulation.customer_words import THEMES, outcry, question
from streams.simulation.floor_hours import FloorHours
from streams.simulation.hidden_truth import Course, Outage, Truth, courses_of, outage_of, truth_of
from streams.simulation.scenario_table import Circumstances
from streams.simulation.simulated_company import CustomerAccount, SimulatedCompany, found_company
from streams.simulation.story import DEFAULT_START

DAYS_OF_MONTH = 30
"""A month of a story."""

CONVERSATIONS_PER_WEEK = 1.6
"""Of an account of volume 1: a large one writes eight times a week, a small one hardly every week."""
BUSY_HOURS_PER_WEEK = 64.0
"""What `FloorHours.busy` sums up to over a week: turns a rate per week into one per busy hour."""
FORGOTTEN_PER_WEEK = 0.9

INVOICE_DAYS, INVOICE_SHARE = 3, 0.3
"""On the first days of a month so many messages more are about the invoice: a rise that is no issue."""

OUTAGE_TELLS = 0.7
"""Share of those whom an outage hits who write about it."""
OUTAGE_DELAY_MINUTES = 50.0
OUTAGE_SLOWNESS = 2.5

MISLAID, MISLAID_SLOWNESS = 0.015, 25.0
"""Share of conversations that lie somewhere until somebody finds them, a day or two later: 25 times 30 minutes of work
and more. Live it happens to as many that nobody ever answers; over months somebody does."""

PLAN_OF_TIER = {"platinum": "enterprise", "gold": "enterprise", "silver": "team", "standard": "team"}
PRICE_OF_TIER = {"platinum": 12_000.0, "gold": 4_000.0, "silver": 900.0, "standard": 200.0}


@dataclass(slots=True)
class CompanyLife:
    """The life of the company of a seed.

    Args:
        seed: Decides everything.
        months: How long, of 30 days each.
        begins_at: Where the story begins.
    """

    seed: int
    months: int
    begins_at: Instant = DEFAULT_START
    company: SimulatedCompany = field(init=False)
    courses: dict[str, Course] = field(init=False)
    ends_at: Instant = field(init=False)
    _outage: Outage = field(init=False)
    _hours: FloorHours = field(init=False, default_factory=FloorHours)
    _stamp: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.ends_at = self.begins_at + self.months * DAYS_OF_MONTH * DAY_US
        self.company = found_company(self.seed)
        self.courses = courses_of(self.company, self.seed, self.begins_at, self.ends_at)
        self._outage = outage_of(self.company, self.seed, self.begins_at, self.ends_at)
        self._stamp = {"source": "company", "clock": self.clock}

    @property
    def clock(self) -> str:
        """The clock that everything in it lives on."""
        return f"simulation:{self.seed}"

    def told(self) -> tuple[list[Timed], Truth]:
        """All that happens, in order, and what was behind it."""
        found: list[tuple[Instant, str, Event]] = []
        numbers = count(1)
        for account in self.company.accounts:
            rng = Random(f"life/{self.seed}/{account.id}")
            events = (*self._conversations(rng, account, numbers), *self._uses(rng, account), *self._pays(rng, account))
            found += [(at, event.id, event) for at, event in events if at < self.ends_at]
        outcries = list(self._outcries(numbers))
        found += [(at, event.id, event) for script in outcries for at, event in script.events() if at < self.ends_at]
        found.sort(key=lambda each: each[:2])
        span = (self.begins_at, self.ends_at)
        truth = truth_of(self.seed, span, self.courses, self._outage, [script.id for script in outcries])
        return [(at, event) for at, _, event in found], truth

    # conversations

    def _conversations(self, rng: Random, account: CustomerAccount, numbers: Iterator[int]) -> Iterator[Timed]:
        course = self.courses[account.id]
        weekly = FORGOTTEN_PER_WEEK if course.kind == "neglected" else CONVERSATIONS_PER_WEEK * account.volume
        at = self.begins_at
        while at < self.ends_at and course.is_there(at):
            fewer, more = course.pressure("silence", at), course.pressure("complaints", at)
            rate = weekly / BUSY_HOURS_PER_WEEK * self._hours.busy(at) * max(0.05, 1 - 0.75 * fewer) * (1 + more)
            gap_us = round(rng.expovariate(rate) * HOUR_US)
            if gap_us > HOUR_US:  # the rate is another one by then, and a Poisson process has no memory
                at += HOUR_US
                continue
            at += max(1, gap_us)
            theme = rng.choice(tuple(THEMES))
            is_invoice_day = to_datetime(at).day <= INVOICE_DAYS
            if is_invoice_day and rng.random() < INVOICE_SHARE:
                theme = "invoices"
            is_mislaid = rng.random() < MISLAID + 0.08 * course.pressure("service", at)
            text = question(rng, theme)
            yield from self._script(next(numbers), account, at, text, is_mislaid=is_mislaid).events()

    def _script(
        self, number: int, account: CustomerAccount, at: Instant, text: str, *, is_mislaid: bool = False
    ) -> ConversationScript:
        course = self.courses[account.id]
        voice = course.pressure("voice", at)
        slowness = 1 + 2.5 * course.pressure("service", at)
        if self._is_down(at):
            slowness *= OUTAGE_SLOWNESS
        if is_mislaid:
            slowness *= MISLAID_SLOWNESS
        return ConversationScript(
            id=f"L{self.seed}-{number:06}",
            account=account,
            opens_at=at,
            company=self.company,
            hours=self._hours,
            circumstances=Circumstances(
                slowness=slowness,
                unanswered=0.0,
                discontent=1.6 * voice,
                surveyed=0.0 if course.kind == "neglected" else 0.35 * (1 - 0.5 * min(1.0, voice)),
            ),
            stamp=self._stamp,
            question=text,
        )

    def _is_down(self, at: Instant) -> bool:
        return from_datetime(self._outage.begins_at) <= at < from_datetime(self._outage.ends_at)

    def _outcries(self, numbers: Iterator[int]) -> Iterator[ConversationScript]:
        rng = Random(f"outcries/{self.seed}")
        outage = self._outage
        known = {account.id: account for account in self.company.accounts}
        for account_id in outage.accounts:
            delay = rng.lognormvariate(0.0, 0.9) * OUTAGE_DELAY_MINUTES
            at = from_datetime(outage.begins_at) + round(delay * MINUTE_US)
            course = self.courses[account_id]
            tells = rng.random() < OUTAGE_TELLS
            if tells and course.is_there(at) and self._is_down(at):
                yield self._script(next(numbers), known[account_id], at, outcry(rng, outage.theme))

    # figures

    def _uses(self, rng: Random, account: CustomerAccount) -> Iterator[Timed]:
        """Every Monday the product tells how much it was used in the week before."""
        course = self.courses[account.id]
        usual, seats = rng.uniform(8, 18), rng.uniform(0.55, 0.95)  # of one person, and of what they pay for
        for week in range(1, (self.ends_at - self.begins_at) // (7 * DAY_US) + 1):
            at = self.begins_at + week * 7 * DAY_US + round(rng.uniform(0, 3600) * SECOND_US)
            falling = min(1.0, course.pressure("usage", at))
            logins = usual * (1 - 0.75 * falling) * rng.lognormvariate(0.0, 0.25)
            used = min(1.0, max(0.0, seats * (1 - 0.5 * falling) + rng.gauss(0, 0.04)))
            if course.is_there(at):
                yield self._signal(account, at, "usage", "logins_per_week", round(logins))
                yield self._signal(account, at, "usage", "seats_used", round(used, 2))

    def _pays(self, rng: Random, account: CustomerAccount) -> Iterator[Timed]:
        """What was sold, and an invoice a month. A card that has expired is soon renewed; or there is no money."""
        course = self.courses[account.id]
        yield self._signal(account, self.begins_at, "subscription", "plan", text=PLAN_OF_TIER[account.tier])
        yield self._signal(account, self.begins_at, "subscription", "mrr", PRICE_OF_TIER[account.tier])
        due_in = rng.uniform(0, DAYS_OF_MONTH)
        for month in range(self.months):
            at = self.begins_at + round((month * DAYS_OF_MONTH + due_in) * DAY_US)
            pressure = course.pressure("payment", at)
            fails, days = rng.random() < 0.02 + 0.7 * pressure, rng.lognormvariate(1.0, 0.7) * (1 + 4 * pressure)
            if not course.is_there(at):
                return
            if fails:
                yield self._signal(account, at, "subscription", "payment_failed")
                at += round(days * DAY_US)
            if course.is_there(at):
                yield self._signal(account, at, "subscription", "payment_succeeded")

    def _signal(  # noqa: PLR0917 - what the line of a signal is made of
        self,
        account: CustomerAccount,
        at: Instant,
        kind: SignalKind,
        name: str,
        value: float | None = None,
        text: str | None = None,
    ) -> Timed:
        return at, Signal(
            id=f"L{self.seed}/{name}/{account.id}/{(at - self.begins_at) // SECOND_US}",
            account_id=account.id,
            occurred_at=to_datetime(at),
            kind=kind,
            name=name,
            value=value,
            text=text,
            tier=account.tier,
            segment=account.segment,
            **self._stamp,
        )
