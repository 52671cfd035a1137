"""Stopping a client of aiokafka without being stopped by it.

A client that is stopped cancels its own tasks and waits for them. Some let the cancellation out (a fetch that pauses
after an error, aiokafka 0.13): whoever called `stop` then seems to be cancelled, and ends without a word, as tasks do
that are cancelled. Faust's task that opens lanes was ended like that by a broker that died at the wrong moment.
"""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol

log = logging.getLogger("careline.work")

STOP_WITHIN_SECONDS = 30.0


class Client(Protocol):
    """A consumer or a producer of aiokafka."""

    def stop(self) -> Awaitable[None]:
        """Close every connection."""


async def stop_client(client: Client) -> None:
    """Stop a client. What goes wrong with that is noted, and the caller's business goes on.

    Raises:
        CancelledError: the caller is cancelled, and not something of the client.
    """
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait({stopping}, timeout=STOP_WITHIN_SECONDS)
    if not stopping.done():
        log.warning("a Kafka client did not stop within %.0f s", STOP_WITHIN_SECONDS)
        stopping.cancel()
    elif not stopping.cancelled() and stopping.exception() is not None:
        log.warning("a Kafka client did not stop cleanly: %r", stopping.exception())
