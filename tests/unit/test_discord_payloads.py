"""What Discord's payloads mean: the published ones, dispatches, interactions, and mutilated ones."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Attachment, Author, Interaction
from streams.connectors.connector_contract import (
    GENUINE,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verdict,
)
from streams.connectors.messengers.discord_channel import DISCORD
from streams.connectors.messengers.discord_payload import snowflake_time
from streams.connectors.messengers.discord_signature import DiscordSignature
from tests.connect_bench import SENDERS, bench
from tests.payload_mutilations import assert_sound, mutilated
from tests.payload_readings import published, reading_of, request_of
from tests.senders.messengers_senders import (
    TYPED,
    discord_dispatch,
    discord_interaction,
    discord_message,
    discord_public,
    snowflake,
)
from tests.senders.sender import NOW

PING_OF_WEBHOOKS = {"version": 1, "application_id": "1", "type": 0}
PING_OF_INTERACTIONS = {"id": "2", "application_id": "1", "type": 1, "token": "t", "version": 1}


def read(payload: Any, *own_ids: str) -> Reading:
    return reading_of(DISCORD, payload, own_ids=frozenset(own_ids))


def only(payload: Any, *own_ids: str) -> Draft:
    (draft,) = read(payload, *own_ids)
    assert isinstance(draft, Draft), draft
    return draft


def event_of(payload: Any, *own_ids: str) -> Interaction:
    event = only(payload, *own_ids).event
    assert isinstance(event, Interaction)
    return event


@pytest.mark.parametrize(
    ("name", "type_", "author", "automated", "conversation", "at", "text"),
    [
        ("message", "message", Author("customer", "53908099506183680"), None, "290926798999357250",
         "2017-07-11T17:27:07.299000+00:00", "Supa Hot"),
        ("message_crossposted", "message", Author("customer", "53908099506183680"), "crosspost", "290926798999357250",
         "2017-07-11T17:27:07.299000+00:00", "Big news! In this <#278325129692446722> channel!"),
        ("webhook_event_lobby_message_delete", "deleted", Author("system"), None, "1402399883394285659",
         "2025-08-05T21:44:09.412957+00:00", None),
    ],
)  # fmt: skip
def test_published_events(
    shared: Path,
    name: str,
    type_: str,
    author: Author,
    automated: str | None,
    conversation: str,
    at: str,
    text: str | None,
) -> None:
    event = event_of(published(shared, f"discord/{name}.json"))
    assert (event.type, event.author, event.automated, event.text) == (type_, author, automated, text)
    assert (event.conversation_id, event.channel) == (f"discord:{conversation}", "discord")
    assert event.occurred_at.isoformat() == at


@pytest.mark.parametrize("change", ["create", "update", "delete"])
def test_published_entitlements_mean_nothing_here(shared: Path, change: str) -> None:
    assert read(published(shared, f"discord/webhook_event_entitlement_{change}.json")) == [Ignored("without_effect")]


def test_the_published_envelope_names_no_event(shared: Path) -> None:
    (refused,) = read(published(shared, "discord/gateway_envelope.json"))
    assert isinstance(refused, Refused)
    assert "GATEWAY_EVENT_NAME" in refused.detail


def test_a_message_is_the_same_by_the_gateway_and_by_itself() -> None:
    told = event_of(discord_dispatch("MESSAGE_CREATE", discord_message()))
    assert told == event_of(discord_message())
    assert (told.id, told.conversation_id, told.text) == ("334385199974967042", "discord:500", "It is broken")
    assert (told.author, told.direction) == (Author("customer", "53"), "inbound")
    assert told.occurred_at == datetime(2026, 3, 2, 9, 29, 58, 123000, UTC)


def test_an_id_carries_its_time() -> None:
    published_example = "175928847299117063"  # of the documentation's section on snowflakes
    assert snowflake_time(published_example) == datetime(2016, 4, 30, 11, 18, 25, 796000, UTC)
    assert event_of(discord_message(id=snowflake(), timestamp=None)).occurred_at == NOW
    assert snowflake_time("msg-1") is None


@pytest.mark.parametrize(
    ("fields", "own_ids", "author", "automated", "identities"),
    [
        ({}, (), Author("customer", "53"), None, ("discord_guild:900", "discord_user:53")),
        ({}, ("53",), Author("agent", "53"), None, ("discord_guild:900",)),
        ({}, ("77",), Author("agent", "53"), None, ("discord_guild:900",)),
        ({}, ("900",), Author("customer", "53"), None, ("discord_user:53",)),
        ({"guild_id": None, "member": None}, ("77",), Author("customer", "53"), None, ("discord_user:53",)),
        ({"author": {"id": "9", "bot": True}}, (), Author("bot", "9"), "bot", ("discord_guild:900",)),
        ({"author": {"id": "9"}, "webhook_id": "9"}, (), Author("bot", "9"), "bot", ("discord_guild:900",)),
        ({"author": {"id": "9", "system": True}}, (), Author("system", "9"), "system", ("discord_guild:900",)),
    ],
)
def test_who_wrote(
    fields: dict[str, Any],
    own_ids: tuple[str, ...],
    author: Author,
    automated: str | None,
    identities: tuple[str, ...],
) -> None:
    draft = only(discord_message(**fields), *own_ids)
    assert isinstance(draft.event, Interaction)
    assert (draft.event.author, draft.event.automated, draft.identities) == (author, automated, identities)


def test_files_are_told_by_their_metadata() -> None:
    files = [{"filename": "a.png", "content_type": "image/png", "size": 9}]
    assert event_of(discord_message(attachments=files)).attachments == (
        Attachment(name="a.png", media_type="image/png", size_bytes=9),
    )


def test_a_reply_stays_in_its_channel_and_a_thread_begins_with_what_it_was_started_from() -> None:
    reference = {"message_id": "1", "channel_id": "500"}
    assert event_of(discord_message(type=19, message_reference=reference)).conversation_id == "discord:500"
    question = discord_message(id="600", content="How?")
    starter = discord_message(id="601", channel_id="600", type=21, content="", referenced_message=question)
    event = event_of(starter)
    assert (event.id, event.conversation_id, event.text) == ("600", "discord:600", "How?")
    assert read(discord_message(type=21)) == [Ignored("line_of_the_provider")]


def test_edits_deletions_and_reactions_refer_to_their_message() -> None:
    edit = discord_message(content="It is mended", edited_timestamp="2026-03-02T09:31:00.5+00:00")
    edited = event_of(discord_dispatch("MESSAGE_UPDATE", edit))
    assert (edited.type, edited.id) == ("edited", "334385199974967042:edited:2026-03-02T09:31:00.5+00:00")
    assert edited.occurred_at == datetime(2026, 3, 2, 9, 31, 0, 500000, UTC)
    gone = event_of(discord_dispatch("MESSAGE_DELETE", {"id": "334385199974967042", "channel_id": "500"}))
    assert (gone.type, gone.id, gone.version, gone.author) == ("deleted", "334385199974967042", 1, Author("system"))
    reaction = {"user_id": "53", "message_id": "334385199974967042", "channel_id": "500", "emoji": {"name": "🔥"}}
    reacted = event_of(discord_dispatch("MESSAGE_REACTION_ADD", reaction))
    assert (reacted.type, reacted.author, reacted.text) == ("reaction", Author("customer", "53"), "🔥")
    assert reacted == event_of(reaction)
    written = event_of(discord_message())
    for each in (edited, gone, reacted):
        assert (each.raw_reference, each.conversation_id) == (written.raw_reference, written.conversation_id)


def test_messages_that_are_deleted_together_are_deleted_one_by_one() -> None:
    deleted = read(discord_dispatch("MESSAGE_DELETE_BULK", {"ids": ["1", "2"], "channel_id": "500"}))
    assert [each.event.id for each in deleted if isinstance(each, Draft)] == ["1", "2"]


def test_threads_open_and_are_locked_and_deleted() -> None:
    thread = {
        "id": "600",
        "parent_id": "500",
        "owner_id": "53",
        "type": 11,
        "guild_id": "900",
        "applied_tags": ["4"],
        "thread_metadata": {"archived": False, "locked": False, "create_timestamp": "2026-03-02T09:00:00+00:00"},
    }
    opened = event_of(discord_dispatch("THREAD_CREATE", thread))
    assert (opened.type, opened.status, opened.author) == ("status_changed", "new", Author("customer", "53"))
    assert (opened.conversation_id, opened.inbox, opened.tags) == ("discord:600", "500", ("4",))
    assert opened == event_of(thread)
    assert read(discord_dispatch("THREAD_UPDATE", thread)) == [Ignored("without_effect")]
    locked = thread | {"thread_metadata": {"locked": True, "archive_timestamp": "2026-03-02T09:20:00+00:00"}}
    assert event_of(discord_dispatch("THREAD_UPDATE", locked)).status == "closed"
    gone = event_of(discord_dispatch("THREAD_DELETE", {"id": "600", "guild_id": "900", "parent_id": "500"}))
    assert (gone.type, gone.conversation_id, gone.version) == ("status_changed", "discord:600", 0)


def test_commands_and_forms_are_messages_to_the_app() -> None:
    typed = event_of(discord_interaction(2, data=TYPED))
    assert (typed.type, typed.text) == ("message", "/support question: It is broken")
    assert (typed.author, typed.conversation_id, typed.occurred_at) == (Author("customer", "53"), "discord:500", NOW)
    fields = [
        {"type": 1, "components": [{"type": 4, "custom_id": "a", "value": "It is broken"}]},
        {"type": 18, "component": {"type": 3, "values": ["urgent", "again"]}},
    ]
    form = discord_interaction(5, data={"custom_id": "contact", "components": fields})
    assert event_of(form, "77").text == "It is broken\nurgent\nagain"
    assert event_of(discord_dispatch("INTERACTION_CREATE", form), "77").author == Author("agent", "53")


def test_a_message_that_was_passed_on_says_what_it_says() -> None:
    passed_on = {"content": "It is broken", "attachments": [{"filename": "log.txt", "size": 5}], "type": 0}
    event = event_of(discord_message(content="", attachments=[], message_snapshots=[{"message": passed_on}]))
    assert (event.text, [each.name for each in event.attachments]) == ("It is broken", ["log.txt"])
    assert event_of(discord_message(content="Look", message_snapshots=[{"message": passed_on}])).text == "Look"


def test_a_lobby_is_a_conversation() -> None:
    data = discord_message(lobby_id="800", guild_id=None)
    event = {"type": "LOBBY_MESSAGE_CREATE", "timestamp": "2026-03-02T09:29:58.5", "data": data}
    assert event_of({"version": 1, "application_id": "1", "type": 1, "event": event}).conversation_id == "discord:800"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (discord_message(type=7), "participant_changed"),
        (discord_dispatch("MESSAGE_UPDATE", discord_message()), "unchanged"),
        (
            discord_dispatch("MESSAGE_UPDATE", {"id": "1", "edited_timestamp": "2026-03-02T09:31:00Z"}),
            "author_not_said",
        ),
        (
            {"version": 1, "type": 1, "event": {"type": "LOBBY_MESSAGE_CREATE", "data": discord_message(author={})}},
            "author_not_said",
        ),
        (discord_dispatch("GUILD_MEMBER_ADD", {}), "participant_changed"),
        (discord_dispatch("MESSAGE_REACTION_REMOVE", {}), "reaction_removed"),
        ({"op": 10, "d": {"heartbeat_interval": 45000}}, "connection"),
        ({"op": 9, "d": False}, "connection"),
        (PING_OF_WEBHOOKS, "connection"),
        (PING_OF_INTERACTIONS, "connection"),
        ({"type": 1}, "connection"),
        (discord_interaction(2, data={"id": "1", "name": "help", "type": 1}), "command"),
        (discord_interaction(2, data={"id": "1", "name": "Report", "type": 3}), "command"),
        (discord_interaction(3, data={"custom_id": "yes"}), "command"),
        (discord_interaction(4, data=TYPED), "command"),
    ],
)
def test_what_means_nothing_here_is_ignored(payload: Any, reason: str) -> None:
    assert read(payload) == [Ignored(reason)]


@pytest.mark.parametrize(
    ("payload", "reason", "place"),
    [
        (discord_message(type=99), "not_understood", "99"),
        (discord_message(type=[]), "not_understood", "-1"),
        (discord_interaction(99), "not_understood", "99"),
        (discord_message(author={}), "malformed_payload", "$.author.id"),
        (discord_message(id=None), "malformed_payload", "$.id"),
        (discord_dispatch("MESSAGE_CREATE", discord_message(channel_id=None)), "malformed_payload", "$.d.channel_id"),
        ({"id": "41", "name": "general", "type": 0}, "malformed_payload", "$.channel_id"),
        ([], "malformed_payload", "$"),
    ],
)
def test_what_cannot_be_understood_says_where(payload: Any, reason: str, place: str) -> None:
    (refused,) = read(payload)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert place in refused.detail


def test_pings_are_answered_when_they_are_signed() -> None:
    connector = DISCORD.build(Instance("discord", "discord", secrets=(discord_public("s"),)))
    for ping, answer in ((PING_OF_WEBHOOKS, (204, b"")), (PING_OF_INTERACTIONS, (200, b'{"type": 1}'))):
        greeting = connector.handshake(request_of(ping), GENUINE)
        assert greeting is not None
        assert (greeting.status, greeting.body, greeting.content_type) == (*answer, "application/json")
        assert connector.handshake(request_of(ping), Verdict("bad_signature")) is None


def test_the_probes_of_an_endpoint_hear_what_discord_expects() -> None:
    async def scene() -> None:
        async with bench() as running:
            sender = SENDERS["discord"]
            body = json.dumps(PING_OF_WEBHOOKS).encode()
            status, _, headers = await running.send(sender, body=body)
            assert (status, headers["Content-Type"]) == (204, "application/json")
            forged = sender.headers(body, secret=sender.secrets[2])
            assert (await running.send(sender, body=body, headers=forged))[0] == 401
            unsigned = json.dumps(PING_OF_INTERACTIONS).encode()
            assert (await running.send(sender, body=unsigned, headers={}))[0] == 401

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("payload", "status", "answer"),
    [
        (discord_interaction(2, data=TYPED), 200, 4),
        (discord_interaction(3, data={"custom_id": "yes"}), 200, 6),
        (discord_interaction(4, data=TYPED), 200, 8),
        (discord_interaction(5, data={}), 200, 4),
        ({"version": 1, "type": 1, "event": {"type": "ENTITLEMENT_CREATE"}}, 204, None),
    ],
)
def test_each_request_hears_its_own_kind_of_answer(payload: Any, status: int, answer: int | None) -> None:
    connector = DISCORD.build(Instance("discord", "discord", secrets=(discord_public("s"),)))
    thanks = connector.acknowledgement(request_of(payload))
    assert thanks is not None
    assert thanks.status == status
    assert (json.loads(thanks.body)["type"] if thanks.body else None) == answer


def test_an_instance_needs_a_public_key() -> None:
    with pytest.raises(ValueError, match="public key is missing"):
        DiscordSignature([])
    with pytest.raises(ValueError, match="public key 2 is not 64 hexadecimal digits"):
        DiscordSignature([discord_public("s"), "no key"])


SAMPLES = [
    discord_dispatch("MESSAGE_CREATE", discord_message(attachments=[{"filename": "a", "size": 1}])),
    discord_dispatch("MESSAGE_UPDATE", discord_message(edited_timestamp="2026-03-02T09:31:00Z")),
    discord_dispatch("MESSAGE_DELETE_BULK", {"ids": ["1", "2"], "channel_id": "500"}),
    discord_dispatch("MESSAGE_REACTION_ADD", {"user_id": "5", "message_id": "3", "channel_id": "5", "emoji": {}}),
    discord_dispatch("THREAD_CREATE", {"id": "6", "owner_id": "5", "thread_metadata": {"locked": True}}),
    discord_message(type=21, referenced_message=discord_message()),
    discord_interaction(2, data=TYPED),
    discord_interaction(5, data={"components": [{"components": [{"value": "a"}]}, {"component": {"values": ["b"]}}]}),
    {"version": 1, "type": 1, "event": {"type": "LOBBY_MESSAGE_CREATE", "data": discord_message(lobby_id="8")}},
]


@given(st.data())
def test_mutilated_payloads_never_raise_and_never_lack_conversation_or_author(data: st.DataObject) -> None:
    assert_sound(read(data.draw(mutilated(SAMPLES))))
