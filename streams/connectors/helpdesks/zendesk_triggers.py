"""Zendesk's trigger and automation webhooks: bodies that every company writes itself, with Zendesk's placeholders in.

There is no shape to rely on, only names: `ticket_id`, `ticket.id` and `{"ticket": {"id": ...}}` are the same. What is
recognised is the ticket, what was written, by whom as far as the body tells, and the status. Source: Zendesk help,
"Placeholders reference". The header `X-Zendesk-Webhook-Invocation-Id` identifies the delivery; without it the content
does.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

from schemas.interaction import Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Ignored, Reading, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_event_ids import opening_id
from streams.connectors.helpdesks.zendesk_payload import CHANNEL_OF, STATUSES
from streams.connectors.message_content import written_text
from streams.connectors.payload_reading import Json, instant

INVOCATION = "x-zendesk-webhook-invocation-id"

MOST_VALUES = 500
"""Values of a body that are looked at; a body of placeholders has some twenty."""

TICKET = ("id", "number", "encodedid")
COMMENT = (
    "latestpubliccomment",
    "latestcomment",
    "latestcommentrich",
    "latestcommentformatted",
    "latestpubliccommentformatted",
    "latestcommenthtml",
    "latestcommentbody",
    "latestcommentvalue",
    "commentsformatted",
    "comment",
    "commentbody",
    "commenttext",
    "commenthtmlbody",
    "lastcomment",
    "message",
    "body",
    "content",
    "text",
)
DESCRIPTION = ("description",)
PUBLIC = ("latestcommentispublic", "latestcommentpublic", "commentispublic", "commentpublic", "ispublic", "public")
STATUS = ("status",)
PRIORITY = ("priority",)
KIND = ("tickettype", "type")
VIA = ("via", "channel")
ORGANISATION = ("organizationid", "organisationid")
AGENT = ("assigneeid",)
AGENT_NAMES = ("assigneename", "assigneefullname", "assignee")
TEAM = ("groupid",)
REQUESTER = ("requesterid",)
REQUESTER_ADDRESS = ("requesteremail", "customeremail")
REQUESTER_NAMES = ("requestername", "requesterfullname", "requester")
AUTHOR = ("latestcommentauthorid", "commentauthorid", "authorid", "currentuserid")
AUTHOR_ADDRESS = ("latestcommentauthoremail", "commentauthoremail", "authoremail", "currentuseremail")
USER_NAMES = ("currentusername",)
AUTHOR_NAMES = ("latestcommentauthorname", "commentauthorname", "commentauthor", "authorname", "author", *USER_NAMES)
ROLE = ("latestcommentauthorrole", "commentauthorrole", "authorrole", "currentuserrole")
MOMENTS = (
    "latestcommentcreatedatwithtime",
    "latestcommentcreatedat",
    "commentcreatedat",
    "updatedatwithtimestamp",
    "timestamp",
    "updatedat",
    "createdatwithtimestamp",
    "createdat",
)
CREATED = ("createdatwithtimestamp", "createdat")
STAFF = frozenset({"agent", "admin", "administrator", "owner", "staff"})
TELLING = (*COMMENT, *DESCRIPTION, *STATUS)
"""A body that has none of these says nothing about a ticket that it does not name."""

_IN_LINK = re.compile(r"/(?:agent/)?(?:tickets|requests)/(\d{1,20})\b", re.ASCII)
_IN_WORDS = re.compile(r"\bTicket #?(\d{1,20})\b", re.ASCII)
_HEADING = re.compile(r"\A-{10,200}\r?\n{1,9}([^\n,]{1,200}),[^\n]{0,200}\n{1,9}(.*?)(?:\n-{10}.*)?\Z", re.DOTALL)
"""How Zendesk formats a comment: a rule, the author and the time, the text; older comments follow after a rule."""
_QUOTED = re.compile(r"^> ?(.*)$", re.MULTILINE)


def trigger_events(payload: Json, request: WebhookRequest, drafter: Drafter) -> Reading | None:
    """What the body of a trigger means; null where it names no ticket."""
    said = _Placeholders(payload)
    ticket = said.ticket()
    if ticket is None:
        return None
    invocation = request.headers.get(INVOCATION)
    event_id = f"invocation:{invocation}" if invocation else f"trigger:{_digest(request.body)}"
    told: list[Draft] = []
    author, text = said.author_and_text()
    moment = said.moment(MOMENTS)
    words = said.about_the_ticket()
    if text is not None:
        author = drafter.author(author.kind, author.id)
        message_id, written_at = f"{event_id}:message", moment
        if said.first(COMMENT) is None:
            # A ticket's description is what it began with, whatever has set the trigger off and how often.
            message_id, written_at = opening_id(ticket), said.moment(CREATED) or moment
        told.append(
            drafter.interaction(
                message_id, "message", ticket, written_at, author, text=text, public=said.public(), **words
            )
        )
    original = (said.first(STATUS) or "").lower()
    status = STATUSES.get({"on-hold": "hold"}.get(original, original))
    if status is not None:
        changed = words | {"status": status, "source_status": original}
        told.append(
            drafter.interaction(f"{event_id}:status", "status_changed", ticket, moment, Author("system"), **changed)
        )
    return told or [Ignored("without_effect")]


class _Placeholders:
    """The values of a body by their simplified names."""

    def __init__(self, payload: Json) -> None:
        self.values = dict(_named(payload))

    def value(self, name: str) -> Json:
        """The value of this name, of the ticket before any other."""
        return self.values.get(f"ticket{name}", self.values.get(name))

    def first(self, names: Iterable[str]) -> str | None:
        """The first of these that says anything. A placeholder that Zendesk did not fill says nothing."""
        for value in map(self.value, names):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
            if isinstance(value, str) and value.strip() and not value.strip().startswith("{{"):
                return value.strip()
        return None

    def moment(self, names: Iterable[str]) -> datetime | None:
        """The first of these that is an instant."""
        return next((found for name in names if (found := instant(self.value(name)))), None)

    def ticket(self) -> str | None:
        """The number of the ticket: named, or in a link to it."""
        telling = any(self.value(name) is not None for name in TELLING)
        named = self.first(f"ticket{name}" for name in TICKET) or (self.first(TICKET[:1]) if telling else None)
        if named is not None and re.fullmatch(r"#?[0-9A-Z-]{1,20}", named, re.ASCII):
            return named.removeprefix("#")
        texts = [value for value in self.values.values() if isinstance(value, str) and telling]
        found = (match for pattern in (_IN_LINK, _IN_WORDS) for value in texts if (match := pattern.search(value)))
        return next((match[1] for match in found), None)

    def author_and_text(self) -> tuple[Author, str | None]:
        """Who wrote, and what; nobody known is a customer."""
        text = written_text(self.first(COMMENT) or self.first(DESCRIPTION))
        heading = _HEADING.search(text) if text else None
        name = heading[1].strip() if heading else self.first(AUTHOR_NAMES)
        if heading is not None:
            text = heading[2].strip() or None
        elif text and (quoted := _QUOTED.findall(text)):
            text = "\n".join(quoted).strip() or text
        person, address = self.first(AUTHOR), self.first(AUTHOR_ADDRESS)
        requester, requester_address = self.first(REQUESTER), self.first(REQUESTER_ADDRESS)
        staff = (self.first(ROLE) or "").lower() in STAFF or self.public() is False
        if not staff and person and requester:
            staff = person != requester
        elif not staff and address and requester_address:
            staff = address.lower() != requester_address.lower()
        elif not staff and name:
            agents = {self.first(AGENT_NAMES), self.first(USER_NAMES)}
            staff = name in agents - {self.first(REQUESTER_NAMES)}
        if staff:
            return Author("agent", person or (address.lower() if address else None)), text
        known = person or requester or address or requester_address
        return Author("customer", known.lower() if known else None), text

    def public(self) -> bool:
        """Whether what was written may be read by the customer."""
        value = next((found for name in PUBLIC if (found := self.value(name)) is not None), None)
        return str(value).strip().lower() not in {"false", "no", "0", "private", "internal"}

    def about_the_ticket(self) -> dict[str, Any]:
        """The ticket as the body describes it."""
        organisation, requester = self.first(ORGANISATION), self.first(REQUESTER)
        address, tags = self.first(REQUESTER_ADDRESS), self.value("tags")
        found = [f"zendesk_org:{organisation}"] if organisation else []
        found += identities_of_address(address)
        found += [f"zendesk_user:{requester}"] if requester else []
        listed = tags if isinstance(tags, list) else str(tags or "").replace(",", " ").split()
        priority, kind = self.first(PRIORITY), self.first(KIND)
        return {
            "identities": tuple(found),
            "channel": CHANNEL_OF.get((self.first(VIA) or "").lower(), "other"),
            "priority": priority.lower() if priority else None,
            "conversation_type": kind.lower() if kind else None,
            "tags": tuple(tag for tag in listed if isinstance(tag, str)),
            "agent": self.first(AGENT),
            "team": self.first(TEAM),
        }


def _named(payload: Json) -> Iterator[tuple[str, Json]]:
    """Every value of an object with the simplified path that leads to it, the outermost last so that it wins."""
    found: list[tuple[str, Json]] = []
    waiting: list[tuple[str, Json]] = [("", payload)]
    while waiting and len(found) < MOST_VALUES:
        path, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting += [(path + re.sub(r"[^a-z0-9]", "", str(key).lower()), inner) for key, inner in value.items()]
        elif path:
            found.append((path, value))
    yield from reversed(found)


def _digest(body: bytes) -> str:
    return blake2b(body, digest_size=12).hexdigest()
