"""Calls to providers and sockets that are kept: listed hosts only, bounded, and no secret in what is said."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from typing_extensions import override

from streams.connectors import provider_api
from streams.connectors.kept_socket import SocketEnded, may_be_kept, open_socket
from streams.connectors.provider_api import ApiAnswer, ask, provider_address, provider_session
from streams.connectors.source_contract import PullTrouble
from tests.providers.local_provider import LocalProvider

SECRET = "a-secret"


class LocalApi(LocalProvider):
    """Answers as a test wishes."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = web.Response()
        self.slow = False

    @override
    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/call", self._called), web.get("/socket", self._socket)]

    async def _called(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == SECRET
        if self.slow:
            await asyncio.sleep(5)
        return self.answer

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self.opened(request)
        await socket.receive()
        return socket


def played(play: Callable[[LocalApi, aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with LocalApi.running() as api, provider_session(api.url) as session:
            await play(api, session)

    asyncio.run(whole())


async def called(session: aiohttp.ClientSession, url: str) -> ApiAnswer | str:
    try:
        return await ask(session, "GET", url, ("127.0.0.1",), headers={"Authorization": SECRET})
    except PullTrouble as trouble:
        return str(trouble)


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (200, b'{"a": 1}', {}, (200, {"a": 1}, None)),
        (204, b"", {}, (204, None, None)),
        (502, b"<html>", {}, (502, None, None)),
        (200, b"\xff", {}, (200, None, None)),
        (429, b"{}", {"Retry-After": "7"}, (429, {}, 7.0)),
        (429, b'{"retry_after": 0.5}', {"Retry-After": "1"}, (429, {"retry_after": 0.5}, 0.5)),
        (429, b"{}", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, (429, {}, None)),
        (503, b"{}", {"Retry-After": "1e9"}, (503, {}, 3600.0)),
        (503, b"{}", {"Retry-After": "-1"}, (503, {}, 0.0)),
        (302, b"{}", {"Location": "http://127.0.0.1/elsewhere"}, (302, {}, None)),
    ],
)
def test_an_answer_is_read_whatever_it_is(
    status: int, body: bytes, headers: dict[str, str], expected: tuple[int, Any, float | None]
) -> None:
    async def play(api: LocalApi, session: aiohttp.ClientSession) -> None:
        api.answer = web.Response(status=status, body=body, headers=headers)
        assert await called(session, f"{api.url}/call") == expected

    played(play)


def test_what_cannot_be_asked_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_api, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(provider_api, "MOST_BYTES", 1000)

    async def play(api: LocalApi, session: aiohttp.ClientSession) -> None:
        nobody = f"http://127.0.0.1:{unused_port()}/call?token={SECRET}"
        assert "ClientConnectorError" in str(await called(session, nobody))
        assert await called(session, "https://elsewhere.example/") == "an address is not on a listed host"
        api.answer = web.Response(body=b"x" * 1001)
        assert await called(session, f"{api.url}/call") == "127.0.0.1 sent more than 1000 bytes"
        api.slow = True
        said = await called(session, f"{api.url}/call")
        assert said == "127.0.0.1 did not answer within 0.2 seconds"
        with pytest.raises(PullTrouble) as caught:
            await open_socket(session, f"{api.url.replace('http', 'ws')}/nothing?ticket={SECRET}", most_bytes=9)
        assert str(caught.value) == "127.0.0.1 opened no socket: it answered 404"
        with pytest.raises(PullTrouble) as caught:
            await open_socket(session, nobody.replace("http", "ws"), most_bytes=9)
        assert SECRET not in str(caught.value)

    played(play)


def test_a_text_that_is_too_long_ends_a_socket_and_nobody_can_be_sent_to_afterwards() -> None:
    async def play(api: LocalApi, session: aiohttp.ClientSession) -> None:
        socket = await open_socket(session, f"{api.url.replace('http', 'ws')}/socket", most_bytes=100)
        await api.connected.wait()
        await api.sockets[0].send_str("x" * 101)
        with pytest.raises(SocketEnded):
            await socket.receive()
        with pytest.raises(SocketEnded):
            await socket.send({})
        await socket.close()

    played(play)


@pytest.mark.parametrize(
    ("url", "loopback", "kept"),
    [
        ("wss://slack.com/link", False, True),
        ("wss://wss-primary.slack.com/link/?ticket=1", False, True),
        ("wss://wss-primary.slack.com:443/link", False, True),
        ("ws://wss-primary.slack.com/link", False, False),
        ("wss://wss-primary.slack.com:8443/link", False, False),
        ("wss://notslack.com/link", False, False),
        ("wss://slack.com.evil.example/link", False, False),
        ("wss://slack.com@evil.example/link", False, False),
        ("wss://evil@slack.com/link", False, False),
        ("wss://127.0.0.1/link", False, False),
        ("wss://[half", False, False),
        ("ws://127.0.0.1:8080/link", True, True),
        ("wss://slack.com/link", True, False),
        ("http://127.0.0.1/link", True, False),
    ],
)
def test_a_socket_is_kept_to_the_provider_and_by_tls(url: str, loopback: bool, kept: bool) -> None:
    assert may_be_kept(url, ("slack.com",), loopback=loopback) is kept


@pytest.mark.parametrize("written", ["http://graph.example", "graph.example", "https://", "ftp://x", "", "https://[x"])
def test_an_address_of_a_provider_is_https(written: str) -> None:
    assert provider_address(" https://graph.example/ ") == "https://graph.example"
    with pytest.raises(ValueError, match="no https"):
        provider_address(written)
