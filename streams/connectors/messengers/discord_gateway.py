"""Discord's gateway: a WebSocket over which every message of the servers comes that the bot may read.

Source: Discord developer documentation, "Gateway", "Opcodes and Status Codes". Dispatches are numbered, and a session
that was cut off resumes behind the number in our cursor (`discord_position`); the cursor moves once Kafka has the
dispatch. A session that cannot be resumed is followed by a new one, and `discord_missed` makes up for what lies
between. `discord_channel` reads the dispatches.

A heartbeat that Discord acknowledges comes back behind everything it had to tell before: so far nothing is missing.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
from msgspec.structs import replace

from streams.connectors.connector_contract import Instance, Refused
from streams.connectors.kept_socket import KeptSocket, SocketEnded, may_be_kept, open_socket
from streams.connectors.messengers.discord_missed import MissedMessages
from streams.connectors.messengers.discord_position import GatewayPosition
from streams.connectors.payload_reading import Json, id_text, number, read_json, table, tables, text
from streams.connectors.provider_api import ApiAnswer, ask, is_loopback, provider_address, provider_session
from streams.connectors.source_contract import Deliver, PullTrouble

log = logging.getLogger(__name__)

API_URL = "https://discord.com/api/v10"
GATEWAY_DOMAIN = "discord.gg"
VERSION = "v=10&encoding=json"
USER_AGENT = "DiscordBot (careline, 1)"
"""Discord asks for this form: `DiscordBot (what, version)`."""

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, INVALID_SESSION, HELLO, ACKNOWLEDGED = 0, 1, 2, 6, 7, 9, 10, 11
"""Operations."""

INTENTS = 1 << 0 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15
"""Servers and their threads, messages and reactions in servers and in direct messages, and what is written in them
(privileged)."""

HOPELESS = {
    4004: "Discord refuses the bot token",
    4010: "Discord refuses the shard",
    4011: "The bot is in so many servers that Discord wants it to be sharded, which Careline does not do",
    4012: "Discord no longer speaks version 10 of its gateway",
    4013: "Discord does not know the intents",
    4014: (
        "Discord does not allow the bot to read messages: switch on Message Content Intent at"
        " discord.com/developers > your application > Bot > Privileged Gateway Intents"
    ),
}
"""Codes that Discord closes with where coming back does not help."""
SESSION_LOST = frozenset({4003, 4007, 4009})
"""Codes after which the session cannot be resumed."""
COMING_BACK = 4000
"""What we close with: after 1000 or 1001 Discord would end the session."""

HELLO_SECONDS = 20.0
IDENTIFY_SECONDS = 5.0
"""Discord takes one new session in so many seconds."""
INVALID_SECONDS = (1.0, 5.0)
"""How long Discord asks to wait, at random, after it has called a session invalid."""
OWED_FOR = timedelta(minutes=10)
"""How long servers that Discord cannot reach itself are waited for, before it is said that they are left out."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one dispatch: a large server's description when a session begins. Messages have some kilobytes."""


