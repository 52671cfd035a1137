"""A HubSpot API on loopback: threads with messages, tickets by search and one by one, companies, contacts."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.loopback_server import serving_app

Trouble = Callable[[web.Request], web.StreamResponse]


@dataclass
class FakeHubSpot:
    """What there is, and what goes wrong: `troubles` by the number of the request, from 1."""

    threads: Sequence[dict[str, Any]] = ()
    messages: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tickets: Sequence[dict[str, Any]] = ()
    companies: Sequence[dict[str, Any]] = ()
    contacts: Sequence[dict[str, Any]] = ()
    page_size: int = 2
    most_found: int = 10_000
    troubles: dict[int, Trouble] = field(default_factory=dict)
    requests: int = 0
    searches: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        trouble = self.troubles.pop(self.requests, None)
        if trouble is not None:
            return trouble(request)
        path = request.path.removeprefix("/crm/v3/objects/").removeprefix("/conversations/v3/conversations/")
        if path == "tickets/search":
            return self._search(await request.json())
        if path.startswith("tickets/"):
            assert "hs_pipeline_stage" in request.query["propertiesWithHistory"]
            return web.json_response(next(each for each in self.tickets if each["id"] == path.split("/")[1]))
        return self._page(self._whole(path, request), request.query.get("after", "0"))

    def _whole(self, path: str, request: web.Request) -> Sequence[dict[str, Any]]:
        if path.endswith("/messages"):
            return self.messages[path.split("/")[1]]
        if path != "threads":
            return {"companies": self.companies, "contacts": self.contacts}[path]
        since = request.query["latestMessageTimestampAfter"]
        moved = (each for each in self.threads if _instant(each["latestMessageTimestamp"]) > _instant(since))
        return sorted(moved, key=lambda each: str(each["latestMessageTimestamp"]))

    def _page(self, whole: Sequence[dict[str, Any]], after: str) -> web.Response:
        begin = int(after)
        end = begin + self.page_size
        paging = {"next": {"after": str(end)}} if end < len(whole) else None
        return web.json_response({"results": list(whole[begin:end]), "paging": paging})

    def _search(self, asked: dict[str, Any]) -> web.Response:
        self.searches += 1
        (group,) = asked["filterGroups"]
        since = int(group["filters"][0]["value"])
        moved = sorted((each for each in self.tickets if _moved(each) >= since), key=_moved)
        begin = int(asked.get("after", "0"))
        assert begin + asked["limit"] <= 10_000
        page = [{"id": each["id"], "properties": _shown(each)} for each in moved[begin : begin + self.page_size]]
        end = begin + self.page_size
        return web.json_response(
            {"results": page, "paging": {"next": {"after": str(end)}} if end < len(moved) else None}
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The address while it runs."""
        async with serving_app(self.handle) as address:
            yield address


def _shown(ticket: dict[str, Any]) -> dict[str, Any]:
    return {"hs_lastmodifieddate": ticket["properties"]["hs_lastmodifieddate"]}


def _moved(ticket: dict[str, Any]) -> int:
    return int(_instant(ticket["properties"]["hs_lastmodifieddate"]).timestamp() * 1000)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
