"""Which events have just been published: a repeated delivery is answered 2xx and not published again.

It is a courtesy to everybody downstream and no promise: the agents recognise an event by its id for far longer. An
event is remembered when Kafka has acknowledged it, never before, so that no failed delivery is swallowed.
"""

import asyncio
from collections import OrderedDict
from functools import partial

MOST_REMEMBERED = 50_000
"""About ten minutes at 80 events a second, some 10 MB; retries after a time-out come within seconds or minutes."""


class DeliveryLedger:
    """Identities of events on their way and of those that arrived, the oldest forgotten first. For one event loop."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._arrived: OrderedDict[str, None] = OrderedDict()
        self._under_way: dict[str, asyncio.Future[None]] = {}

    def has_arrived(self, identity: str) -> bool:
        """Whether Kafka has acknowledged it lately."""
        return identity in self._arrived

    def under_way(self, identity: str) -> asyncio.Future[None] | None:
        """The acknowledgement that somebody else is waiting for, to be waited for as well."""
        return self._under_way.get(identity)

    def follow(self, identity: str, acknowledgement: asyncio.Future[None]) -> None:
        """Remember the event once it is acknowledged, even if its sender no longer waits; forget it if it fails."""
        self._under_way[identity] = acknowledgement
        acknowledgement.add_done_callback(partial(self._settle, identity))

    def _settle(self, identity: str, done: asyncio.Future[None]) -> None:
        self._under_way.pop(identity, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._arrived[identity] = None
        if len(self._arrived) > self._most:
            self._arrived.popitem(last=False)
