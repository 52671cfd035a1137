"""Twilio Conversations: who is a customer in them, as webhooks and as the API tell, and what is taken away again."""

import pytest

from schemas.interaction import Interaction
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
