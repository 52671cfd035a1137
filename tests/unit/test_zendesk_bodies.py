"""What else Zendesk's webhooks and API hand over: bodies of triggers, messaging, objects, EventBridge."""

from typing import Any

import pytest

from streams.connectors.connector_contract import Headers, Instance, WebhookRequest
from streams.connectors.helpdesks.zendesk_channel import ZENDESK
from tests.payload_readings import Line, drafts_of, tuples_of
from tests.senders.helpdesk_senders import ZENDESK_COMMENT, zendesk_event
from tests.senders.sender import NOW

TICKET = {
    "id": 5158,
    "url": "https://us.zendesk.com/api/v2/tickets/5158.json",
    "created_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-02T09:20:00Z",
    "requester_id": 42,
    "submitter_id": 42,
    "organization_id": 9,
    "assignee_id": 70,
    "description": "It is broken",
    "priority": "high",
    "status": "open",
    "tags": ["login"],
    "via": {"channel": "email"},
}
CREATED = {"id": 1, "type": "Create", "field_name": "requester_id", "value": "42"}
SAID = {"id": 8, "type": "Comment", "body": "It is broken", "public": True, "author_id": 42}
OFFERED = {"id": 1, "score": "offered", "ticket_id": 5158, "requester_id": 42, "created_at": "2026-03-02T09:00:00Z"}


