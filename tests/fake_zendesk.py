"""A Zendesk API on loopback: exports in pages, audits, and everything that goes wrong with one.

It checks what it is asked (the token, no page twice unless somebody crashed) and fails as told: 429, 500, a dropped
connection, each at a request of one's choice.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.loopback_server import serving_app
from tests.zendesk_facts import ORGANISATION, PEOPLE, TicketFacts

TOKEN = "t0ken"
Trouble = Callable[[web.Request], web.StreamResponse]


def too_many(seconds: str = "7") -> Trouble:
    """The limit is reached."""
    return lambda _: web.json_response({}, status=429, headers={"Retry-After": seconds})


def broken(status: int = 500) -> Trouble:
    """An error of theirs."""
    return lambda _: web.Response(status=status, text="oops")


def dropped(request: web.Request) -> web.StreamResponse:
    """The connection ends without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@dataclass
class FakeZendesk:
    """What there is, and what goes wrong: `troubles` by the number of the request, from 1."""

    tickets: Sequence[TicketFacts]
    deleted: Sequence[dict[str, Any]] = ()
    page_size: int = 2
    troubles: dict[int, Trouble] = field(default_factory=dict)
    sla: dict[str, Any] = field(default_factory=dict)
    organisations: Sequence[dict[str, Any]] = (
        {"id": ORGANISATION, "name": "Acme", "domain_names": ["acme.example", "gmail.com"]},
    )
    users: Sequence[dict[str, Any]] = (
        {"id": 42, "role": "end-user", "email": "Jo@acme.example", "organization_id": ORGANISATION},
        {"id": 43, "role": "end-user", "email": "jo@home.example", "organization_id": ORGANISATION},
        {"id": 70, "role": "agent", "email": "andy@us.example", "organization_id": ORGANISATION},
    )
    with_people: bool = True
    """Whether audits bring their people along."""
    remaining: int | None = None
    requests: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    hold_at: int | None = None
    """The number of a request that is never answered: then `reached` is set."""

    @property
    def all_tickets(self) -> list[dict[str, Any]]:
        return [*(facts.ticket() for facts in self.tickets), *self.deleted]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.asked[request.path] += 1
        if self.requests == self.hold_at:
            self.reached.set()
            await asyncio.sleep(60)
        trouble = self.troubles.pop(self.requests, None)
        if trouble is not None:
            return trouble(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "Couldn't authenticate you"}, status=401)
        found = self._answer(request)
        if found is None:
            return web.json_response({"error": "RecordNotFound"}, status=404)
        headers = (
            {} if self.remaining is None else {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": f"{self.remaining}"}
        )
        return web.json_response(found, headers=headers)

    def _answer(self, request: web.Request) -> dict[str, Any] | None:
        path = request.path.removeprefix("/api/v2/").removesuffix(".json")
        if path.startswith("tickets/") and path.endswith("/audits"):
            return self._audits(path.split("/")[1], request)
        if path == "incremental/tickets/cursor":
            return self._tickets(request)
        if path == "users":
            return {"users": [each for each in self.users if each["role"] == request.query["role"]]}
        return {
            "incremental/users/cursor": {"users": list(self.users), "after_cursor": "u", "end_of_stream": True},
            "incremental/organizations": {
                "organizations": list(self.organisations),
                "end_time": 5,
                "end_of_stream": True,
            },
            "search/count": {"count": len(self.all_tickets)},
            **self.sla,
        }.get(path)

    def _tickets(self, request: web.Request) -> dict[str, Any]:
        assert "start_time" in request.query or "cursor" in request.query
        begin = int(request.query.get("cursor", "0"))
        page = self.all_tickets[begin : begin + self.page_size]
        end = begin + len(page)
        return {"tickets": page, "after_cursor": str(end), "end_of_stream": end >= len(self.all_tickets)}

    def _audits(self, number: str, request: web.Request) -> dict[str, Any] | None:
        facts = next((each for each in self.tickets if str(each.number) == number), None)
        if facts is None:
            return None
        begin = int(request.query.get("page[after]", "0"))
        audits = facts.audits()[begin : begin + 3]
        end = begin + len(audits)
        meta = {"has_more": end < len(facts.audits()), "after_cursor": str(end)}
        return {"audits": audits, "meta": meta} | ({"users": PEOPLE} if self.with_people else {})

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """The address while it runs."""
        async with serving_app(self.handle) as address:
            yield address
