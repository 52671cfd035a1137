"""Webhooks of Freshdesk's automation rules, whose body a person designed: `{"freshdesk_webhook": {...}}`.

Keys are what the rule's editor proposes (`ticket_status`, `ticket_latest_public_comment` ...), with or without
`ticket_`, in the envelope or bare. What happened stands in `triggered_event`; who did it in `event_performer_email` and
`event_performer_name`, if the designer asked for them. There is no event id: it follows from the content.
"""

import re

from schemas.interaction import Author, AuthorKind
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.freshdesk_ticket import FreshdeskTicket
from streams.connectors.helpdesks.freshdesk_words import Change, changes_in
from streams.connectors.helpdesks.mail_addresses import mail_address
from streams.connectors.helpdesks.status_names import StatusNames
from streams.connectors.message_content import html_text
from streams.connectors.payload_reading import Json, content_id, flag, id_text, instant, table, text, word

PEOPLE = ("agent", "company", "contact", "event_performer", "group", "requester")
"""What a designer may have written as an object of its own."""

_SPEAKER = re.compile(r"([^<>:\n]{1,100}?)\s*:\s+(?=\S)")
"""Freshdesk writes a comment as `Name : <div>...</div>`."""

EVENT_KEYS = ("triggered_event", "event_type", "event", "changes")
"""Freshdesk's own key, and what designers of bodies call it."""

MESSAGES = frozenset({"note_type", "reply_sent", "note", "reply", "comment"})
MESSAGE_WORDS = frozenset({"reply", "replied", "note", "comment", "response", "responded"})
CUSTOMER_WORDS = frozenset({"customer", "requester", "contact", "incoming"})
AGENT_WORDS = frozenset({"agent", "outgoing"})
ACTIONS = {
    "created": "created",
    "create": "created",
    "new": "created",
    "deleted": "deleted",
    "delete": "deleted",
    "marked_spam": "spam",
    "spam": "spam",
    "status": "status",
    "resolved": "status",
    "closed": "status",
    "reopened": "status",
    "priority": "priority",
    "assigned": "agent",
    "agent": "agent",
    "group": "group",
    "tag": "tags",
    "tags": "tags",
    "tagged": "tags",
}
"""What a designer's own plain word (`ticket_created`, `status_updated`) is about; the first that occurs."""
UNCHANGED = frozenset({"update", "updated", "restore"})


