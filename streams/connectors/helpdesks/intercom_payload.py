"""Intercom's words in ours: topics, kinds of authors, states, and the people of a conversation.

Source: Intercom developer documentation, "Webhook topics" and the conversation, ticket and contact models of the API
versions 1.0 to 2.15. `intercom_thread` makes events of them.
"""

from collections.abc import Iterator
from typing import Any

from schemas.interaction import AuthorKind, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.payload_reading import Json, at, id_text, items, table, tables, text, word

AUTHORS: dict[str, AuthorKind] = {
    "user": "customer",
    "lead": "customer",
    "contact": "customer",
    "visitor": "customer",
    "customer": "customer",
    "admin": "agent",
    "team": "agent",
    "teammate": "agent",
    "bot": "bot",
    "operator": "bot",
    "ai_agent": "bot",
    "fin": "bot",
    "workflow": "system",
    "system": "system",
    "nobody_admin": "system",
}

STATUSES: dict[str, Status] = {
    "open": "open",
    "closed": "closed",
    "snoozed": "on_hold",
    "submitted": "new",
    "in_progress": "open",
    "waiting_on_customer": "waiting_on_customer",
    "on_hold": "on_hold",
    "resolved": "resolved",
}
"""States of conversations and the categories of ticket states. A snoozed conversation rests until a time that the
agent has set or until the customer writes again."""

CHANNELS = {
    "conversation": "chat",
    "messenger": "chat",
    "chat": "chat",
    "email": "email",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "facebook": "social",
    "instagram": "social",
    "twitter": "social",
    "phone_call": "phone",
    "phone_switch": "phone",
}

SNOOZED = frozenset({"snoozed", "snooze"})
SENT_TO_MANY = ("automated", "campaigns_initiated", "operator_initiated")
"""What `source.delivered_as` says of messages that nobody wrote to this customer alone."""

SELF_DECLARED = frozenset({"lead", "visitor"})
"""Nobody vouches for the address of a lead or visitor: it was typed into the messenger."""


def status_of_part(part_type: str) -> str | None:
    """The state that a conversation has after a part of this type; null where it stays."""
    if "unsnooze" in part_type or "reopen" in part_type or part_type in {"open", "opened"}:
        return "open"
    if part_type in SNOOZED:
        return "snoozed"
    return "closed" if part_type in {"close", "closed", "note_and_close", "close_conversation"} else None


def parts_of(thread: Json) -> list[dict[str, Any]]:
    """The parts of a conversation or ticket, oldest first as they come."""
    found = at(thread, "conversation_parts")
    inner = at(found, "conversation_parts") if isinstance(found, dict) else found
    ticket = at(thread, "ticket_parts")
    inner = inner or (at(ticket, "ticket_parts") if isinstance(ticket, dict) else ticket)
    return [part for part in inner if isinstance(part, dict)] if isinstance(inner, list) else []


def opening_of(thread: Json) -> dict[str, Any]:
    """The message that a conversation began with: `source`, in API versions before 2.0 `conversation_message`."""
    return table(thread, "source") or table(thread, "conversation_message")


def tags_of(thread: Json) -> tuple[str, ...]:
    """The names of a conversation's tags, or their ids where no names are told."""
    found = at(thread, "tags")
    listed = items(found, "tags") if isinstance(found, dict) else items(thread, "tags")
    added = items(thread, "tags_added", "tags")
    names = [text(tag, "name") or id_text(tag, "id") for tag in (*listed, *added)]
    return tuple(dict.fromkeys(name for name in names if name))


def people_of(thread: Json) -> Iterator[dict[str, Any]]:
    """The customers of a conversation, wherever an API version keeps them."""
    for key in ("user", "customer", "contact"):
        if found := table(thread, key):
            yield found
    for key in ("contacts", "customers"):
        found = at(thread, key)
        inner = at(found, key) if isinstance(found, dict) else found
        yield from (person for person in (inner if isinstance(inner, list) else []) if isinstance(person, dict))
    for written in (opening_of(thread), *parts_of(thread)):
        author = table(written, "author")
        if AUTHORS.get(word(author, "type") or "") == "customer":
            yield author


def identities_of(*people: dict[str, Any], company: str | None = None) -> tuple[str, ...]:
    """Who the customer is: the address, the company, the contact."""
    known = list(people)
    vouched = not any({word(person, "type"), word(person, "role")} & SELF_DECLARED for person in known)
    found: list[str] = []
    for person in known:
        found += identities_of_address(text(person, "email"), vouched_for=vouched)
    companies = [company, *(id_text(firm, "id") for person in known for firm in _companies(person))]
    found += [f"intercom_company:{firm}" for firm in companies if firm and firm not in {"0", "-1"}]
    contacts = [
        id_text(person, "id") or id_text(person, "user_id") or id_text(person, "external_id") for person in known
    ]
    found += [f"intercom_contact:{contact}" for contact in contacts if contact]
    return tuple(dict.fromkeys(found))


def _companies(person: Json) -> Iterator[dict[str, Any]]:
    yield from tables(person, "companies", "companies")
    yield from tables(person, "companies", "data")
