"""Discord on this machine: the gateway with sessions that can be resumed, and the API for messages and members.

discord.py's own client works against it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiohttp import web
from typing_extensions import override

from tests.providers.local_provider import LocalProvider

TOKEN = "bot-token-that-is-a-secret"
INTERVAL_MILLISECONDS = 40
BOT = {"id": "1", "username": "bot", "discriminator": "0", "avatar": None, "bot": True, "global_name": None}


def as_discord(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON with the media type alone, without a charset: discord.py compares it."""
    return web.Response(
        body=json.dumps(content).encode(), status=status, headers=headers, content_type="application/json"
    )


class LocalDiscord(LocalProvider):
    """A gateway that takes one bot; what it is told, it remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[dict[str, Any]] = []
        self.beats = 0
        self.answers_beats = True
        self.begins_sessions = True
        self.gateway: dict[str, Any] = {}
        self.guilds: tuple[str, ...] = ()
        self.channels: dict[str, list[dict[str, Any]]] = {}
        self.members: dict[str, list[str]] = {}
        self.throttled = 0
        self.asked: list[str] = []
        self.seq = 0
        self.dispatched: list[dict[str, Any]] = []

    @override
    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/gateway/bot", self._gateway),
            web.get("/api/channels/{channel}/messages", self._messages),
            web.get("/api/guilds/{guild}/members/{user}", self._member),
            web.get("/api/users/@me", self._bot),
            web.get("/api/oauth2/applications/@me", self._application),
            web.get("/", self._socket),
            web.get("/again", self._socket),
            web.get("/again/", self._socket),
        ]

    def told(self, operation: int) -> list[Any]:
        return [each["d"] for each in self.heard if each["op"] == operation]

    def has_heard(self, operation: int, times: int = 1) -> bool:
        return len(self.told(operation)) >= times

    async def tell(self, name: str, data: Mapping[str, Any]) -> None:
        self.seq += 1
        self.dispatched.append({"op": 0, "t": name, "s": self.seq, "d": dict(data)})
        with suppress(ConnectionError):  # nobody may be there; what is told is told again to whoever resumes
            await self.send(self.dispatched[-1])

    async def send(self, payload: Mapping[str, Any]) -> None:
        await self.sockets[-1].send_json(dict(payload))

    async def _gateway(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            return as_discord({"message": "401: Unauthorized", "code": 0}, status=401)
        limit = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
        url = self.url.replace("http", "ws")
        return as_discord({"url": url, "shards": 1, "session_start_limit": limit} | self.gateway)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        assert request.query["v"] == "10"
        socket = await self.opened(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": INTERVAL_MILLISECONDS}})
        async for message in socket:
            await self._answer(socket, message.json())
        return socket

    async def _answer(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        if said["op"] == 1:
            self.beats += 1
            if self.answers_beats:
                await socket.send_json({"op": 11})
            return
        self.heard.append(said)
        if said["op"] == 2 and self.begins_sessions:
            self.seq = 0
            self.dispatched.clear()
            guilds = [{"id": guild, "unavailable": True} for guild in self.guilds]
            url = self.url.replace("http", "ws") + "/again"
            session = f"session-{len(self.told(2))}"
            words = {"v": 10, "user": BOT, "application": {"id": "1", "flags": 0}, "guilds": guilds}
            await self.tell("READY", {"session_id": session, "resume_gateway_url": url, **words})

        if said["op"] == 6 and said["d"]["session_id"] == f"session-{len(self.told(2))}":
            for missed in self.dispatched[said["d"]["seq"] :]:
                await socket.send_json(missed)
            await self.tell("RESUMED", {})

    async def _bot(self, request: web.Request) -> web.Response:
        return as_discord(BOT)

    async def _application(self, request: web.Request) -> web.Response:
        words = {"bot_public": True, "bot_require_code_grant": False, "rpc_origins": [], "verify_key": ""}
        return as_discord({"id": "1", "name": "bot", "description": "", "icon": None, "owner": BOT, "flags": 0} | words)

    async def _messages(self, request: web.Request) -> web.Response:
        channel, after = request.match_info["channel"], int(request.query["after"])
        self.asked.append(channel)
        if self.throttled:
            self.throttled -= 1
            await asyncio.sleep(0)
            return as_discord({"retry_after": 0.25, "global": False}, status=429, headers={"Retry-After": "1"})
        if channel not in self.channels:
            return as_discord({"message": "Missing Access", "code": 50001}, status=403)
        behind = [message for message in self.channels[channel] if int(message["id"]) > after]
        page = sorted(behind, key=lambda message: int(message["id"]))[: int(request.query["limit"])]
        return as_discord(page[::-1])

    async def _member(self, request: web.Request) -> web.Response:
        roles = self.members.get(request.match_info["user"])
        if roles is None:
            return as_discord({"message": "Unknown Member", "code": 10007}, status=404)
        return as_discord({"roles": roles, "user": {"id": request.match_info["user"]}})
