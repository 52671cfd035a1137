"""Whatever is broken in a help desk's payload: nothing raises, and no interaction lacks its conversation or author."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, Refused, WebhookRequest
from streams.connectors.connector_registry import BUILT_IN
from tests.connect_bench import SENDERS
from tests.senders.chat_helpdesk_senders import (
    CHATWOOT_MESSAGE,
    FRONT_INBOUND,
    HELPSCOUT_REPLY,
    intercom_conversation,
    intercom_notice,
    intercom_part,
)
from tests.senders.helpdesk_senders import zendesk_event
from tests.senders.sender import NOW

KINDS = {kind.id: kind for kind in BUILT_IN}
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

JUNK: list[Any] = [
    None,
    "",
    "x",
    "<![if x",
    "0001-01-01T00:00:00+14:00",
    "{{ticket.id}}",
    0,
    -1,
    1e308,
    10**400,
    True,
    [],
    {},
    ["a", {"b": 1}],
    {"id": [1]},
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value but the outermost."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


@st.composite
def mutilated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A payload with one or two values dropped or replaced, or cut off."""
    connector, sample = draw(st.sampled_from(SAMPLES))
    payload = deepcopy(sample)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(places(payload)) or [()]))
        if not path:
            break
        holder = payload
        for key in path[:-1]:
            holder = holder[key]
        if draw(st.booleans()):
            del holder[path[-1]]
        else:
            holder[path[-1]] = deepcopy(draw(st.sampled_from(JUNK)))
    body = json.dumps(payload).encode()
    return connector, body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


def assert_sound(connector: str, body: bytes, headers: dict[str, str]) -> None:
    normaliser = KINDS[connector].normaliser(Instance("desk", connector))
    request = WebhookRequest("POST", Headers(headers.items()), body, NOW)
    reading = normaliser.normalise(request)
    assert reading
    assert normaliser.normalise(request) == reading
    for made in reading:
        assert isinstance(made, (Draft, Ignored, Refused))
        if isinstance(made, Draft) and isinstance(made.event, Interaction):
            assert made.event.conversation_id.removeprefix("desk:")
            assert made.event.author.kind in {"customer", "agent", "bot", "system"}


@given(
    mutilated(),
    st.sampled_from(
        ["", "convo.created", "convo.status", "convo.merged", "beacon.chat.created", "satisfaction.ratings"]
    ),
)
def test_no_mutilation_raises_or_makes_an_interaction_of_nobody(broken: tuple[str, bytes], event: str) -> None:
    connector, body = broken
    assert_sound(connector, body, {"X-HelpScout-Event": event} if event and connector == "helpscout" else {})


@pytest.mark.parametrize("connector", ["chatwoot", "front", "helpscout", "intercom", "zendesk"])
@pytest.mark.parametrize(
    "body", [b"", b"null", b"7", b'"x"', b"[]", b"[[]]", b'{"a": "\xff"}', b"[" * 30_000, b'{"a":' * 30_000]
)
def test_bodies_that_are_nothing(connector: str, body: bytes) -> None:
    assert_sound(connector, body, {})
    assert_sound(connector, SENDERS[connector].payload[:-1], {})
