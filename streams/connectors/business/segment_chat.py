"""Live chats in Segment's words: messages of a conversation, its beginning and its end.

Source: Segment documentation, "Live chat spec": `Message Sent` is what the visitor wrote, `Message Received` what the
visitor got, unless `sender_role` says otherwise. `segment_events` asks here first.
"""

from schemas.interaction import Author, AuthorKind, Status
from streams.connectors.business.segment_message import SegmentMessage
from streams.connectors.connector_contract import Draft, Ignored
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import id_text, text, word

PREFIX = "live_chat_"

WRITERS: dict[str, AuthorKind] = {"message_sent": "customer", "message_received": "agent"}
STATUSES: dict[str, Status] = {"conversation_started": "new", "conversation_ended": "closed"}
ROLES: dict[str, AuthorKind] = {
    "customer": "customer",
    "visitor": "customer",
    "user": "customer",
    "agent": "agent",
    "operator": "agent",
    "bot": "bot",
}


def is_chat(message: SegmentMessage) -> bool:
    """Whether an event is one of a live chat: by its full name, or by the short one with a conversation's id."""
    short = message.word.removeprefix(PREFIX)
    known = short in WRITERS or short in STATUSES
    return known and (message.word.startswith(PREFIX) or id_text(message.properties, "conversation_id") is not None)


def chat_interaction(message: SegmentMessage, drafter: Drafter) -> Draft | Ignored:
    """The message or the change of status that an event of a live chat is."""
    said, short = message.properties, message.word.removeprefix(PREFIX)
    conversation = id_text(said, "conversation_id")
    if conversation is None:
        return Ignored("no_conversation")
    customer, agent = message.user or message.visitor, id_text(said, "agent_id") or text(said, "agent_username")
    if short in STATUSES:
        author = Author("customer", customer) if short == "conversation_started" else Author("system")
        return drafter.interaction(
            message.id,
            "status_changed",
            conversation,
            message.at,
            author,
            identities=message.identities,
            status=STATUSES[short],
            source_status=short,
            agent=agent,
        )
    kind = ROLES.get(word(said, "sender_role") or "", WRITERS[short])
    author = drafter.author(kind, customer if kind == "customer" else agent)
    return drafter.interaction(
        # The message's own id where it has one: SDKs on both sides of a chat may tell the same message.
        id_text(said, "message_id") or message.id,
        "message",
        conversation,
        message.at,
        author,
        identities=message.identities,
        text=text(said, "message_body") or text(said, "message"),
        agent=agent,
    )
