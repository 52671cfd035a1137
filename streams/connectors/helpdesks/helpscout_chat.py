"""A live chat of Help Scout's Beacon, and the canonical events that can be made of it.

While it is open it is no conversation: Help Scout makes one of it only when it ends, with the transcript as one thread.
So a chat is a conversation of its own here. Source: Help Scout developer documentation, "Chat API".
"""

from datetime import datetime
from typing import Any

from schemas.interaction import Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Ignored, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.helpscout_conversation import PEOPLE
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import Json, at, id_text, instant, required, table, tables, text, word

WRITERS = {"beacon.chat.customer.replied": "customer", "beacon.chat.agent.replied": "user"}
"""Whose newest message an event is about."""


def is_chat(item: Json) -> bool:
    """Whether this is a chat as the API has it."""
    return id_text(item, "beaconId") is not None


class HelpScoutChat:
    """A chat as it is after the event."""

    def __init__(self, drafter: Drafter, chat: dict[str, Any]) -> None:
        self.chat = chat
        self.id = required(id_text(chat, "id"), "$.id")
        self._drafter = drafter

    def told_by(self, event: str) -> list[Draft | Ignored | Refused]:
        """What an event of this chat means; without one, everything that the chat tells."""
        if event == "beacon.chat.assigned":
            agent, moment = id_text(self.chat, "assignee", "id"), instant(self.chat, "updatedAt")
            return [self._draft(f"assigned:{agent}", "assigned", moment, Author("system"))]
        events = [each for each in tables(self.chat, "_embedded", "events") if self._is_written(each)]
        if event in WRITERS:
            events = [each for each in events if self._wrote(each, WRITERS[event])][-1:]
        told: list[Draft | Ignored | Refused] = [self._message(each) for each in events]
        if not told and text(self.chat, "preview") and event != "beacon.chat.agent.replied":
            customer = self._drafter.author("customer", id_text(self.chat, "customer", "id"))
            said = written_text(at(self.chat, "preview"))
            told.append(self._draft("opening", "message", instant(self.chat, "createdAt"), customer, text=said))
        ended = instant(self.chat, "endedAt")
        if ended is not None or event == "beacon.chat.ended":
            words = {"status": "closed", "source_status": "ended"}
            told.append(self._draft("ended", "status_changed", ended, Author("system"), **words))
        return told or [Ignored("nothing_inside")]

    @staticmethod
    def _is_written(event: Json) -> bool:
        return bool(id_text(event, "id") and text(event, "body") and word(event, "type") in {"message", "note"})

    @staticmethod
    def _wrote(event: Json, kind: str) -> bool:
        return word(event, "type") == "message" and PEOPLE.get(word(event, "author", "type") or "") == PEOPLE[kind]

    def _message(self, event: dict[str, Any]) -> Draft:
        kind = PEOPLE.get(word(event, "author", "type") or "", "customer")
        author = self._drafter.author(kind, id_text(event, "author", "id"))
        return self._draft(
            f"event:{id_text(event, 'id')}",
            "message",
            instant(event, "createdAt"),
            author,
            public=word(event, "type") != "note",
            automated="ai_answer" if author.kind == "bot" else None,
            text=written_text(at(event, "body")),
            attachments=attachments_of(event, "attachments"),
        )

    def _draft(self, what: str, kind: Any, moment: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """An interaction in this chat. Visitors type their address into the Beacon."""
        customer = table(self.chat, "customer")
        customer_id = id_text(customer, "id")
        found = identities_of_address(text(customer, "email"), vouched_for=False)
        said: dict[str, Any] = {
            "channel": "chat",
            "inbox": id_text(self.chat, "mailboxId"),
            "agent": id_text(self.chat, "assignee", "id"),
            "identities": (*found, f"helpscout_person:{customer_id}") if customer_id else found,
            "raw_reference": f"helpscout:chat:{self.id}",
        }
        event_id, place = f"chat:{self.id}:{what}", f"chat:{self.id}"
        return self._drafter.interaction(event_id, kind, place, moment, author, **(said | words))
