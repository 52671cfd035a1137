"""Chatwoot's words in ours, and the two objects of its webhooks: a message and a conversation.

Source: Chatwoot user guide, "Webhook events", and the models that build the payloads (`Message`, `Conversation`,
`EventDataPresenter`). Enumerations come as words in webhooks and as numbers inside a conversation's `messages`.
"""

from typing import Any

from schemas.interaction import AuthorKind, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.payload_reading import Json, at, flag, id_text, table, text, word
from streams.connectors.phone_numbers import phone_identities

INCOMING, OUTGOING, ACTIVITY, TEMPLATE = "incoming", "outgoing", "activity", "template"
MESSAGE_TYPES = {"0": INCOMING, "1": OUTGOING, "2": ACTIVITY, "3": TEMPLATE}

SENDERS: dict[str, AuthorKind] = {
    "contact": "customer",
    "user": "agent",
    "agent_bot": "bot",
    "agentbot": "bot",
    "captain::assistant": "bot",
    "captain_assistant": "bot",
}

STATUSES: dict[str, Status] = {
    "open": "open",
    "0": "open",
    "resolved": "resolved",
    "1": "resolved",
    "pending": "waiting_on_customer",
    "2": "waiting_on_customer",
    "snoozed": "on_hold",
    "3": "on_hold",
}
"""Pending is "not for an agent yet": a bot speaks with the customer, or an agent waits for one."""
STATUS_WORDS = {"0": "open", "1": "resolved", "2": "pending", "3": "snoozed"}

CHANNELS = {
    "channel::api": "chat",
    "channel::email": "email",
    "channel::facebookpage": "social",
    "channel::instagram": "social",
    "channel::line": "social",
    "channel::sms": "sms",
    "channel::telegram": "social",
    "channel::tiktok": "social",
    "channel::twiliosms": "sms",
    "channel::twitterprofile": "social",
    "channel::voice": "phone",
    "channel::webwidget": "chat",
    "channel::whatsapp": "whatsapp",
}

RINGS = frozenset({"channel::sms", "channel::twiliosms", "channel::voice", "channel::whatsapp"})
"""Channels whose carrier vouches for the contact's number."""
ANONYMOUS = "channel::webwidget"
"""The widget asks visitors for their address; only an identity that the site has signed (HMAC) is more than that."""


def message_type(message: Json) -> str | None:
    """The type of a message in Chatwoot's word."""
    found = word(message, "message_type") or id_text(message, "message_type")
    return MESSAGE_TYPES.get(found or "", found)


def status_word(conversation: Json) -> str | None:
    """The status of a conversation in Chatwoot's word."""
    found = word(conversation, "status") or id_text(conversation, "status")
    return STATUS_WORDS.get(found or "", found)


def sender_kind(message: Json) -> AuthorKind | None:
    """What kind of person or thing sent a message; null where the payload does not say."""
    found = word(message, "sender", "type") or word(message, "sender_type")
    return SENDERS.get(found or "")


def sender_id(message: Json) -> str | None:
    """The id of who sent a message."""
    return id_text(message, "sender", "id") or id_text(message, "sender_id")


def conversation_id(conversation: Json) -> str | None:
    """The number of a conversation within its Chatwoot account."""
    return id_text(conversation, "id") or id_text(conversation, "display_id")


def channel_of(conversation: Json) -> str:
    """The inbox's type, such as `channel::webwidget`."""
    return word(conversation, "channel") or word(conversation, "inbox", "channel_type") or ""


def contact_of(conversation: Json, message: Json = None) -> dict[str, Any]:
    """The customer: the conversation's contact, else who sent an incoming message."""
    told = [table(conversation, "meta", "sender"), table(conversation, "contact"), table(message, "contact")]
    if message_type(message) == INCOMING:
        told.append(table(message, "sender"))
    return next((found for found in told if id_text(found, "id")), next(filter(None, told), {}))


def identities_of(contact: Json, conversation: Json) -> tuple[str, ...]:
    """Who the customer is: address, number, contact."""
    channel = channel_of(conversation)
    signed = flag(conversation, "contact_inbox", "hmac_verified") or flag(conversation, "meta", "hmac_verified")
    anonymous = channel == ANONYMOUS and not signed
    address = identities_of_address(text(contact, "email"), vouched_for=not anonymous)
    number = phone_identities(text(contact, "phone_number"), vouched_for=channel in RINGS)
    contact_id = id_text(contact, "id") or id_text(conversation, "contact_inbox", "contact_id")
    return (*address, *number, *([f"chatwoot_contact:{contact_id}"] if contact_id else []))


def machine_behind(message: Json) -> str | None:
    """Why an outgoing message without a sender was written by a machine; null where nothing says so."""
    if at(message, "content_attributes", "automation_rule_id") is not None:
        return "trigger"
    if at(message, "additional_attributes", "campaign_id") is not None or at(message, "campaign_id") is not None:
        return "campaign"
    return None
