"""Lists of conversations in the order in which they last moved, page by page, one kind after the other.

Intercom and HubSpot have such lists instead of an export. Their own cursors do not live long, so the position is the
kind and the time of the last conversation that was told: from there the list begins again, and what moved at that very
instant comes twice, under the same ids. `intercom_source` and `hubspot_source` say what a list is.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streams.backfill.history_api import ApiRefused
from streams.backfill.history_source import HistoryPage, Thread, side_by_side
from streams.connectors.payload_reading import Json

AT_ONCE = 4
"""Conversations that are asked for side by side."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in a list: when it last moved, in the units of its list, and what the list says of it."""

    moved: int
    content: dict[str, Json]


@dataclass(frozen=True, slots=True)
class ListedPage:
    """Part of a list, oldest first. `cursor` leads to the next part.

    `ends_early`: the provider shows no more of a list that goes on, so it is asked for anew from the last conversation.
    """

    conversations: Sequence[Listed]
    cursor: str | None
    ends_early: bool = False


class Listing(Protocol):
    """One kind of conversation at one provider."""

    @property
    def name(self) -> str:
        """What it is called in a position."""

    async def page(self, since: int, cursor: str | None) -> ListedPage:
        """What moved at or after `since`, oldest first."""

    async def thread(self, listed: Listed) -> Thread:
        """The whole of a conversation."""


async def pages_of(
    listings: Sequence[Listing], since: Sequence[int], position: str | None
) -> AsyncIterator[HistoryPage]:
    """The pages of all lists behind a position (`NAME@MOVED`); `since` is where each list begins.

    Raises:
        ApiRefused: a list does not go on although there is more of it, or the position is none of these lists'.
    """
    name, _, moved = (position or "").partition("@")
    names = [each.name for each in listings]
    if position is not None and (name not in names or not moved.isdecimal()):
        raise ApiRefused(f"{position!r} is no position in {', '.join(names)}")
    first = names.index(name) if position is not None else 0
    for place in range(first, len(listings)):
        begin = int(moved) if position is not None and place == first else since[place]
        async for page in _pages(listings[place], begin):
            yield page


async def _pages(listing: Listing, since: int) -> AsyncIterator[HistoryPage]:
    begin, cursor = since, None
    while True:
        page = await listing.page(begin, cursor)
        found = [each for each in page.conversations if each.moved >= begin]
        last = max((each.moved for each in found), default=begin)
        threads = await side_by_side(listing.thread, found, AT_ONCE)
        yield HistoryPage(threads, f"{listing.name}@{last}")
        if page.ends_early:
            if last == begin:
                raise ApiRefused(f"more {listing.name} moved at once than the provider lists")
            begin, cursor = last, None
        elif page.cursor is None:
            return
        else:
            cursor = page.cursor
