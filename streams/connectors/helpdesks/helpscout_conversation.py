"""One Help Scout conversation, and the canonical events that can be made of it.

A webhook carries the conversation as it is, with all its threads; a thread is a message, a note or a line about what
was done. Source: Help Scout developer documentation, "Webhooks", its conversation and rating objects, and the
conversation of Mailbox API 2.0. `helpscout_channel` decides what an event is about.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Author, AuthorKind, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Ignored, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import (
    EPOCH,
    Json,
    at,
    content_id,
    id_text,
    instant,
    items,
    number,
    required,
    table,
    tables,
    text,
    word,
)

STATUSES: dict[str, Status] = {
    "active": "open",
    "open": "open",
    "pending": "waiting_on_customer",
    "closed": "closed",
    "spam": "spam",
    "deleted": "deleted",
}

PEOPLE: dict[str, AuthorKind] = {
    "customer": "customer",
    "user": "agent",
    "agent": "agent",
    "team": "agent",
    "ai": "bot",
    "ai-agent": "bot",
    "bot": "bot",
    "system": "system",
    "workflow": "system",
}

WRITTEN: dict[str, AuthorKind] = {
    "customer": "customer",
    "message": "agent",
    "reply": "agent",
    "note": "agent",
    "chat": "customer",
    "phone": "customer",
    "beaconchat": "customer",
    "forwardparent": "agent",
    "forwardchild": "agent",
}
"""Types of threads that somebody wrote, and who it was where the thread does not say."""
INTERNAL = frozenset({"note", "forwardparent"})
UNSENT = frozenset({"draft", "hidden", "underreview"})
"""States of threads that no customer has seen."""

CHANNELS = {"email": "email", "chat": "chat", "beaconchat": "chat", "phone": "phone"}
TYPED = ("beacon", "chat")
"""Sources whose customers typed their address themselves."""

RATINGS = {"great": 3.0, "good": 3.0, "okay": 2.0, "ok": 2.0, "bad": 1.0, "not good": 1.0}
FACES = 3.0
"""Great, okay, bad: three marks, the lowest being 1."""
RECOMMENDATIONS = frozenset({"detractor", "passive", "promoter"})
MOST_LIKELY = 10.0


class HelpScoutConversation:
    """A conversation as it is after the event."""

    def __init__(self, drafter: Drafter, conversation: dict[str, Any]) -> None:
        self.conversation = conversation
        self.id = required(id_text(conversation, "id"), "$.id")
        self._drafter = drafter
        found = items(conversation, "_embedded", "threads") or items(conversation, "threads")
        threads = [thread for thread in found if isinstance(thread, dict)]
        threads = [thread for thread in threads if word(thread, "state") not in UNSENT]
        self.threads = sorted(threads, key=lambda thread: instant(thread, "createdAt") or EPOCH)
        """Oldest first; the newest stands first in a payload."""
        self.identities = self._identities()

    def _customer(self) -> dict[str, Any]:
        for key in ("primaryCustomer", "customer"):
            if found := table(self.conversation, key):
                return found
        maker = table(self.conversation, "createdBy")
        if word(maker, "type") == "customer":
            return maker
        told = (table(thread, "customer") or self._maker(thread) for thread in self.threads)
        return next((person for person in told if word(person, "type") in {"customer", None} and person), {})

    def _identities(self) -> tuple[str, ...]:
        customer = self._customer()
        listed = (text(each, "value") for each in tables(customer, "_embedded", "emails"))
        address = text(customer, "email") or next((found for found in listed if found), None)
        source = word(self.conversation, "source", "type") or word(self.conversation, "type") or ""
        found = identities_of_address(address, vouched_for=not source.startswith(TYPED))
        customer_id = id_text(customer, "id")
        return (*found, f"helpscout_person:{customer_id}") if customer_id else found

    # the people

    @staticmethod
    def _maker(thread: Json) -> dict[str, Any]:
        return table(thread, "createdBy") or table(thread, "author")

    def author(self, thread: Json) -> Author:
        """Who made a thread: its maker's type, else what kind of thread it is."""
        maker = self._maker(thread)
        kind = PEOPLE.get(word(maker, "type") or "") or WRITTEN.get(word(thread, "type") or "", "system")
        address, person = text(maker, "email"), id_text(maker, "id")
        if kind == "customer" and address and self._drafter.instance.is_own_address(address):
            kind = "agent"
        if kind == "customer" and person is None:
            person = id_text(self._customer(), "id")
        return self._drafter.author(kind, person)

    def actor(self) -> Author:
        """Who changed the conversation: the newest line says so, or who closed it."""
        lines = [thread for thread in self.threads if word(thread, "type") == "lineitem"]
        if lines:
            return self.author(lines[-1])
        closer = table(self.conversation, "closedByUser") or table(self.conversation, "closedBy")
        closer_id = id_text(closer, "id") or id_text(self.conversation, "closedBy")
        if word(self.conversation, "status") == "closed" and closer_id not in {None, "0"}:
            return Author(PEOPLE.get(word(closer, "type") or "", "agent"), closer_id)
        return Author("system")

    def moment(self) -> datetime | None:
        """When the conversation was changed last."""
        for key in ("userUpdatedAt", "modifiedAt", "updatedAt", "userModifiedAt"):
            if found := instant(self.conversation, key):
                return found
        newest = instant(self.threads[-1], "createdAt") if self.threads else None
        return newest or instant(self.conversation, "closedAt") or instant(self.conversation, "createdAt")

    # drafts

    def draft(self, event_id: str, kind: Any, moment: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction in this conversation, with the conversation as it is now."""
        conversation = self.conversation
        assignee = table(conversation, "assignee") or table(conversation, "owner")
        is_team = word(assignee, "type") == "team"
        tags = (text(tag, "tag") or text(tag, "name") if isinstance(tag, dict) else tag for tag in self._tags())
        said: dict[str, Any] = {
            "channel": CHANNELS.get(word(conversation, "type") or ""),
            "inbox": id_text(conversation, "mailboxId") or id_text(conversation, "mailbox", "id"),
            "agent": None if is_team else id_text(assignee, "id"),
            "team": id_text(assignee, "id") if is_team else None,
            "tags": tuple(tag for tag in tags if isinstance(tag, str) and tag),
            "identities": self.identities,
            "raw_reference": f"helpscout:conversation:{self.id}",
        }
        return self._drafter.interaction(event_id, kind, self.id, moment, author, **(said | words))

    def _tags(self) -> list[Json]:
        return items(self.conversation, "tags")

    def changed(self, kind: str, what: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A change of the conversation itself. What it is and when is its id: Help Scout has none."""
        closed_at = instant(self.conversation, "closedAt") if words.get("status") == "closed" else None
        moment = closed_at or self.moment()  # a closed conversation may have been changed since
        stamp = moment.isoformat() if moment else "unknown"
        return self.draft(f"conversation:{self.id}:{what}:{stamp}", kind, moment, self.actor(), **words)

    def message(self, thread: dict[str, Any]) -> Draft | None:
        """A thread as a message; null for lines about what was done, and what nobody wrote."""
        kind, thread_id = word(thread, "type") or "customer", id_text(thread, "id")
        body = written_text(at(thread, "body"), at(thread, "text"))
        files = attachments_of(thread, "_embedded", "attachments") or attachments_of(thread, "attachments")
        if thread_id is None or kind not in WRITTEN or (body is None and not files and kind != "customer"):
            return None
        author = self.author(thread)
        workflow = "workflow" in (word(thread, "action", "type") or "") and author.kind != "customer"
        return self.draft(
            f"thread:{thread_id}",
            "message",
            instant(thread, "createdAt") or instant(self.conversation, "createdAt"),
            Author("bot", author.id) if workflow else author,
            public=kind not in INTERNAL,
            automated="trigger" if workflow else "ai_answer" if author.kind == "bot" else None,
            text=body,
            attachments=files,
            raw_reference=f"helpscout:thread:{thread_id}",
        )

    def messages(self) -> list[Draft]:
        """Everything that somebody wrote, oldest first."""
        return [made for thread in self.threads if (made := self.message(thread)) is not None]

    def opening(self) -> Draft:
        """The message that the conversation began with, where no thread tells it."""
        maker = table(self.conversation, "createdBy") or {"type": "customer"}
        return self.draft(
            f"conversation:{self.id}:opening",
            "message",
            instant(self.conversation, "createdAt"),
            self.author({"type": "customer", "createdBy": maker}),
            text=written_text(at(self.conversation, "preview")),
        )

    def status(self) -> Draft | Refused:
        """The status as it is now, with Help Scout's own word beside ours."""
        original = required(word(self.conversation, "status"), "$.status")
        status = STATUSES.get(original)
        if status is None:
            return Refused("not_understood", f"the status {original[:40]!r} is not known")
        return self.changed("status_changed", original, status=status, source_status=original)

    def merged(self) -> list[Draft]:
        """Every conversation that the newest lines say went up in this one."""
        moment, told = self.moment(), []
        for thread in self.threads:
            other = id_text(thread, "action", "associatedEntities", "originalConversation")
            if other is not None and other != self.id:
                into = self._drafter.conversation(self.id)
                at_time, author = instant(thread, "createdAt") or moment, self.author(thread)
                told.append(
                    self._drafter.interaction(
                        f"conversation:{other}:merged", "merged", other, at_time, author, into=into
                    )
                )
        return told


def rating_of(drafter: Drafter, rating: dict[str, Any]) -> Draft | Refused:
    """A satisfaction rating as a survey signal."""
    mark, rating_id = word(rating, "rating") or "", required(id_text(rating, "id"), "$.id")
    value = RATINGS.get(mark)
    if value is None:
        return Refused("not_understood", f"the rating {mark[:40]!r} is not known")
    customer = table(rating, "customer")
    addresses = [text(each, "value") for each in tables(customer, "emails")] + [text(customer, "email")]
    found = [identity for address in addresses for identity in identities_of_address(address)]
    customer_id = id_text(customer, "id")
    return drafter.signal(
        f"rating:{rating_id}",
        "survey",
        "csat",
        value,
        instant(rating, "modifiedAt") or instant(rating, "createdAt"),
        identities=(*found, f"helpscout_person:{customer_id}") if customer_id else tuple(found),
        conversation=id_text(rating, "ticketId") or id_text(rating, "conversationId"),
        scale=FACES,
        text=written_text(at(rating, "comments")),
        raw_reference=f"helpscout:rating:{rating_id}",
    )


def survey_answer_of(drafter: Drafter, payload: dict[str, Any]) -> Draft | Ignored:
    """An answer to a survey in the product: only the recommendation has a scale of its own, and says its category.

    Source: Help Scout developer documentation, "Survey Response Object" and "Survey Response Data Object".
    """
    answer, customer = table(payload, "response"), table(payload, "_embedded", "customer")
    value, person = number(answer, "value"), id_text(customer, "id")
    if word(answer, "category") not in RECOMMENDATIONS or value is None or not 0 <= value <= MOST_LIKELY:
        return Ignored("no_known_question")
    if person is None:
        return Ignored("nobody_named")
    addresses = (text(each, "value") for each in tables(customer, "_embedded", "emails"))
    answered = instant(answer, "timestamp")
    return drafter.signal(
        f"survey:{person}:{answered.isoformat() if answered else content_id(answer)}",
        "survey",
        "nps",
        value,
        answered,
        identities=(
            *(identity for address in addresses for identity in identities_of_address(address)),
            f"helpscout_person:{person}",
        ),
        scale=MOST_LIKELY,
        text=written_text(at(answer, "comment")),
        raw_reference=f"helpscout:person:{person}",
    )
