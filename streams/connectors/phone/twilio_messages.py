"""Twilio's text messages: webhooks, the Message resource, inbound messages of Event Streams, and Conversations.

Source: Twilio documentation, "Messaging Webhooks", "Message resource", "Event Streams" ("Inbound Message" and
"Conversations"), "Conversations Webhooks", and "Webhook Events" of Programmable Chat. A thread is two numbers on one
channel; Twilio has no id of its own for it outside Conversations. `twilio_channel` brings them here.
"""

from typing import Any

from schemas.interaction import Attachment, Author
from streams.connectors.connector_contract import Draft, Ignored, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import (
    Json,
    at,
    id_text,
    instant,
    number,
    read_json,
    required,
    table,
    text,
    whole_number,
    word,
)
from streams.connectors.phone_numbers import e164, person_of, phone_identities, text_thread, texter_identities

CHANNELS = {"whatsapp": "whatsapp", "messenger": "social", "instagram": "social"}
"""By the scheme of an address (`whatsapp:+14155550100`); without one it is a text message."""

OF_CUSTOMERS = frozenset({"chat_messenger", "gbm", "instagram", "messenger", "mms", "rcs", "sms", "viber", "whatsapp"})
"""Schemes of addresses, and sources of messages in Conversations, that only customers have."""

RECEIVED = frozenset({"received", "receiving"})
NOT_REACHED = frozenset({"canceled", "failed", "scheduled", "undelivered"})
TOLD_AS = {"onmediamessagesent": "onmessageadded", "onmessagesent": "onmessageadded"}
"""Programmable Chat's words in those of Conversations, which took its place."""
UNSAID = {
    "onchannel": "without_effect",
    "onconversation": "without_effect",
    "ondelivery": "receipt",
    "onmedia": "without_effect",
    "onmember": "participant_changed",
    "onmessage": "without_effect",
    "onparticipant": "participant_changed",
    "ontyping": "typing",
    "onuser": "without_effect",
}
"""Beginnings of Conversations' events in which nobody writes, with the reason that is told."""
MOST_MEDIA = 50
"""Attachments looked at. A message of Twilio's has ten at most."""


def message_webhook(drafter: Drafter, fields: Json) -> Draft | Ignored:
    """A message that came in, or how the delivery of one of ours goes."""
    message_id = required(id_text(fields, "MessageSid") or id_text(fields, "SmsSid"), "$.MessageSid")
    status = word(fields, "MessageStatus") or word(fields, "SmsStatus")
    written = "Body" in fields or (number(fields, "NumMedia") or 0) > 0
    if not (status in RECEIVED or (status is None and written)):
        return Ignored("receipt") if status else Ignored("without_effect")
    return _from_customer(
        drafter,
        message_id,
        theirs=required(text(fields, "From"), "$.From"),
        ours=text(fields, "To") or id_text(fields, "MessagingServiceSid"),
        at=None,
        text=text(fields, "Body") or text(fields, "ButtonText"),
        attachments=_media(fields),
    )


def message_record(drafter: Drafter, record: Json) -> Draft | Ignored:
    """A message as the API has it, in either direction. What did not reach anybody answers nobody."""
    if word(record, "status") in NOT_REACHED:
        return Ignored("not_delivered")
    message_id = required(id_text(record, "sid"), "$.sid")
    from_, to = text(record, "from"), text(record, "to")
    happened = instant(record, "date_sent") or instant(record, "date_created")
    count = int(min(max(number(record, "num_media") or 0, 0), MOST_MEDIA))
    said: dict[str, Any] = {"at": happened, "text": text(record, "body"), "attachments": (Attachment(),) * count}
    direction = word(record, "direction") or "inbound"
    if direction == "inbound":
        return _from_customer(drafter, message_id, theirs=required(from_, "$.from"), ours=to, **said)
    # `outbound-reply` and `outbound-call` are what a TwiML document says, `outbound-api` is what somebody sent.
    by_machine = direction in {"outbound-reply", "outbound-call"}
    return _message(
        drafter,
        message_id,
        Author("bot" if by_machine else "agent"),
        theirs=required(to, "$.to"),
        ours=from_ or id_text(record, "messaging_service_sid"),
        automated="auto_reply" if by_machine else None,
        **said,
    )


def message_streamed(drafter: Drafter, data: Json) -> Draft:
    """The data of an inbound message in Event Streams."""
    return _from_customer(
        drafter,
        required(id_text(data, "messageSid"), "$.data.messageSid"),
        theirs=required(text(data, "from"), "$.data.from"),
        ours=text(data, "to") or id_text(data, "messagingServiceSid"),
        at=instant(data, "timestamp"),
        text=text(data, "body"),
        attachments=(Attachment(),) * int(min(max(number(data, "numMedia") or 0, 0), MOST_MEDIA)),
    )


