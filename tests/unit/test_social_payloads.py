"""What social networks tell, from published payloads and the documented fields, and how their handshake goes."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import GENUINE, Draft, Headers, Ignored, Instance, WebhookRequest
from streams.connectors.social.meta_webhooks import verify_token
from tests.payload_mutilations import mutilations
from tests.payload_readings import lines_of, reading_of
from tests.senders.sender import NOW
from tests.senders.social_senders import (
    DIRECT_TEXT,
    LINE_TEXT,
    SECONDS,
    direct,
    line_event,
    messenger,
    whatsapp,
    whatsapp_message,
)

ADA = "customer:14155550100"
HERE = "555:14155550100 phone:+14155550100"

PUBLISHED_KINDS = {
    "social/whatsapp_message.json": {
        "reaction": "reaction",
        "unreaction_empty": "reaction",
        "unreaction_no_emoji": "reaction",
    },
    "social/whatsapp_edited_message.json": {"image": "edited"},
    "social/whatsapp_deleted_message.json": {"revoke": "deleted"},
    "social/whatsapp_message_status.json": None,
    "phone/whatsapp_call_connect.json": {"business_initiated": "call_started", "user_initiated": "call_started"},
    "phone/whatsapp_call_status.json": {"call_status": "call_started"},
}
"""What is no message, by the names of the published bodies; null where none of them means anything."""


@pytest.mark.parametrize("name", PUBLISHED_KINDS)
def test_published_whatsapp_payloads(shared: Path, name: str) -> None:
    bodies = json.loads((shared / "payloads" / name).read_bytes())
    assert lines_of("whatsapp", bodies) == ["refused: malformed_payload"]  # a collection is no payload
    kinds = PUBLISHED_KINDS[name]
    for label, body in bodies.items():
        told = lines_of("whatsapp", body)
        if kinds is None:
            assert told == ["ignored: receipt"]
            continue
        if label.startswith("unreaction"):
            assert told == ["ignored: reaction_removed"]
            continue
        (line,) = told
        kind, author, whither, *_ = line.split()
        assert kind == kinds.get(label, "message")
        assert author.startswith("agent" if label in {"business_initiated", "call_status"} else "customer")
        if kind == "message":
            assert (author, whither) == ("customer:972987654321", "inbound")
            assert "1122334455667:972987654321 phone:+972987654321" in line


def test_a_published_call_is_told_with_its_whole_length(shared: Path) -> None:
    bodies = json.loads((shared / "payloads" / "phone" / "whatsapp_call_terminate.json").read_bytes())
    drafts = [item for item in reading_of("whatsapp", bodies["call_terminate"]) if isinstance(item, Draft)]
    answered, ended = (draft.event for draft in drafts)
    assert isinstance(answered, Interaction)
    assert (answered.type, answered.author.kind) == ("call_answered", "customer")
    assert (ended.occurred_at - answered.occurred_at).total_seconds() == 120


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (whatsapp_message(), f"message {ADA} inbound {HERE} | It is broken"),
        (
            whatsapp_message(type="image", image={"caption": "Look", "mime_type": "image/png"}),
            f"message {ADA} inbound {HERE} | Look",
        ),
        (
            whatsapp_message(type="button", button={"text": "Yes", "payload": "y"}),
            f"message {ADA} inbound {HERE} | Yes",
        ),
        (
            whatsapp_message(type="interactive", interactive={"list_reply": {"id": "1", "title": "Second"}}),
            f"message {ADA} inbound {HERE} | Second",
        ),
        (whatsapp_message(type="unsupported"), f"message {ADA} inbound {HERE}"),
        (whatsapp_message(type="request_welcome"), "ignored: without_effect"),
        (whatsapp_message(group_id="G1"), f"message {ADA} inbound 555:G1 phone:+14155550100 | It is broken"),
        (
            whatsapp_message(**{"from": "18005550199", "to": "14155550100"}),
            f"message agent:18005550199 outbound {HERE} | It is broken",
        ),
        (whatsapp_message(type="revoke", revoke={"original_message_id": "wamid.0"}), f"deleted {ADA} - {HERE}"),
        (
            whatsapp_message(
                type="system", system={"type": "user_changed_number", "wa_id": "14155550111", "body": "Ada has changed"}
            ),
            f"merged system:None - {HERE} | Ada has changed",
        ),
        (whatsapp_message(type="system", system={"type": "customer_identity_changed"}), "ignored: without_effect"),
    ],
)
def test_whatsapp_messages(message: dict[str, Any], expected: str) -> None:
    assert lines_of("whatsapp", whatsapp(messages=[message])) == [expected]


def test_answers_from_the_telephone_are_an_agents() -> None:
    echo = whatsapp_message(**{"from": "18005550199", "to": "14155550100"})
    told = lines_of("whatsapp", whatsapp("smb_message_echoes", message_echoes=[echo]))
    assert told == [f"message agent:18005550199 outbound {HERE} | It is broken"]


def test_an_answer_of_metas_own_bot_is_a_bots() -> None:
    echo = whatsapp_message(**{"from": "18005550199", "to": "14155550100"}, message_creation_type="created_by_1p_bot")
    (draft,) = reading_of("whatsapp", whatsapp("smb_message_echoes", message_echoes=[echo]))
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert (draft.event.author.kind, draft.event.direction, draft.event.automated) == ("bot", "outbound", "bot")


def test_who_has_no_number_is_known_by_the_business_scoped_id() -> None:
    message = whatsapp_message(from_user_id="US.1")
    del message["from"]
    contacts = [{"profile": {"username": "ada"}, "user_id": "US.1"}]
    assert lines_of("whatsapp", whatsapp(messages=[message], contacts=contacts)) == [
        "message customer:US.1 inbound 555:US.1 whatsapp_user:US.1 | It is broken"
    ]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            {"event": "connect", "direction": "USER_INITIATED", "from": "14155550100", "to": "18005550199"},
            [f"call_started {ADA} inbound wacid.1 phone:+14155550100"],
        ),
        (
            {"event": "terminate", "direction": "USER_INITIATED", "from": "14155550100", "status": "FAILED"},
            ["call_ended system:None inbound wacid.1 phone:+14155550100"],
        ),
    ],
)
def test_whatsapp_calls(call: dict[str, Any], expected: list[str]) -> None:
    assert (
        lines_of("whatsapp", whatsapp("calls", calls=[{"id": "wacid.1", "timestamp": str(SECONDS)} | call])) == expected
    )


@pytest.mark.parametrize(
    ("status", "kind"), [("RINGING", "call_started"), ("ACCEPTED", "call_answered"), ("REJECTED", "call_ended")]
)
def test_the_steps_of_a_whatsapp_call_of_ours(status: str, kind: str) -> None:
    step = {"id": "wacid.1", "type": "call", "status": status, "timestamp": str(SECONDS), "recipient_id": "14155550100"}
    (line,) = lines_of("whatsapp", whatsapp("calls", statuses=[step]))
    author = "agent:None" if kind == "call_started" else ADA
    assert line == f"{kind} {author} outbound wacid.1 phone:+14155550100"


@pytest.mark.parametrize("field", ["account_update", "message_template_status_update", "history", "user_preferences"])
def test_other_fields_of_whatsapp_mean_nothing_here(field: str) -> None:
    assert lines_of("whatsapp", whatsapp(field)) == ["ignored: other_subject"]


def test_parts_of_a_whatsapp_webhook_are_read_alone() -> None:
    whole = whatsapp(messages=[whatsapp_message()])
    change = whole["entry"][0]["changes"][0]
    expected = [f"message {ADA} inbound {HERE} | It is broken"]
    assert lines_of("whatsapp", change) == lines_of("whatsapp", change["value"]) == expected
    assert lines_of("whatsapp", whatsapp_message()) == [
        f"message {ADA} inbound 14155550100 phone:+14155550100 | It is broken"
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (DIRECT_TEXT, "message customer:42 inbound 900:42 meta_user:42 | It is broken"),
        (
            direct(message={"mid": "m_1", "attachments": [{"type": "story_mention"}]}),
            "message customer:42 inbound 900:42 meta_user:42",
        ),
        (
            direct("900", "42", message={"mid": "m_2", "text": "Hello", "is_echo": True}),
            "message agent:900 outbound 900:42 meta_user:42 | Hello",
        ),
        (
            direct("900", "42", message={"mid": "m_2", "text": "Hello", "is_echo": True, "app_id": 1517776481860111}),
            "message bot:1517776481860111 outbound 900:42 meta_user:42 | Hello",
        ),
        (
            direct("900", "42", message={"mid": "m_2", "text": "Hello", "is_echo": True, "app_id": 263902037430900}),
            "message agent:263902037430900 outbound 900:42 meta_user:42 | Hello",
        ),
        (
            direct(postback={"title": "Get started", "payload": "GO"}),
            "message customer:42 inbound 900:42 meta_user:42 | Get started",
        ),
        (
            direct(reaction={"mid": "m_1", "action": "react", "emoji": "❤"}),
            "reaction customer:42 - 900:42 meta_user:42 | ❤",
        ),
        (direct(message={"mid": "m_1", "is_deleted": True}), "deleted customer:42 - 900:42 meta_user:42"),
        (
            direct(message_edit={"mid": "m_1", "text": "Is broken", "num_edit": 1}),
            "edited customer:42 - 900:42 meta_user:42 | Is broken",
        ),
        (direct(read={"watermark": 1}), "ignored: receipt"),
        (direct(delivery={"mids": ["m_1"]}), "ignored: receipt"),
        (direct(teleported={}), "refused: not_understood"),
    ],
)
@pytest.mark.parametrize(("connector", "about"), [("messenger", "page"), ("instagram", "instagram")])
def test_direct_messages(connector: str, about: str, item: dict[str, Any], expected: str) -> None:
    assert lines_of(connector, messenger(item, about=about)) == [expected]
    assert lines_of(connector, messenger(about=about, standby=[item])) == [expected]
    assert lines_of(connector, item) == [expected]


def test_feedback_templates_are_surveys() -> None:
    questions = {"q1": {"type": "csat", "payload": "4", "follow_up": {"type": "free_form", "payload": "Quick"}}}
    item = direct(messaging_feedback={"feedback_screens": [{"screen_id": 0, "questions": questions}]})
    (draft,) = reading_of("messenger", messenger(item))
    assert isinstance(draft, Draft)
    signal = draft.event
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.name, signal.value, signal.scale, signal.text) == ("survey", "csat", 4.0, 5.0, "Quick")
    assert signal.conversation_id == "messenger:900:42"


def test_an_app_of_ones_own_speaks_for_people() -> None:
    echo = direct("900", "42", message={"mid": "m_2", "text": "Hello", "is_echo": True, "app_id": 77})
    assert lines_of("messenger", messenger(echo), own_ids=frozenset({"77"}))[0].startswith("message agent:77 outbound")


def feed(**value: Any) -> dict[str, Any]:
    common = {"item": "comment", "verb": "add", "post_id": "900_1", "comment_id": "1_2", "parent_id": "900_1"}
    said = {"from": {"id": "42", "name": "Ada"}, "message": "It is broken", "created_time": SECONDS}
    return messenger(changes=[{"field": "feed", "value": common | said | value}])


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (feed(), "message customer:42 inbound 1_2 meta_user:42 | It is broken"),
        (feed(parent_id="1_1"), "message customer:42 inbound 1_1 meta_user:42 | It is broken"),
        (feed(**{"from": {"id": "900"}, "parent_id": "1_1"}), "message agent:900 outbound 1_1 None | It is broken"),
        (feed(verb="edited"), "edited customer:42 - 1_2 meta_user:42 | It is broken"),
        (feed(verb="remove"), "deleted customer:42 - 1_2 meta_user:42"),
        (feed(item="post"), "message customer:42 inbound 900_1 meta_user:42 | It is broken"),
        (feed(item="status", **{"from": {"id": "900"}}), "ignored: own_post"),
        (feed(item="reaction"), "ignored: without_effect"),
        (
            messenger(
                about="instagram",
                changes=[
                    {
                        "field": "comments",
                        "value": {"id": "17", "text": "Hm", "from": {"id": "42"}, "media": {"id": "9"}},
                    }
                ],
            ),
            "message customer:42 inbound 17 meta_user:42 | Hm",
        ),
        (
            messenger(
                about="instagram", changes=[{"field": "mentions", "value": {"media_id": "9", "comment_id": "17"}}]
            ),
            "message customer:None inbound 17 None",
        ),
        (messenger(changes=[{"field": "leadgen", "value": {}}]), "ignored: other_subject"),
        (
            messenger(changes=[{"field": "messages", "value": DIRECT_TEXT}]),
            "message customer:42 inbound 900:42 meta_user:42 | It is broken",
        ),
        ({"object": "page", "entry": []}, "ignored: nothing_inside"),
        ({"object": "user", "entry": []}, "ignored: other_subject"),
    ],
)
def test_comments_and_other_changes(payload: dict[str, Any], expected: str) -> None:
    assert lines_of("messenger", payload) == [expected]


def test_published_line_events(shared: Path) -> None:
    told = lines_of("line", (shared / "payloads" / "social" / "line_webhook.json").read_bytes())
    user = "U206d25c2ea6bd87c17655609a1c37cb8"
    assert told[0] == f"message customer:{user} inbound {user} line_user:{user} | Hello, world"
    # A room where LINE does not say who spoke.
    assert told[1].startswith("message customer:None inbound Ra8dbf4673c4c812cd491258042226c99 line_group:R")
    assert [line for line in told if line.startswith("refused")] == ["refused: not_understood"]
    kinds = [line.split()[0] for line in told]
    assert (kinds.count("message"), kinds.count("deleted"), kinds.count("edited")) == (15, 1, 1)


def test_a_redelivery_of_line_is_the_same_event() -> None:
    again = LINE_TEXT | {"deliveryContext": {"isRedelivery": True}}
    first, second = (reading_of("line", {"destination": "U1", "events": [event]}) for event in (LINE_TEXT, again))
    assert first == second
    (draft,) = first
    assert isinstance(draft, Draft)
    assert (draft.event.id, draft.event.raw_reference) == ("325708", "line:message:325708")


@pytest.mark.parametrize(
    ("connector", "payload", "message_id"),
    [
        (
            "whatsapp",
            whatsapp(messages=[whatsapp_message(type="revoke", revoke={"original_message_id": "wamid.0"})]),
            "wamid.0",
        ),
        ("messenger", messenger(direct(message={"mid": "m_1", "is_deleted": True})), "m_1"),
        ("messenger", feed(verb="remove"), "1_2"),
        ("line", line_event("unsend", unsend={"messageId": "325708"}), "325708"),
    ],
)
def test_what_is_taken_away_is_the_message_and_not_the_conversation(
    connector: str, payload: dict[str, Any], message_id: str
) -> None:
    """docs/sla.md, "Corrections": a `deleted` with another id would take away the whole conversation."""
    (draft,) = reading_of(connector, payload)
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert (draft.event.type, draft.event.id, draft.event.version) == ("deleted", message_id, 1)


@pytest.mark.parametrize("kind", ["follow", "unfollow", "join", "leave", "memberJoined"])
def test_who_comes_and_goes_says_nothing(kind: str) -> None:
    assert lines_of("line", line_event(kind)) == ["ignored: participant_changed"]


@pytest.mark.parametrize("kind", ["beacon", "accountLink", "things"])
def test_what_is_near_or_allowed_says_nothing(kind: str) -> None:
    assert lines_of("line", line_event(kind)) == ["ignored: without_effect"]


@pytest.mark.parametrize(
    ("query", "status", "body"),
    [
        ({"hub.mode": "subscribe", "hub.verify_token": "verify me", "hub.challenge": "1158201444"}, 200, b"1158201444"),
        ({"hub.mode": "subscribe", "hub.verify_token": "guessed", "hub.challenge": "1158201444"}, 403, b""),
        ({"hub.mode": "subscribe"}, 403, b""),
        ({}, None, b""),
    ],
)
def test_metas_handshake(query: dict[str, str], status: int | None, body: bytes) -> None:
    instance = Instance("whatsapp", "whatsapp", secrets=("secret",), tokens=("verify me",))
    answer = verify_token(instance, WebhookRequest("GET", Headers([]), b"", NOW, query), GENUINE)
    assert (answer and answer.status, answer.body if answer else b"") == (status, body)


@pytest.mark.parametrize(
    ("connector", "payload"),
    [
        ("whatsapp", whatsapp(messages=[whatsapp_message(context={"id": "wamid.0"})])),
        (
            "whatsapp",
            whatsapp(messages=[whatsapp_message(type="edit", edit={"message": {"type": "image", "image": {}}})]),
        ),
        ("whatsapp", whatsapp("calls", calls=[{"id": "1", "event": "terminate", "start_time": "1", "timestamp": "1"}])),
        ("messenger", messenger(DIRECT_TEXT)),
        ("messenger", feed()),
        ("instagram", messenger(direct(reaction={"mid": "m_1"}), about="instagram")),
        ("line", {"destination": "U1", "events": [LINE_TEXT]}),
        ("line", line_event("unsend", unsend={"messageId": "1"})),
    ],
)
def test_mutilated_payloads_break_nothing(connector: str, payload: dict[str, Any]) -> None:
    for changed in mutilations(payload):
        for line in lines_of(connector, changed):
            assert line.startswith(("ignored", "refused")) or ":" in line.split()[1]


@pytest.mark.parametrize("connector", ["whatsapp", "messenger", "instagram", "line"])
@pytest.mark.parametrize("depth", [100, 900, 960, 980, 30_000])
def test_nesting_breaks_nothing(connector: str, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"entry":[', b"]}"), (b'{"events":[', b"]}")):
        (said, *_) = reading_of(connector, opening * depth + b"1" + closing * depth)
        assert not isinstance(said, Draft | Ignored)
