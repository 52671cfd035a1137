"""What is fetched because somebody named it comes from listed, public hosts; nothing else is even asked."""

import asyncio
from typing import Any

import aiohttp
import pytest

from streams.connectors.listed_fetch import NotFetched, fetch_listed, listed_host, may_be_asked

HOSTS = frozenset({"keys.example", "localhost", "10.0.0.1"})


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://keys.example/a", "keys.example"),
        ("https://KEYS.example:443/a", "keys.example"),
        ("http://localhost:8080/a", "localhost"),
        ("http://keys.example/a", None),
        ("https://keys.example:8443/a", None),
        ("https://keys.example.evil.example/a", None),
        ("https://keys.example@evil.example/a", None),
        ("https://user@keys.example/a", None),
        ("https://10.0.0.1/a", None),
        ("http://127.0.0.1/a", None),
        ("file:///etc/passwd", None),
        ("https://[half/a", None),
        ("", None),
    ],
)
def test_only_a_listed_host_may_be_asked(url: str, host: str | None) -> None:
    assert listed_host(url, HOSTS) == host


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.1.2.3", False),
        ("224.0.0.1", False),
    ],
)
def test_only_a_public_address_may_be_asked(address: str, public: bool) -> None:
    assert may_be_asked(address, loopback=False) == public


def test_a_listed_name_that_leads_into_our_own_network_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "10.1.2.3", "port": port, "family": family, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", inside)
    with pytest.raises(NotFetched, match="no address that may be asked"):
        asyncio.run(fetch_listed("https://keys.example/a", HOSTS))
    with pytest.raises(NotFetched, match="not on a listed host"):
        asyncio.run(fetch_listed("https://elsewhere.example/a", HOSTS))
