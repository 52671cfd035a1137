"""The web server of `careline connect`: raw requests in, answers out, everything counted.

It reads no more than it must: the size is checked before and while reading, a slow sender runs into a time-out, and
the bytes that are held at once are bounded. `intake` does the rest. TLS ends in front of it; it listens on loopback
unless told otherwise.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import SERVER_SOFTWARE
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

from streams.connectors.connector_contract import Connector, Headers, WebhookRequest
from streams.connectors.intake import Answer, AnswerRecorder, Intake, not_now, refuse
from streams.connectors.rate_limit import TokenBucket

MAX_BODY_BYTES = 1024 * 1024
"""Providers send kilobytes; a megabyte leaves room for a long mail, and Kafka's default limit is the same."""
READ_SECONDS = 10.0
"""For a whole body. Providers give up after 3 to 30 seconds themselves."""
IDLE_SECONDS = 75.0
"""An open connection without a request; also the most that a sender may dribble with its headers."""
LINGER_SECONDS = 1.0
"""How long a refused body is still read and thrown away, so that the sender gets to see its answer."""
MOST_HELD_BYTES = 64 * 1024 * 1024
"""Bodies in memory at once; beyond it new requests are asked to come again."""
MOST_AT_ONCE = 2_000
"""Requests in progress at once; at 2 seconds each that is 1,000 a second with Kafka silent."""
DRAIN_SECONDS = 10.0
"""For requests in progress when the server is told to stop: longer than any of them may take."""

MOST_ADDRESSES = 256
"""By which we are called that are remembered; whoever calls by others is answered as well."""

PROBES = frozenset({"/health", "/ready"})
WAY_IN = "/in/"

NOBODY = "none"
"""The connector under which answers are counted that no connector is responsible for."""


class ConnectServer:
    """Receives webhooks for a set of routes. `start`, then `drain`; `addresses` has the real port in between."""

    def __init__(
        self,
        routes: Mapping[str, Connector],
        intake: Intake,
        recorder: AnswerRecorder,
        now: Callable[[], datetime],
        *,
        unready: Callable[[], str | None] = lambda: None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """`routes` by the last part of their path; `now` is aware; `unready` says why `/ready` is not (null: it is)."""
        self._routes = dict(routes)
        self._intake = intake
        self._recorder = recorder
        self._now = now
        self._unready = unready
        self._max_body_bytes = max_body_bytes
        rates = {name: each.instance.most_per_second for name, each in routes.items()}
        self._limits = {name: TokenBucket(rate, rate) for name, rate in rates.items() if rate is not None}
        self._held_bytes = 0
        self._in_progress = 0
        self._draining = False
        self._addresses: dict[tuple[str, str, str], str] = {}
        self._runner: web.ServerRunner | None = None

    @property
    def addresses(self) -> list[str]:
        """`host:port` of everything that is listened on."""
        found = self._runner.addresses if self._runner else []
        return [f"{address[0]}:{address[1]}" for address in found]

    def runner(self) -> web.ServerRunner:
        """The server with the limits of its connections.

        aiohttp's own, without an application around it: three kinds of paths need no router, which costs more than a
        signature.
        """
        server = web.Server(
            self._answer,
            access_log_class=_counting(self._recorder),
            access_log=logging.getLogger("streams.connectors.access"),
            logger=_http_logger(),
            # Signatures cover the bytes as sent, and a small body must not unfold into a large one.
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
        )
        return web.ServerRunner(server, shutdown_timeout=DRAIN_SECONDS)

    async def start(self, host: str, port: int) -> None:
        """Listen. Port 0 takes any free one.

        Raises:
            OSError: the address cannot be used.
        """
        self._runner = self.runner()
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()

    async def drain(self) -> None:
        """Accept nothing new, answer what is in progress, close."""
        self._draining = True
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in PROBES and request.method in {"GET", "HEAD"}:
            return self._ready() if path == "/ready" else web.json_response({"status": "alive"})
        connector = self._routes.get(path.removeprefix(WAY_IN)) if path.startswith(WAY_IN) else None
        if request.headers.get("Expect"):
            refused = await self._expect(request, NOBODY if connector is None else connector.instance.name)
            if refused is not None:
                return _response(refused, close=True)
        if connector is None:
            return _response(refuse(NOBODY, 404, "unknown_path"), close=True)
        # Whatever the method: what a wrong one is answered depends on the connector's handshake.
        return await self._receive(request, connector)

    # probes

    def _ready(self) -> web.Response:
        reason = "draining" if self._draining else self._unready()
        if reason is None:
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "not ready", "reason": reason}, status=503)

    # requests

    async def _receive(self, request: web.BaseRequest, connector: Connector) -> web.StreamResponse:
        name = connector.instance.name
        wait = self._limits[name].wait_seconds(time.monotonic()) if name in self._limits else 0.0
        if wait > 0:
            return _response(refuse(name, 429, "too_many", {"Retry-After": str(math.ceil(wait))}), close=True)
        if self._in_progress >= MOST_AT_ONCE or self._held_bytes >= MOST_HELD_BYTES:
            return _response(not_now(name, "overloaded"), close=True)
        self._in_progress += 1
        body = bytearray()
        try:
            trouble = await self._read(request, body, name)
            if trouble is not None:
                return _response(trouble, close=True)
            url = request.rel_url
            seen = WebhookRequest(
                request.method,
                Headers(request.headers.items()),
                bytes(body),
                self._now(),
                dict(url.query) if url.raw_query_string else {},
                self._called(connector, request),
            )
            answer = await self._intake.receive(connector, seen)
        finally:
            self._in_progress -= 1
            self._held_bytes -= len(body)
        return OrdinaryResponse(answer) if _is_ordinary(request, answer) else _response(answer)

    async def _read(self, request: web.BaseRequest, body: bytearray, name: str) -> Answer | None:
        """Fill `body`, or say why not."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return refuse(name, 415, "compressed_body")
        if (request.content_length or 0) > self._max_body_bytes:
            return refuse(name, 413, "too_large")
        try:
            if request.content.is_eof():  # all of it came with its headers, as a webhook's mostly does
                self._take(request.content.read_nowait(), body)
            else:
                async with asyncio.timeout(READ_SECONDS):
                    async for chunk in request.content.iter_any():
                        self._take(chunk, body)
                        if len(body) > self._max_body_bytes:
                            break
        except TimeoutError:
            return refuse(name, 408, "too_slow")
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            return refuse(name, 400, "unreadable_http")
        return refuse(name, 413, "too_large") if len(body) > self._max_body_bytes else None

    def _called(self, connector: Connector, request: web.BaseRequest) -> str:
        """The address as the provider called it; a proxy in front of us has told us another."""
        public, path = connector.instance.public_url, request.rel_url.raw_path_qs
        if public:
            return public.rstrip("/") + path
        if request.host != request.headers.get("Host"):
            return str(request.url)  # which tells another one itself
        # A provider calls the same for ever, and putting it together takes as long as its signature.
        called = (request.scheme, request.host, path)
        known = self._addresses.get(called)
        if known is None:
            if len(self._addresses) >= MOST_ADDRESSES:
                self._addresses.clear()
            known = self._addresses[called] = str(request.url)
        return known

    def _take(self, chunk: bytes, body: bytearray) -> None:
        body += chunk
        self._held_bytes += len(chunk)

    async def _expect(self, request: web.BaseRequest, name: str) -> Answer | None:
        """`Expect: 100-continue` asks before sending a body: a too large one need not even be sent."""
        if (request.content_length or 0) > self._max_body_bytes:
            return refuse(name, 413, "too_large")
        if request.headers.get("Expect", "").lower() != "100-continue":
            raise web.HTTPExpectationFailed
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp counts what a response has sent; the interim answer is not part of it.
        request.writer.output_size = 0
        return None


class CountedResponse(web.Response):
    """A response that knows what it is counted as."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(
            status=answer.status, body=answer.body, content_type=answer.content_type, headers=dict(answer.headers)
        )
        self.counted_as = (answer.connector, answer.reason)


