"""Messages of HubSpot's conversations: objects of its API, and what little a webhook says of a message.

Source: HubSpot developer documentation, "Conversations API" (actors, channels, message types).
"""

from typing import Any

from schemas.interaction import Author, AuthorKind
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.automated_words import Automated
from streams.connectors.connector_contract import Draft, Ignored, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.mail_addresses import mail_address
from streams.connectors.message_content import attachments_of, html_text
from streams.connectors.payload_reading import Json, id_text, instant, required, table, tables, text, word

ACTORS: dict[str, AuthorKind] = {
    "A": "agent",
    "B": "bot",
    "I": "bot",
    "L": "bot",
    "S": "system",
    "V": "customer",
}
"""By the letter before an actor's id: agent, bot, integration, customer agent (an artificial one), HubSpot itself,
visitor. `E-`, a bare mail address, says nothing: the direction does."""
ACTOR_TYPES: dict[str, AuthorKind] = {
    "agent": "agent",
    "bot": "bot",
    "integration": "bot",
    "system": "system",
    "visitor": "customer",
}
AUTOMATIC: dict[str, Automated] = {"B": "bot", "I": "bot", "L": "ai_answer", "S": "system"}

CHANNELS = {
    "1000": "chat",
    "1001": "social",
    "1002": "email",
    "1003": "form",
    "1004": "form",
    "1007": "whatsapp",
    "1009": "sms",
    "1010": "social",
}

NEW_STATUSES = {"open": "open", "closed": "closed"}
SPOKEN = frozenset({"message", "comment", "welcome_message"})


def thread_of(provider_id: str) -> str:
    """The conversation of a thread: tickets and threads both have numbers."""
    return f"thread:{provider_id}"


def is_message(item: dict[str, Json]) -> bool:
    """Whether an object is one of a thread's history."""
    return "senders" in item or "conversationsThreadId" in item or ("direction" in item and "channelId" in item)


def read_message(drafter: Drafter, item: dict[str, Json], thread: str | None = None) -> Draft | Ignored | Refused:
    """What one object of a thread's history means. `thread` is where it was found, if it does not say itself.

    Raises:
        Malformed: it does not say which thread it belongs to, or has no id.
    """
    kind = word(item, "type") or "message"
    conversation = thread_of(required(id_text(item, "conversationsThreadId") or thread, "$.conversationsThreadId"))
    message_id = required(id_text(item, "id"), "$.id")
    author, identities = _author(drafter, item, kind), _identities(drafter, item)
    at = instant(item, "createdAt")
    said: dict[str, Any] = {"identities": identities, "raw_reference": f"hubspot:message:{message_id}"}
    if kind in SPOKEN:
        return _spoken(drafter, item, kind, conversation, author, **said)
    if kind == "thread_status_change":
        status = NEW_STATUSES.get(word(item, "newStatus") or "")
        if status is None:
            return Refused("not_understood", f"the status {str(item.get('newStatus'))[:40]!r} is not known")
        said |= {"status": status, "source_status": text(item, "newStatus")}
        return drafter.interaction(message_id, "status_changed", conversation, at, author, **said)
    if kind == "assignment":
        agent = id_text(item, "assignedTo") or id_text(item, "assignedToId")
        return drafter.interaction(message_id, "assigned", conversation, at, author, agent=agent, **said)
    known = kind.endswith("_change")
    return Ignored("without_effect") if known else Refused("not_understood", f"the type {kind[:40]!r} is not known")


def _spoken(
    drafter: Drafter,
    item: dict[str, Json],
    kind: str,
    conversation: str,
    author: Author,
    **said: Any,  # noqa: ANN401 - contract fields
) -> Draft | Ignored:
    if word(item, "status", "statusType") == "failed":
        return Ignored("not_delivered")
    return drafter.interaction(
        required(id_text(item, "id"), "$.id"),
        "message",
        conversation,
        instant(item, "createdAt"),
        author,
        channel=CHANNELS.get(id_text(item, "channelId") or ""),
        public=kind != "comment",
        automated=_automated(item, kind, author),
        text=text(item, "text") or html_text(item.get("richText")),
        attachments=attachments_of(item, "attachments"),
        **said,
    )


