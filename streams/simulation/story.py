"""What happens in a simulated company, one event after the other, from a seed and nothing else.

Conversations begin at random (a Poisson process whose rate follows the hours and the scenario) and run beside each
other. A few deliveries go wrong as they do in life: repeated, delayed, far too late, malformed. `company_runner` lets
the story happen.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Instant, to_datetime
from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.simulation.conversation_script import (
    ConversationScript,
    Event,
    Timed,
    broken_event,
    stray_message,
)
from streams.simulation.floor_hours import FloorHours
from streams.simulation.scenario_table import SCENARIOS, Circumstances, Scenario
from streams.simulation.simulated_company import CustomerAccount, SimulatedCompany, found_company

EVENTS_PER_CONVERSATION = 9.0
"""Measured over a long story; turns a wanted rate of events into a rate of conversations."""

LONGEST_GAP_US = 5 * MINUTE_US
"""The rate is looked at again after this long at the latest; a Poisson process has no memory, so nothing is lost."""

REPEATED, DELAYED, STRAY, BROKEN = 0.01, 0.004, 0.001, 0.001
"""Shares of deliveries that go wrong. Providers repeat what they think was lost, mail waits in queues, and somebody
always sends nonsense."""

SOURCE = "company"

DEFAULT_START: Instant = 1_772_434_800 * SECOND_US
"""Monday 2026-03-02, 08:00 in Berlin: a working day without holidays or a change of the clocks near it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPlan:
    """What story to tell.

    Attributes:
        seed: Decides everything.
        starts_at: Where the story begins.
        events_per_hour: About how many events happen in an average working hour of the story.
        scenario: What goes wrong.
        source: The name under which the events come: the connector instance.
    """

    seed: int
    starts_at: Instant
    events_per_hour: float
    scenario: Scenario = SCENARIOS["calm"]
    source: str = SOURCE

    @property
    def clock(self) -> str:
        """The clock that the conversations live on."""
        return f"simulation:{self.seed}"


@dataclass(slots=True)
class Story:
    """Tells a plan. Iterating yields `(instant of delivery, event)` in the order of delivery, without end."""

    plan: StoryPlan
    company: SimulatedCompany = field(init=False)
    hours: FloorHours = field(default_factory=FloorHours)
    _rng: Random = field(init=False)
    _waiting: list[tuple[Instant, int, Event]] = field(init=False, default_factory=list)
    _pushed: int = field(init=False, default=0)
    _begun: int = field(init=False, default=0)
    _stamp: dict[str, Any] = field(init=False)
    _prefix: str = field(init=False)
    _volumes: list[float] = field(init=False)
    _valued: frozenset[CustomerAccount] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self.company = found_company(plan.seed)
        self._volumes = [account.volume for account in self.company.accounts]
        self._valued = frozenset(self.company.most_valued)
        self._rng = Random(f"story/{plan.seed}/{plan.starts_at}")
        self._stamp = {"source": plan.source, "clock": plan.clock}
        # Another beginning is another story: its conversations must not continue those of the first.
        self._prefix = f"s{plan.seed}-{to_datetime(plan.starts_at):%y%m%d%H}"

    def __iter__(self) -> Iterator[Timed]:
        next_opening_at = self._next_opening(self.plan.starts_at)
        next_day_at = self.plan.starts_at
        while True:
            upcoming = min(next_opening_at, next_day_at)
            while self._waiting and self._waiting[0][0] <= upcoming:
                at, _, event = heappop(self._waiting)
                yield at, event
            if next_day_at <= next_opening_at:
                self._report_usage(next_day_at)
                next_day_at += DAY_US
            else:
                self._begin(next_opening_at)
                next_opening_at = self._next_opening(next_opening_at)

    # conversations

    def _next_opening(self, after: Instant) -> Instant:
        at = after
        per_hour = self.plan.events_per_hour / EVENTS_PER_CONVERSATION
        while True:
            rate = per_hour * self.hours.busy(at) * self._circumstances(at).volume
            gap_us = round(self._rng.expovariate(rate) * HOUR_US)
            if gap_us <= LONGEST_GAP_US:
                return at + max(1, gap_us)
            at += LONGEST_GAP_US

    def _begin(self, at: Instant) -> None:
        circumstances = self._circumstances(at)
        account = self._rng.choices(self.company.accounts, self._volumes)[0]
        if account in self._valued and self._rng.random() >= circumstances.valued_volume:
            return
        self._begun += 1
        script = ConversationScript(
            id=f"{self._prefix}-{self._begun:06}",
            account=account,
            opens_at=at,
            company=self.company,
            hours=self.hours,
            circumstances=circumstances,
            stamp=self._stamp,
        )
        for happens_at, event in script.events():
            self._deliver(happens_at, event)
        self._go_wrong(script, account)

    def _circumstances(self, at: Instant) -> Circumstances:
        return self.plan.scenario.at((at - self.plan.starts_at) / HOUR_US)

    # deliveries

    def _deliver(self, happens_at: Instant, event: Event) -> None:
        rng = self._rng
        delivered_at = happens_at
        if rng.random() < DELAYED:
            delivered_at += round(rng.uniform(2, 40) * MINUTE_US)
        self._push(delivered_at, event)
        if rng.random() < REPEATED:
            self._push(delivered_at + round(rng.uniform(0.5, 20) * MINUTE_US), event)

    def _go_wrong(self, script: ConversationScript, account: CustomerAccount) -> None:
        rng = self._rng
        if rng.random() < STRAY * EVENTS_PER_CONVERSATION:
            at = script.opens_at + round(rng.uniform(1, 30) * MINUTE_US)
            self._push(at, stray_message(script.id, account, at, self._stamp))
        if rng.random() < BROKEN * EVENTS_PER_CONVERSATION:
            at = script.opens_at + round(rng.uniform(1, 30) * MINUTE_US)
            self._push(at, broken_event(script.id, account, at, self._stamp))

    def _report_usage(self, day_at: Instant) -> None:
        """Every account's product tells once a day how much it was used in the last week."""
        for account in self.company.accounts:
            at = day_at + round(self._rng.uniform(0, 3600) * SECOND_US)
            signal = Signal(
                id=f"{self._prefix}/usage/{account.id}/{to_datetime(at):%y%m%d}",
                account_id=account.id,
                occurred_at=to_datetime(at),
                kind="usage",
                name="logins_per_week",
                value=float(max(0, round(self._rng.gauss(12 * account.volume, 4)))),
                tier=account.tier,
                segment=account.segment,
                **self._stamp,
            )
            self._push(at, signal)

    def _push(self, at: Instant, event: Event) -> None:
        self._pushed += 1
        heappush(self._waiting, (at, self._pushed, event))


def key_of(event: Interaction | Signal) -> str:
    """What an event is kept in order with: its conversation, or its account."""
    return event.conversation_id if isinstance(event, Interaction) else event.account_id
