"""What providers say about their limits, in all of their spellings."""

import asyncio
from datetime import UTC, datetime

import pytest
from aiohttp import web

from streams.backfill.history_api import Allowance, ApiRefused, HistoryApi, allowance_of, retry_after
from tests.loopback_server import serving_app

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "expected", "pause"),
    [
        ({}, Allowance(), 0.0),
        ({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "699"}, Allowance(700, 699), 0.0),
        ({"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": "70"}, Allowance(700, 70), 5.0),
        (
            {"ratelimit-limit": "700", "ratelimit-remaining": "1", "ratelimit-reset": "42"},
            Allowance(700, 1, 42),
            42.0,
        ),
        (
            {
                "X-RateLimit-Limit": "1000",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int(NOW.timestamp()) + 9),
            },
            Allowance(1000, 0, 9),
            9.0,
        ),
        (
            {
                "X-HubSpot-RateLimit-Max": "100",
                "X-HubSpot-RateLimit-Remaining": "9",
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            },
            Allowance(100, 9, 10),
            10.0,
        ),
        ({"X-Rate-Limit": "many", "X-Rate-Limit-Remaining": "nan"}, Allowance(), 0.0),
        ({"X-Rate-Limit": "9", "X-Rate-Limit-Remaining": "0", "ratelimit-reset": "9999"}, Allowance(9, 0, 9999), 60.0),
    ],
)
def test_allowance(headers: dict[str, str], expected: Allowance, pause: float) -> None:
    found = allowance_of(headers, NOW)
    assert (found, found.pause_seconds) == (expected, pause)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (None, None),
        ("93", 93.0),
        ("-1", 0.0),
        ("Mon, 02 Mar 2026 09:01:00 GMT", 60.0),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after(said: str | None, seconds: float | None) -> None:
    assert retry_after({} if said is None else {"Retry-After": said}, NOW) == seconds


@pytest.mark.parametrize("body", ["[]", "{", "\\udc80"])
def test_an_answer_that_is_no_object_is_refused(body: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async def ask() -> None:
        async with serving_app(answer) as address, HistoryApi(address, {}) as api:
            await api.get("/things")

    with pytest.raises(ApiRefused, match="no JSON object"):
        asyncio.run(ask())


def test_nothing_is_asked_of_another_host() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})

    async def ask() -> None:
        async with serving_app(answer) as address, HistoryApi(address, {}) as api:
            await api.get("/things")

    with pytest.raises(ApiRefused, match="says 302"):
        asyncio.run(ask())


def test_what_fails_again_and_again_is_given_up() -> None:
    pauses: list[float] = []

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=502)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def ask() -> None:
        async with serving_app(answer) as address, HistoryApi(address, {}, sleep=sleep) as api:
            await api.get("/things")

    with pytest.raises(ApiRefused, match="it says 502, 8 times"):
        asyncio.run(ask())
    assert len(pauses) == 7