def read_announcement(drafter: Drafter, event: dict[str, Json], event_id: str) -> Draft | Ignored:
    """What `conversation.newMessage` says: that there is a message, and seldom whose.

    An author cannot be made up: without a direction only notes (they are the team's) and greetings (they are HubSpot's)
    have one. The object that `messageId` leads to says it all.
    """
    conversation = thread_of(required(id_text(event, "objectId"), "$.objectId"))
    kind = word(event, "messageType") or "message"
    direction = word(event, "direction") or word(event, "messageDirection")
    author = {"comment": Author("agent"), "welcome_message": Author("bot")}.get(kind)
    if author is None and direction in {"incoming", "outgoing"}:
        author = Author("customer" if direction == "incoming" else "agent")
    if author is None:
        return Ignored("author_not_said")
    return drafter.interaction(
        id_text(event, "messageId") or event_id,
        "message",
        conversation,
        instant(event, "occurredAt"),
        author,
        public=kind != "comment",
        automated="template" if kind == "welcome_message" else None,
    )


def actor_kind(actor_id: str | None, actor_type: str | None = None) -> AuthorKind | None:
    """Who an actor is by its id (`A-123`) or type; null where neither says."""
    letter = actor_id[:1] if actor_id is not None and actor_id[1:2] == "-" else ""
    return ACTORS.get(letter) or ACTOR_TYPES.get(actor_type or "")


def _sender(item: dict[str, Json]) -> dict[str, Json]:
    return next(tables(item, "senders"), table(item, "sender"))


def _author(drafter: Drafter, item: dict[str, Json], kind: str) -> Author:
    sender = _sender(item)
    actor = id_text(sender, "actorId") or id_text(item, "createdBy")
    found = actor_kind(actor, word(sender, "type"))
    if kind == "welcome_message":
        found = "bot"
    if found is None and kind not in SPOKEN:
        found = "system"
    if found is None:
        ours = kind == "comment" or word(item, "direction") == "outgoing"
        found = "agent" if ours else "customer"
    return drafter.author(found, actor or _address(sender))


def _automated(item: dict[str, Json], kind: str, author: Author) -> str | None:
    if kind == "welcome_message":
        return "template"
    if author.kind not in {"bot", "system"}:
        return None
    actor = id_text(_sender(item), "actorId") or id_text(item, "createdBy") or ""
    return AUTOMATIC.get(actor[:1], "bot")


def _identities(drafter: Drafter, item: dict[str, Json]) -> tuple[str, ...]:
    """The visitor's side of it, whichever side wrote."""
    people = [_sender(item), *tables(item, "recipients")]
    outgoing = word(item, "direction") == "outgoing"
    visitors = [person for person in people if (id_text(person, "actorId") or "").startswith("V-")]
    meant = visitors or (people[1:] if outgoing else people[:1])
    addresses = [address for person in meant if (address := _address(person)) is not None]
    outside = next((each for each in addresses if not drafter.instance.is_own_address(each)), "")
    contact = next((id_text(person, "actorId") for person in visitors), None)
    found = (*identities_of_address(outside), f"hubspot_contact:{contact[2:]}" if contact else "")
    return tuple(identity for identity in found if identity)


def _address(person: dict[str, Json]) -> str | None:
    """The mail address of a sender or recipient; older versions list several identifiers."""
    told = [table(person, "deliveryIdentifier"), *tables(person, "deliveryIdentifiers")]
    found = [each.get("value") for each in told if word(each, "type") == "hs_email_address"]
    return next((address for each in (*found, person.get("email")) if (address := mail_address(each))), None)
