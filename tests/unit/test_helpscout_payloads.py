"""What Help Scout's webhooks mean: with the header that names the event, and without it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.signal import Signal
from streams.connectors.helpdesks.helpscout_channel import HELPSCOUT
from tests.payload_readings import Line, drafts_of, tuples_of
from tests.senders.chat_helpdesk_senders import HELPSCOUT_REPLY

USER = {"id": 17, "type": "user", "email": "andy@us.example"}
CUSTOMER = {"id": 29418, "type": "customer", "email": "jo@acme.example"}


def thread(thread_id: int, kind: str, body: str | None, maker: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": thread_id,
        "type": kind,
        "state": "published",
        "body": body,
        "createdBy": maker,
        "createdAt": f"2026-03-02T09:29:{thread_id:02}Z",
    } | more


ASKED = thread(10, "customer", "It is broken", CUSTOMER)
ANSWERED = thread(20, "message", "<p>Try again</p>", USER)
NOTED = thread(30, "note", "Angry", USER)
CLOSED = thread(40, "lineitem", None, USER, action={"type": "default", "text": "You marked as Closed"})


def conversation(*threads: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The newest thread stands first."""
    return HELPSCOUT_REPLY | {"_embedded": {"threads": list(reversed(threads))}} | changes


WHOLE = conversation(ASKED, ANSWERED, NOTED, CLOSED, status="closed", assignee={"id": 17, "type": "user"})
PLACE = "desk:291938"


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        ("convo.created", conversation(ASKED), [("message", PLACE, "customer:29418", "public", "It is broken")]),
        ("convo.customer.reply.created", WHOLE, [("message", PLACE, "customer:29418", "public", "It is broken")]),
        ("convo.agent.reply.created", WHOLE, [("message", PLACE, "agent:17", "public", "Try again")]),
        ("convo.note.created", WHOLE, [("message", PLACE, "agent:17", "internal", "Angry")]),
        ("convo.status", WHOLE, [("status_changed", PLACE, "agent:17", "public", "closed")]),
        (
            "convo.status",
            WHOLE | {"status": "pending"},
            [("status_changed", PLACE, "agent:17", "public", "waiting_on_customer")],
        ),
        ("convo.assigned", WHOLE, [("assigned", PLACE, "agent:17", "public", "17")]),
        ("convo.tags", WHOLE, [("tagged", PLACE, "agent:17", "public", "17")]),
        ("convo.moved", WHOLE, [("assigned", PLACE, "agent:17", "public", "17")]),
        ("convo.custom-fields", WHOLE, [("ignored", "without_effect")]),
        ("convo.deleted", {"id": 291938}, [("status_changed", PLACE, "system:None", "public", "deleted")]),
        (
            "convo.merged",
            conversation(
                thread(50, "lineitem", None, USER, action={"associatedEntities": {"originalConversation": 7}})
            ),
            [("merged", "desk:7", "agent:17", "public", PLACE)],
        ),
        ("convo.merged", WHOLE, [("ignored", "conversation_not_said")]),
        ("customer.created", {"id": 29418}, [("ignored", "other_subject")]),
        ("helpscout.test", {"id": 123}, [("ignored", "other_subject")]),
        ("convo.teleported", WHOLE, [("refused", "not_understood")]),
        ("convo.status", {}, [("refused", "malformed_payload")]),
    ],
)
def test_events(event: str, payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(HELPSCOUT, payload, {"X-HelpScout-Event": event}) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            WHOLE,
            [
                ("message", PLACE, "customer:29418", "public", "It is broken"),
                ("message", PLACE, "agent:17", "public", "Try again"),
                ("message", PLACE, "agent:17", "internal", "Angry"),
                ("status_changed", PLACE, "agent:17", "public", "closed"),
            ],
        ),
        # The documented webhook object of old: owner, customer and mailbox are objects, threads stand outside.
        (
            {
                "id": 291938,
                "number": 349,
                "status": "active",
                "mailbox": {"id": 85},
                "customer": CUSTOMER,
                "createdAt": "2012-07-23T12:34:12Z",
                "threads": [thread(11, "customer", None, {}, author=CUSTOMER, text="Hello")],
            },
            [("message", PLACE, "customer:29418", "public", "Hello")],
        ),
        (
            {
                "_embedded": {
                    "conversations": [HELPSCOUT_REPLY | {"_embedded": {}, "threads": 2, "preview": "Help"}, {"id": 1}]
                }
            },
            [("message", PLACE, "customer:29418", "public", "Help"), ("refused", "malformed_payload")],
        ),
        (
            ASKED | {"_links": {"conversation": {"href": "https://api.helpscout.net/v2/conversations/7"}}},
            [("message", "desk:7", "customer:29418", "public", "It is broken")],
        ),
        (ASKED, [("ignored", "conversation_not_said")]),
        ({"id": 29418, "firstName": "Jo"}, [("ignored", "other_subject")]),
        (
            conversation(thread(60, "message", "Draft", USER, state="draft"), preview="x"),
            [("message", PLACE, "customer:29418", "public", "x")],
        ),
    ],
)
def test_without_the_header_the_object_tells_everything(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(HELPSCOUT, payload) == expected


def test_a_conversation_was_closed_when_help_scout_says_so() -> None:
    told = WHOLE | {"closedAt": "2026-03-02T09:29:40Z", "userUpdatedAt": "2026-03-04T10:00:00Z"}
    closed = drafts_of(HELPSCOUT, told)[-1].event

    assert (closed.type, closed.occurred_at) == ("status_changed", datetime(2026, 3, 2, 9, 29, 40, tzinfo=UTC))


def test_what_a_workflow_sends_is_automated() -> None:
    sent = thread(21, "message", "We got it", USER, action={"type": "automatic-workflow"})
    (draft,) = drafts_of(HELPSCOUT, conversation(sent), {"X-HelpScout-Event": "convo.agent.reply.created"})
    assert (draft.event.author.kind, draft.event.automated) == ("bot", "trigger")


@pytest.mark.parametrize(("mark", "value"), [("Great", 3.0), ("Okay", 2.0), ("Bad", 1.0)])
def test_ratings(mark: str, value: float) -> None:
    rating = {
        "id": 5434,
        "customer": {"id": 29418, "emails": [{"value": "jo@acme.example"}]},
        "ticketId": 291938,
        "rating": mark,
        "comments": "Quick!",
        "createdAt": "2026-03-02T09:29:00Z",
    }
    for headers in ({"X-HelpScout-Event": "satisfaction.ratings"}, {}):
        (draft,) = drafts_of(HELPSCOUT, rating, headers)
        signal = draft.event
        assert isinstance(signal, Signal)
        assert (signal.name, signal.value, signal.scale, signal.text) == ("csat", value, 3.0, "Quick!")
        assert (signal.conversation_id, draft.identities[0]) == (PLACE, "domain:acme.example")
    assert tuples_of(HELPSCOUT, rating | {"rating": "teleported"}) == [("refused", "not_understood")]


def test_the_address_of_a_chat_was_typed() -> None:
    chat = HELPSCOUT_REPLY | {"type": "chat", "source": {"type": "beacon-v2", "via": "customer"}}
    (draft,) = drafts_of(HELPSCOUT, chat)
    assert (draft.identities[0], draft.event.channel) == ("unverified_email:jo@acme.example", "chat")


CHAT: dict[str, Any] = {
    "id": "5a0d",
    "beaconId": "ed8e",
    "mailboxId": 85,
    "createdAt": "2026-03-02T09:00:00Z",
    "assignee": {"id": 17, "type": "agent"},
    "customer": CUSTOMER,
    "preview": "Whoa there!",
    "_embedded": {
        "events": [
            {
                "id": "e1",
                "type": "message",
                "author": CUSTOMER,
                "createdAt": "2026-03-02T09:00:00Z",
                "body": "Whoa there!",
            },
            {"id": "e2", "type": "line_item", "action": "chat-accepted", "author": USER},
            {"id": "e3", "type": "note", "author": USER, "createdAt": "2026-03-02T09:01:00Z", "body": "Angry"},
            {"id": "e4", "type": "message", "author": USER, "createdAt": "2026-03-02T09:02:00Z", "body": "Try again"},
        ]
    },
}
ASKS = ("message", "desk:chat:5a0d", "customer:29418", "public", "Whoa there!")
NOTES = ("message", "desk:chat:5a0d", "agent:17", "internal", "Angry")
ANSWERS = ("message", "desk:chat:5a0d", "agent:17", "public", "Try again")
ENDS = ("status_changed", "desk:chat:5a0d", "system:None", "public", "closed")


@pytest.mark.parametrize(
    ("event", "payload", "expected"),
    [
        ("beacon.chat.created", CHAT | {"_embedded": {}}, [ASKS]),
        ("beacon.chat.customer.replied", CHAT, [ASKS]),
        ("beacon.chat.agent.replied", CHAT, [ANSWERS]),
        ("beacon.chat.assigned", CHAT, [("assigned", "desk:chat:5a0d", "system:None", "public", "17")]),
        ("beacon.chat.ended", CHAT | {"_embedded": {}, "preview": None}, [ENDS]),
        ("", CHAT | {"endedAt": "2026-03-02T09:03:00Z"}, [ASKS, NOTES, ANSWERS, ENDS]),
    ],
)
def test_a_live_chat_is_a_conversation_of_its_own(event: str, payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(HELPSCOUT, payload, {"X-HelpScout-Event": event} if event else {}) == expected


@pytest.mark.parametrize("headers", [{"x-helpscout-event": "message.survey.response.received"}, {}])
def test_a_recommendation_asked_for_in_the_product_is_a_survey(headers: dict[str, str]) -> None:
    """Help Scout, "Survey Response Object": a recommendation has a category, and its mark is written as a text."""
    answer = {"value": "9", "category": "promoter", "comment": "Quick", "timestamp": "2026-03-02T09:29:00Z"}
    customer = {"id": 500, "_embedded": {"emails": [{"id": 1, "value": "jo@acme.example"}]}}
    said = {"message": {"name": "Monthly"}, "response": answer, "_embedded": {"customer": customer}}
    (draft,) = drafts_of(HELPSCOUT, said, headers)
    signal: Any = draft.event
    assert (signal.id, signal.name, signal.value, signal.scale, signal.text) == (
        "survey:500:2026-03-02T09:29:00+00:00",
        "nps",
        9,
        10,
        "Quick",
    )
    assert draft.identities == ("domain:acme.example", "email:jo@acme.example", "helpscout_person:500")
    face = {"name": "Happy", "value": "\N{GRINNING FACE}", "timestamp": "2026-03-02T09:29:00Z"}
    assert tuples_of(HELPSCOUT, said | {"response": face}, headers) == [("ignored", "no_known_question")]
    assert tuples_of(HELPSCOUT, said | {"_embedded": {}}, headers) == [("ignored", "nobody_named")]
