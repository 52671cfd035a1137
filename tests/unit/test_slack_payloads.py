"""What Slack's payloads mean: the published ones, Slack Connect, edits and deletions, and mutilated ones."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Attachment, Author, Interaction
from streams.connectors.connector_contract import (
    GENUINE,
    Draft,
    Headers,
    Ignored,
    Instance,
    ProviderAnswer,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.hmac_signatures import HmacVerifier
from streams.connectors.messengers.slack_channel import SIGNATURE, SLACK
from tests.payload_mutilations import assert_sound, mutilated
from tests.payload_readings import PayloadReader, published, request_of
from tests.senders.messengers_senders import slack_event, slack_message
from tests.senders.sender import NOW

read = PayloadReader(SLACK).read


def only(payload: Any, **settings: Any) -> Draft:
    (draft,) = PayloadReader(SLACK).drafts(payload, **settings)
    return draft


def event_of(payload: Any, **settings: Any) -> Interaction:
    event = only(payload, **settings).event
    assert isinstance(event, Interaction)
    return event


@pytest.mark.parametrize(
    ("name", "type_", "author", "direction", "conversation", "at", "text"),
    [
        ("message_channels", "message", "customer W111", "inbound", "T111:C111:1596183880.004200",
         "2020-07-31T08:24:40.004200+00:00", "Hello World!"),
        ("app_mention", "message", "customer W222", "inbound", "T111:C111:1595926230.009600",
         "2020-07-28T08:50:30.009600+00:00", "<@W111> Hi there!"),
        ("message_user_in_channel", "message", "customer W111", "inbound", "T111:C111:1610261659.001400",
         "2021-01-10T06:54:19.001400+00:00", "Hi there! Thanks for sharing the info!"),
        ("message_bot", "message", "bot B999", "outbound", "T111:C111:1610261539.000900",
         "2021-01-10T06:52:19.000900+00:00", "Hi there! Thanks for sharing the info!"),
        ("message_file_share", "message", "customer U111", "inbound", "T111:C111:1652227646.593159",
         "2022-05-11T00:07:26.593159+00:00", "Hi there!"),
        ("message_thread_broadcast", "message", "customer U111", "inbound", "T111:C111:1633663824.000500",
         "2021-10-08T05:26:53.007500+00:00", "Hi there!"),
        ("message_changed", "edited", "customer U111", None, "T-auth:C111:1665102338.901939",
         "2022-10-07T00:26:02+00:00", "updated message"),
        ("message_deleted", "deleted", "customer U111", None, "T-auth:C111:1665368619.804829",
         "2022-10-10T02:23:49.007100+00:00", None),
    ],
)  # fmt: skip
def test_published_events(
    shared: Path,
    name: str,
    type_: str,
    author: str,
    direction: str | None,
    conversation: str,
    at: str,
    text: str | None,
) -> None:
    draft = only(published(shared, f"slack/{name}.json"))
    event = draft.event
    assert isinstance(event, Interaction)
    assert (event.type, f"{event.author.kind} {event.author.id}") == (type_, author)
    assert (event.direction, event.visibility, event.channel) == (direction, "public", "slack")
    assert (event.conversation_id, event.text) == (f"slack:{conversation}", text)
    assert event.occurred_at.isoformat() == at
    assert draft.identities[0] == "slack_team:T111"


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("message_shortcut", Ignored("command")),
        ("url_verification", Ignored("connection")),
        ("shape_AppRateLimitedPayload", Ignored("events_lost")),
        ("shape_ChannelSharedPayload", Ignored("without_effect")),
        ("shape_MessageRepliedPayload", Ignored("line_of_the_provider")),
    ],
)
def test_published_payloads_that_mean_nothing_here(shared: Path, name: str, meaning: Ignored) -> None:
    assert read(published(shared, f"slack/{name}.json")) == [meaning]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("shape_MessagePayload", "$.event.channel"),
        ("shape_ReactionAddedPayload", "$.event.item.channel"),
        ("api_shape_users.info", "$.type"),
    ],
)
def test_published_shapes_without_values_are_refused_with_the_place(shared: Path, name: str, place: str) -> None:
    (refused,) = read(published(shared, f"slack/{name}.json"))
    assert isinstance(refused, Refused)
    assert (refused.reason, place in refused.detail) == ("malformed_payload", True)


def test_the_published_signature_verifies(shared: Path) -> None:
    vector = json.loads(published(shared, "slack/signature_vector.json"))
    signed = WebhookRequest("POST", Headers([]), vector["body"].encode(), NOW)
    assert SIGNATURE.sign(vector["signing_secret"], signed, vector["timestamp"]) == vector["signature"]
    headers = [("X-Slack-Signature", vector["signature"]), ("X-Slack-Request-Timestamp", vector["timestamp"])]
    late = WebhookRequest("POST", Headers(headers), vector["body"].encode(), NOW)
    assert HmacVerifier(SIGNATURE, [vector["signing_secret"]]).verify(late) == Verdict("timestamp_too_old")


def test_a_message_and_its_mention_count_once_in_any_wrapping() -> None:
    message = slack_message()
    mention = {name: value for name, value in message.items() if name != "channel_type"} | {"type": "app_mention"}
    enveloped = slack_event(message, event_id="Ev7")
    told = [
        enveloped,
        slack_event(mention, event_id="Ev8"),
        {"envelope_id": "e-1", "type": "events_api", "payload": enveloped, "accepts_response_payload": False},
    ]
    assert {(event_of(each).id, event_of(each).conversation_id) for each in told} == {
        ("T-OWN:C1:1772443798.000100", "slack:T-OWN:C1:1772443798.000100")
    }
    bare = [message, {**message, "team": "T-OWN"}, mention]
    assert {event_of(each).conversation_id for each in bare} == {"slack:C1:1772443798.000100"}


def test_a_thread_is_a_conversation() -> None:
    answer = event_of(slack_event(slack_message(ts="1772443900.000200", thread_ts="1772443798.000100")))
    assert answer.conversation_id == event_of(slack_event(slack_message())).conversation_id
    assert answer.id == "T-OWN:C1:1772443900.000200"


@pytest.mark.parametrize(
    ("fields", "envelope", "own_ids", "author", "identities"),
    [
        ({}, {}, (), "customer", ("slack_team:T-OWN", "slack_user:U-ASKS")),
        ({"user_team": "T-THEM", "team": "T-THEM"}, {"is_ext_shared_channel": True}, (), "customer",
         ("slack_team:T-THEM", "slack_user:U-ASKS")),
        ({"user_team": "T-OWN", "team": "T-OWN"}, {"is_ext_shared_channel": True}, (), "agent", ()),
        ({"source_team": "T-OWN"}, {"is_ext_shared_channel": True, "team_id": "T-THEM"}, (), "agent", ()),
        ({"team": "T-OWN"}, {"is_ext_shared_channel": True, "context_team_id": "T-THEM"}, (), "customer",
         ("slack_team:T-OWN", "slack_user:U-ASKS")),
        ({}, {"is_ext_shared_channel": True}, (), "customer", ("slack_user:U-ASKS",)),
        ({"files": [{"user_team": "T-OWN"}], "subtype": "file_share"}, {"is_ext_shared_channel": True}, (), "agent",
         ()),
        ({}, {}, ("T-OWN",), "agent", ()),
        ({}, {}, ("U-ASKS",), "agent", ()),
        ({}, {}, ("U-OTHER",), "customer", ("slack_team:T-OWN", "slack_user:U-ASKS")),
        ({"team": "T-OWN"}, {"is_ext_shared_channel": True}, ("U-OTHER",), "customer",
         ("slack_team:T-OWN", "slack_user:U-ASKS")),
    ],
)  # fmt: skip
def test_who_is_a_customer(
    fields: dict[str, Any],
    envelope: dict[str, Any],
    own_ids: tuple[str, ...],
    author: str,
    identities: tuple[str, ...],
) -> None:
    draft = only(slack_event(slack_message(**fields), **envelope), own_ids=frozenset(own_ids))
    assert isinstance(draft.event, Interaction)
    assert (draft.event.author.kind, draft.identities) == (author, identities)


def test_both_sides_of_a_shared_channel_write_in_one_conversation() -> None:
    theirs = slack_event(slack_message(team="T-THEM"), team_id="T-THEM", is_ext_shared_channel=True)
    ours = slack_event(
        slack_message(team="T-OWN", user="U-HELPS", ts="1772443900.000200", thread_ts="1772443798.000100"),
        is_ext_shared_channel=True,
    )
    assert event_of(theirs).conversation_id == event_of(ours).conversation_id


@pytest.mark.parametrize(
    ("fields", "author", "automated"),
    [
        ({"subtype": "bot_message", "user": None, "bot_id": "B1"}, Author("bot", "B1"), "bot"),
        ({"subtype": "bot_message", "user": None, "username": "alerts"}, Author("bot"), "bot"),
        ({"bot_id": "B1"}, Author("bot", "B1"), "bot"),
        ({"user": "USLACKBOT"}, Author("bot", "USLACKBOT"), "bot"),
        ({"subtype": "me_message"}, Author("customer", "U-ASKS"), None),
        ({"subtype": "file_share", "user": None, "files": [{"user": "U-ASKS"}]}, Author("customer", "U-ASKS"), None),
    ],
)
def test_apps_are_bots_and_people_are_not(fields: dict[str, Any], author: Author, automated: str | None) -> None:
    event = event_of(slack_event(slack_message(**fields)))
    assert (event.author, event.automated) == (author, automated)


def test_escapes_are_undone_once_and_files_are_told_by_their_metadata() -> None:
    files = [{"name": "a.png", "mimetype": "image/png", "size": 9}, {"id": "F1", "mode": "file_access"}, "odd"]
    event = event_of(slack_event(slack_message(text="&lt;b&gt; &amp;lt; <@U1>", subtype="file_share", files=files)))
    assert event.text == "<b> &lt; <@U1>"
    assert event.attachments == (Attachment(name="a.png", media_type="image/png", size_bytes=9), Attachment())


def test_half_a_character_where_a_text_was_cut_loses_no_message() -> None:
    event = event_of(slack_event(slack_message(text="cut \ud83d off, \\ud83d as written, whole \U0001f600")))
    assert event.text == "cut \ufffd off, \\ud83d as written, whole \U0001f600"


def changed(now: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    message = slack_message(thread_ts="1772443700.000001")
    event = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C1",
        "message": message | now,
        "ts": "1772443999.000300",
        "event_ts": "1772443999.000300",
    }
    return slack_event(event if before is None else event | {"previous_message": message | before}, event_id="Ev9")


def test_what_was_written_may_stand_in_blocks_or_be_passed_on() -> None:
    rich = [{"type": "text", "text": "It is "}, {"type": "text", "text": "broken &amp; old", "style": {"bold": True}}]
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Help"}},
        {"type": "divider"},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": rich}]},
    ]
    assert event_of(slack_event(slack_message(text="", blocks=blocks))).text == "Help\nIt is broken & old"
    shared = {"is_share": True, "text": "It is broken", "fallback": "[1 March] bob: It is broken"}
    assert event_of(slack_event(slack_message(text="", attachments=[shared]))).text == "It is broken"
    assert event_of(slack_event(slack_message(attachments=[{"text": "unfolded"}]))).text == "It is broken"
    old = slack_message(subtype="file_share", user=None, file={"name": "a.png", "user": "U-ASKS", "size": 5})
    event = event_of(slack_event(old))
    assert (event.author.id, [each.name for each in event.attachments]) == ("U-ASKS", ["a.png"])


def test_an_edit_refers_to_its_message() -> None:
    edit = {"text": "It is mended", "edited": {"user": "U-ASKS", "ts": "1772443998.000000"}}
    befores: tuple[dict[str, Any] | None, ...] = ({}, None)
    for before in befores:
        event = event_of(changed(edit, before))
        assert (event.type, event.id, event.raw_reference) == (
            "edited",
            "T-OWN:C1:1772443798.000100:edited:1772443998.000000",
            "slack:message:T-OWN:C1:1772443798.000100",
        )
        assert (event.conversation_id, event.text) == ("slack:T-OWN:C1:1772443700.000001", "It is mended")
        assert event.occurred_at.isoformat() == "2026-03-02T09:33:18+00:00"


def test_an_unfolded_link_is_no_edit_and_a_tombstone_is_a_deletion() -> None:
    assert read(changed({"attachments": [{"from_url": "https://x.example"}]}, {})) == [Ignored("unchanged")]
    assert event_of(changed({"subtype": "tombstone", "text": "This message was deleted."}, {})).type == "deleted"


def test_a_deletion_takes_its_message_away_and_not_the_conversation() -> None:
    event = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": "1772443798.000100"}
    before = slack_message(thread_ts="1772443700.000001")
    gone = event_of(slack_event(event | {"previous_message": before, "event_ts": "1772443999.000300"}))
    written = event_of(slack_event(before))
    assert (gone.type, gone.author) == ("deleted", Author("customer", "U-ASKS"))
    assert (gone.id, gone.conversation_id) == (written.id, written.conversation_id)
    assert gone.version > written.version
    assert gone.raw_reference == written.raw_reference
    assert event_of(slack_event(event)).author == Author("system")


def test_a_reaction() -> None:
    item = {"type": "message", "channel": "C1", "ts": "1772443798.000100"}
    reaction = {
        "type": "reaction_added",
        "user": "U-ASKS",
        "reaction": "tada",
        "item": item,
        "event_ts": "1772443800.1",
    }
    event = event_of(slack_event(reaction))
    assert (event.type, event.id, event.text) == ("reaction", "T-OWN:C1:1772443798.000100:reaction:tada:U-ASKS", "tada")
    assert event.conversation_id == event_of(slack_event(slack_message())).conversation_id
    assert event.raw_reference == "slack:message:T-OWN:C1:1772443798.000100"
    assert read(slack_event(reaction | {"item": {"type": "file", "file": "F1"}})) == [Ignored("other_subject")]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (slack_event(slack_message(subtype="channel_join")), "participant_changed"),
        (slack_event(slack_message(is_ephemeral=True)), "ephemeral"),
        (slack_event({"type": "reaction_removed"}), "reaction_removed"),
        (slack_event({"type": "goodbye"}), "connection"),
        (slack_event({"type": "team_join", "user": {"id": "U1"}}), "without_effect"),
        (slack_event({"type": "message_metadata_posted"}), "without_effect"),
        ({"type": "sh_room_join", "user": "U1", "room": {"id": "R1"}, "event_ts": "1772443798.1"}, "without_effect"),
        ({"type": "reconnect_url"}, "without_effect"),
        ({"actions": [{"name": "yes"}], "callback_id": "ask", "channel": {"id": "C1"}}, "command"),
        ({"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1772443798}, "events_lost"),
        ({"type": "hello", "num_connections": 1}, "connection"),
        (
            {"envelope_id": "e", "type": "slash_commands", "payload": {"command": "/help", "text": "me"}},
            "command",
        ),
        ({"envelope_id": "e", "type": "command", "payload": {"type": "block_actions"}}, "command"),
        (urlencode({"payload": json.dumps({"type": "view_submission"})}).encode(), "command"),
        (urlencode({"token": "t", "command": "/help", "text": ""}).encode(), "command"),
        (urlencode({"token": "t", "ssl_check": "1"}).encode(), "connection"),
    ],
)
def test_what_means_nothing_here_is_ignored(payload: Any, reason: str) -> None:
    assert read(payload) == [Ignored(reason)]


def test_the_legacy_outgoing_webhook_is_a_message() -> None:
    fields = {"token": "t", "team_id": "T-OWN", "channel_id": "C1", "timestamp": "1772443798.000100",
              "user_id": "U-ASKS", "user_name": "ann", "text": "It is broken"}  # fmt: skip
    event, told = event_of(urlencode(fields).encode()), event_of(slack_event(slack_message()))
    assert (event.id, event.conversation_id, event.author, event.text) == (
        told.id,
        told.conversation_id,
        told.author,
        told.text,
    )


@pytest.mark.parametrize(
    ("payload", "reason", "place"),
    [
        (slack_event(slack_message(subtype="teleported")), "not_understood", "teleported"),
        (slack_event(slack_message(user=None)), "malformed_payload", "$.event.user"),
        (slack_event(slack_message(ts="yesterday")), "malformed_payload", "$.event.ts"),
        (
            slack_event({"type": "reaction_added", "user": "U1", "item": {"channel": "C1", "ts": "1772443790.000100"}}),
            "malformed_payload",
            "$.event.reaction",
        ),
        ({"type": "event_callback", "event": None}, "malformed_payload", "$.event"),
        (slack_message(channel=7.5), "malformed_payload", "$.channel"),
        ([], "malformed_payload", "$"),
        (b"payload=%7B", "not_json", ""),
        (b"payload=\xff", "not_utf8", ""),
    ],
)
def test_what_cannot_be_understood_says_where(payload: Any, reason: str, place: str) -> None:
    (refused,) = read(payload)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert place in refused.detail


def test_the_challenge_is_answered_when_it_is_signed() -> None:
    connector = SLACK.build(Instance("slack", "slack", secrets=("s",)))
    challenge = request_of({"type": "url_verification", "challenge": "3eZb", "token": "t"})
    assert connector.handshake(challenge, GENUINE) == ProviderAnswer(body=b"3eZb")
    assert connector.handshake(challenge, Verdict("bad_signature")) is None
    assert connector.handshake(request_of(b"ssl_check=1&token=t"), Verdict("missing_signature")) == ProviderAnswer()
    assert connector.handshake(request_of(slack_event(slack_message())), GENUINE) is None
    assert connector.acknowledgement(challenge) == ProviderAnswer()


SAMPLES = [
    slack_event(slack_message(files=[{"name": "a", "size": 1}], thread_ts="1772443700.000001")),
    changed({"text": "new", "edited": {"ts": "1772443998.0"}}, {}),
    slack_event({"type": "reaction_added", "user": "U", "reaction": "x", "item": {"channel": "C", "ts": "1.5"}}),
    {"envelope_id": "e", "type": "events_api", "payload": slack_event(slack_message())},
]


@given(st.data())
def test_mutilated_payloads_never_raise_and_never_lack_conversation_or_author(data: st.DataObject) -> None:
    assert_sound(read(data.draw(mutilated(SAMPLES))))