class DiscordGateway:
    """Keeps one session of one bot."""

    def __init__(
        self,
        instance: Instance,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the bot token of an instance.

        Raises:
            ValueError: the address of the API is none.
        """
        self._token = instance.tokens[0].strip().removeprefix("Bot ").strip()
        self._api_url = provider_address(instance.options.get("api_url", API_URL))
        self.now = now
        self.sleep = sleep
        self.missed = MissedMessages(self.call, with_roles=bool(instance.own_ids), sleep=sleep)
        self._identified_at: float | None = None

    async def run(self, position: str | None, deliver: Deliver) -> None:
        """Go on with the session of a position, or begin one; until Discord asks to come back, or something breaks."""
        at = GatewayPosition.read(position)
        async with provider_session(self._api_url) as session:
            url = at.resume_url if at.resumable and at.resume_url else await self._address(session)
            if not may_be_kept(url, (GATEWAY_DOMAIN,), loopback=is_loopback(self._api_url)):
                await deliver([], at.without_session().written())
                raise PullTrouble("Discord names a gateway that is not its own")
            socket = await open_socket(session, f"{url.rstrip('/')}/?{VERSION}", most_bytes=MOST_BYTES)
            connection = _Connection(self, session, socket, deliver, at)
            try:
                await connection.serve()
            except SocketEnded as ended:
                await connection.lost(ended.code)
            finally:
                await socket.close(COMING_BACK)

    async def _address(self, session: aiohttp.ClientSession) -> str:
        answer = await self.call(session, "/gateway/bot")
        if answer.status in {401, 403}:
            raise PullTrouble(HOPELESS[4004], hopeless=True)
        url = text(answer.content, "url")
        if answer.status != 200 or url is None:
            raise answer.trouble("Discord")
        limit = table(answer.content, "session_start_limit")
        if limit.get("remaining") == 0:
            reset = (number(limit, "reset_after") or 0) / 1000
            raise PullTrouble("The bot has begun as many sessions as it may today", retry_after_seconds=reset or None)
        return url

    async def call(self, session: aiohttp.ClientSession, path: str) -> ApiAnswer:
        """Ask the API for something."""
        headers = {"Authorization": f"Bot {self._token}", "User-Agent": USER_AGENT}
        hosts = (urlsplit(self._api_url).hostname or "",)
        return await ask(session, "GET", self._api_url + path, hosts, headers=headers)

    async def opening(self, at: GatewayPosition) -> Json:
        """What is said first: that the session goes on, or that a new one begins, which waits for its turn."""
        if at.resumable:
            return {"op": RESUME, "d": {"token": self._token, "session_id": at.session_id, "seq": at.seq}}
        if self._identified_at is not None:
            await self.sleep(max(0.0, self._identified_at + IDENTIFY_SECONDS - time.monotonic()))
        self._identified_at = time.monotonic()
        properties = {"os": "linux", "browser": "careline", "device": "careline"}
        return {"op": IDENTIFY, "d": {"token": self._token, "intents": INTENTS, "properties": properties}}


@dataclass(slots=True)
class _Beat:
    """The last heartbeat: when it was sent, whether everything had been told by then, and whether it came back."""

    sent_at: datetime | None = None
    live: bool = False
    answered: bool = True


class _Connection:
    """One connection, from hello to its end."""

    def __init__(
        self,
        gateway: DiscordGateway,
        session: aiohttp.ClientSession,
        socket: KeptSocket,
        deliver: Deliver,
        at: GatewayPosition,
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._socket = socket
        self._deliver = deliver
        self._at = at if at.resumable else at.without_session()
        self._owed: set[str] = set()
        self._began_at: datetime | None = None
        self._beat = _Beat()
        self._live = False
        """Whether everything of the time before has been told: after READY, or RESUMED."""
        self._storing = False

    async def serve(self) -> None:
        """Read until Discord asks to come back.

        Raises:
            SocketEnded: the connection is over.
            PullTrouble: something else is.
        """
        interval = await self._greeted()
        beating = asyncio.create_task(self._keep_beating(interval))
        try:
            await self._socket.send(await self._gateway.opening(self._at))
            while await self._took(await self._socket.receive()):
                pass
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def lost(self, code: int | None) -> None:
        """Say why, and remember that the session is lost where it is.

        Raises:
            PullTrouble: always.
        """
        if code in HOPELESS:
            raise PullTrouble(HOPELESS[code], hopeless=True)
        if code in SESSION_LOST:
            await self._forget_session()
        raise PullTrouble(f"The connection to Discord is lost: {SocketEnded(code)}")

    async def _greeted(self) -> float:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                hello = read_json((await self._socket.receive()).encode())
        except TimeoutError:
            raise PullTrouble("Discord's gateway does not say hello") from None
        interval = number(table(hello), "d", "heartbeat_interval")
        if table(hello).get("op") != HELLO or not interval or interval < 0:
            raise PullTrouble("Discord's gateway says something else than hello")
        return interval / 1000

    async def _keep_beating(self, interval: float) -> None:
        """Beat; where a heartbeat is not acknowledged before the next, the line is dead."""
        await asyncio.sleep(interval * random.random())  # noqa: S311 - it spreads clients, it hides nothing
        with contextlib.suppress(SocketEnded):
            while self._beat.answered or self._storing:  # while we store we do not read, and cannot have heard it
                await self._send_beat()
                await asyncio.sleep(interval)
        await self._socket.close(COMING_BACK)

    async def _send_beat(self) -> None:
        self._beat = _Beat(self._gateway.now(), self._live, answered=False)
        await self._socket.send({"op": HEARTBEAT, "d": self._at.seq})

    async def _took(self, received: str) -> bool:
        """Whether to read on after this message."""
        payload = read_json(received.encode("utf-8", "replace"))
        if isinstance(payload, Refused):
            return True
        operation = table(payload).get("op")
        if operation == DISPATCH:
            await self._dispatched(payload, received)
        elif operation == HEARTBEAT:
            await self._send_beat()
        elif operation == ACKNOWLEDGED:
            await self._acknowledged()
        elif operation == INVALID_SESSION:
            await self._invalid(resumable=payload.get("d") is True)
        return operation not in {RECONNECT, INVALID_SESSION}

    async def _dispatched(self, payload: Json, received: str) -> None:
        name, data = text(payload, "t"), table(payload, "d")
        seq = payload.get("s")
        self._at = replace(self._at, seq=seq if isinstance(seq, int) else self._at.seq)
        self._storing = True
        if name == "READY":
            self._began(data)
        elif name == "GUILD_CREATE" and id_text(data, "id") in self._owed and self._at.owed_since is not None:
            await self._gateway.missed.fetch(self._session, data, self._at.owed_since, self._deliver)
            self._settled({id_text(data, "id") or ""})
        self._live = self._live or name in {"READY", "RESUMED"}
        await self._deliver([received.encode("utf-8", "replace")], self._at.written())
        self._storing = False

    def _began(self, ready: Json) -> None:
        self._began_at = self._gateway.now()
        self._owed = {found for each in tables(ready, "guilds") if (found := id_text(each, "id")) is not None}
        self._at = replace(
            self._at,
            session_id=id_text(ready, "session_id"),
            resume_url=text(ready, "resume_gateway_url"),
            told_until=self._at.told_until or self._began_at,
        )
        if self._at.owed_since is not None:
            log.warning("Discord: a new session; what was written since %s is fetched", self._at.owed_since)
            self._settled(set())

    def _settled(self, servers: set[str]) -> None:
        """These servers owe nothing any more; when none does, the session can be resumed."""
        self._owed -= servers
        if not self._owed:
            self._at = replace(self._at, owed_since=None)
            self._gateway.missed.forget()

    async def _acknowledged(self) -> None:
        self._beat.answered = True
        began, now = self._began_at, self._gateway.now()
        if self._owed and self._at.owed_since is not None and began is not None and now - began > OWED_FOR:
            log.warning("Discord: %d servers are out of reach; what was missed there is left out", len(self._owed))
            self._settled(set(self._owed))
        if self._beat.live and self._at.owed_since is None and self._beat.sent_at is not None:
            self._at = replace(self._at, told_until=self._beat.sent_at)
            self._storing = True
            await self._deliver([], self._at.written(), self._beat.sent_at)
            self._storing = False

    async def _invalid(self, *, resumable: bool) -> None:
        if self._at.session_id is None:
            raise PullTrouble("Discord begins no new session for now")
        if not resumable:
            await self._forget_session()
        await self._gateway.sleep(random.uniform(*INVALID_SECONDS))  # noqa: S311 - Discord asks for chance

    async def _forget_session(self) -> None:
        self._at = self._at.without_session()
        await self._deliver([], self._at.written())


def gateway_of(instance: Instance) -> DiscordGateway | None:
    """What fetches for an instance that has a bot token; others are called by HTTP alone.

    Raises:
        ValueError: see `DiscordGateway`.
    """
    return DiscordGateway(instance) if instance.tokens else None
