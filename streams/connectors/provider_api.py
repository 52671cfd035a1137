"""Calls to a provider's API by connectors that fetch: JSON answers, from listed hosts, and no secret in what is said.

`kept_socket` keeps WebSockets in the same session. Hosts are listed by the configuration (an address of the provider
in an option, or its default); `listed_fetch` says why nothing else is asked.
"""

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from streams.connectors.connector_contract import Refused
from streams.connectors.listed_fetch import LOOPBACK_HOSTS, PublicResolver, listed_host
from streams.connectors.payload_reading import Json, number, read_json
from streams.connectors.source_contract import PullTrouble

CALL_SECONDS = 15.0
"""For one call: nobody waits at a screen, but a dead line should not go unnoticed for minutes."""
MOST_BYTES = 8 * 1024 * 1024
"""Of one answer; a page of a hundred messages has some hundred kilobytes."""
LONGEST_WAIT_SECONDS = 3600.0
"""What is asked for beyond it is tried again anyway: a header can be wrong."""


class ApiAnswer(NamedTuple):
    """What the provider answered. `content` is null where there was none, or no JSON."""

    status: int
    content: Json
    retry_after_seconds: float | None

    def trouble(self, provider: str) -> PullTrouble:
        """The answer as a reason not to go on. Only who we are and what we may (401, 403) is hopeless."""
        return PullTrouble(
            f"{provider} answered {self.status}",
            retry_after_seconds=self.retry_after_seconds,
            hopeless=self.status in {401, 403},
        )


def provider_address(written: str) -> str:
    """The address of an API as an option names it, without a slash at its end.

    Raises:
        ValueError: it is no HTTPS address (HTTP is for this machine only).
    """
    address = written.strip().rstrip("/")
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    if listed_host(address, (host,)) is None:
        raise ValueError(f"{written[:200]!r} is no https:// address")
    return address


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine: a test's, or a proxy's beside us."""
    return urlsplit(address).hostname in LOOPBACK_HOSTS


def provider_session(address: str) -> aiohttp.ClientSession:
    """A session for the hosts of one provider; it reaches public hosts, or this machine where the address says so."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=PublicResolver(loopback=is_loopback(address)), use_dns_cache=False),
        timeout=aiohttp.ClientTimeout(total=CALL_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    hosts: Collection[str],
    *,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
    content: Json = None,
) -> ApiAnswer:
    """The answer to one call, whatever its status. Redirects are not followed.

    Raises:
        PullTrouble: the host is not listed, or did not answer.
    """
    host = listed_host(url, hosts)
    if host is None:
        raise PullTrouble("an address is not on a listed host", hopeless=True)
    try:
        async with session.request(
            method, url, headers=headers, data=form, json=content, allow_redirects=False
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise PullTrouble(f"{host} sent more than {MOST_BYTES} bytes")
            read = read_json(bytes(body))
            said = None if isinstance(read, Refused) else read
            return ApiAnswer(answer.status, said, _wait(answer.headers.get("Retry-After"), said))
    except TimeoutError:
        raise PullTrouble(f"{host} did not answer within {CALL_SECONDS:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Its text may hold the whole address; what is secret in one stays out of the log.
        raise PullTrouble(f"{host} cannot be asked: {type(error).__name__}") from None


def _wait(header: str | None, content: Json) -> float | None:
    """Seconds that the answer asks to wait; Discord says it more exactly in the body."""
    said = number(content, "retry_after")
    asked = said if said is not None else number(header)
    return min(max(asked, 0.0), LONGEST_WAIT_SECONDS) if asked is not None and math.isfinite(asked) else None
