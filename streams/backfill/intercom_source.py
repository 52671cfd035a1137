"""Intercom's history: conversations and tickets by search, each with its parts, and companies with their contacts.

Source: Intercom developer documentation, "Search conversations", "Retrieve a conversation" (up to 500 parts), "Search
tickets", "Scroll over all companies", "List all contacts", "Rate limiting". What they mean is told by
`streams.connectors.helpdesks.intercom_history`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.account_profile import AccountProfile
from streams.backfill.history_api import ApiRefused, HistoryApi
from streams.backfill.history_source import HistoryPage, Span, Thread
from streams.backfill.moved_listings import Listed, ListedPage, pages_of
from streams.connectors.connector_contract import Headers, Ignored, Instance, WebhookRequest
from streams.connectors.helpdesks.intercom_history import conversation_history
from streams.connectors.helpdesks.intercom_payload import SELF_DECLARED
from streams.connectors.payload_reading import as_json, id_text, number, tables, text, word

VERSION = {"Intercom-Version": "2.11", "Accept": "application/json"}
A_PAGE = 50
MOST_PEOPLE = 1000
"""Of one company who are told by name: a profile is one record in Kafka."""


class IntercomSource:
    """The history of one Intercom workspace, as events of one instance."""

    def __init__(self, api: HistoryApi, instance: Instance) -> None:
        self._api = api
        self._instance = instance

    async def count(self, span: Span) -> int | None:
        """How many conversations and tickets moved since."""
        query = _query(_seconds(span.since), None, 1)
        try:
            found = [await self._api.post(f"/{name}/search", query) for name in ("conversations", "tickets")]
        except ApiRefused:
            return None
        return int(sum(number(each, "total_count") or 0 for each in found))

    async def accounts(self) -> Sequence[AccountProfile]:
        """The companies, and the contacts that belong to one. Leads are left out: nobody vouches for them."""
        people: dict[str, list[str]] = {}
        async for contact in self._contacts():
            for company in tables(contact, "companies", "data"):
                people.setdefault(id_text(company, "id") or "", []).extend(_identities(contact))
        return [
            AccountProfile(
                id=f"intercom_company:{number}",
                name=text(company, "name"),
                identities=tuple(
                    dict.fromkeys((f"intercom_company:{number}", *people.get(number, ())[: 2 * MOST_PEOPLE]))
                ),
            )
            async for company in self._companies()
            if (number := id_text(company, "id")) is not None
        ]

    async def _companies(self) -> AsyncIterator[dict[str, Any]]:
        parameters: dict[str, str | int] = {}
        while True:
            page = await self._api.get("/companies/scroll", **parameters)
            found = list(tables(page, "data"))
            for company in found:
                yield company
            scroll = text(page, "scroll_param")
            if not found or scroll is None:
                return
            parameters = {"scroll_param": scroll}

    async def _contacts(self) -> AsyncIterator[dict[str, Any]]:
        parameters: dict[str, str | int] = {"per_page": 150}
        while True:
            page = await self._api.get("/contacts", **parameters)
            for contact in tables(page, "data"):
                yield contact
            after = text(page, "pages", "next", "starting_after")
            if after is None:
                return
            parameters |= {"starting_after": after}

    def pages(self, span: Span, position: str | None) -> AsyncIterator[HistoryPage]:
        """Conversations, then tickets, in the order in which they last moved."""
        listings = [_Search(self._api, self._instance, name) for name in ("conversations", "tickets")]
        return pages_of(listings, [_seconds(span.since)] * len(listings), position)


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for one kind."""

    api: HistoryApi
    instance: Instance
    name: str

    async def page(self, since: int, cursor: str | None) -> ListedPage:
        found = await self.api.post(f"/{self.name}/search", _query(since, cursor, A_PAGE))
        listed = [
            Listed(int(number(each, "updated_at") or 0), each)
            for each in (*tables(found, self.name), *tables(found, "data"))
        ]
        return ListedPage(listed, text(found, "pages", "next", "starting_after"))

    async def thread(self, listed: Listed) -> Thread:
        """A ticket comes with its parts; the parts of a conversation have to be asked for."""
        content = listed.content
        if self.name == "conversations":
            try:
                content = await self.api.get(f"/conversations/{id_text(content, 'id')}")
            except ApiRefused as refused:
                if refused.status != 404:
                    raise
                return Thread([Ignored("deleted_meanwhile")], as_json(content))
        body = as_json(content)
        request = WebhookRequest("GET", Headers(()), body, datetime.now(UTC))
        return Thread(conversation_history(self.instance, request), body)


def _query(since: int, cursor: str | None, a_page: int) -> dict[str, Any]:
    pagination: dict[str, Any] = {"per_page": a_page}
    if cursor is not None:
        pagination["starting_after"] = cursor
    return {
        "query": {"operator": "AND", "value": [{"field": "updated_at", "operator": ">", "value": since - 1}]},
        "sort": {"field": "updated_at", "order": "ascending"},
        "pagination": pagination,
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _identities(contact: dict[str, Any]) -> list[str]:
    if word(contact, "role") in SELF_DECLARED:
        return []
    found, address = id_text(contact, "id"), word(contact, "email")
    return [each for each in (found and f"intercom_contact:{found}", address and f"email:{address}") if each]
