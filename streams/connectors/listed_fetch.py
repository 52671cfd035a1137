"""Fetching what proves who a sender is (a signing key, a certificate), from listed hosts and from nowhere else.

A payload or a document that we fetched may name any address; following it would let a sender look around in our own
network. So the host must be on a list, by HTTPS, its addresses must be public, and redirects are not followed. Where
the configuration itself lists a loopback host, that host may be asked without TLS: for tests and for a proxy beside us.
"""

import asyncio
import errno
import socket
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

FETCH_SECONDS = 3.0
"""For one document: senders wait for their answer meanwhile, and the most impatient give up after 3 to 15 seconds."""
MOST_BYTES = 1024 * 1024
"""Sets of keys have some tens of kilobytes."""

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class NotFetched(Exception):  # noqa: N818 - what came of it
    """The document cannot be had, or may not be asked for. The message says why."""


async def fetch_listed(url: str, hosts: Collection[str]) -> bytes:
    """The body of a GET to an address on one of these hosts.

    Raises:
        NotFetched: the address is not on the list or not public, or no answer 200 came in time.
    """
    host = listed_host(url, hosts)
    if host is None:
        raise NotFetched(f"{url[:200]!r} is not on a listed host")
    connector = aiohttp.TCPConnector(resolver=PublicResolver(loopback=host in LOOPBACK_HOSTS), use_dns_cache=False)
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise NotFetched(f"{host} answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise NotFetched(f"{host} sent more than {MOST_BYTES} bytes")
            return bytes(body)
    except TimeoutError:
        raise NotFetched(f"{host} did not answer within {FETCH_SECONDS:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotFetched(f"{host}: {type(error).__name__}: {error}") from error


def listed_host(url: str, hosts: Collection[str]) -> str | None:
    """The host of an address that may be asked; null when it may not."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if host is None or host not in hosts or parts.username is not None:
        return None
    if host in LOOPBACK_HOSTS:
        return host if parts.scheme in {"http", "https"} else None
    return host if parts.scheme == "https" and port in {None, 443} and not _is_address(host) else None


def may_be_asked(address: str, *, loopback: bool) -> bool:
    """Whether a resolved address is public, or loopback where that is meant."""
    found = ip_address(address)
    inner = found.ipv4_mapped if isinstance(found, IPv6Address) and found.ipv4_mapped else found
    return inner.is_loopback if loopback else inner.is_global and not inner.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names like aiohttp's own, and leaves out what is private: what is connected to is what was checked."""

    def __init__(self, *, loopback: bool) -> None:
        self._loopback = loopback
        self._inner = aiohttp.ThreadedResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        kept = [each for each in found if may_be_asked(each["host"], loopback=self._loopback)]
        if not kept:
            raise PermissionError(errno.EPERM, f"{host} has no address that may be asked")
        return kept

    @override
    async def close(self) -> None:
        await self._inner.close()


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
