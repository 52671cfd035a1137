"""A provider on this machine: an API and sockets as the real one has them, and a shelf where Kafka would be."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Self

from aiohttp import web

from streams.connectors.source_contract import Fetched, Puller

PATIENCE_SECONDS = 10.0


class Shelf:
    """Where a puller delivers. While `closed`, nothing is taken: Kafka is away."""

    def __init__(self) -> None:
        self.payloads: list[Any] = []
        self.position: str | None = None
        self.until: list[datetime] = []
        self._open = asyncio.Event()
        self._open.set()

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    async def __call__(
        self, payloads: Sequence[bytes | Fetched], position: str | None = None, delivered_until: datetime | None = None
    ) -> None:
        await self._open.wait()
        bodies = [each.body if isinstance(each, Fetched) else each for each in payloads]
        self.payloads += [json.loads(body) for body in bodies]
        self.position = position if position is not None else self.position
        self.until += [delivered_until] if delivered_until is not None else []


class LocalProvider:
    """A web server on a free port; what it is asked, it remembers."""

    def __init__(self) -> None:
        self.url = ""
        self.sockets: list[web.WebSocketResponse] = []
        self.connected = asyncio.Event()
        self.answers_pings = True

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        provider = cls()
        application = web.Application()
        application.add_routes(provider.routes())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        provider.url = f"http://{host}:{port}"
        try:
            yield provider
        finally:
            await runner.cleanup()

    def has_opened(self, sockets: int) -> bool:
        return len(self.sockets) == sockets

    async def opened(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=self.answers_pings)
        await socket.prepare(request)
        self.sockets.append(socket)
        self.connected.set()
        return socket


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for lies on the other side of a network
            await asyncio.sleep(0.005)


@asynccontextmanager
async def pulling(puller: Puller, shelf: Shelf, position: str | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """A puller that runs; what it raises is looked at by whoever awaits the task."""
    task = asyncio.create_task(puller.run(position, shelf))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def outcome(task: Awaitable[None]) -> Exception | None:
    """What a puller ended with."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await task
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error
    return None
