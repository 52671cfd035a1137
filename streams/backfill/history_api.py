"""Asking a provider's API for history: one host, within its limits, with patience.

A history of years takes hours, so nothing short gives up: 429 waits as long as the provider says, errors of its
servers and of the network are tried again with growing pauses, and the last tenth of the provider's allowance is left
to everybody else who uses the account. `zendesk_source` and its neighbours ask through it.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from streams.connectors.connector_contract import Refused
from streams.connectors.listed_fetch import LOOPBACK_HOSTS, PublicResolver, listed_host
from streams.connectors.payload_reading import Json, read_json
from streams.connectors.pull_runner import pause_before

ANSWER_SECONDS = 60.0
"""A page of a thousand objects may take a provider this long."""
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer: a thousand tickets with their descriptions have some megabytes."""
MOST_ATTEMPTS = 8
"""Of one request that fails: with pauses of up to two minutes about five minutes in all."""
LONGEST_WAIT_SECONDS = 3600.0
"""As asked for by a provider: limits by the day say more, and then it is better to go on tomorrow."""
RESERVED_SHARE = 0.1
"""Of a provider's allowance, for the company's other programs."""

_AUTHORISATION = frozenset({401, 403})


class ApiRefused(Exception):  # noqa: N818 - what the provider did
    """The provider does not give it. The message says why, without any secret; `status` is 0 without an answer."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a provider says about its limit: requests in all, those left, and seconds until it is full again."""

    limit: float | None = None
    remaining: float | None = None
    reset_seconds: float | None = None

    @property
    def pause_seconds(self) -> float:
        """How long to wait so that the reserved share is left; 0 while there is more."""
        if self.remaining is None or self.limit is None or self.remaining > self.limit * RESERVED_SHARE:
            return 0.0
        return min(self.reset_seconds if self.reset_seconds is not None else 5.0, 60.0)


def allowance_of(headers: Mapping[str, str], now: datetime) -> Allowance:
    """What the headers of an answer say.

    Zendesk writes `X-Rate-Limit`, `X-Rate-Limit-Remaining` and `ratelimit-reset` (seconds), Intercom
    `X-RateLimit-Reset` (an instant in seconds), HubSpot `X-HubSpot-RateLimit-Max` and an interval in milliseconds.
    """
    names = {name.lower(): value for name, value in headers.items()}
    limit = _first(names, "x-rate-limit", "x-ratelimit-limit", "ratelimit-limit", "x-hubspot-ratelimit-max")
    remaining = _first(
        names,
        "x-rate-limit-remaining",
        "x-ratelimit-remaining",
        "ratelimit-remaining",
        "x-hubspot-ratelimit-remaining",
    )
    reset = _first(names, "ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset")
    interval = _first(names, "x-hubspot-ratelimit-interval-milliseconds")
    if reset is None and interval is not None:
        reset = interval / 1000
    if reset is not None and reset > 1_000_000_000:  # an instant and no length of time
        reset -= now.timestamp()
    return Allowance(limit, remaining, max(0.0, reset) if reset is not None else None)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as a date; null where it says nothing."""
    said = headers.get("Retry-After")
    if said is None:
        return None
    number = _first({"said": said}, "said")
    if number is not None:
        return max(0.0, number)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def _first(values: Mapping[str, str], *names: str) -> float | None:
    for name in names:
        try:
            found = float(values[name].split(";")[0])
        except (KeyError, ValueError):
            continue
        if found - found == 0:
            return found
    return None


@dataclass(slots=True)
class ApiCounts:
    """What was asked, for the summary."""

    requests: int = 0
    tried_again: int = 0
    waited_seconds: float = 0.0


class HistoryApi:
    """A session with one host. Used as `async with`."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`headers` prove who we are; `told` hears of pauses in words.

        Raises:
            ValueError: the address may not be asked.
        """
        self._base = base_url.rstrip("/")
        self.host = urlsplit(self._base).hostname or ""
        if listed_host(self._base, (self.host,)) is None:
            raise ValueError(f"{base_url!r} is no address of an API: https://HOST, or http:// on this machine")
        self._loopback = self.host in LOOPBACK_HOSTS
        self._headers = dict(headers)
        self._sleep = sleep
        self._told = told
        self._session: aiohttp.ClientSession | None = None
        self.counts = ApiCounts()

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(resolver=PublicResolver(loopback=self._loopback), limit=8)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, **parameters: str | int) -> dict[str, Json]:
        """The object at a path.

        Raises:
            ApiRefused: there is none for us.
        """
        return await self._ask("GET", path, {key: str(value) for key, value in parameters.items()}, None)

    async def post(self, path: str, body: Json) -> dict[str, Json]:
        """What a search answers.

        Raises:
            ApiRefused: it does not.
        """
        return await self._ask("POST", path, {}, body)

    async def _ask(self, method: str, path: str, parameters: dict[str, str], body: Json) -> dict[str, Json]:
        attempt = 0
        while True:
            attempt += 1
            outcome = await self._try(method, path, parameters, body)
            if isinstance(outcome, dict):
                return outcome
            reason, pause = outcome
            if attempt >= MOST_ATTEMPTS:
                raise ApiRefused(f"{path}: {reason}, {attempt} times")
            if pause is None:
                pause = pause_before(attempt, random.random())  # noqa: S311 - it spreads clients, it hides nothing
            elif pause > LONGEST_WAIT_SECONDS:
                raise ApiRefused(f"{path}: {reason}, and asks to come again in {pause / 3600:.1f} hours", 429)
            self.counts.tried_again += 1
            self._told(f"{reason}; trying again in {pause:.0f} s")
            await self._wait(pause)

    async def _try(
        self, method: str, path: str, parameters: dict[str, str], body: Json
    ) -> dict[str, Json] | tuple[str, float | None]:
        """The answer; or why there is none yet, and how long to wait where the provider says it."""
        if self._session is None:
            raise RuntimeError("the session is not open")
        self.counts.requests += 1
        try:
            async with self._session.request(
                method, self._base + path, params=parameters, json=body, allow_redirects=False
            ) as answer:
                if answer.status == 200:
                    content = await _content(answer, path)
                    await self._wait(allowance_of(answer.headers, datetime.now(UTC)).pause_seconds)
                    return content
                if answer.status == 429 or answer.status >= 500:
                    said = retry_after(answer.headers, datetime.now(UTC))
                    reason = "the provider's limit is reached" if answer.status == 429 else f"it says {answer.status}"
                    return reason, said
                if answer.status in _AUTHORISATION:
                    raise ApiRefused(f"{path}: the provider does not let us in ({answer.status})", answer.status)
                raise ApiRefused(f"{path}: the provider says {answer.status}", answer.status)
        except TimeoutError:
            return f"no answer within {ANSWER_SECONDS:g} s", None
        except (aiohttp.ClientError, OSError) as error:
            return f"the connection failed ({type(error).__name__})", None

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            begun = time.monotonic()
            await self._sleep(seconds)
            self.counts.waited_seconds += time.monotonic() - begun


async def _content(answer: aiohttp.ClientResponse, path: str) -> dict[str, Json]:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ApiRefused(f"{path}: an answer of more than {MOST_BYTES} bytes")
    content = read_json(bytes(body))
    if isinstance(content, Refused) or not isinstance(content, dict):
        raise ApiRefused(f"{path}: the answer is no JSON object")
    return content
