"""Discord's gateway: sessions that resume where Kafka is, what is owed after one is lost, and every way to end."""

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from streams.connectors.connector_contract import Instance
from streams.connectors.messengers.discord_gateway import (
    COMING_BACK,
    HOPELESS,
    IDENTIFY,
    INTENTS,
    RESUME,
    gateway_of,
)
from streams.connectors.messengers.discord_position import GatewayPosition
from streams.connectors.source_contract import PullTrouble
from tests.providers.discord_scene import NOW, Scene, played
from tests.providers.local_discord import TOKEN
from tests.providers.local_provider import Shelf, outcome, pulling, until
from tests.senders.messengers_senders import discord_message


def test_a_session_begins_with_the_intents_and_goes_on_where_kafka_is() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf):
            await until(lambda: scene.has("READY"))
            (identified,) = scene.discord.told(IDENTIFY)
            assert (identified["token"], identified["intents"]) == (TOKEN, INTENTS)
            scene.shelf.close()
            await scene.discord.tell("MESSAGE_CREATE", discord_message())
            await asyncio.sleep(0.1)
            assert scene.position.seq == 1  # not stored, so not passed
            scene.shelf.open()
            await until(lambda: scene.position.seq == 2)
        async with pulling(scene.gateway(), scene.shelf, scene.shelf.position):
            await until(lambda: scene.discord.has_heard(RESUME))
        assert scene.discord.told(RESUME) == [{"token": TOKEN, "session_id": "session-1", "seq": 2}]
        assert len(scene.discord.told(IDENTIFY)) == 1

    played(play)


def test_no_position_runs_ahead_of_what_it_covers() -> None:
    class Watching(Shelf):
        @override
        async def __call__(self, payloads: Any, position: str | None = None, delivered_until: Any = None) -> None:
            await super().__call__(payloads, position, delivered_until)
            assert GatewayPosition.read(position).seq == self.payloads[-1]["s"]

    async def play(scene: Scene) -> None:
        scene.shelf = Watching()
        async with pulling(scene.gateway(), scene.shelf):
            await until(lambda: scene.has("READY"))
            for number in range(5):
                await scene.discord.tell("MESSAGE_CREATE", discord_message(id=str(number)))
            await until(lambda: scene.has("MESSAGE_CREATE", 5))

    played(play)


def test_a_heartbeat_that_came_back_says_how_far_everything_is_told() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf):
            await until(lambda: scene.discord.beats > 2)
            scene.clock.now += timedelta(minutes=1)
            await until(lambda: scene.clock.now in scene.shelf.until)
            await scene.discord.send({"op": 1})
            beats = scene.discord.beats
            await until(lambda: scene.discord.beats > beats)
            assert scene.position.told_until == scene.clock.now

    played(play)


def test_nothing_is_said_to_be_told_before_a_session_has_resumed() -> None:
    async def play(scene: Scene) -> None:
        position = GatewayPosition(
            session_id="s", seq=7, resume_url=scene.discord.url.replace("http", "ws") + "/again", told_until=NOW
        )
        scene.clock.now += timedelta(hours=1)
        async with pulling(scene.gateway(), scene.shelf, position.written()):
            await until(lambda: scene.discord.beats > 3)
            assert scene.shelf.until == []
            await scene.discord.tell("RESUMED", {})
            await until(lambda: scene.shelf.until != [])

    played(play)


def test_a_line_that_does_not_answer_is_given_up() -> None:
    async def play(scene: Scene) -> None:
        scene.discord.answers_beats = False
        async with pulling(scene.gateway(), scene.shelf) as task:
            assert isinstance(await outcome(task), PullTrouble)
        assert scene.discord.sockets[0].close_code == COMING_BACK
        assert scene.position.resumable

    played(play)


def test_while_kafka_is_away_a_heartbeat_that_cannot_have_been_read_is_no_dead_line() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.has("READY"))
            scene.shelf.close()
            await scene.discord.tell("MESSAGE_CREATE", discord_message())
            beats = scene.discord.beats
            await until(lambda: scene.discord.beats > beats + 3)
            assert not task.done()
            scene.shelf.open()
            await until(lambda: scene.has("MESSAGE_CREATE"))

    played(play)


def test_discord_may_ask_to_come_back() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.has("READY"))
            await scene.discord.send({"op": 7, "d": None})
            assert await outcome(task) is None
        assert scene.position.resumable
        assert scene.discord.sockets[0].close_code == COMING_BACK

    played(play)


