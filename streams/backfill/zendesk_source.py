"""Zendesk's history: incremental exports of tickets, users and organisations, and the audits of each ticket.

Source: Zendesk developer documentation, "Incremental Exports" (cursor-based for tickets and users, time-based for
organisations), "Ticket Audits", "Side-loading", "Rate limits". The export leaves out what moved within the last minute.
What an audit means is told by `streams.connectors.helpdesks.zendesk_history`.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from schemas.account_profile import AccountProfile
from streams.backfill.history_api import ApiRefused, HistoryApi
from streams.backfill.history_source import HistoryPage, Span, Thread, side_by_side
from streams.backfill.zendesk_companies import companies_of
from streams.connectors.connector_contract import Headers, Instance, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_history import GONE, ticket_history
from streams.connectors.payload_reading import Json, as_json, at, flag, id_text, number, tables, text, word

TICKETS_A_PAGE = 100
"""The position is kept after each page, so at most so many tickets are fetched again after a crash."""
PEOPLE_A_PAGE = 1000
AT_ONCE = 4
"""Tickets whose audits are asked for side by side: enough to be busy, few enough for the smallest plan's limit."""
STAFF = ("agent", "admin")
"""Roles whose people are asked for once: whoever is one of them is no customer, whether an audit brings its people or
not."""
FIRST_INSTANT = 1
"""Of the exports that are wanted whole."""


class ZendeskSource:
    """The history of one Zendesk account, as events of one instance."""

    def __init__(self, api: HistoryApi, instance: Instance) -> None:
        self._api = api
        self._instance = instance

    async def count(self, span: Span) -> int | None:
        """How many tickets moved since, by Zendesk's search, which may lag behind a little."""
        query = f"type:ticket updated>={span.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        try:
            found = number(await self._api.get("/api/v2/search/count.json", query=query), "count")
        except ApiRefused:
            return None
        return int(found) if found is not None else None

    async def accounts(self) -> Sequence[AccountProfile]:
        """The organisations with their domains and people."""
        organisations = [each async for each in self._organisations()]
        return companies_of(organisations, [user async for user in self._users()])

    async def _organisations(self) -> AsyncIterator[dict[str, Any]]:
        start = FIRST_INSTANT
        while True:
            page = await self._api.get("/api/v2/incremental/organizations.json", start_time=start)
            found = list(tables(page, "organizations"))
            for each in found:
                yield each
            end = int(number(page, "end_time") or 0)
            if flag(page, "end_of_stream") or not found or end <= start:
                return
            start = end

    async def _users(self) -> AsyncIterator[dict[str, Any]]:
        parameters: dict[str, str | int] = {"start_time": FIRST_INSTANT}
        while True:
            page = await self._api.get("/api/v2/incremental/users/cursor.json", per_page=PEOPLE_A_PAGE, **parameters)
            for user in tables(page, "users"):
                yield user
            cursor = text(page, "after_cursor")
            if flag(page, "end_of_stream") is not False or cursor is None:
                return
            parameters = {"cursor": cursor}

    async def pages(self, span: Span, position: str | None) -> AsyncIterator[HistoryPage]:
        """Tickets in the order in which they were last updated, each with all of its audits."""
        parameters: dict[str, str | int] = {"start_time": int(span.since.timestamp())}
        staff = [{"id": id_text(each, "id"), "role": role} for role in STAFF async for each in self._of_role(role)]
        while True:
            if position is not None:
                parameters = {"cursor": position}
            page = await self._api.get("/api/v2/incremental/tickets/cursor.json", per_page=TICKETS_A_PAGE, **parameters)
            cursor = text(page, "after_cursor")
            threads = await self._threads(list(tables(page, "tickets")), staff)
            if cursor is not None:
                yield HistoryPage(threads, cursor)
            elif threads:
                raise ApiRefused("/api/v2/incremental/tickets/cursor.json: a page without its cursor")
            if flag(page, "end_of_stream") is not False or cursor is None or cursor == position:
                return
            position = cursor

    async def _of_role(self, role: str) -> AsyncIterator[dict[str, Any]]:
        parameters: dict[str, str | int] = {"role": role, "page[size]": 100}
        while True:
            page = await self._api.get("/api/v2/users.json", **parameters)
            for user in tables(page, "users"):
                yield user
            cursor = text(page, "meta", "after_cursor")
            if at(page, "meta", "has_more") is not True or cursor is None:
                return
            parameters |= {"page[after]": cursor}

    async def _threads(self, tickets: Sequence[dict[str, Any]], staff: Sequence[Json]) -> list[Thread]:
        async def thread(ticket: dict[str, Any]) -> Thread:
            audits, people = await self._audits(ticket)
            return self._thread(ticket, audits, [*people, *staff])

        return await side_by_side(thread, tickets, AT_ONCE)

    def _thread(self, ticket: dict[str, Any], audits: list[Json], people: list[Json]) -> Thread:
        content = as_json({"ticket": ticket, "audits": audits})
        request = WebhookRequest("GET", Headers(()), content, datetime.now(UTC))
        drafter = Drafter(self._instance, request, "other")
        return Thread(ticket_history(drafter, ticket, audits, people), content)

    async def _audits(self, ticket: dict[str, Any]) -> tuple[list[Json], list[Json]]:
        """All audits of a ticket, and the people in them; none where they went with a deleted ticket."""
        audits: list[Json] = []
        people: list[Json] = []
        parameters: dict[str, str | int] = {"page[size]": 100, "include": "users"}
        try:
            while True:
                page = await self._api.get(f"/api/v2/tickets/{id_text(ticket, 'id')}/audits.json", **parameters)
                audits += tables(page, "audits")
                people += tables(page, "users")
                cursor = text(page, "meta", "after_cursor")
                if at(page, "meta", "has_more") is not True or cursor is None:
                    return audits, people
                parameters |= {"page[after]": cursor}
        except ApiRefused as refused:
            if refused.status == 404 or (refused.status == 403 and word(ticket, "status") in GONE):
                return [], []
            raise
