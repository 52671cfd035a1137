"""A way through loopback that can be spoilt: delayed, cut, reset after the answer was given, swallowed.

Runs in a thread with an event loop of its own; a test changes `fault` while connections are open.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Literal

Mode = Literal["pass", "refuse", "black hole", "reset after execution", "hung fetches"]
KAFKA_FETCH = 1
"""The number of the request, https://kafka.apache.org/protocol#protocol_api_keys."""


@dataclass(frozen=True)
class Fault:
    """What happens to what passes. `delay_seconds` holds every answer back.

    With hung fetches a connection stays open and silent for ever from the first fetch of a Kafka client whose name
    begins with `client`: what a lost packet filter's memory does. Its other connections, with its heartbeats, go on.
    """

    mode: Mode = "pass"
    delay_seconds: float = 0.0
    client: bytes = b""


class TcpProxy:
    """Listens on a free port and passes on to a target."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.fault = Fault()
        self.resets = 0
        """Connections that were reset after the other side had answered."""
        self.swallowed = 0
        """Connections that hang since a fetch."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def spoil(self, fault: Fault) -> None:
        """From now on this happens; what cuts also cuts the connections that are open."""
        self.fault = fault
        if fault.mode in {"refuse", "black hole"}:
            self._loop.call_soon_threadsafe(self._cut)

    def mend(self) -> None:
        """Everything passes again."""
        self.fault = Fault()
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _cut(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault.mode == "refuse":
            _reset(writer)
            return
        self._writers.add(writer)
        try:
            if self.fault.mode == "black hole":
                while await reader.read(65_536):
                    pass
                return
            there, onward = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            self._writers.discard(writer)
            return
        self._writers.add(onward)
        try:
            await asyncio.gather(self._forward(reader, onward), self._back(there, writer))
        finally:
            for each in (writer, onward):
                self._writers.discard(each)
                each.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.fault.mode == "hung fetches" and _is_fetch(data, self.fault.client):
                    self.swallowed += 1
                    while await reader.read(65_536):
                        pass
                    return
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self.fault.delay_seconds:
                    await asyncio.sleep(self.fault.delay_seconds)
                if self.fault.mode == "reset after execution":
                    self.resets += 1
                    _reset(writer)
                    return
                writer.write(data)
                await writer.drain()
        writer.close()


def _is_fetch(data: bytes, client: bytes) -> bool:
    """Whether a request of a Kafka client begins here: its size, its number, its version, its own number, its name."""
    return len(data) > 14 and int.from_bytes(data[4:6]) == KAFKA_FETCH and data[14:].startswith(client)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a peer that is suddenly gone."""
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