@pytest.mark.parametrize(("resumable", "expected"), [(True, True), (False, False), (None, False)])
def test_an_invalid_session_is_followed_by_a_new_one_after_a_pause(resumable: bool | None, expected: bool) -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.has("READY"))
            await scene.discord.send({"op": 9, "d": resumable})
            assert await outcome(task) is None
        assert scene.position.resumable is expected
        assert 1 <= scene.clock.naps[-1] <= 5

    played(play)


def test_where_discord_begins_no_session_it_is_asked_ever_more_rarely() -> None:
    async def play(scene: Scene) -> None:
        scene.discord.begins_sessions = False
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.discord.has_heard(IDENTIFY))
            await scene.discord.send({"op": 9, "d": False})
            assert isinstance(await outcome(task), PullTrouble)
        assert scene.shelf.position is None  # a delivery would have begun the pauses anew

    played(play)


@pytest.mark.parametrize(
    ("code", "resumable"),
    [(4000, True), (4001, True), (4008, True), (1001, True), (1011, True), (4003, False), (4007, False), (4009, False)],
)
def test_codes_that_the_gateway_closes_with(code: int, resumable: bool) -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.has("READY"))
            await scene.discord.sockets[0].close(code=code)
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert not trouble.hopeless
        assert str(code) in str(trouble)
        assert scene.position.resumable is resumable
        assert (scene.position.owed_since is None) is resumable  # also before the first heartbeat has come back

    played(play)


@pytest.mark.parametrize("code", sorted(HOPELESS))
def test_codes_that_coming_back_does_not_help_with(code: int) -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf) as task:
            await until(lambda: scene.discord.has_heard(IDENTIFY))
            await scene.discord.sockets[0].close(code=code)
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.hopeless
        assert ("Message Content Intent" in str(trouble)) == (code == 4014)

    played(play)


def test_a_wrong_token_is_hopeless_and_never_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(token="wrong-secret"), scene.shelf) as task:
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.hopeless
        assert "wrong-secret" not in str(trouble)
        async with pulling(scene.gateway(), scene.shelf):
            await until(lambda: scene.has("READY"))
        assert "wrong-secret" not in caplog.text
        assert TOKEN not in caplog.text + str(scene.shelf.payloads) + str(scene.shelf.position)

    played(play)


def test_as_many_sessions_as_are_allowed_and_no_more() -> None:
    async def play(scene: Scene) -> None:
        scene.discord.gateway = {"session_start_limit": {"remaining": 0, "reset_after": 90_000}}
        async with pulling(scene.gateway(), scene.shelf) as task:
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.retry_after_seconds == 90

    played(play)


def test_sessions_begin_five_seconds_apart() -> None:
    async def play(scene: Scene) -> None:
        gateway = scene.gateway()
        for number in (1, 2):
            async with pulling(gateway, scene.shelf):
                await until(partial(scene.discord.has_heard, IDENTIFY, number))
        (nap,) = scene.clock.naps
        assert 4 < nap <= 5

    played(play)


@pytest.mark.parametrize("url", ["wss://gateway.example", "ws://gateway.discord.gg", "http://x"])
def test_a_gateway_elsewhere_is_not_asked_and_not_kept(url: str) -> None:
    async def play(scene: Scene) -> None:
        position = GatewayPosition(session_id="s", seq=7, resume_url=url, told_until=NOW)
        async with pulling(scene.gateway(), scene.shelf, position.written()) as task:
            assert "not its own" in str(await outcome(task))
        assert scene.position.resume_url is None

    played(play)


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", "7", '{"op": "0"}', '{"op": 0}', '{"op": 0, "d": 5, "s": "x"}', "[" * 5000]
)
def test_what_is_no_message_of_the_gateway_breaks_nothing(text: str) -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.gateway(), scene.shelf):
            await until(lambda: scene.has("READY"))
            await scene.discord.sockets[0].send_str(text)
            await scene.discord.tell("MESSAGE_CREATE", discord_message())
            await until(lambda: [payload.get("t") for payload in scene.shelf.payloads][-1] == "MESSAGE_CREATE")

    played(play)


@pytest.mark.parametrize("cursor", [None, "", "no JSON", "[]", '{"seq": "x"}', '{"told_until": 5}'])
def test_a_cursor_that_cannot_be_read_is_the_beginning(cursor: str | None) -> None:
    assert GatewayPosition.read(cursor) == GatewayPosition()


def test_without_a_bot_token_nothing_is_fetched() -> None:
    assert gateway_of(Instance("discord", "discord", secrets=("00" * 32,))) is None
