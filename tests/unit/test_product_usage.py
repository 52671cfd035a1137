"""What the messages of Segment, RudderStack and PostHog mean."""

from pathlib import Path
from typing import Any

import pytest

from streams.connectors.business.segment_events import SEGMENT
from streams.connectors.business.subscription_words import SUBSCRIPTION_WORDS, snake_case, subscription_traits
from tests.payload_readings import PayloadReader, published, seconds
from tests.senders.business_senders import segment_track

segment = PayloadReader(SEGMENT)

STAPLER = {
    "agent_id": "bce89",
    "conversation_id": "abd627",
    "message_body": "But my stapler...",
    "message_id": "bea12",
}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Signed Up", "signed_up"),
        ("signedUp", "signed_up"),
        ("signed-up", "signed_up"),
        ("$pageview", "pageview"),
        ("APIKeyCreated", "api_key_created"),
        ("Step 2: Done!", "step_2_done"),
        ("Größe geändert", "größe_geändert"),
        ("!!", ""),
    ],
)
def test_a_name_becomes_a_stable_word(name: str, word: str) -> None:
    assert snake_case(name) == word


@pytest.mark.parametrize(
    ("file", "name", "identity"),
    [
        ("segment_track", "viewed_checkout_step", "domain:siutasap.net"),
        ("segment_batch_track", "download", "user:123456"),
        ("segment_page", "page_viewed", "domain:tuumaisi.edu"),
    ],
)
def test_the_published_messages_that_are_usage(shared: Path, file: str, name: str, identity: str) -> None:
    (signal,) = segment.signals(published(shared, f"usage/{file}.json"))
    assert (signal.kind, signal.name, signal.value, signal.account_hint) == ("usage", name, 1, identity)


@pytest.mark.parametrize("file", ["segment_identify", "segment_group", "segment_batch_identify", "segment_batch_group"])
def test_the_published_messages_that_describe_people(shared: Path, file: str) -> None:
    assert segment.ignored(published(shared, f"usage/{file}.json")) == "without_effect"


@pytest.mark.parametrize(
    ("event", "kind", "name", "value"),
    [
        (segment_track("Report Shared"), "usage", "report_shared", 1),
        (segment_track("Files Uploaded", properties={"count": 12, "size": 9}), "usage", "files_uploaded", 12),
        (
            segment_track("Order Completed", properties={"revenue": "25.5", "quantity": 2}),
            "usage",
            "order_completed",
            25.5,
        ),
        (segment_track("Signed Up"), "onboarding", "signed_up", 1),
        (segment_track("Trial Started"), "subscription", "trial_started", 1),
        ({"action": "track", "event": "Signed In", "userId": "42"}, "usage", "signed_in", 1),
    ],
)
def test_a_track_is_a_signal_under_the_events_name(event: Any, kind: str, name: str, value: float) -> None:
    (signal,) = segment.signals(event)
    assert (signal.kind, signal.name, signal.value) == (kind, name, value)


def test_the_group_is_the_account() -> None:
    (draft,) = segment.drafts(segment_track("x", context={"groupId": "acme", "traits": {"email": "ana@acme.example"}}))
    assert draft.identities == ("account:acme", "domain:acme.example", "email:ana@acme.example", "user:42")


def test_a_batch_is_read_message_by_message() -> None:
    batch = {
        "batch": [segment_track("A"), {"type": "alias"}, {"type": "teleported"}, None],
        "sentAt": "2026-03-02T09:29:30Z",
    }
    readings = segment.read(batch)
    assert [type(reading).__name__ for reading in readings] == ["Draft", "Ignored", "Refused", "Refused"]
    assert readings[2].value == b'{"type":"teleported"}'  # type: ignore[union-attr]
    assert segment.refused({"batch": []}) == "malformed_payload: a batch without messages - at `$.batch`"


