"""Lets a story happen: delivers what is due, then says how far time has come, again and again.

A tick follows only when everything up to its instant is in Kafka, so no promise is called broken whose answer is still
on its way. `careline simulate` runs it.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agents.domain.instant import Instant, to_datetime
from streams.simulation.event_delivery import Delivery, Event, Ticks
from streams.simulation.story import Story
from streams.simulation.story_pace import StoryPace

STEP_SECONDS = 0.1
"""How often events are delivered and a tick follows: half of it is what a breach waits for on average. Every tick costs
each partition a transaction, so a tenth of a second is what a small machine can keep up with."""

ACCOUNTS_EVERY_SECONDS = 1.0
"""How often accounts are told the time: windows of an hour and more need no better."""


@dataclass(slots=True)
class Progress:
    """How far a story has come."""

    events: int = 0
    ticks: int = 0
    reached_at: Instant = 0
    first_event_at: float | None = None
    """Seconds since 1970, as the wall shows them."""
    last_event_at: float | None = None


@dataclass(slots=True)
class CompanyRunner:
    """One run of a story.

    Args:
        story: What happens.
        warp: Seconds of the story in one second here.
        delivery: Where events go.
        ticks: Where the passing of time goes.
        on_first_event: Told once the first events are in Kafka.
    """

    story: Story
    warp: float
    delivery: Delivery
    ticks: Ticks
    on_first_event: Callable[[Progress], None] = lambda _: None
    wall_seconds: Callable[[], float] = time.time
    steady_seconds: Callable[[], float] = time.monotonic
    progress: Progress = field(init=False, default_factory=Progress)

    async def run(self, stop: asyncio.Event, seconds: float | None = None) -> Progress:
        """Run until `stop` is set, or until so many seconds after the first event.

        Raises:
            DeliveryFailed: events cannot be delivered.
        """
        pace = StoryPace(self.story.plan.starts_at, self.warp, self.steady_seconds)
        happening = iter(self.story)
        upcoming = next(happening)
        accounts_told_at = float("-inf")
        while not stop.is_set() and not self._is_over(seconds):
            step_began = self.steady_seconds()
            frontier_at = pace.advance()
            due: list[Event] = []
            while upcoming[0] <= frontier_at:
                due.append(upcoming[1])
                upcoming = next(happening)
            await self._deliver(due)
            is_time = step_began - accounts_told_at >= ACCOUNTS_EVERY_SECONDS
            await self._tick(frontier_at, accounts=is_time)
            accounts_told_at = step_began if is_time else accounts_told_at
            left = STEP_SECONDS - (self.steady_seconds() - step_began)
            await asyncio.sleep(max(0.0, left))
        await self._tick(pace.frontier_at, accounts=True)
        return self.progress

    def _is_over(self, seconds: float | None) -> bool:
        first = self.progress.first_event_at
        return seconds is not None and first is not None and self.wall_seconds() - first >= seconds

    async def _deliver(self, events: list[Event]) -> None:
        if not events:
            return
        began = self.wall_seconds()
        await self.delivery.deliver(events)
        progress = self.progress
        progress.events += len(events)
        progress.last_event_at = self.wall_seconds()
        if progress.first_event_at is None:
            progress.first_event_at = began
            self.on_first_event(progress)

    async def _tick(self, as_of: Instant, *, accounts: bool) -> None:
        await self.ticks.tick(self.story.plan.clock, as_of, self.warp, accounts=accounts)
        self.progress.ticks += 1
        self.progress.reached_at = as_of

    def describe(self) -> str:
        """One line for people: where the story is and what it has cost so far."""
        counts = self.delivery.counts
        reached = to_datetime(self.progress.reached_at or self.story.plan.starts_at)
        return (
            f"{reached:%a %H:%M} UTC in the story · {counts.delivered:,} events delivered "
            f"({counts.repeated:,} repeated, {counts.rejected:,} rejected at the door)"
        )
