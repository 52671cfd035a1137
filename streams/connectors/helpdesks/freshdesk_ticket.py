"""One Freshdesk ticket, and the canonical events that can be made of it.

`freshdesk_channel` (objects and app events) and `freshdesk_rules` (webhooks of automation rules) decide which of them a
payload means; `freshdesk_words` knows the words.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas.interaction import Author, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Ignored, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.freshdesk_words import OUTBOUND, TICKET_CHANNELS, Change, priority_of
from streams.connectors.helpdesks.mail_addresses import mail_address
from streams.connectors.helpdesks.status_names import StatusNames, status_word
from streams.connectors.message_content import attachments_of, html_text
from streams.connectors.payload_reading import Json, flag, id_text, instant, items, required, table, text, word

DEFAULT_STATUSES = frozenset({"2", "3", "4", "5"})
"""Numbers that mean the same however their names are translated; from 6 on a name that is not known may be anything."""

NOTHING_SAID = Change(None, None)

MEANT = {
    "agent": "agent",
    "agent_id": "agent",
    "company_id": "account_changed",
    "deleted": "removed",
    "group": "team",
    "group_id": "team",
    "priority": "priority_changed",
    "responder_id": "agent",
    "spam": "removed",
    "status": "status",
    "tag": "tagged",
    "tags": "tagged",
}
"""Fields whose change means something, by their names in rules and in app events."""
WITHOUT_EFFECT = frozenset(
    {
        "associates_rdb",
        "category",
        "custom_fields",
        "customer_feedback",
        "department_id",
        "due_by",
        "fr_due_by",
        "fr_escalated",
        "internal_agent_id",
        "internal_group_id",
        "is_escalated",
        "mail_del_failure_others",
        "mail_del_failure_requester",
        "manual_due_by",
        "nr_due_by",
        "nr_escalated",
        "product_id",
        "requester_id",
        "source",
        "subject",
        "ticket_type",
        "time_sheet_action",
        "type",
    }
)
"""Documented changes that move no promise of ours. Freshdesk's own due dates and escalations are among them."""


