"""The shape of Zendesk's event webhooks, and its words in ours.

Source: Zendesk developer documentation, "Webhook event types" and "Ticket events" (event version 2022-11-06); the
spelling of ids, statuses and tags differs between accounts (numbers or texts, upper or lower case, a list or one
text), so all are read.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from schemas.interaction import Status
from streams.connectors.payload_reading import number

ZendeskId = str | int | None

SYSTEM_USER = "-1"
"""The author of what triggers and automations write and change."""

RATINGS = {"good": 1.0, "bad": 0.0}
"""The classic two-valued satisfaction rating, on a scale of 1."""
STARS = 5.0
"""The newer surveys rate from 1 to 5."""

STATUSES: dict[str, Status] = {
    "new": "new",
    "open": "open",
    "pending": "waiting_on_customer",
    "hold": "on_hold",
    "solved": "resolved",
    "closed": "closed",
    "archived": "closed",
    "deleted": "deleted",
    "scrubbed": "deleted",
}
"""Zendesk's statuses; pending is "the agent waits for the requester", hold "the agent waits for a third party or an
internal team"."""

CHANNELS = {
    "email": ("mail", "email", "mailgun", "connect_mail"),
    "form": ("web", "web_form", "helpcenter", "web_widget", "mobile", "mobile_sdk", "iphone", "side_conversation"),
    "chat": ("chat", "chat_offline_message", "chat_transcript", "native_messaging", "business_messaging_slack_connect"),
    "phone": (
        "api_phone_call_inbound",
        "api_phone_call_outbound",
        "api_voicemail",
        "phone_call_inbound",
        "phone_call_outbound",
        "voice",
        "voicemail",
    ),
    "sms": ("sms", "connect_sms", "messagebird_sms", "text_message", "twilio_sms"),
    "whatsapp": ("whatsapp",),
    "social": (
        "apple_business_chat",
        "facebook",
        "facebook_message",
        "facebook_post",
        "google_business_messages",
        "instagram_dm",
        "kakaotalk",
        "line",
        "sunshine_conversations_facebook_messenger",
        "sunshine_conversations_twitter_dm",
        "telegram",
        "twitter",
        "twitter_dm",
        "twitter_favorite",
        "viber",
        "wechat",
    ),
}
CHANNEL_OF = {word: channel for channel, words in CHANNELS.items() for word in words}


class Via(Struct):
    """How a ticket came in."""

    channel: str | int | None = None


class TicketDetail(Struct):
    """The ticket as it is after the event."""

    id: ZendeskId = None
    actor_id: ZendeskId = None
    assignee_id: ZendeskId = None
    brand_id: ZendeskId = None
    created_at: Any = None
    description: str | None = None
    group_id: ZendeskId = None
    is_public: bool | None = None
    organization_id: ZendeskId = None
    priority: str | None = None
    requester_id: ZendeskId = None
    status: str | None = None
    submitter_id: ZendeskId = None
    tags: list[str] | str | None = None
    type: str | None = None
    updated_at: Any = None
    via: Via | None = None


class Change(Struct):
    """What an event changed."""

    current: Any = None
    previous: Any = None
    comment: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    actor: dict[str, Any] | None = None
    target_ticket_id: ZendeskId = None
    satisfaction_score: Any = None


class ZendeskEvent(Struct):
    """One event. `subject` is `zen:ticket:<id>`."""

    type: str
    id: str
    time: datetime
    detail: TicketDetail
    event: Change = msgspec.field(default_factory=Change)
    subject: str | None = None


def id_text(value: object) -> str | None:
    """An id as text; Zendesk writes "nobody" as null, empty or 0."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value in {"", 0, "0"}:
        return None
    return str(value)


def tags_of(detail: TicketDetail) -> tuple[str, ...]:
    """The tags of a ticket, as a list or as one text with spaces."""
    tags = detail.tags or ()
    return tuple(tags.split()) if isinstance(tags, str) else tuple(tags)


def word(value: object) -> str | None:
    """A status or priority in lower case; null where there is none."""
    return value.strip().lower() or None if isinstance(value, str) else None


def score_of(score: object) -> tuple[float, float] | None:
    """A satisfaction score and its scale: good or bad, or stars; null where none is given."""
    said = word(score) or ""
    mark = RATINGS.get(said.removesuffix("_with_comment").removesuffix("withcomment").removesuffix("_without_comment"))
    if mark is not None:
        return mark, 1.0
    stars = number(score)
    return (stars, STARS) if stars is not None and 0 <= stars <= STARS else None
