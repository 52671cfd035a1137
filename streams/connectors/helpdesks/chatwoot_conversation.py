"""One Chatwoot conversation, and the canonical events that can be made of it.

`chatwoot_payload` knows the words; `chatwoot_channel` decides what an event is about.
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Author
from streams.connectors.connector_contract import Draft
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.chatwoot_payload import (
    ACTIVITY,
    CHANNELS,
    INCOMING,
    STATUSES,
    TEMPLATE,
    channel_of,
    contact_of,
    conversation_id,
    identities_of,
    machine_behind,
    message_type,
    sender_id,
    sender_kind,
    status_word,
)
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    at,
    flag,
    id_text,
    instant,
    items,
    required,
    table,
    text,
    word,
)

STARS = 5.0


class ChatwootConversation:
    """A conversation as it is after the event; of a bare message no more than its number."""

    def __init__(self, drafter: Drafter, conversation: dict[str, Any], place: str) -> None:
        self.conversation = conversation
        self.id = required(conversation_id(conversation), place)
        self._drafter = drafter

    @classmethod
    def around(cls, drafter: Drafter, message: Json) -> "ChatwootConversation":
        """The conversation that a message names."""
        found = table(message, "conversation") or {"id": at(message, "conversation_id")}
        inbox = at(found, "inbox") or at(message, "inbox")
        return cls(drafter, found | {"inbox": inbox}, "$.conversation.id")

    def moment(self) -> datetime | None:
        """When the conversation was changed last."""
        keys = ("updated_at", "timestamp", "last_activity_at", "created_at")
        return next((found for key in keys if (found := instant(self.conversation, key))), None)

    def draft(self, event_id: str, kind: Any, moment: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction in this conversation, with the conversation as it is now."""
        conversation = self.conversation
        assignee = table(conversation, "meta", "assignee")
        said: dict[str, Any] = {
            "channel": CHANNELS.get(channel_of(conversation)),
            "inbox": id_text(conversation, "inbox_id") or id_text(conversation, "inbox", "id"),
            "agent": None if sender_kind({"sender": assignee}) == "bot" else id_text(assignee, "id"),
            "team": id_text(conversation, "meta", "team", "id"),
            "priority": word(conversation, "priority"),
            "tags": tuple(label for label in items(conversation, "labels") if isinstance(label, str)),
            "identities": identities_of(contact_of(conversation), conversation),
        }
        return self._drafter.interaction(event_id, kind, self.id, moment, author, **(said | words))

    def changed(self, kind: str, what: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A change of the conversation itself: by whom, Chatwoot does not tell. What and when is its id."""
        moment = self.moment()
        event_id = f"conversation:{self.id}:{what}:{moment.isoformat() if moment else 'unknown'}"
        return self.draft(event_id, kind, moment, Author("system"), **words)

    def status(self) -> Draft:
        """The status as it is now, with Chatwoot's own word beside ours.

        Raises:
            Malformed: there is none, or an unknown one.
        """
        original = required(status_word(self.conversation), "$.status")
        status = STATUSES.get(original)
        if status is None:
            raise Malformed(f"the status {original[:40]!r} is not known - at `$.status`")
        return self.changed("status_changed", original, status=status, source_status=original)

    def message(self, message: Json) -> Draft | None:
        """A message; null for Chatwoot's own lines, which tell in words what other events tell."""
        message_id = required(id_text(message, "id"), "$.id")
        if message_type(message) == ACTIVITY:
            return None
        author, automated = self._author(message)
        return self.draft(
            f"message:{message_id}",
            "message",
            instant(message, "created_at"),
            author,
            public=flag(message, "private") is not True,
            automated=automated,
            text=written_text(at(message, "content"), at(message, "processed_message_content")),
            attachments=attachments_of(message, "attachments"),
            identities=identities_of(contact_of(self.conversation, message), self.conversation),
            raw_reference=f"chatwoot:message:{message_id}",
        )

    def changed_message(self, message: Json) -> Draft | None:
        """A message that was changed or taken away; null for Chatwoot's own lines."""
        made = self.message(message)
        if made is None:
            return None
        message_id, gone = id_text(message, "id"), flag(message, "content_attributes", "deleted") is True
        author, automated = self._author(message)
        return self.draft(
            f"message:{message_id}" if gone else f"message:{message_id}:edited",
            "deleted" if gone else "edited",
            instant(message, "updated_at") or instant(message, "created_at"),
            author,
            public=flag(message, "private") is not True,
            automated=automated,
            text=None if gone else written_text(at(message, "content")),
            identities=made.identities,
            version=int(gone),
            raw_reference=f"chatwoot:message:{message_id}",
        )

    def _author(self, message: Json) -> tuple[Author, str | None]:
        """Who wrote a message, and why it counts as automated."""
        said, kind, person = message_type(message), sender_kind(message), sender_id(message)
        if said == TEMPLATE:
            return Author("bot", None if kind == "customer" else person), "template"
        if said in {INCOMING, None} and kind != "agent" and flag(message, "private") is not True:
            contact = id_text(contact_of(self.conversation, message), "id")
            return self._drafter.author("customer", person if kind == "customer" else contact or person), None
        if kind == "bot":
            return Author("bot", person), "bot"
        machine = machine_behind(message)
        return (Author("bot", person), machine) if machine is not None else (Author("agent", person), None)

    def rating(self, message: Json, answer: Json, value: float) -> Draft:
        """The answer to a satisfaction survey. Stars come first, words later: the second report corrects the first."""
        message_id = required(id_text(message, "id"), "$.id")
        comment = text(answer, "feedback_message")
        return self._drafter.signal(
            f"message:{message_id}:csat",
            "survey",
            "csat",
            value,
            instant(message, "updated_at") or instant(answer, "updated_at") or instant(message, "created_at"),
            identities=identities_of(contact_of(self.conversation, message), self.conversation),
            conversation=self.id,
            scale=STARS,
            text=comment,
            version=1 if comment else 0,
            raw_reference=f"chatwoot:message:{message_id}",
        )