class FreshdeskTicket:
    """A ticket as an object of the API has it: `id`, `status`, `requester_id` and so on."""

    def __init__(
        self, drafter: Drafter, statuses: StatusNames, ticket: dict[str, Json], requester: dict[str, Json] | None = None
    ) -> None:
        """`requester` is the person beside the ticket, where the payload has one.

        Raises:
            Malformed: the ticket has no number.
        """
        self.drafter = drafter
        self.ticket = ticket
        self.number = required(id_text(ticket, "display_id") or id_text(ticket, "id"), "$.ticket.id")
        self._statuses = statuses
        person = requester or table(ticket, "requester")
        told = (person.get("email"), *(ticket.get(key) for key in ("requester_email", "contact_email", "email")))
        self.address = next((address for each in told if (address := mail_address(each)) is not None), None)
        self.requester_id = id_text(ticket, "requester_id") or id_text(person, "id") or id_text(ticket, "contact_id")
        company = (
            id_text(ticket, "company_id") or id_text(person, "company_id") or id_text(table(ticket, "company"), "id")
        )
        self.identities = identities_of(drafter, self.address, company, self.requester_id)

    def requester(self) -> Author:
        """Who has the problem; one of us, if the address or the id says so."""
        ours = self.address is not None and self.drafter.instance.is_own_address(self.address)
        return self.drafter.author("agent" if ours else "customer", self.requester_id or self.address)

    def interaction(self, event_id: str, at: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction about this ticket, with the ticket as it is now."""
        ticket = self.ticket
        said: dict[str, Any] = {
            "type": "message",
            "channel": self.channel(),
            "inbox": id_text(ticket, "product_id"),
            "team": id_text(ticket, "group_id") or text(ticket, "group_name"),
            "agent": id_text(ticket, "responder_id") or word(ticket, "agent_email"),
            "conversation_type": word(ticket, "type") or word(ticket, "ticket_type"),
            "priority": priority_of(ticket.get("priority")),
            "tags": tags_of(ticket),
            "raw_reference": f"freshdesk:ticket:{self.number}",
        } | words
        return self.drafter.interaction(
            event_id, said.pop("type"), self.number, at, author, identities=self.identities, **said
        )

    def channel(self) -> str | None:
        """By the ticket's source, a number or a name."""
        return TICKET_CHANNELS.get(status_word(self.ticket.get("source")) or "")

    def opening(self, at: datetime | None) -> Draft:
        """The message that the ticket began with: the requester's, or an agent's mail."""
        ticket = self.ticket
        author = self.requester()
        if status_word(ticket.get("source")) in OUTBOUND:
            author = Author("agent", id_text(ticket, "responder_id"))
        return self.interaction(
            f"ticket:{self.number}:opening",
            at,
            author,
            text=text(ticket, "description_text") or html_text(ticket.get("description")),
            attachments=attachments_of(ticket, "attachments"),
        )

    def as_it_is(self) -> list[Draft | Ignored | Refused]:
        """A ticket that nobody says has changed: how it began, and its status where that says more."""
        ticket = self.ticket
        created, updated = instant(ticket, "created_at"), instant(ticket, "updated_at")
        found: list[Draft | Ignored | Refused] = [self.opening(created)] if created is not None else []
        if found and not any(self._status_said(NOTHING_SAID)):
            return found
        status = self.status(f"ticket:{self.number}:status:{_stamp(updated)}", updated, Author())
        is_open = isinstance(status, Draft) and getattr(status.event, "status", None) == "open"
        is_new = created is not None and (updated is None or updated <= created)
        return found if is_open and is_new else [*found, status]

    def status(
        self, event_id: str, at: datetime | None, author: Author, change: Change = NOTHING_SAID
    ) -> Draft | Refused:
        """A change of status, or the status as it is; with Freshdesk's own word beside ours."""
        named, numbered = self._status_said(change)
        status = self._status_in_our_words(change.after, named, numbered)
        original = named or numbered or status
        if status is None:
            return Refused("not_understood", f"the status {(original or '')[:80]!r} is not known; see statuses")
        return self.interaction(event_id, at, author, type="status_changed", status=status, source_status=original)

    def _status_said(self, change: Change) -> tuple[str | None, str | None]:
        """The status by name and by number: what it changed to, else what it is."""
        said = (change.after, id_text(self.ticket, "status_name"), id_text(self.ticket, "status"))
        named = next((value for value in said if value and not value.isdecimal()), None)
        return named, next((value for value in said if value and value.isdecimal()), None)

    def _status_in_our_words(self, event: str | None, named: str | None, numbered: str | None) -> Status | None:
        """What the event says, if it is beyond doubt; the name beside it is of the time of sending, maybe later."""
        removed: tuple[Status, ...] = ("deleted", "spam")
        gone = next((word for word in removed if flag(self.ticket, word)), None)
        certain = self._statuses.find(event) if event in DEFAULT_STATUSES else None
        told = gone or certain or self._statuses.find(named) or self._statuses.own(numbered)
        if told is None and numbered is not None and (named is None or numbered in DEFAULT_STATUSES):
            return self._statuses.find(numbered)
        return told

    def changed(
        self, field: str, change: Change, event_id: str, at: datetime | None, author: Author
    ) -> Draft | Ignored | Refused | None:
        """What a changed field means; null when the field is not known."""
        meant = MEANT.get(field)
        if meant == "status":
            return self.status(event_id, at, author, change)
        if meant == "removed":
            self.ticket = self.ticket | {field: change.after}
            return self.status(event_id, at, author)
        words: dict[str, Any] | None = None
        if meant == "priority_changed":
            priority = priority_of(change.after) or priority_of(self.ticket.get("priority"))
            words = {"priority": priority} if priority else None
        elif meant == "account_changed":
            words = {} if self.identities else None
        elif meant is not None:
            words = {"tagged": {}, "agent": {"agent": change.after}, "team": {"team": change.after}}[meant]
        if meant is not None and words is not None:
            kind = "assigned" if meant in {"agent", "team"} else meant
            return self.interaction(event_id, at, author, type=kind, **words)
        known = meant or field in WITHOUT_EFFECT or field.endswith("_name") or field.startswith(("cf_", "custom"))
        return Ignored("without_effect") if known else None


def identities_of(
    drafter: Drafter, address: str | None, company: str | None = None, person: str | None = None
) -> tuple[str, ...]:
    """Whose it is. An address of our own leads to nobody."""
    outside = None if drafter.instance.is_own_address(address or "") else address
    domain, *mailbox = identities_of_address(outside) or ("",)
    found = (domain, company and f"freshdesk_company:{company}", *mailbox, person and f"freshdesk_user:{person}")
    return tuple(identity for identity in found if identity)


def tags_of(ticket: dict[str, Json]) -> tuple[str, ...]:
    """The tags of a ticket, as a list or as one text with commas."""
    found = ticket.get("tags")
    said: Iterable[Json] = found.split(",") if isinstance(found, str) else items(ticket, "tags")
    return tuple(tag.strip() for tag in said if isinstance(tag, str) and tag.strip())


def _stamp(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else "unknown"
