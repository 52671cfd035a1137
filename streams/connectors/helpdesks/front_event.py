"""One Front event in one conversation, and the canonical events that can be made of it.

Source: Front developer documentation, "Events", "Messages", "Comments", "Rule webhooks" and "Application webhooks".
`front_channel` decides which of them an event means.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Author, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.automated_words import Automated
from streams.connectors.connector_contract import Draft
from streams.connectors.drafting import Drafter
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import Json, at, flag, id_text, instant, required, table, tables, text, word
from streams.connectors.phone_numbers import phone_identities

STATUSES: dict[str, Status] = {
    "unassigned": "open",
    "assigned": "open",
    "open": "open",
    "waiting": "waiting_on_customer",
    "snoozed": "on_hold",
    "archived": "closed",
    "resolved": "resolved",
    "deleted": "deleted",
    "trashed": "deleted",
    "spam": "spam",
}
"""Statuses of conversations, and the status categories of tickets. Archiving is how a conversation ends in Front."""

CHANNELS = {
    "email": "email",
    "gmail": "email",
    "office365": "email",
    "imap": "email",
    "smtp": "email",
    "form": "form",
    "front_chat": "chat",
    "intercom": "chat",
    "smooch": "chat",
    "custom": "other",
    "sms": "sms",
    "twilio": "sms",
    "truly_call": "phone",
    "phone-call": "phone",
    "call": "phone",
    "whatsapp": "whatsapp",
    "facebook": "social",
    "tweet": "social",
    "twitter": "social",
    "twitter_dm": "social",
    "googleplay": "social",
}

CALLS = frozenset({"sms", "twilio", "whatsapp", "phone-call", "call", "truly_call"})
"""Message types whose handle is a telephone number that the carrier vouches for."""
TYPED = frozenset({"form", "front_chat"})
"""Message types whose sender typed the address."""

MACHINES: dict[str, Automated] = {
    "rule": "trigger",
    "api": "bot",
    "gmail": "system",
    "reminder": "system",
    "analytics": "system",
    "recipient": "system",
}
"""Kinds of sources that are nobody, and why what they do is automated."""


class FrontEvent:
    """One event. `conversation` may be no more than its id and links."""

    def __init__(self, drafter: Drafter, event: dict[str, Any]) -> None:
        self.event = event
        self.conversation = table(event, "conversation")
        self.target = table(event, "target", "data")
        self._drafter = drafter
        linked = _last_part(text(self.target, "_links", "related", "conversation"))
        self.conversation_id = required(id_text(self.conversation, "id") or linked, "$.conversation.id")
        self.at = instant(event, "emitted_at")
        self.id = id_text(event, "id")

    def event_id(self, kind: str) -> str:
        """Front's id of the event; where it has none, what happened and when."""
        return self.id or f"{self.conversation_id}:{kind}:{self.at.isoformat() if self.at else 'unknown'}"

    # the people

    def actor(self) -> tuple[Author, str | None]:
        """Who caused the event, and why it counts as automated."""
        kind, person = word(self.event, "source", "_meta", "type"), table(self.event, "source", "data")
        if kind in {"teammate", "teammates"} or (kind is None and id_text(person, "username")):
            return Author("agent", id_text(person, "id")), None
        if kind in MACHINES:
            return Author("system", id_text(person, "id")), MACHINES[kind]
        return Author("system"), None

    def customer(self, message: Json = None) -> str | None:
        """The handle of the customer: the sender of what comes in, the recipient of what goes out."""
        inbound = flag(message, "is_inbound")
        roles = ("from",) if inbound else ("to", "from", "cc") if message else ()
        own = self._drafter.instance.is_own_address
        for role in roles:
            for recipient in tables(message, "recipients"):
                handle = text(recipient, "handle")
                if handle and word(recipient, "role") == role and (inbound or not own(handle)):
                    return handle
        return text(self.conversation, "recipient", "handle")

    def identities(self, message: Json = None) -> tuple[str, ...]:
        """Who the customer is: the address or number, and the contact."""
        latest = message or table(self.conversation, "last_message")
        kind, handle = word(latest, "type"), self.customer(message)
        if handle and self._drafter.instance.is_own_address(handle):
            return ()
        found: list[str] = []
        if handle and _is_address(handle):
            found += identities_of_address(handle, vouched_for=kind not in TYPED)
        elif kind in CALLS:
            found += phone_identities(handle)
        links = [table(each, "_links", "related") for each in tables(message, "recipients") if self._is(each, handle)]
        contact = next((text(link, "contact") for link in links if text(link, "contact")), None)
        contact = _last_part(contact or text(self.conversation, "recipient", "_links", "related", "contact"))
        if contact or (handle and not found):
            found.append(f"front_contact:{contact or handle}")
        return tuple(found)

    @staticmethod
    def _is(recipient: Json, handle: str | None) -> bool:
        return text(recipient, "handle") == handle

    def author(self, message: Json) -> tuple[Author, str | None]:
        """Who wrote a message: a teammate, a machine on the company's side, or the customer."""
        person = table(message, "author")
        if flag(message, "is_inbound") is False:
            if id_text(person, "id"):
                return Author("agent", id_text(person, "id")), None
            actor, automated = self.actor()
            if automated in {"trigger", "bot"}:
                return Author("bot", actor.id), automated
            return Author("agent", actor.id if actor.kind == "agent" else None), None
        handle = self.customer(message)
        if id_text(person, "username") or (handle and self._drafter.instance.is_own_address(handle)):
            return Author("agent", id_text(person, "id") or (handle.lower() if handle else None)), None
        return self._drafter.author("customer", handle.strip().lower() if handle else id_text(person, "id")), None

    # drafts

    def draft(self, event_id: str, kind: Any, moment: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction in this conversation, with the conversation as it is now."""
        conversation = self.conversation
        latest = word(table(conversation, "last_message"), "type")
        said: dict[str, Any] = {
            "channel": CHANNELS.get(latest or ""),
            "inbox": self.inbox(),
            "agent": id_text(conversation, "assignee", "id"),
            "tags": tuple(name for tag in tables(conversation, "tags") if (name := text(tag, "name"))),
            "identities": self.identities(),
        }
        return self._drafter.interaction(event_id, kind, self.conversation_id, moment, author, **(said | words))

    def inbox(self) -> str | None:
        """The inbox that a message came in by or a conversation was moved to."""
        for place in ("target", "source"):
            if word(self.event, place, "_meta", "type") in {"inbox", "inboxes"}:
                found = at(self.event, place, "data")
                inbox = found[0] if isinstance(found, list) and found else found
                return id_text(inbox, "id")
        return None

    def message(self, message: dict[str, Any]) -> Draft:
        """A message. Its own id is the event's: Front tells a reply as `outbound` and as `out_reply`."""
        author, automated = self.author(message)
        message_id = id_text(message, "id")
        error = word(message, "error_type")
        return self.draft(
            message_id or self.event_id("message"),
            "message",
            instant(message, "created_at") or self.at,
            author,
            channel=CHANNELS.get(word(message, "type") or ""),
            identities=self.identities(message),
            automated=automated or ("bounce" if error else None),
            text=written_text(at(message, "text"), at(message, "body"), at(message, "blurb")),
            attachments=attachments_of(message, "attachments"),
        )

    def comment(self, comment: dict[str, Any]) -> Draft:
        """A comment between teammates."""
        person, comment_id = table(comment, "author"), id_text(comment, "id")
        author = Author("agent", id_text(person, "id")) if person else self.actor()[0]
        return self.draft(
            comment_id or self.event_id("comment"),
            "message",
            instant(comment, "posted_at") or self.at,
            author,
            public=False,
            text=written_text(at(comment, "body")),
            attachments=attachments_of(comment, "attachments"),
            raw_reference=self._drafter.reference("comment", comment_id or self.event_id("comment")),
        )

    def status(self, status: Status, original: str) -> Draft:
        """A change of status, with Front's own word beside ours."""
        author, automated = self.actor()
        words = {"status": status, "source_status": original, "automated": automated}
        return self.draft(self.event_id(original), "status_changed", self.at, author, **words)

    def change(self, kind: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """Another change, by whoever caused the event."""
        author, automated = self.actor()
        return self.draft(self.event_id(kind), kind, self.at, author, automated=automated, **words)

    def merged(self, other: str) -> Draft:
        """The event of another conversation that went up in this one."""
        author, automated = self.actor()
        return self._drafter.interaction(
            f"{self.event_id('merged')}:{other}",
            "merged",
            other,
            self.at,
            author,
            automated=automated,
            into=self._drafter.conversation(self.conversation_id),
        )


def _is_address(handle: str) -> bool:
    """Whether a handle is a mail address, and not the `@name` of a social network."""
    local, _, domain = handle.rpartition("@")
    return bool(local.strip()) and "." in domain


def _last_part(address: str | None) -> str | None:
    """The id at the end of a link to an object of the API."""
    found = (address or "").rstrip("/").rpartition("/")[2]
    return found or None
