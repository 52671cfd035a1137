"""Whatever is broken in a help desk's payload: nothing raises, and no interaction lacks its conversation or author."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connect_bench import SENDERS
from tests.payload_mutilations import assert_sound, mutilated
from tests.payload_readings import reading_of
from tests.senders.chat_helpdesk_senders import (
    CHATWOOT_MESSAGE,
    FRONT_INBOUND,
    HELPSCOUT_REPLY,
    intercom_conversation,
    intercom_notice,
    intercom_part,
)
from tests.senders.helpdesk_senders import zendesk_event

ADMIN = {"type": "admin", "id": "70"}
PART = intercom_part("assignment", "<p>Mine</p>", ADMIN, assigned_to=ADMIN, redacted=False)
AUDIT = {
    "id": 3,
    "ticket_id": 5158,
    "created_at": "2026-03-02T09:00:00Z",
    "author_id": 70,
    "via": {"channel": "web", "source": {"from": {}, "to": {"address": "jo@acme.example"}}},
    "events": [
        {
            "id": 8,
            "type": "Comment",
            "body": "Hi",
            "public": True,
            "author_id": 70,
            "attachments": [{"file_name": "a"}],
        },
        {"id": 9, "type": "Change", "field_name": "status", "value": "solved"},
    ],
}
MESSAGING = {
    "app": {"id": "a"},
    "events": [
        {
            "id": "e-1",
            "type": "conversation:message",
            "createdAt": "2026-03-02T09:00:01Z",
            "payload": {
                "conversation": {"id": "c-1"},
                "message": {"id": "m-1", "author": {"type": "user", "userId": "u-1"}, "content": {"text": "Hello"}},
            },
        }
    ],
}
TRIGGER = {"ticket": {"id": 7, "status": "Open", "latest_comment": "Hi", "requester": {"email": "jo@acme.example"}}}

CHAT = {
    "id": "5a0d",
    "beaconId": "ed8e",
    "customer": {"id": 1, "email": "jo@acme.example"},
    "_embedded": {"events": [{"id": "e1", "type": "message", "author": {"type": "customer"}, "body": "Hi"}]},
}
BRIDGED = {"id": "e", "detail": {"ticket_event": {"type": "Comment Created", "meta": {}, "ticket": {"id": 5158}}}}

SAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("chatwoot", CHATWOOT_MESSAGE),
    ("chatwoot", CHATWOOT_MESSAGE["conversation"] | {"event": "conversation_created", "messages": [CHATWOOT_MESSAGE]}),
    ("front", FRONT_INBOUND),
    ("helpscout", HELPSCOUT_REPLY),
    ("helpscout", CHAT),
    ("intercom", intercom_notice("conversation.admin.assigned", intercom_conversation(PART))),
    ("intercom", PART | {"conversation_id": "2154"}),
    ("intercom", intercom_conversation(PART, conversation_rating={"rating": 5, "created_at": 1772443790})),
    ("zendesk", zendesk_event("ticket.created")),
    ("zendesk", AUDIT),
    ("zendesk", BRIDGED),
    ("zendesk", MESSAGING),
    ("zendesk", TRIGGER),
]

EVENTS = ["", "convo.created", "convo.status", "convo.merged", "beacon.chat.created", "satisfaction.ratings"]
"""What Help Scout's header may say a body is."""


@given(st.data())
def test_no_mutilation_raises_or_makes_an_interaction_of_nobody(data: st.DataObject) -> None:
    connector, sample = data.draw(st.sampled_from(SAMPLES))
    body, event = data.draw(mutilated([sample])), data.draw(st.sampled_from(EVENTS))
    headers = {"X-HelpScout-Event": event} if event and connector == "helpscout" else {}
    reading = reading_of(connector, body, headers)
    assert_sound(reading)
    assert reading_of(connector, body, headers) == reading


@pytest.mark.parametrize("connector", ["chatwoot", "front", "helpscout", "intercom", "zendesk"])
@pytest.mark.parametrize(
    "body", [b"", b"null", b"7", b'"x"', b"[]", b"[[]]", b'{"a": "\xff"}', b"[" * 30_000, b'{"a":' * 30_000]
)
def test_bodies_that_are_nothing(connector: str, body: bytes) -> None:
    assert_sound(reading_of(connector, body))
    assert_sound(reading_of(connector, SENDERS[connector].payload[:-1]))
