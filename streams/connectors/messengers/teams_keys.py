"""The keys that the Bot Framework signs its tokens with: fetched when they are needed, and kept for a day.

`teams_bot_token` asks for them; `listed_fetch` gets the two documents (OpenID configuration, then the set of keys).
Source: Microsoft, "Authentication with the Bot Connector API", steps 2 and 3.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import jwt

from streams.connectors.connector_contract import Refused
from streams.connectors.listed_fetch import NotFetched, fetch_listed
from streams.connectors.payload_reading import Json, items, read_json, tables, text

log = logging.getLogger(__name__)

OPENID_URL = "https://login.botframework.com/v1/.well-known/openidconfiguration"
ISSUERS = {
    "login.botframework.azure.us": "https://api.botframework.us",
    "login.botframework.azure.cn": "https://api.botframework.azure.cn",
}
"""Who signs in the sovereign clouds (US Government, 21Vianet), by the host of their OpenID configuration."""
ISSUER = "https://api.botframework.com"
"""Who signs everywhere else."""

KEPT = timedelta(hours=24)
"""Microsoft asks for a look at its keys at least once a day."""
UNKNOWN_KEY_PAUSE = timedelta(minutes=5)
"""Between two looks for a key that is not in the set: anybody can name one, and none shall make us ask for ever."""
TROUBLE_PAUSE = timedelta(seconds=10)
"""Between two attempts while no keys can be had: as long as `Retry-After` asks senders to wait."""

Fetch = Callable[[str, Collection[str]], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the channels that it may speak for (`msteams`)."""

    key: jwt.PyJWK
    endorsements: frozenset[str]


class SigningKeys:
    """The set of keys of one cloud. `now` is always an argument; for one event loop."""

    def __init__(self, openid_url: str = OPENID_URL, fetch: Fetch = fetch_listed) -> None:
        """Take the address of the OpenID configuration; its host is the one that is asked.

        Raises:
            ValueError: it is no address.
        """
        host = urlsplit(openid_url).hostname
        if host is None:
            raise ValueError(f"openid_url {openid_url!r} is no address")
        self.issuer = ISSUERS.get(host, ISSUER)
        self._openid_url = openid_url
        self._hosts = frozenset({host})
        self._fetch = fetch
        self._keys: dict[str, SigningKey] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._asking = asyncio.Lock()

    def usable(self, now: datetime) -> bool:
        """Whether there are keys, none older than they may be kept."""
        return self._fetched_at is not None and now - self._fetched_at < KEPT

    def find(self, key_id: str) -> SigningKey | None:
        """The key of an id; null where the set has none."""
        return self._keys.get(key_id)

    async def have(self, key_id: str, now: datetime) -> None:
        """Fetch the set if the key is not at hand, unless that was tried a moment ago. Never raises."""
        if not self._is_missing(key_id, now):
            return
        async with self._asking:  # who comes meanwhile waits for this answer instead of asking as well
            if not self._is_missing(key_id, now):
                return
            self._asked_at = now
            try:
                self._keys = await self._fetched()
                self._fetched_at = now
            except NotFetched as error:
                log.warning("The keys of the Bot Framework cannot be had: %s", error)

    def _is_missing(self, key_id: str, now: datetime) -> bool:
        usable = self.usable(now)
        if usable and key_id in self._keys:
            return False
        pause = UNKNOWN_KEY_PAUSE if usable else TROUBLE_PAUSE
        return self._asked_at is None or now - self._asked_at >= pause

    async def _fetched(self) -> dict[str, SigningKey]:
        configuration = _document(await self._fetch(self._openid_url, self._hosts), self._openid_url)
        keys_url = text(configuration, "jwks_uri")
        if keys_url is None:
            raise NotFetched("the OpenID configuration names no jwks_uri")
        found = dict(_keys_in(_document(await self._fetch(keys_url, self._hosts), keys_url)))
        if not found:
            raise NotFetched("the set of keys holds no RSA key")
        return found


def _document(body: bytes, url: str) -> Json:
    content = read_json(body)
    if isinstance(content, Refused):
        raise NotFetched(f"{url} is no JSON")
    return content


def _keys_in(content: Json) -> list[tuple[str, SigningKey]]:
    found = []
    for each in tables(content, "keys"):
        key_id = text(each, "kid")
        if key_id is None or text(each, "kty") != "RSA":
            continue
        try:
            key = jwt.PyJWK(each, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError):
            log.warning("A key of the Bot Framework cannot be read and is left out")
            continue
        channels = (channel for channel in items(each, "endorsements") if isinstance(channel, str))
        found.append((key_id, SigningKey(key, frozenset(channels))))
    return found
