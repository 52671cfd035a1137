"""HubSpot's history: threads with their messages, tickets with the history of their properties, companies, contacts.

Source: HubSpot developer documentation, "Conversations API" (threads by their latest message), "CRM search" (10,000
results of one search and no more), "Tickets", "Companies", "Contacts", "Usage guidelines". What they mean is told by
`streams.connectors.helpdesks.hubspot_history`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.account_profile import AccountProfile
from streams.backfill.history_api import ApiRefused, HistoryApi
from streams.backfill.history_source import HistoryPage, Span, Thread
from streams.backfill.moved_listings import Listed, ListedPage, pages_of
from streams.connectors.accounts_directory import PUBLIC_MAIL_DOMAINS
from streams.connectors.connector_contract import Headers, Ignored, Instance, Reading, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.hubspot_channel import milliseconds
from streams.connectors.helpdesks.hubspot_history import TRACKED, thread_history, ticket_record_history
from streams.connectors.payload_reading import (
    EPOCH,
    Json,
    as_json,
    at,
    id_text,
    instant,
    number,
    table,
    tables,
    text,
    word,
)

A_PAGE = 100
MOST_FOUND = 10_000
"""Results that one search shows, however it is paged."""
MOST_PEOPLE = 1000
"""Of one company who are told by name: a profile is one record in Kafka."""
MOVED = "hs_lastmodifieddate"
PROPERTIES = ("content", "subject", "createdate", "hs_pipeline", "source_type", *TRACKED)
THREADS = "/conversations/v3/conversations/threads"
TICKETS = "/crm/v3/objects/tickets"


class HubSpotSource:
    """The history of one HubSpot account, as events of one instance."""

    def __init__(self, api: HistoryApi, instance: Instance) -> None:
        self._api = api
        self._instance = instance

    async def count(self, span: Span) -> int | None:  # noqa: ARG002 - the contract's
        """Nobody says how many threads there are."""
        return None

    async def accounts(self) -> Sequence[AccountProfile]:
        """The companies with their domains, and the contacts whom no domain leads to theirs."""
        companies = [each async for each in self._listed("companies", properties="name,domain")]
        domains = {id_text(each, "id"): word(each, "properties", "domain") for each in companies}
        people: dict[str, list[str]] = {}
        async for contact in self._listed("contacts", properties="email", associations="companies"):
            company = next(
                (id_text(each, "id") for each in tables(contact, "associations", "companies", "results")), None
            )
            address = word(contact, "properties", "email")
            if company is not None and (address is None or address.rpartition("@")[2] != domains.get(company)):
                found = (f"hubspot_contact:{id_text(contact, 'id')}", f"email:{address}" if address else None)
                people.setdefault(company, []).extend(each for each in found if each)
        return [
            _company(company, people.get(id_text(company, "id") or "", [])[: 2 * MOST_PEOPLE]) for company in companies
        ]

    async def _listed(self, kind: str, **parameters: str) -> AsyncIterator[dict[str, Any]]:
        cursor: dict[str, str] = {}
        while True:
            page = await self._api.get(f"/crm/v3/objects/{kind}", limit=A_PAGE, **parameters, **cursor)
            for each in tables(page, "results"):
                yield each
            after = id_text(page, "paging", "next", "after")
            if after is None:
                return
            cursor = {"after": after}

    def pages(self, span: Span, position: str | None) -> AsyncIterator[HistoryPage]:
        """Threads, then tickets, in the order in which they last moved."""
        listings = (_Threads(self._api, self._instance), _Tickets(self._api, self._instance))
        return pages_of(listings, [milliseconds(span.since)] * 2, position)


@dataclass(frozen=True, slots=True)
class _Threads:
    """Threads by their latest message."""

    api: HistoryApi
    instance: Instance
    name: str = "threads"

    async def page(self, since: int, cursor: str | None) -> ListedPage:
        after = (EPOCH + timedelta(milliseconds=since - 1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parameters: dict[str, str | int] = {"sort": "latestMessageTimestamp", "latestMessageTimestampAfter": after}
        if cursor is not None:
            parameters["after"] = cursor
        found = await self.api.get(THREADS, limit=A_PAGE, **parameters)
        listed = [Listed(_moved(each, "latestMessageTimestamp"), each) for each in tables(found, "results")]
        return ListedPage(listed, id_text(found, "paging", "next", "after"))

    async def thread(self, listed: Listed) -> Thread:
        messages: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            path = f"{THREADS}/{id_text(listed.content, 'id')}/messages"
            page = await self.api.get(path, limit=A_PAGE, **cursor)
            messages += tables(page, "results")
            after = id_text(page, "paging", "next", "after")
            if after is None:
                break
            cursor = {"after": after}
        messages.sort(key=lambda message: instant(message, "createdAt") or EPOCH)
        body = as_json({"thread": listed.content, "messages": messages})
        return Thread(thread_history(_drafter(self.instance, body), listed.content, messages), body)


@dataclass(frozen=True, slots=True)
class _Tickets:
    """Tickets by their last change."""

    api: HistoryApi
    instance: Instance
    name: str = "tickets"

    async def page(self, since: int, cursor: str | None) -> ListedPage:
        query: dict[str, Any] = {
            "filterGroups": [{"filters": [{"propertyName": MOVED, "operator": "GTE", "value": str(since)}]}],
            "sorts": [{"propertyName": MOVED, "direction": "ASCENDING"}],
            "properties": [MOVED],
            "limit": A_PAGE,
        }
        if cursor is not None:
            query["after"] = cursor
        found = await self.api.post(f"{TICKETS}/search", query)
        listed = [Listed(_moved(table(each, "properties"), MOVED), each) for each in tables(found, "results")]
        after = id_text(found, "paging", "next", "after")
        ends_early = after is not None and (number({"after": after}, "after") or 0) + A_PAGE > MOST_FOUND
        return ListedPage(listed, after, ends_early)

    async def thread(self, listed: Listed) -> Thread:
        try:
            ticket = await self.api.get(
                f"{TICKETS}/{id_text(listed.content, 'id')}",
                properties=",".join(PROPERTIES),
                propertiesWithHistory=",".join(TRACKED),
                associations="companies,contacts",
            )
        except ApiRefused as refused:
            if refused.status != 404:
                raise
            return Thread([Ignored("deleted_meanwhile")], as_json(listed.content))
        body = as_json(ticket)
        told: Reading = ticket_record_history(_drafter(self.instance, body), ticket)
        return Thread(told, body)


def _drafter(instance: Instance, body: bytes) -> Drafter:
    return Drafter(instance, WebhookRequest("GET", Headers(()), body, datetime.now(UTC)), "other")


def _moved(content: Json, name: str) -> int:
    found = instant(at(content, name))
    return milliseconds(found) if found is not None else 0


def _company(company: dict[str, Any], people: Sequence[str]) -> AccountProfile:
    found = id_text(company, "id") or ""
    domain = word(company, "properties", "domain")
    own = (f"domain:{domain}",) if domain and domain not in PUBLIC_MAIL_DOMAINS else ()
    identities = dict.fromkeys((f"hubspot_company:{found}", *own, *people))
    return AccountProfile(
        id=f"hubspot_company:{found}", name=text(company, "properties", "name"), identities=tuple(identities)
    )
