"""Live chats in Segment's words: messages of a conversation, its beginning and its end.

Source: Segment documentation, "Spec: Live Chat Events". `Sent` is what the customer wrote and `Received` what the
customer got; a conversation starts with the customer's first message, which may be told as `Sent` as well.
`segment_events` asks here first.
"""

from schemas.interaction import Author, AuthorKind, Status
from streams.connectors.business.segment_message import SegmentMessage
from streams.connectors.business.subscription_words import snake_case
from streams.connectors.connector_contract import Draft, Ignored
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, id_text, text, word

PREFIX = "live_chat_"

WRITERS: dict[str, AuthorKind] = {
    "conversation_started": "customer",
    "message_sent": "customer",
    "message_received": "agent",
}
STATUSES: dict[str, Status] = {"conversation_started": "new", "conversation_ended": "closed"}
ROLES: dict[str, AuthorKind] = {
    "customer": "customer",
    "visitor": "customer",
    "user": "customer",
    "agent": "agent",
    "operator": "agent",
    "bot": "bot",
}
"""Words of `sender_role`, which some tools add and which then counts."""


def is_chat(message: SegmentMessage) -> bool:
    """Whether an event is one of a live chat: by its full name, or by the short one with a conversation's id."""
    short = message.word.removeprefix(PREFIX)
    known = short in WRITERS or short in STATUSES
    return known and (message.word.startswith(PREFIX) or id_text(_said(message), "conversation_id") is not None)


def chat_interaction(message: SegmentMessage, drafter: Drafter) -> Draft | Ignored:
    """The message or the change of status that an event of a live chat is."""
    said, short = _said(message), message.word.removeprefix(PREFIX)
    conversation = id_text(said, "conversation_id")
    if conversation is None:
        return Ignored("conversation_not_said")
    body, message_id = text(said, "message_body") or text(said, "message"), id_text(said, "message_id")
    customer, agent = message.user or message.visitor, id_text(said, "agent_id") or text(said, "agent_username")
    if short not in WRITERS or (short in STATUSES and body is None and message_id is None):
        status = STATUSES[short]
        author = Author("customer", customer) if status == "new" else Author("system")
        return drafter.interaction(
            message.id,
            "status_changed",
            conversation,
            message.at,
            author,
            identities=message.identities,
            status=status,
            source_status=short,
            agent=agent,
        )
    kind = ROLES.get(word(said, "sender_role") or "", WRITERS[short])
    return drafter.interaction(
        # Told twice, as the start and as a message, it is the same; an answer may carry the id of what it answers.
        f"{message_id}:{kind}" if message_id else message.id,
        "message",
        conversation,
        message.at,
        drafter.author(kind, customer if kind == "customer" else agent),
        identities=message.identities,
        text=body,
        agent=agent,
    )


def _said(message: SegmentMessage) -> dict[str, Json]:
    """The properties in the spec's spelling; SDKs in the browser write `conversationId`."""
    return {snake_case(key): value for key, value in message.properties.items()}