def audit(author: int, *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {
        "id": 3,
        "ticket_id": 5158,
        "created_at": "2026-03-02T09:00:00Z",
        "author_id": author,
        "events": list(events),
    }
    return {"audit": made | more}


def changed(field: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"id": 5, "type": "Change", "field_name": field, "value": value} | more


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"ticket": TICKET}, [("message", "desk:5158", "customer:42", "public", "It is broken")]),
        (TICKET | {"submitter_id": 70}, [("message", "desk:5158", "agent:70", "public", "It is broken")]),
        (
            {"tickets": [TICKET | {"status": "solved"}]},
            [
                ("message", "desk:5158", "customer:42", "public", "It is broken"),
                ("status_changed", "desk:5158", "system:None", "public", "resolved"),
            ],
        ),
        (
            {"ticket": TICKET | {"satisfaction_rating": {"id": 7, "score": "bad", "comment": "Slow"}}},
            [
                ("message", "desk:5158", "customer:42", "public", "It is broken"),
                ("csat", 0.0, 1.0, "desk:5158", "Slow"),
            ],
        ),
        (audit(42, CREATED, SAID), [("message", "desk:5158", "customer:42", "public", "It is broken")]),
        (
            audit(70, CREATED, SAID | {"author_id": 70}),
            [("message", "desk:5158", "agent:70", "public", "It is broken")],
        ),
        (
            audit(70, SAID | {"author_id": 70, "public": False}),
            [("message", "desk:5158", "agent:70", "internal", "It is broken")],
        ),
        (
            audit(70, SAID | {"author_id": 70}, changed("status", "pending")),
            [
                ("message", "desk:5158", "agent:70", "public", "It is broken"),
                ("status_changed", "desk:5158", "agent:70", "public", "waiting_on_customer"),
            ],
        ),
        (
            audit(42, SAID, changed("status", "open")),
            [
                ("message", "desk:5158", "customer:42", "public", "It is broken"),
                ("status_changed", "desk:5158", "customer:42", "public", "open"),
            ],
        ),
        (
            audit(-1, changed("priority", "urgent"), via={"channel": "rule"}),
            [("priority_changed", "desk:5158", "system:-1", "public", None)],
        ),
        (audit(70, changed("assignee_id", "71")), [("assigned", "desk:5158", "agent:70", "public", "71")]),
        (audit(70, {"id": 6, "type": "Notification", "body": "x"}), [("ignored", "without_effect")]),
        (
            {
                "comments": [SAID | {"created_at": "2026-03-02T09:00:00Z"}],
                "next_page": "https://us.zendesk.com/api/v2/tickets/5158/comments.json?page=2",
            },
            [("message", "desk:5158", "customer:42", "public", "It is broken")],
        ),
        ({"comment": SAID}, [("ignored", "conversation_not_said")]),
        (
            {"satisfaction_rating": OFFERED | {"score": "good", "comment": "Quick!"}},
            [("csat", 1.0, 1.0, "desk:5158", "Quick!")],
        ),
        (OFFERED, [("ignored", "no_answer")]),
        (
            {
                "survey_response": {
                    "id": 4,
                    "responder_id": 42,
                    "subjects": [{"id": "5158"}],
                    "answers": [{"rating": 4}, {"value": "Quick!"}],
                }
            },
            [("csat", 4.0, 5.0, "desk:5158", "Quick!")],
        ),
    ],
)
def test_objects(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(ZENDESK, payload) == expected


def test_a_role_beside_the_comments_says_who_is_staff() -> None:
    payload = {
        "comments": [SAID | {"author_id": 70}],
        "users": [{"id": 70, "role": "admin"}],
        "url": "https://us.zendesk.com/api/v2/tickets/5158/comments",
    }
    assert tuples_of(ZENDESK, payload) == [("message", "desk:5158", "agent:70", "public", "It is broken")]


HEADED = "----------------------------------------------\n\nAndy Doe, Feb 3, 2026, 19:59\n\nTry again"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {
                "ticket_id": "7",
                "latest_comment": "It is broken",
                "ticket_status": "Open",
                "requester_email": "jo@acme.example",
            },
            [
                ("message", "desk:7", "customer:jo@acme.example", "public", "It is broken"),
                ("status_changed", "desk:7", "system:None", "public", "open"),
            ],
        ),
        (
            {
                "ticket": {
                    "id": 7,
                    "status": "Pending",
                    "requester": {"email": "jo@acme.example"},
                    "latest_comment": {"value": "Try again", "author": {"email": "andy@us.example"}},
                }
            },
            [
                ("message", "desk:7", "agent:andy@us.example", "public", "Try again"),
                ("status_changed", "desk:7", "system:None", "public", "waiting_on_customer"),
            ],
        ),
        (
            {"id": 7, "comment": "Angry", "is_public": "false"},
            [("message", "desk:7", "agent:None", "internal", "Angry")],
        ),
        (
            {"ticket_id": 7, "comment": "Hi", "current_user": {"role": "Agent", "id": 70}},
            [("message", "desk:7", "agent:70", "public", "Hi")],
        ),
        (
            {"ticket_id": 7, "ticket_description": HEADED, "assignee_name": "Andy Doe", "requester_name": "Jo"},
            [("message", "desk:7", "agent:None", "public", "Try again")],
        ),
        (
            {"ticket_id": 7, "ticket_description": HEADED, "requester_name": "Andy Doe"},
            [("message", "desk:7", "customer:None", "public", "Try again")],
        ),
        (
            {"message": "# News\n> It is broken\n[View](https://us.zendesk.com/agent/tickets/7)"},
            [("message", "desk:7", "customer:None", "public", "It is broken")],
        ),
        (
            {"ticket_id": 7, "title": "Login", "status": "Solved"},
            [("status_changed", "desk:7", "system:None", "public", "resolved")],
        ),
        ({"ticket_id": 7, "title": "Login"}, [("ignored", "without_effect")]),
        ({"ticket_id": "{{ticket.id}}", "comment": "{{ticket.latest_comment}}"}, [("refused", "malformed_payload")]),
    ],
)
def test_bodies_of_triggers(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(ZENDESK, payload) == expected


def test_a_trigger_is_known_by_its_invocation_or_its_content() -> None:
    said = {"ticket_id": 7, "comment": "Hi", "updated_at": "2026-03-02T09:00:00Z"}
    (named,) = drafts_of(ZENDESK, said, {"X-Zendesk-Webhook-Invocation-Id": "01J"})
    (first,), (again,) = drafts_of(ZENDESK, said), drafts_of(ZENDESK, said)
    assert (named.event.id, first.event.id) == ("invocation:01J:message", again.event.id)
    assert first.event.occurred_at.isoformat() == "2026-03-02T09:00:00+00:00"


def test_a_description_is_told_once_however_often_a_trigger_repeats_it() -> None:
    said = {"id": 7, "description": "It is broken", "created_at": "2026-03-02T09:00:00Z", "requester_id": 42}
    made = [drafts_of(ZENDESK, said | {"status": status, "updated_at": status}) for status in ("Open", "Solved")]
    assert {each.event.id for (each, _) in made} == {"ticket:7:opening"}
    assert {each.event.occurred_at.isoformat() for (each, _) in made} == {"2026-03-02T09:00:00+00:00"}
    assert len({each.event.id for (_, each) in made}) == 2


def messaging(author: dict[str, Any], source: str = "web", **more: Any) -> dict[str, Any]:
    message = {
        "id": "m-1",
        "received": "2026-03-02T09:00:00.123Z",
        "author": author,
        "content": {"type": "text", "text": "Hello"},
        "source": {"type": source},
    }
    event = {
        "id": "e-1",
        "type": "conversation:message",
        "createdAt": "2026-03-02T09:00:01Z",
        "payload": {"conversation": {"id": "c-1", "type": "personal"}, "message": message},
    }
    return {"app": {"id": "a"}, "webhook": {"id": "w", "version": "v2"}, "events": [event | more]}


JO = {"type": "user", "userId": "u-1", "user": {"id": "u-1", "profile": {"email": "jo@acme.example"}}}
SIGNED_IN = {
    "type": "user",
    "userId": "u-1",
    "user": {"id": "u-1", "externalId": "42", "profile": {"email": "jo@acme.example"}},
}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (messaging(JO), [("message", "desk:c-1", "customer:u-1", "public", "Hello")]),
        (
            messaging({"type": "business"}, "zd:agentWorkspace"),
            [("message", "desk:c-1", "agent:None", "public", "Hello")],
        ),
        (messaging({"type": "business"}, "zd:answerBot"), [("message", "desk:c-1", "bot:None", "public", "Hello")]),
        (
            messaging({"type": "business", "subtypes": ["AI"]}, "api:conversations"),
            [("message", "desk:c-1", "bot:None", "public", "Hello")],
        ),
        (messaging(JO, type="conversation:typing"), [("ignored", "typing")]),
        (messaging(JO, type="conversation:message:delivery:failure"), [("ignored", "not_delivered")]),
        (messaging(JO, type="user:merge"), [("ignored", "other_subject")]),
        (messaging(JO, type="conversation:teleported"), [("refused", "not_understood")]),
        (messaging(JO, payload={}), [("refused", "malformed_payload")]),
        (messaging(JO)["events"][0], [("message", "desk:c-1", "customer:u-1", "public", "Hello")]),
        (
            {
                "trigger": "message:appUser",
                "app": {"_id": "a"},
                "version": "v1.1",
                "appUser": {"_id": "u-1"},
                "messages": [
                    {"_id": "m-1", "role": "appUser", "authorId": "u-1", "text": "Hello", "received": 1772442000.5}
                ],
            },
            [("message", "desk:u-1", "customer:u-1", "public", "Hello")],
        ),
    ],
)
def test_messaging(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(ZENDESK, payload) == expected


def test_an_address_counts_where_the_site_has_signed_the_user_in() -> None:
    (typed,), (vouched,) = drafts_of(ZENDESK, messaging(JO)), drafts_of(ZENDESK, messaging(SIGNED_IN))
    assert typed.identities == ("unverified_email:jo@acme.example", "sunshine_user:u-1")
    assert vouched.identities == ("domain:acme.example", "email:jo@acme.example", "sunshine_user:u-1")


def test_eventbridge_carries_the_same_events() -> None:
    event = {
        "version": "0",
        "id": "ecd26460",
        "detail-type": "Support Ticket: Comment Created",
        "time": "2026-03-02T09:00:00Z",
        "detail": {
            "ticket_event": {
                "meta": {"occurred_at": "2026-03-02T08:59:59Z", "actor_id": 42, "sequence": {"id": "CE4A"}},
                "type": "Comment Created",
                "comment": ZENDESK_COMMENT["event"]["comment"],
                "ticket": {"id": 5158, "requester_id": 42, "status": "open", "via": {"channel": "mail"}},
            }
        },
    }
    (draft,) = drafts_of(ZENDESK, event)
    assert (draft.event.id, draft.event.text, draft.event.author.kind) == (
        "comment:8",
        "It is broken",
        "customer",
    )


def test_eventbridge_carries_chats_too() -> None:
    said = {
        "actor": {"id": "42", "type": "end_user"},
        "chat": {"account_id": 1, "ticket_id": 5158},
        "message": {"id": "m-1", "body": "Hello"},
        "meta": {"occurred_at": "2026-03-02T08:59:59Z"},
        "type": "Message Added",
    }
    event = {"id": "3118", "detail-type": "Chat: Message Added", "detail": {"chat_event": said}}
    assert tuples_of(ZENDESK, event) == [("message", "desk:5158", "customer:42", "public", "Hello")]


def test_messaging_brings_its_key_and_events_their_signature() -> None:
    connector = ZENDESK.build(Instance("desk", "zendesk", secrets=("secret",), tokens=("key",)))

    def verdict(**headers: str) -> str | None:
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return connector.verify(WebhookRequest("POST", Headers(pairs), b"{}", NOW)).refusal

    assert verdict(x_api_key="key") is None
    assert verdict(x_api_key="guess") == "bad_token"
    assert verdict() == "missing_signature"
    forged = {"x_zendesk_webhook_signature": "x", "x_zendesk_webhook_signature_timestamp": "2026-03-02T09:30:00Z"}
    assert verdict(x_api_key="key", **forged) == "bad_signature"


def test_a_time_that_no_clock_can_show_is_a_dead_letter() -> None:
    event = zendesk_event("ticket.tags_changed") | {"time": "0001-01-01T00:00:00+14:00"}
    assert tuples_of(ZENDESK, event) == [("refused", "malformed_payload")]
