"""A WebSocket that is kept to a provider: opened at its own hosts only, watched, and silent about its address.

What a provider speaks over it is the connector's to know (`messengers.slack_socket`, `messengers.discord_gateway`).
Nothing is read ahead: while a message is being stored the next ones wait in the network, so memory stays bounded.
"""

import json
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from streams.connectors.listed_fetch import LOOPBACK_HOSTS
from streams.connectors.source_contract import PullTrouble

CLOSE_SECONDS = 2.0
"""How long the other side has to close as well; by then we know that it is gone."""


class SocketEnded(Exception):  # noqa: N818 - the condition
    """The connection is over. `code` is what the other side closed it with (RFC 6455, 7.4); null: the line broke."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"code {code}" if code is not None else "the line broke")
        self.code = code


class KeptSocket:
    """One open connection; one task receives, any may send."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str:
        """The next text.

        Raises:
            SocketEnded: there is none any more.
        """
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            # aiohttp answers pings by itself. Binary messages are agreed upon, and we agree upon none.
            code = message.data if message.type is aiohttp.WSMsgType.CLOSE else None
            raise SocketEnded(code if isinstance(code, int) else None)
        return str(message.data)

    async def send(self, content: Any) -> None:  # noqa: ANN401 - whatever JSON can say
        """Send something as JSON.

        Raises:
            SocketEnded: nobody is there.
        """
        try:
            await self._socket.send_str(json.dumps(content))
        except (aiohttp.ClientError, ConnectionError, RuntimeError):
            raise SocketEnded(self._socket.close_code) from None

    async def close(self, code: int = 1000) -> None:
        """Close; never raises."""
        await self._socket.close(code=code)


def may_be_kept(url: str, domains: Collection[str], *, loopback: bool) -> bool:
    """Whether a socket may be opened: by TLS, on one of these domains or below it; in a test on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if loopback:
        return parts.scheme in {"ws", "wss"} and host in LOOPBACK_HOSTS
    listed = any(host == domain or host.endswith(f".{domain}") for domain in domains)
    return parts.scheme == "wss" and port in {None, 443} and parts.username is None and listed


async def open_socket(
    session: aiohttp.ClientSession, url: str, *, most_bytes: int, ping_seconds: float | None = None
) -> KeptSocket:
    """Open a socket at an address that may be kept. `ping_seconds`: how often to ask whether the line is alive.

    Raises:
        PullTrouble: it does not open.
    """
    host = urlsplit(url).hostname
    try:
        socket = await session.ws_connect(
            url,
            heartbeat=ping_seconds,
            max_msg_size=most_bytes,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
    except aiohttp.WSServerHandshakeError as error:
        raise PullTrouble(f"{host} opened no socket: it answered {error.status}") from None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise PullTrouble(f"{host} opened no socket: {type(error).__name__}") from None
    return KeptSocket(socket)