def test_traits_may_tell_of_the_subscription() -> None:
    traits = {"plan": "Enterprise", "monthlySpend": 950, "seats": "40", "renewalDate": "2026-12-01", "name": "Acme"}
    group = segment_track("", type="group", groupId="acme", traits=traits)
    assert segment.told(group) == [
        ("plan", None, "Enterprise"),
        ("mrr", 950, None),
        ("seats", 40, None),
        ("renewal_at", seconds("2026-12-01T00:00:00+00:00"), "2026-12-01T00:00:00Z"),
    ]


def test_every_trait_has_its_place_in_the_table() -> None:
    traits = {"plan": "a", "arr": 1200, "seats": 1, "renewal_at": 1796083200, "Trial_Ends_At__c": "2026-01-01"}
    told = {one.name: one.value for one in subscription_traits(traits)}
    assert told.keys() == {"plan", "mrr", "seats", "renewal_at", "trial_ends_at"} <= SUBSCRIPTION_WORDS.keys()
    assert told["mrr"] == 100


@pytest.mark.parametrize(
    ("event", "properties", "expected"),
    [
        ("Live Chat Conversation Started", STAPLER, ("message", "customer", "42", "inbound", None, "bea12:customer")),
        ("Live Chat Message Sent", STAPLER, ("message", "customer", "42", "inbound", None, "bea12:customer")),
        ("Live Chat Message Received", STAPLER, ("message", "agent", "bce89", "outbound", None, "bea12:agent")),
        ("Message Sent", STAPLER | {"sender_role": "bot"}, ("message", "bot", "bce89", "outbound", None, "bea12:bot")),
        (
            "Live Chat Conversation Ended",
            STAPLER,
            ("status_changed", "system", None, None, "closed", "022bb90c-bbac-11e4"),
        ),
        (
            "Live Chat Conversation Started",
            {"conversationId": "abd627"},
            ("status_changed", "customer", "42", None, "new", "022bb90c-bbac-11e4"),
        ),
    ],
)
def test_live_chats_are_conversations(event: str, properties: dict[str, Any], expected: tuple[Any, ...]) -> None:
    (chat,) = segment.interactions(segment_track(event, properties=properties))
    assert (chat.type, chat.author.kind, chat.author.id, chat.direction, chat.status, chat.id) == expected
    assert (chat.conversation_id, chat.channel, chat.account_id) == ("segment:abd627", "chat", "account:acme")
    assert chat.text == (properties["message_body"] if chat.type == "message" else None)


@pytest.mark.parametrize(
    ("event", "name", "account"),
    [
        (
            {"event": "user signed up", "distinct_id": "7", "properties": {"$groups": {"company": "acme"}}},
            "user_signed_up",
            "account:acme",
        ),
        (
            {
                "event": {"uuid": "e", "event": "report", "distinct_id": "7", "properties": {}},
                "person": {"properties": {"email": "ana@acme.example"}},
            },
            "report",
            "domain:acme.example",
        ),
        ({"event": "$pageview", "distinct_id": "7", "properties": {}}, "page_viewed", "contact:user:7"),
    ],
)
def test_posthogs_events_are_read_as_well(event: Any, name: str, account: str) -> None:
    (signal,) = segment.signals(event)
    assert (signal.name, signal.account_id) == (name, account)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (segment_track("x", userId=None, context={}, anonymousId="a"), "nobody_named"),
        (segment_track("", type="page", userId=None, context={}), "nobody_named"),
        (segment_track("", type="alias"), "other_subject"),
        ({"event": "$autocapture", "distinct_id": "7"}, "other_subject"),
        ({"event": "$pageview", "distinct_id": "7", "properties": {"$is_identified": False}}, "nobody_named"),
        (segment_track("Live Chat Message Sent"), "conversation_not_said"),
    ],
)
def test_what_is_nobodys_usage_is_ignored_with_a_reason(event: Any, reason: str) -> None:
    assert segment.ignored(event) == reason


def test_a_message_without_an_id_has_that_of_its_content() -> None:
    event = segment_track("x", messageId=None)
    first, second = segment.signals(event)[0].id, segment.signals(event)[0].id
    assert first == second != segment.signals(segment_track("y", messageId=None))[0].id
