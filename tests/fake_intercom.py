"""An Intercom API on loopback: searches in pages, conversations with their parts, companies and contacts."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.loopback_server import serving_app

Trouble = Callable[[web.Request], web.StreamResponse]


@dataclass
class FakeIntercom:
    """What there is, and what goes wrong: `troubles` by the number of the request, from 1."""

    conversations: Sequence[dict[str, Any]]
    tickets: Sequence[dict[str, Any]] = ()
    companies: Sequence[dict[str, Any]] = ()
    contacts: Sequence[dict[str, Any]] = ()
    page_size: int = 2
    troubles: dict[int, Trouble] = field(default_factory=dict)
    requests: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        trouble = self.troubles.pop(self.requests, None)
        if trouble is not None:
            return trouble(request)
        path = request.path.strip("/")
        if path.endswith("/search"):
            return web.json_response(self._search(path.split("/")[0], await request.json()))
        if path.startswith("conversations/"):
            found = next((each for each in self.conversations if each["id"] == path.split("/")[1]), None)
            return web.json_response(found or {}, status=200 if found else 404)
        if path == "companies/scroll":
            return web.json_response(
                {"data": [] if "scroll_param" in request.query else self.companies, "scroll_param": "s"}
            )
        assert path == "contacts", path
        return web.json_response({"data": self.contacts, "pages": {}})

    def _search(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        (condition,) = asked["query"]["value"]
        assert (condition["field"], condition["operator"], asked["sort"]["order"]) == ("updated_at", ">", "ascending")
        whole = self.conversations if name == "conversations" else self.tickets
        moved = sorted(
            (each for each in whole if each["updated_at"] > condition["value"]), key=lambda each: each["updated_at"]
        )
        begin = int(asked["pagination"].get("starting_after", "0"))
        page = moved[begin : begin + self.page_size]
        end = begin + len(page)
        following = {"next": {"starting_after": str(end)}} if end < len(moved) else {}
        shown = page if name == "tickets" else [{key: each[key] for key in ("id", "updated_at")} for each in page]
        return {name: shown, "pages": following, "total_count": len(moved)}

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The address while it runs."""
        async with serving_app(self.handle) as address:
            yield address