class RuleWebhook:
    """One delivery of an automation rule."""

    def __init__(self, drafter: Drafter, statuses: StatusNames, fields: dict[str, Json]) -> None:
        """Take the fields as they stand in the body.

        Raises:
            Malformed: there is no ticket number.
        """
        self._said = _flat(fields | table(fields, "ticket"))
        self._ticket = FreshdeskTicket(drafter, statuses, self._said)
        self._id = content_id(fields)
        self._changed_at = instant(self._said, "updated_at") or instant(self._said, "modified_on")

    def read(self) -> Reading:
        """What the rule saw, one event for each change that means something."""
        changes = changes_in(next((self._said[key] for key in EVENT_KEYS if self._said.get(key)), None))
        if not changes:
            return self._unsaid()
        found = [self._of(field, change) for field, change in changes.items()]
        return [each for several in found for each in several]

    def _of(self, field: str, change: Change) -> Reading:
        event_id = f"{self._id}:{field}"
        if field in MESSAGES:
            return [self._message(event_id, field, change)]
        action, words = change.after or "", field.split("_")
        if field == "ticket_action":
            words = [action]
        elif change.after is None and MESSAGE_WORDS & set(words):
            return [self._message(event_id, field, change)]
        meant = next((ACTIONS[each] for each in words if each in ACTIONS), None)
        if field == "ticket_action" or (change.after is None and change.before is None):
            return self._acted(meant, words, event_id)
        made = self._ticket.changed(field, change, event_id, self._changed_at, self._performer())
        return [made or Refused("not_understood", f"the triggered event {field[:80]!r} is not known")]

    def _acted(self, meant: str | None, words: list[str], event_id: str) -> Reading:
        ticket, at, performer = self._ticket, self._changed_at, self._performer()
        if meant == "created":
            return self._created()
        if meant in {"deleted", "spam"}:
            made = ticket.changed(meant, Change(None, "true"), event_id, at, performer)
        elif meant in {"agent", "group"}:
            now = id_text(self._said, f"{meant}_id") or text(self._said, f"{meant}_email")
            made = ticket.changed(
                meant, Change(None, now or text(self._said, f"{meant}_name")), event_id, at, performer
            )
        elif meant is not None:
            now = text(self._said, "new_status") if meant == "status" else None
            made = ticket.changed(meant, Change(None, now), event_id, at, performer)
        elif UNCHANGED & set(words):
            return self._unsaid()
        else:
            made = None
        return [made or Refused("not_understood", f"the triggered event {'_'.join(words)[:80]!r} is not known")]

    def _created(self) -> Reading:
        at = instant(self._said, "created_at") or instant(self._said, "created_on")
        opening = self._ticket.opening(at)
        status = self._ticket.status(f"{self._id}:status", at, Author())
        is_plain = isinstance(status, Refused) or getattr(status.event, "status", None) == "open"
        return [opening] if is_plain else [opening, status]

    def _unsaid(self) -> Reading:
        """Without a `triggered_event`: a comment is a message, and a status is what the ticket has now."""
        if table(self._said, "latest_comment") or text(self._said, "conversation_body"):
            return [self._message(f"{self._id}:comment", "comment", Change(None, None))]
        if instant(self._said, "created_at"):
            return self._ticket.as_it_is()
        if self._said.get("status") is None:
            return [
                Refused("not_understood", "the webhook says nothing that happened: add triggered_event to its body")
            ]
        return [self._ticket.status(f"{self._id}:status", self._changed_at, self._performer())]

    # messages

    def _message(self, event_id: str, field: str, change: Change) -> Draft | Ignored | Refused:
        said, comment = self._said, table(self._said, "latest_comment")
        words = {*field.split("_"), *(change.after or "").lower().split("_")}
        private = flag(comment, "private") or "private" in words
        written = text(comment, "body_text") or text(comment, "body")
        written = written or text(said, "conversation_body") or text(said, "comment")
        written = written or text(said, f"latest_{'private' if private else 'public'}_comment")
        speaker, written = self._spoken(written)
        author = self._author(speaker, words, flag(comment, "incoming"), private=bool(private))
        at = instant(comment, "created_at") or instant(said, "conversation_created_at") or self._changed_at
        return self._ticket.interaction(event_id, at, author, public=not private, text=html_text(written))

    def _spoken(self, comment: str | None) -> tuple[str | None, str | None]:
        """A comment without the name before it, and that name."""
        found = _SPEAKER.match(comment or "")
        if comment is None or found is None:
            return None, comment
        name, rest = found.group(1).strip(), comment[found.end() :]
        people = {self._requester_name(), *(word(self._said, key) for key in ("agent_name", "event_performer_name"))}
        return (name, rest) if rest.startswith("<") or name.lower() in people - {None} else (None, comment)

    def _author(self, speaker: str | None, words: set[str], incoming: bool | None, *, private: bool) -> Author:  # noqa: FBT001 - three answers
        performer = self._performer()
        if performer.kind != "system":
            return performer
        named = self._requester_name()
        kind: AuthorKind = "customer"
        if incoming is not None:
            kind = "customer" if incoming else "agent"
        elif CUSTOMER_WORDS & words or AGENT_WORDS & words:
            kind = "customer" if CUSTOMER_WORDS & words else "agent"
        elif speaker is not None and speaker.lower() == word(self._said, "agent_name"):
            kind = "agent"
        elif speaker is not None and named is not None:
            kind = "customer" if speaker.lower() == named else "agent"
        elif private or "note" in words:
            kind = "agent"  # only agents write notes: a requester can but reply
        return self._ticket.requester() if kind == "customer" else Author("agent", self._agent_named(speaker))

    def _agent_named(self, speaker: str | None) -> str | None:
        """The assigned agent's id or address, if it was the assigned agent who spoke."""
        if speaker is None or speaker.lower() != word(self._said, "agent_name"):
            return None
        return id_text(self._said, "agent_id") or word(self._said, "agent_email")

    def _requester_name(self) -> str | None:
        return word(self._said, "requester_name") or word(self._said, "contact_name")

    def _performer(self) -> Author:
        """Who caused the event; the system, where the rule does not say."""
        address, name = mail_address(self._said.get("event_performer_email")), word(self._said, "event_performer_name")
        person = id_text(self._said, "event_performer_id") or address
        if person is None and name is None:
            return Author()
        is_requester = address == self._ticket.address if address else name == self._requester_name()
        if is_requester or (person is not None and person == self._ticket.requester_id):
            return self._ticket.requester()
        return Author("system", "system") if name == "system" else Author("agent", person)


def _flat(fields: dict[str, Json]) -> dict[str, Json]:
    """The fields as those of a ticket: without `ticket_` before them, and `contact: {email}` as `contact_email`."""
    nested = {f"{key}_{name}": value for key in PEOPLE for name, value in table(fields, key).items()}
    named = {key.removeprefix("ticket_"): value for key, value in fields.items() if key.startswith("ticket_")}
    return fields | nested | named
