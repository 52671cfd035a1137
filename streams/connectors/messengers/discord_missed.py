"""Messages that a lost session of Discord's gateway did not tell: fetched from the channels that have newer ones.

A new session hears of every server's channels and active threads, each with the id of its last message. Ids are times
(snowflakes), so it is known without asking which channels have something new. What comes of them looks as the gateway
would have told it, with the id that makes a message tell once. Not made up for: edits, deletions and reactions of the
meantime, direct messages, and threads that were archived in it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

import aiohttp

from streams.connectors.messengers.discord_payload import DISCORD_EPOCH_MILLISECONDS
from streams.connectors.payload_reading import EPOCH, Json, flag, id_text, items, table, tables
from streams.connectors.provider_api import ApiAnswer
from streams.connectors.source_contract import Deliver

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=1)
"""Fetched once more before the instant up to which everything was told: clocks differ, and ids forgive it."""
PAGE = 100
"""The most that Discord gives at once."""
PAUSE_SECONDS = 1.0
"""Where Discord asks for a pause and does not say how long."""

Call = Callable[[aiohttp.ClientSession, str], Awaitable[ApiAnswer]]


class MissedMessages:
    """Fetches for one instance. What was fetched is remembered until all is: a break in between repeats nothing."""

    def __init__(
        self, call: Call, *, with_roles: bool, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`call` asks Discord's API for a path; `with_roles`: who is an agent may depend on roles, so look them up."""
        self._call = call
        self._with_roles = with_roles
        self._sleep = sleep
        self._fetched: dict[str, int] = {}

    def forget(self) -> None:
        """Nothing is owed any more."""
        self._fetched.clear()

    async def fetch(self, session: aiohttp.ClientSession, server: Json, since: datetime, deliver: Deliver) -> None:
        """Deliver what was written in a server since an instant. `server` is the data of its `GUILD_CREATE`.

        Raises:
            PullTrouble: Discord does not answer.
        """
        guild = id_text(server, "id") or ""
        first = _snowflake_of(since - MARGIN)
        members: dict[str, Json] = {}
        for channel in (*tables(server, "channels"), *tables(server, "threads")):
            channel_id, newest = id_text(channel, "id"), _number(id_text(channel, "last_message_id"))
            if channel_id is None or newest <= self._fetched.get(channel_id, first):
                continue
            async for page in self._pages(session, channel_id, first):
                told = [await self._as_told(session, message, guild, members) for message in page]
                await deliver(told)
                self._fetched[channel_id] = max(_number(id_text(message, "id")) for message in page)

    async def _pages(self, session: aiohttp.ClientSession, channel: str, first: int) -> AsyncIterator[list[Json]]:
        while True:
            after = self._fetched.get(channel, first)
            answer = await self._patiently(session, f"/channels/{channel}/messages?after={after}&limit={PAGE}")
            if answer.status in {403, 404}:
                log.info("Discord: what was missed in the channel %s may not be read", channel)
                return
            if answer.status != 200:
                raise answer.trouble("Discord")
            found = [message for message in items(answer.content) if _number(id_text(message, "id")) > after]
            if not found:
                return
            yield sorted(found, key=lambda message: _number(id_text(message, "id")))
            if len(found) < PAGE:
                return

    async def _as_told(
        self, session: aiohttp.ClientSession, message: Json, guild: str, members: dict[str, Json]
    ) -> bytes:
        """A message as the gateway would have told it: with its server, and with its author's roles in it."""
        author = id_text(message, "author", "id")
        is_person = not id_text(message, "webhook_id") and not flag(message, "author", "bot")
        if self._with_roles and author is not None and is_person and author not in members:
            answer = await self._patiently(session, f"/guilds/{guild}/members/{author}")
            if answer.status not in {200, 403, 404}:
                raise answer.trouble("Discord")
            members[author] = {"roles": items(answer.content, "roles")}
        data = {**table(message), "guild_id": guild, "member": members.get(author or "", {})}
        return json.dumps({"op": 0, "t": "MESSAGE_CREATE", "d": data}).encode()

    async def _patiently(self, session: aiohttp.ClientSession, path: str) -> ApiAnswer:
        while (answer := await self._call(session, path)).status == 429:
            await self._sleep(answer.retry_after_seconds or PAUSE_SECONDS)
        return answer


def _snowflake_of(at: datetime) -> int:
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    return max(milliseconds - DISCORD_EPOCH_MILLISECONDS, 0) << 22


def _number(snowflake: str | None) -> int:
    return int(snowflake) if snowflake is not None and snowflake.isascii() and snowflake.isdigit() else 0
