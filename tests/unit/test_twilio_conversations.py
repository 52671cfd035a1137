"""Twilio Conversations: who is a customer in them, as webhooks and as the API tell, and what is taken away again."""

import json
from typing import Any

import pytest

from schemas.interaction import Attachment, Interaction
from streams.connectors.connector_contract import Draft
from tests.payload_readings import lines_of, reading_of
from tests.unit.test_phone_payloads import CALLER, form


def test_who_writes_by_a_messenger_is_a_customer_without_a_number() -> None:
    said = {"EventType": "onMessageAdded", "ConversationSid": "CH1", "MessageSid": "IM1", "Body": "Hello"}
    assert lines_of("twilio", form(said | {"Author": "messenger:4711"})) == [
        "message customer:messenger:4711 inbound CH1 meta_user:4711 | Hello"
    ]
    stranger = ["message customer:4711 inbound CH1 None | Hello"]
    assert lines_of("twilio", form(said | {"Author": "4711", "Source": "WHATSAPP"})) == stranger


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        (f"whatsapp:{CALLER}", f"phone:{CALLER}"),
        ("whatsapp:US.13491208655302741918", "whatsapp_user:US.13491208655302741918"),
        ("whatsapp:somebody", None),
        ("messenger:4711", "meta_user:4711"),
        ("messenger:", None),
        ("somebody", None),
    ],
)
def test_who_writes_without_a_number_is_known_by_the_networks_id(address: str, identity: str | None) -> None:
    said = {"MessageSid": "SM1", "SmsStatus": "received", "From": address, "To": "+18005550199", "Body": "Hello"}
    (made,) = reading_of("twilio", form(said))
    assert isinstance(made, Draft)
    assert made.identities == ((identity,) if identity else ())


def test_messages_of_twilios_conversations_are_read_as_the_api_has_them() -> None:
    record = {"sid": "IM1", "conversation_sid": "CH1", "body": "Hello", "date_created": "2026-03-02T09:00:00Z"}
    asked, answered = record | {"author": CALLER}, record | {"author": "alice", "sid": "IM2"}
    assert lines_of("twilio", {"messages": [asked, answered]}) == [
        f"message customer:{CALLER} inbound CH1 phone:{CALLER} | Hello",
        "message agent:alice outbound CH1 None | Hello",
    ]
    chat = {
        "sid": "IM3",
        "channel_sid": "CH2",
        "from": "system",
        "body": "Hello",
        "date_created": "2017-04-28T09:38:20Z",
    }
    assert lines_of("twilio", chat) == ["message system:system - CH2 None | Hello"]


def test_a_removed_message_of_twilio_is_the_message_and_not_the_conversation() -> None:
    """docs/sla.md, "Corrections": a `deleted` with another id would take away the whole conversation."""
    said = {"EventType": "onMessageRemoved", "ConversationSid": "CH1", "MessageSid": "IM1", "Author": CALLER}
    (draft,) = reading_of("twilio", form(said))
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert (draft.event.type, draft.event.id, draft.event.version) == ("deleted", "IM1", 1)


STREAMED: dict[str, Any] = {
    "ConversationSid": "CH1",
    "MessageSid": "IM1",
    "Author": CALLER,
    "MessageBody": "Hello",
    "DateCreated": "2026-03-02T09:00:00.000Z",
    "Media": [{"MediaSid": "ME1", "Filename": "bill.pdf", "ContentType": "application/pdf", "Size": 12}],
}


@pytest.mark.parametrize(
    ("kind", "changed", "expected"),
    [
        ("message.added", {}, f"message customer:{CALLER} inbound CH1 phone:{CALLER} | Hello"),
        ("message.added", {"Author": "alice"}, "message agent:alice outbound CH1 None | Hello"),
        ("message.updated", {}, f"edited customer:{CALLER} - CH1 phone:{CALLER} | Hello"),
        ("message.removed", {}, f"deleted customer:{CALLER} - CH1 phone:{CALLER}"),
        ("participant.added", {}, "ignored: participant_changed"),
        ("conversation-state.updated", {}, "ignored: without_effect"),
        ("user.added", {"ConversationSid": None}, "ignored: other_subject"),
    ],
)
def test_event_streams_tell_what_the_webhooks_of_conversations_tell(
    kind: str, changed: dict[str, Any], expected: str
) -> None:
    """Twilio, "Event Streams: Conversations": `Body` is `MessageBody`, and the type has the event's name."""
    event = {"specversion": "1.0", "type": f"com.twilio.conversations.{kind}", "id": "NO1", "data": STREAMED | changed}
    assert lines_of("twilio", [event]) == [expected]


@pytest.mark.parametrize("streamed", [True, False])
def test_files_in_a_conversation_are_its_messages_attachments(streamed: bool) -> None:
    """Twilio, "Conversations Webhooks": `Media` is a list; a web form has it as a text of JSON."""
    event = {"specversion": "1.0", "type": "com.twilio.conversations.message.added", "data": STREAMED}
    fields = {"EventType": "onMessageAdded", **STREAMED, "Media": json.dumps(STREAMED["Media"])}
    (draft,) = reading_of("twilio", [event] if streamed else form(fields))
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert draft.event.attachments == (Attachment(name="bill.pdf", media_type="application/pdf", size_bytes=12),)
    assert draft.event.occurred_at.isoformat() == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"EventType": "onMessageSent"}, "message agent:alice outbound CH7 None | Hello"),
        ({"EventType": "onMediaMessageSent"}, "message agent:alice outbound CH7 None | Hello"),
        ({"EventType": "onMessageSend"}, "ignored: without_effect"),
        ({"EventType": "onMessageRemoved"}, "deleted agent:alice - CH7 None"),
        ({"EventType": "onMemberAdded"}, "ignored: participant_changed"),
        ({"EventType": "onChannelAdded"}, "ignored: without_effect"),
    ],
)
def test_programmable_chat_is_read_as_the_conversations_that_took_its_place(
    fields: dict[str, str], expected: str
) -> None:
    """Twilio, "Chat Webhook Events": the channel is the conversation, `From` an identity and no telephone."""
    said = {"ChannelSid": "CH7", "MessageSid": "IM1", "From": "alice", "Body": "Hello"}
    assert lines_of("twilio", form(said | fields)) == [expected]


@pytest.mark.parametrize(
    "fields",
    [
        {"EventType": "onUserAdded", "UserSid": "US1", "ChatServiceSid": "IS1"},
        {"PayloadType": "application/json", "Payload": "{}", "Level": "ERROR", "Sid": "NO1"},
        {"EventType": "onInteractionCreated", "InteractionSid": "KD1"},
        {"event_type": "voice_intelligence_transcript_available", "transcript_sid": "GT1"},
    ],
)
def test_what_else_twilio_tells_is_no_conversation(fields: dict[str, str]) -> None:
    assert lines_of("twilio", form(fields)) == ["ignored: other_subject"]
