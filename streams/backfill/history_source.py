"""What the history of a provider has to offer: the accounts that it knows, and its conversations page by page.

`zendesk_source`, `intercom_source` and `hubspot_source` are such sources; `backfill_run` works them off.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from schemas.account_profile import AccountProfile
from streams.connectors.connector_contract import Reading

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation with everything that happened in it. `content` is as fetched, for the dead letters."""

    reading: Reading
    content: bytes


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Conversations, and the position behind them: the source's own text, from which `pages` goes on."""

    threads: Sequence[Thread]
    position: str


@dataclass(frozen=True, slots=True)
class Span:
    """Conversations that moved at or after `since`; of what happened in them everything before `until` counts."""

    since: datetime
    until: datetime


class HistorySource(Protocol):
    """The history of one account at one provider."""

    async def count(self, span: Span) -> int | None:
        """About how many conversations there are; null where nobody says."""

    async def accounts(self) -> Sequence[AccountProfile]:
        """The companies that the provider knows, with every identity by which their events can be told."""

    def pages(self, span: Span, position: str | None) -> AsyncIterator[HistoryPage]:
        """The conversations behind a position (null: from the beginning), until there are no more.

        A conversation may come again when it moves meanwhile: it is the same events, and some more.
        """


async def side_by_side(
    ask: Callable[[Asked], Awaitable[Answered]], things: Sequence[Asked], at_once: int
) -> list[Answered]:
    """The answers for all things, in their order, a few of them at a time. The first failure ends all."""
    gate = asyncio.Semaphore(at_once)

    async def one(thing: Asked) -> Answered:
        async with gate:
            return await ask(thing)

    tasks = [asyncio.ensure_future(one(thing)) for thing in things]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