class OrdinaryResponse(web.StreamResponse):
    """What nearly everybody hears, over a connection that stays open: put together once a second, not once a request.

    aiohttp asks a response for `prepare` and `write_eof`; what it would write is the same, byte by byte.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(status=answer.status)
        self.counted_as = (answer.connector, answer.reason)
        self._said = (answer.status, self.reason, answer.content_type, answer.body)

    @property
    @override
    def keep_alive(self) -> bool:
        return True

    @override
    async def prepare(self, request: web.BaseRequest) -> None:
        await request.writer.write(_in_http(*self._said, int(time.time())))

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        """All of it is written."""


def _is_ordinary(request: web.BaseRequest, answer: Answer) -> bool:
    asked = request.method == "POST" and request.version == HttpVersion11 and request.keep_alive
    return asked and answer.status == 200 and not answer.headers


@lru_cache(maxsize=256)
def _in_http(status: int, reason: str, content_type: str, body: bytes, unix_second: int) -> bytes:
    lines = (
        f"HTTP/1.1 {status} {reason}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        f"Date: {formatdate(unix_second, usegmt=True)}",
        f"Server: {SERVER_SOFTWARE}",
    )
    return "\r\n".join((*lines, "\r\n")).encode() + body


def _response(answer: Answer, *, close: bool = False) -> web.Response:
    response = CountedResponse(answer)
    if close:
        response.force_close()
    return response


def _counting(recorder: AnswerRecorder) -> type[AbstractAccessLogger]:
    """An access logger that counts: aiohttp tells it every answer, those of its own HTTP parser included."""

    class CountingAccessLogger(AbstractAccessLogger):
        @override
        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            if isinstance(response, (OrdinaryResponse, CountedResponse)):
                connector, reason = response.counted_as
            elif request.path in PROBES:
                return
            else:
                connector, reason = NOBODY, "unreadable_http" if response.status < 500 else "internal_error"
            recorder.connector_answered(connector, response.status, reason)
            self.logger.debug("%s %s: %s %s in %.3f s", request.method, request.path, response.status, reason, time)

    return CountingAccessLogger


def _http_logger() -> logging.Logger:
    """The log of aiohttp's server, without a stack trace for every scanner that speaks no HTTP: those are counted."""
    logger = logging.getLogger("streams.connectors.http")
    if not logger.filters:
        logger.addFilter(_is_our_fault)
    return logger


def _is_our_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)
