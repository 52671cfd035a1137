"""What Chatwoot's webhooks mean, in the shapes of 2020 to 2026."""

import asyncio
from typing import Any

import pytest

from schemas.signal import Signal
from streams.connectors.connector_contract import Headers, Instance, WebhookRequest
from streams.connectors.helpdesks.chatwoot_channel import CHATWOOT
from tests.connect_bench import bench
from tests.payload_readings import Line, drafts_of, tuples_of
from tests.senders.chat_helpdesk_senders import CHATWOOT_MESSAGE, body_of
from tests.senders.sender import NOW

AGENT = {"id": 3, "name": "Andy", "email": "andy@us.example", "type": "user"}
BOT = {"id": 5, "name": "Bot", "type": "agent_bot"}
CONVERSATION: dict[str, Any] = CHATWOOT_MESSAGE["conversation"] | {
    "timestamp": 1772443790,
    "updated_at": 1772443790.25,
    "messages": [
        {
            "id": 120,
            "content": "Hi",
            "message_type": 0,
            "created_at": 1772443780,
            "sender": {"id": 14, "type": "contact"},
        }
    ],
}


def message(**changes: Any) -> dict[str, Any]:
    return CHATWOOT_MESSAGE | changes


def conversation(event: str, **changes: Any) -> dict[str, Any]:
    return CONVERSATION | {"event": event} | changes


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (message(), [("message", "desk:10", "customer:14", "public", "It is broken")]),
        (message(message_type="outgoing", sender=AGENT), [("message", "desk:10", "agent:3", "public", "It is broken")]),
        (
            message(message_type=1, sender=AGENT, private=True),
            [("message", "desk:10", "agent:3", "internal", "It is broken")],
        ),
        (message(message_type="outgoing", sender=BOT), [("message", "desk:10", "bot:5", "public", "It is broken")]),
        (message(message_type="template", sender=None), [("message", "desk:10", "bot:None", "public", "It is broken")]),
        (message(message_type="activity"), [("ignored", "line_of_the_provider")]),
        (
            message(message_type=3, event="message_updated", content_attributes={"submitted_email": "a@b.example"}),
            [("edited", "desk:10", "bot:None", "public", "It is broken")],
        ),
        (
            message(event="message_updated", content_attributes={"deleted": True}),
            [("deleted", "desk:10", "customer:14", "public", None)],
        ),
        (
            {"event": "message.created", "data": {**CONVERSATION["messages"][0], "conversation_id": 10}},
            [("message", "desk:10", "customer:14", "public", "Hi")],
        ),
        (
            {"event": "conversation.status_changed", "data": CONVERSATION | {"status": "resolved"}},
            [("status_changed", "desk:10", "system:None", "public", "resolved")],
        ),
        (conversation("conversation_created"), [("message", "desk:10", "customer:14", "public", "Hi")]),
        (
            conversation("conversation_created", messages=[]),
            [("status_changed", "desk:10", "system:None", "public", "open")],
        ),
        (
            conversation("conversation_status_changed", status="snoozed"),
            [("status_changed", "desk:10", "system:None", "public", "on_hold")],
        ),
        (
            conversation("conversation_resolved", status="resolved"),
            [("status_changed", "desk:10", "system:None", "public", "resolved")],
        ),
        (
            conversation("conversation_opened", status="pending"),
            [("status_changed", "desk:10", "system:None", "public", "waiting_on_customer")],
        ),
        (conversation("conversation_status_changed", status="teleported"), [("refused", "malformed_payload")]),
        (
            conversation(
                "conversation_updated",
                changed_attributes=[{"assignee_id": {"previous_value": None, "current_value": 3}}],
                meta={"assignee": AGENT},
            ),
            [("assigned", "desk:10", "system:None", "public", "3")],
        ),
        (
            conversation(
                "conversation_updated", changed_attributes=[{"priority": {"current_value": "high"}}], priority="high"
            ),
            [("priority_changed", "desk:10", "system:None", "public", None)],
        ),
        (
            conversation("conversation_updated", changed_attributes=[{"custom_attributes": {}}]),
            [("ignored", "without_effect")],
        ),
        (conversation("automation_event.message_created"), [("message", "desk:10", "customer:14", "public", "Hi")]),
        ({"event": "webwidget_triggered", "id": 12, "contact": {"id": 14}}, [("ignored", "without_effect")]),
        ({"event": "contact_updated", "id": 12}, [("ignored", "other_subject")]),
        ({"event": "conversation_typing_on"}, [("ignored", "typing")]),
        (
            {
                "payload": [
                    {"id": 1, "conversation_id": 10, "message_type": 1, "content": "Hello", "sender": AGENT},
                    {"message_type": 0},
                ]
            },
            [("message", "desk:10", "agent:3", "public", "Hello"), ("refused", "malformed_payload")],
        ),
    ],
)
def test_payloads(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(CHATWOOT, payload) == expected


def test_a_deletion_takes_its_message_away_and_not_the_conversation() -> None:
    (written,) = drafts_of(CHATWOOT, message())
    (gone,) = drafts_of(CHATWOOT, message(event="message_updated", content_attributes={"deleted": True}))
    assert (gone.event.id, gone.event.version) == (written.event.id, written.event.version + 1)


def test_a_time_that_is_not_set_is_none() -> None:
    (created,) = drafts_of(CHATWOOT, {"event": "conversation_created", "id": 1, "status": "open", "timestamp": 0})
    assert created.event.occurred_at == NOW


def test_what_a_relay_has_wrapped() -> None:
    held = {"id": 10, "status": "resolved", "updated_at": 1772443790, "contact": {"id": 14, "email": "jo@acme.example"}}
    note = {"id": 7, "content": "Angry", "message_type": 0, "private": True, "sender": AGENT}
    told = [
        *drafts_of(CHATWOOT, {"event": "message_created", "conversation": held, "message": note}),
        *drafts_of(CHATWOOT, {"event": "conversation_status_changed", "conversation": held}),
    ]
    assert [(made.event.type, made.event.author.kind, made.event.visibility) for made in told] == [
        ("message", "agent", "internal"),
        ("status_changed", "system", "public"),
    ]
    assert {made.identities[0] for made in told} == {"domain:acme.example"}


def test_the_shape_of_2020() -> None:
    payload = {
        "event": "message_created",
        "id": "1",
        "content": "Hi",
        "created_at": "2020-03-03 13:05:57 UTC",
        "message_type": "incoming",
        "sender": {"id": 1, "name": "Agent", "email": "agent@us.example"},
        "contact": {"id": "9", "name": "Jo"},
        "conversation": {"display_id": "10", "additional_attributes": {}},
    }
    (draft,) = drafts_of(CHATWOOT, payload)
    event = draft.event
    assert (event.author.kind, event.author.id, event.conversation_id) == ("customer", "9", "desk:10")
    assert event.occurred_at.isoformat() == "2020-03-03T13:05:57+00:00"


@pytest.mark.parametrize(
    ("channel", "signed", "identities"),
    [
        (
            "Channel::Email",
            False,
            ("domain:acme.example", "email:jo@acme.example", "unverified_phone:+493012345", "chatwoot_contact:14"),
        ),
        (
            "Channel::WebWidget",
            False,
            ("unverified_email:jo@acme.example", "unverified_phone:+493012345", "chatwoot_contact:14"),
        ),
        (
            "Channel::WebWidget",
            True,
            ("domain:acme.example", "email:jo@acme.example", "unverified_phone:+493012345", "chatwoot_contact:14"),
        ),
        (
            "Channel::Whatsapp",
            False,
            ("domain:acme.example", "email:jo@acme.example", "phone:+493012345", "chatwoot_contact:14"),
        ),
    ],
)
def test_whether_somebody_vouches_for_the_contact(channel: str, signed: bool, identities: tuple[str, ...]) -> None:
    contact = {"id": 14, "email": "Jo@acme.example".lower(), "phone_number": "+493012345", "type": "contact"}
    held = CONVERSATION | {"channel": channel, "contact_inbox": {"hmac_verified": signed}, "meta": {"sender": contact}}
    (draft,) = drafts_of(CHATWOOT, message(conversation=held))
    assert draft.identities == identities


def test_a_rating_and_the_words_that_follow_are_one_answer() -> None:
    def rated(**answer: Any) -> Signal:
        attributes = {"submitted_values": {"csat_survey_response": answer}}
        payload = message(
            event="message_updated", content_type="input_csat", message_type="template", content_attributes=attributes
        )
        (draft,) = drafts_of(CHATWOOT, payload)
        assert isinstance(draft.event, Signal)
        return draft.event

    stars, words = rated(rating=4), rated(rating=4, feedback_message="Quick!")
    assert (stars.id, stars.value, stars.scale, stars.version) == (words.id, 4.0, 5.0, 0)
    assert (words.text, words.version) == ("Quick!", 1)


def test_an_old_chatwoot_proves_itself_by_a_token_in_the_address() -> None:
    instance = Instance("desk", "chatwoot", tokens=("of our own",))

    async def scene() -> None:
        async with bench(instance) as running:
            assert (await running.post("/in/desk?token=of+our+own", body_of(CHATWOOT_MESSAGE)))[0] == 200
            assert (await running.post("/in/desk?token=guessed", body_of(CHATWOOT_MESSAGE)))[:2] == (
                401,
                {"error": "bad_token"},
            )
            assert (await running.post("/in/desk", body_of(CHATWOOT_MESSAGE)))[:2] == (
                401,
                {"error": "missing_signature"},
            )

    asyncio.run(scene())


def test_with_both_the_headers_say_which_proof_it_is() -> None:
    connector = CHATWOOT.build(Instance("desk", "chatwoot", secrets=("secret",), tokens=("token",)))
    by_token = WebhookRequest("POST", Headers([("Authorization", "Bearer token")]), b"{}", NOW)
    forged = WebhookRequest(
        "POST",
        Headers(
            [("Authorization", "Bearer token"), ("X-Chatwoot-Signature", "sha256=0"), ("X-Chatwoot-Timestamp", "1")]
        ),
        b"{}",
        NOW,
    )
    assert connector.verify(by_token).genuine
    assert connector.verify(forged).refusal == "bad_signature"


def test_an_instance_without_any_proof_is_refused() -> None:
    with pytest.raises(ValueError, match="a secret is missing"):
        CHATWOOT.build(Instance("desk", "chatwoot"))