def conversation_webhook(drafter: Drafter, fields: Json) -> Draft | Ignored | Refused:
    """An event of Twilio Conversations. Customers are known by their number, one's own people by their identity."""
    conversation = required(id_text(fields, "ConversationSid") or id_text(fields, "ChannelSid"), "$.ConversationSid")
    event = required(word(fields, "EventType"), "$.EventType")
    event = TOLD_AS.get(event, event)
    kind = {"onmessageadded": "message", "onmessageupdated": "edited", "onmessageremoved": "deleted"}.get(event)
    if kind is None:
        reason = next((reason for begin, reason in UNSAID.items() if event.startswith(begin)), None)
        return Ignored(reason) if reason else Refused("not_understood", f"the event {event[:80]!r} is unknown")
    message_id = required(id_text(fields, "MessageSid"), "$.MessageSid")
    by = text(fields, "Author") or text(fields, "From")
    number_of = e164(by)
    addressed = _scheme(by or "") in OF_CUSTOMERS or word(fields, "Source") in OF_CUSTOMERS
    if number_of or addressed or by is None:
        author = drafter.author("customer", person_of(by) or id_text(fields, "ParticipantSid"))
    else:
        author = Author("system" if by == "system" else "agent", by)
    when = text(fields, "DateUpdated") if kind == "edited" else text(fields, "DateRemoved")
    happened = instant(when if kind != "message" else None) or instant(fields, "DateCreated")
    return drafter.interaction(
        f"{message_id}:edited:{when or ''}" if kind == "edited" else message_id,
        kind,  # type: ignore[arg-type]  # one of three words
        conversation,
        happened,
        author,
        identities=phone_identities(number_of) or texter_identities(_scheme(by or ""), by),
        channel=_channel(text(fields, "MessagingBinding.Address") or by or ""),
        text=text(fields, "Body") if kind != "deleted" else None,
        automated="system" if author.kind == "system" else None,
        attachments=_media_listed(fields) if kind == "message" else (),
        version=int(kind == "deleted"),
        raw_reference=drafter.reference("message", message_id),
    )


def conversation_streamed(drafter: Drafter, what: str, data: Json) -> Draft | Ignored | Refused:
    """The data of an event of Conversations in Event Streams: the webhook's words, the event without its `on`."""
    subject, _, done = what.partition(".")
    if subject == "user":
        return Ignored("other_subject")
    event = f"on{subject.replace('-', '')}{done}"
    return conversation_webhook(drafter, table(data) | {"EventType": event, "Body": text(data, "MessageBody")})


def conversation_record(drafter: Drafter, record: Json) -> Draft | Ignored | Refused:
    """A message of Twilio Conversations, or of Programmable Chat before it, as the API has it."""
    by = text(record, "author") or text(record, "from")
    fields = {
        "EventType": "onMessageAdded",
        "ConversationSid": id_text(record, "conversation_sid") or id_text(record, "channel_sid"),
        "MessageSid": id_text(record, "sid"),
        "Author": by,
        "ParticipantSid": id_text(record, "participant_sid"),
        "Body": text(record, "body"),
        "DateCreated": text(record, "date_created"),
    }
    return conversation_webhook(drafter, fields)


def _from_customer(drafter: Drafter, message_id: str, *, theirs: str, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
    return _message(drafter, message_id, drafter.author("customer", person_of(theirs)), theirs=theirs, **words)


def _message(
    drafter: Drafter,
    message_id: str,
    author: Author,
    *,
    theirs: str,
    ours: str | None,
    at: Any,  # noqa: ANN401 - an instant or nothing
    **words: Any,  # noqa: ANN401 - contract fields
) -> Draft:
    channel = _channel(theirs)
    return drafter.interaction(
        message_id,
        "message",
        text_thread(channel, person_of(ours), person_of(theirs)),
        at,
        author,
        identities=texter_identities(_scheme(theirs), theirs),
        channel=channel,
        **words,
    )


def _channel(address: str) -> str:
    return CHANNELS.get(_scheme(address), "sms")


def _scheme(address: str) -> str:
    return address.partition(":")[0].strip().lower()


def _media_listed(fields: Json) -> tuple[Attachment, ...]:
    """The files of a message in a conversation: a list, which webhooks write as a text of JSON."""
    written = text(fields, "Media")
    listed = read_json(written.encode("utf-8", "replace")) if written is not None else at(fields, "Media")
    files = [file for file in listed if isinstance(file, dict)] if isinstance(listed, list) else []
    return tuple(
        Attachment(
            name=text(file, "Filename"), media_type=text(file, "ContentType"), size_bytes=whole_number(file, "Size")
        )
        for file in files[:MOST_MEDIA]
    )


def _media(fields: Json) -> tuple[Attachment, ...]:
    count = int(min(max(number(fields, "NumMedia") or 0, 0), MOST_MEDIA))
    return tuple(Attachment(media_type=text(fields, f"MediaContentType{index}")) for index in range(count))
