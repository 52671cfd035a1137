"""What is written in a chat of Amazon Connect: messages that it streams, and transcripts that it stores.

Sources: Amazon Connect Administrator Guide, "Enable real-time chat message streaming" with its SNS payload; Amazon
Connect Participant Service API Reference, the data type `Item`. The contact that a chat began with is the
conversation, as for its events in `amazon_connect_contact`.
"""

from collections.abc import Iterator

from schemas.interaction import Attachment, Author, AuthorKind
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, id_text, instant, items, required, tables, text, word
from streams.connectors.phone.amazon_connect_contact import lowered

ROLES: dict[str, AuthorKind] = {
    "agent": "agent",
    "custom_bot": "bot",
    "customer": "customer",
    "supervisor": "agent",
    "system": "system",
}
AUTOMATIC = {"bot": "bot", "system": "system"}
"""Of what bots say, and the prompts of flows, which are the system's."""

WRITTEN = frozenset({"attachment", "message"})
EVENTS = {
    "typing": "typing",
    "participant.active": "participant_changed",
    "participant.autodisconnection": "participant_changed",
    "participant.idle": "participant_changed",
    "participant.invited": "participant_changed",
    "participant.joined": "participant_changed",
    "participant.left": "participant_changed",
    "message.delivered": "receipt",
    "message.read": "receipt",
    "chat.ended": "told_elsewhere",
    "chat.rehydrated": "told_elsewhere",
}
"""Why an event of a chat is no message, by the end of its content type; of the others none moves a promise."""
OF_EVENTS = "application/vnd.amazonaws.connect.event."


def is_chat_item(payload: Json) -> bool:
    """Whether this was said, or happened, in a chat."""
    return word(payload, "ParticipantRole") is not None or (word(payload, "Type") in {*WRITTEN, "event"})


def is_transcript(payload: Json) -> bool:
    """Whether this is the stored transcript of a chat: Contact Lens has transcripts, too, of another form."""
    return bool(items(payload, "Transcript")) and id_text(payload, "InitialContactId") is not None


def transcript(drafter: Drafter, payload: Json) -> Iterator[Draft | Ignored | Refused]:
    """Every message of a transcript."""
    around = {key: id_text(payload, key) for key in ("ContactId", "InitialContactId")}
    for item in tables(payload, "Transcript"):
        yield from chat_item(drafter, around | item)


def chat_item(drafter: Drafter, item: Json) -> Reading:
    """What one item of a chat means.

    Raises:
        Malformed: it has no id, or no contact.
    """
    kind = word(item, "Type") or "message"
    if kind == "event":
        said = (word(item, "ContentType") or "").removeprefix(OF_EVENTS)
        return [Ignored(EVENTS.get(said, "without_effect"))]
    if kind not in WRITTEN:
        return [Refused("not_understood", f"the type {kind[:40]!r} is not known")]
    role = word(item, "ParticipantRole")
    if role not in ROLES:
        return [Ignored("author_not_said")]
    contact = required(id_text(item, "InitialContactId") or id_text(item, "ContactId"), "$.ContactId")
    message_id = required(id_text(item, "Id"), "$.Id")
    # The id of a participant is another one in every contact: it names no agent.
    author = drafter.author("customer", id_text(item, "ParticipantId")) if role == "customer" else Author(ROLES[role])
    return [
        drafter.interaction(
            message_id,
            "message",
            contact,
            instant(item, "AbsoluteTime"),
            author,
            channel="chat",
            public=role == "customer" or word(item, "MessageVisibility") != "agent",
            automated=AUTOMATIC.get(author.kind),
            text=text(item, "Content"),
            attachments=tuple(_files(item)),
        )
    ]


def _files(item: Json) -> Iterator[Attachment]:
    for file in map(lowered, tables(item, "Attachments")):
        yield Attachment(name=text(file, "attachmentname"), media_type=text(file, "contenttype"))
