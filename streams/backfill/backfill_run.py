"""A backfill from its beginning, or from where it was left, to its end.

`careline connect backfill` builds the parts. First the companies, so that every event is stamped with its account; then
page after page: fetched, told, put into Kafka, the position remembered. At the end one tick and the hand-over to the
clock on the wall, as an import does (`streams.history.history_sender`): nobody is judged before the whole of their
conversation is there.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from schemas.account_profile import AccountProfile
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.signal import Signal
from streams.backfill.backfill_position import BackfillPosition, Positions
from streams.backfill.history_sink import HistorySink
from streams.backfill.history_source import HistoryPage, HistorySource, Span
from streams.backfill.story_teller import StoryTeller

Result = TypeVar("Result")


class Stopped(Exception):  # noqa: N818 - what happened: somebody pressed Ctrl-C
    """Stopped on request. What is remembered is in Kafka; the same command goes on there."""


@dataclass(slots=True)
class BackfillCounts:
    """What this run did; `position` has what all runs of the backfill did together."""

    threads: int = 0
    events: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    later: int = 0
    accounts: int = 0


@dataclass(slots=True)
class Backfill:
    """One run. `learn_accounts` brings companies into the directory and says how many were new or changed."""

    source: HistorySource
    teller: StoryTeller
    sink: HistorySink
    positions: Positions
    position: BackfillPosition
    stop: asyncio.Event
    learn_accounts: Callable[[Sequence[AccountProfile]], int]
    progress: Callable[[int], None] | None = None
    counts: BackfillCounts = field(default_factory=BackfillCounts)

    async def run(self) -> BackfillCounts:
        """Everything that is left of it.

        Raises:
            Stopped: on request.
            ApiRefused: the provider does not give it; the position is kept.
            ImportFailed: Kafka does not take it; likewise.
        """
        await self.learn()
        pages = self.source.pages(Span(self.position.since, self.position.until), self.position.at)
        while (page := await self._or_stop(anext(pages, None))) is not None:
            await self._take(page)
        await asyncio.to_thread(self.sink.close_story, self.position.clock, self.position.until)
        await self._remember(replace(self.position, finished=True))
        return self.counts

    async def learn(self) -> None:
        """The companies, once for all runs of the backfill. Raises like `run`."""
        if not self.position.with_accounts:
            companies = await self._or_stop(self.source.accounts())
            self.counts.accounts = await asyncio.to_thread(self.learn_accounts, companies)
            await self._remember(replace(self.position, with_accounts=True))

    async def _take(self, page: HistoryPage) -> None:
        records: list[Interaction | Signal | Rejection] = []
        events = 0
        for thread in page.threads:
            told = self.teller.tell(thread)
            records += [*told.events, *told.letters]
            events += len(told.events)
            self.counts.later += told.later
            self.counts.events.update(
                event.type if isinstance(event, Interaction) else event.name for event in told.events
            )
            self.counts.rejected.update(letter.reason for letter in told.letters)
        self.counts.threads += len(page.threads)
        await asyncio.to_thread(self.sink.put, records)
        threads = self.position.threads + len(page.threads)
        await self._remember(
            replace(self.position, at=page.position, threads=threads, events=self.position.events + events)
        )
        if self.progress is not None:
            self.progress(threads)

    async def _remember(self, position: BackfillPosition) -> None:
        await asyncio.to_thread(self.positions.save, position)
        self.position = position

    async def _or_stop(self, step: Awaitable[Result]) -> Result:
        """What a step of fetching comes to, unless somebody stops it. Storing is never interrupted."""
        fetching = asyncio.ensure_future(step)
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not fetching.done():
                raise Stopped
            return fetching.result()
        finally:
            for task in (fetching, stopping):
                task.cancel()
            await asyncio.gather(fetching, stopping, return_exceptions=True)
