"""Slack on this machine: `apps.connections.open` and Socket Mode. slack-sdk's own client works against it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import WSMsgType, web
from typing_extensions import override

from tests.providers.local_provider import LocalProvider

TICKET = "ticket-that-is-a-secret"


class LocalSlack(LocalProvider):
    """Each connection gets a hello, then what the test sends."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str | None] = []
        self.refusals: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.acknowledged: list[str] = []
        self.socket_url: str | None = None

    @override
    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/api/apps.connections.open", self._open), web.get("/link/", self._link)]

    async def _open(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("Authorization"))
        if self.refusals:
            status, content, headers = self.refusals.pop(0)
            return web.json_response(content, status=status, headers=headers)
        url = self.socket_url or f"{self.url.replace('http', 'ws')}/link/?ticket={TICKET}&app_id=A1"
        return web.json_response({"ok": True, "url": url})

    async def _link(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket") != TICKET:
            return web.Response(status=400)
        socket = await self.opened(request)
        await socket.send_json({"type": "hello", "num_connections": len(self.sockets), "debug_info": {"host": "local"}})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.acknowledged.append(json.loads(message.data)["envelope_id"])
        return socket

    async def tell(self, envelope_id: str, event: Mapping[str, Any], connection: int = -1) -> None:
        envelope = {"envelope_id": envelope_id, "type": "events_api", "accepts_response_payload": False}
        await self.sockets[connection].send_json({**envelope, "payload": event, "retry_attempt": 0, "retry_reason": ""})

    async def disconnect(self, reason: str, connection: int = -1) -> None:
        await self.sockets[connection].send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
