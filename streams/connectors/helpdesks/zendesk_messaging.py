"""Zendesk messaging by its own webhooks (Sunshine Conversations): messages before and beside the ticket.

Source: Sunshine Conversations API, "Webhooks" of version 2 (`events`) and the older version 1.1 (`trigger`). Such a
webhook proves itself by the shared secret in `X-API-Key`. Its conversations have ids of their own, which are not
ticket numbers: subscribe to these events or to the ticket's `messaging_ticket.message_added`, not to both.
"""

from typing import Any

from schemas.interaction import Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import (
    Json,
    at,
    flag,
    id_text,
    instant,
    items,
    read_each,
    required,
    table,
    tables,
    text,
    word,
)

BOT_SOURCES = frozenset({"zd:answerbot", "zd:flow", "zd:flowbuilder", "zd:ultimate", "zd:aiagent"})
OTHER_SUBJECTS = frozenset({"user", "client", "switchboard"})
WITHOUT_EFFECT = {
    "conversation:create": "without_effect",
    "conversation:join": "participant_changed",
    "conversation:leave": "participant_changed",
    "conversation:postback": "without_effect",
    "conversation:read": "receipt",
    "conversation:referral": "without_effect",
    "conversation:typing": "typing",
    "conversation:message:delivery:channel": "receipt",
    "conversation:message:delivery:failure": "not_delivered",
    "conversation:message:delivery:user": "receipt",
}
OLD_ROLES = {"appuser": "customer", "appmaker": "agent", "business": "agent", "whisper": "agent"}


def is_messaging(payload: Json) -> bool:
    """Whether this is a webhook of Sunshine Conversations, or one of its events."""
    kind = word(payload, "type") or ""
    return (
        bool(items(payload, "events") and at(payload, "app"))
        or bool(word(payload, "trigger") and at(payload, "app"))
        or (kind.partition(":")[0] in {"conversation", *OTHER_SUBJECTS} and bool(at(payload, "payload")))
    )


def messaging_events(payload: Json, drafter: Drafter) -> Reading:
    """Every event of a webhook; a bad one harms none of its neighbours."""
    if word(payload, "trigger"):
        return _old(payload, drafter)
    return read_each(list(tables(payload, "events")) or [table(payload)], lambda event: [_event(event, drafter)])


def _event(event: dict[str, Any], drafter: Drafter) -> Draft | Ignored | Refused:
    kind = required(word(event, "type"), "$.events[].type")
    if kind in WITHOUT_EFFECT:
        return Ignored(WITHOUT_EFFECT[kind])
    if kind.partition(":")[0] in OTHER_SUBJECTS:
        return Ignored("other_subject")
    payload = table(event, "payload")
    conversation = required(id_text(payload, "conversation", "id"), "$.payload.conversation.id")
    event_id = required(id_text(event, "id"), "$.id")
    moment = instant(event, "createdAt")
    if kind == "conversation:remove":
        words: dict[str, Any] = {"status": "deleted", "source_status": "removed", "channel": "chat"}
        return drafter.interaction(event_id, "status_changed", conversation, moment, Author("system"), **words)
    if kind != "conversation:message":
        return Refused("not_understood", f"the event type {kind[:80]!r} is not known")
    message = required(table(payload, "message") or None, "$.payload.message")
    author, automated = _author(message, drafter)
    return drafter.interaction(
        id_text(message, "id") or event_id,
        "message",
        conversation,
        instant(message, "received") or moment,
        author,
        channel=_channel(message),
        automated=automated,
        text=written_text(at(message, "content", "text"), at(message, "content", "altText")),
        attachments=attachments_of({"files": [table(message, "content")]}, "files") if _is_file(message) else (),
        identities=_identities(table(payload, "user") or table(message, "author", "user"), author),
    )


def _author(message: dict[str, Any], drafter: Drafter) -> tuple[Author, str | None]:
    """The user is the customer; the business is an agent unless a bot speaks for it."""
    said = table(message, "author")
    person = id_text(said, "userId") or id_text(said, "user", "id")
    if word(said, "type") == "business":
        subtypes = {str(each).lower() for each in items(said, "subtypes")}
        source = word(message, "source", "type") or ""
        if source in BOT_SOURCES or "ai" in subtypes:
            return Author("bot", person), "ai_answer" if "ai" in subtypes else "bot"
        return Author("agent", person), None
    return drafter.author("customer", person), None


def _channel(message: dict[str, Any]) -> str:
    kind = word(message, "source", "type") or ""
    for name, channel in (("whatsapp", "whatsapp"), ("twilio", "sms"), ("messagebird", "sms"), ("mailgun", "email")):
        if name in kind:
            return channel
    social = ("messenger", "instagram", "twitter", "telegram", "line", "viber", "wechat", "kakao", "apple", "google")
    return "social" if any(name in kind for name in social) else "chat"


def _is_file(message: dict[str, Any]) -> bool:
    return word(message, "content", "type") in {"image", "file"}


def _identities(user: Json, author: Author) -> tuple[str, ...]:
    """The address counts only of a user that the company's own site has signed in."""
    address = text(user, "profile", "email") or text(user, "identities", "email")
    signed_in = flag(user, "authenticated") is True or bool(id_text(user, "externalId"))
    found = identities_of_address(address, vouched_for=signed_in)
    person = id_text(user, "id") or (author.id if author.kind == "customer" else None)
    return (*found, f"sunshine_user:{person}") if person else found


def _old(payload: Json, drafter: Drafter) -> Reading:
    """Version 1.1: `trigger` says what the messages are, a conversation is that of the user where none is named."""
    trigger = word(payload, "trigger") or ""
    if not trigger.startswith("message"):
        return [Ignored("without_effect")]
    user = table(payload, "appUser")
    person = id_text(user, "_id") or id_text(user, "id")
    named = table(payload, "conversation")
    conversation = required(id_text(named, "_id") or id_text(named, "id") or person, "$.appUser._id")
    told: list[Draft | Ignored | Refused] = []
    for message in tables(payload, "messages"):
        role = OLD_ROLES.get(word(message, "role") or "", "customer")
        writer = id_text(message, "authorId")
        author = drafter.author("customer", writer or person) if role == "customer" else Author("agent", writer)
        found = identities_of_address(text(user, "email"), vouched_for=False)
        told.append(
            drafter.interaction(
                required(id_text(message, "_id"), "$.messages[]._id"),
                "message",
                conversation,
                instant(message, "received"),
                author,
                channel=_channel(message),
                text=written_text(at(message, "text")),
                identities=(*found, f"sunshine_user:{person}") if person else found,
            )
        )
    return told or [Ignored("nothing_inside")]
