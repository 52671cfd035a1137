"""Microsoft Graph on this machine: tokens, subscriptions that it validates, chat messages, and its moods."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import aiohttp
from aiohttp import web
from typing_extensions import override

from tests.providers.local_provider import LocalProvider

TENANT, CLIENT_ID, CLIENT_SECRET = "tenant-1", "client-1", "client-secret-that-nobody-may-see"


class LocalGraph(LocalProvider):
    """`moods` answer the next calls instead of the calls themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.moods: list[tuple[int, dict[str, Any], dict[str, str]]] = []
        self.calls: list[str] = []
        self.tokens = 0
        self.token_lives_seconds = 3600
        self.validates = False

    @override
    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.get("/v1.0/subscriptions", self._listed),
            web.post("/v1.0/subscriptions", self._created),
            web.patch("/v1.0/subscriptions/{id}", self._renewed),
            web.delete("/v1.0/subscriptions/{id}", self._deleted),
            web.get("/v1.0/{path:.*}", self._message),
        ]

    def called(self, *words: str) -> int:
        """How many calls began with these words."""
        return sum(call.startswith(words) for call in self.calls)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        wanted = {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": f"{self.url}/.default",
        }
        if dict(form) != wanted or request.match_info["tenant"] != TENANT:
            content = {"error": "invalid_client", "error_codes": [7000215], "error_description": "AADSTS7000215: ..."}
            return web.json_response(content, status=401)
        self.tokens += 1
        return web.json_response({"access_token": f"token-{self.tokens}", "expires_in": self.token_lives_seconds})

    def _mood(self, request: web.Request) -> web.Response | None:
        self.calls.append(f"{request.method} {request.path.removeprefix('/v1.0')}")
        if request.headers.get("Authorization") != f"Bearer token-{self.tokens}":
            return web.json_response(
                {"error": {"code": "InvalidAuthenticationToken", "message": "expired"}}, status=401
            )
        if not self.moods:
            return None
        status, content, headers = self.moods.pop(0)
        return web.json_response(content, status=status, headers=headers)

    async def _listed(self, request: web.Request) -> web.Response:
        return self._mood(request) or web.json_response({"value": list(self.subscriptions.values())})

    async def _created(self, request: web.Request) -> web.Response:
        if (mood := self._mood(request)) is not None:
            return mood
        wanted = await request.json()
        datetime.fromisoformat(wanted["expirationDateTime"])
        if self.validates and not await self._is_validated(wanted["notificationUrl"]):
            said = "Subscription validation request failed."
            return web.json_response({"error": {"code": "ValidationError", "message": said}}, status=400)
        number = f"subscription-{self.called('POST /subscriptions')}"
        # Graph does not show the secret again.
        self.subscriptions[number] = {**wanted, "id": number, "clientState": None}
        return web.json_response(self.subscriptions[number] | {"clientState": wanted["clientState"]}, status=201)

    async def _is_validated(self, url: str) -> bool:
        async with aiohttp.ClientSession() as session, session.post(f"{url}&validationToken=Check%20me") as answer:
            return answer.status == 200 and await answer.text() == "Check me"

    async def _renewed(self, request: web.Request) -> web.Response:
        if (mood := self._mood(request)) is not None:
            return mood
        held = self.subscriptions.get(request.match_info["id"])
        if held is None:
            return web.json_response({"error": {"code": "ResourceNotFound", "message": "gone"}}, status=404)
        held |= await request.json()
        return web.json_response(held)

    async def _deleted(self, request: web.Request) -> web.Response:
        if (mood := self._mood(request)) is not None:
            return mood
        self.subscriptions.pop(request.match_info["id"], None)
        return web.Response(status=204)

    async def _message(self, request: web.Request) -> web.Response:
        if (mood := self._mood(request)) is not None:
            return mood
        found = self.messages.get(f"/{request.match_info['path']}")
        if found is None:
            return web.json_response({"error": {"code": "NotFound", "message": "no such message"}}, status=404)
        return web.json_response(found)
