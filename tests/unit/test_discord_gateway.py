"""Discord's gateway: sessions that resume where Kafka is, what is owed after one is lost, and every way to end."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from streams.connectors.connector_contract import Deliver, Draft, Headers, Instance, PullTrouble, WebhookRequest
from streams.connectors.messengers.discord_channel import DiscordEvents
from streams.connectors.messengers.discord_gateway import (
    COMING_BACK,
    HOPELESS,
    IDENTIFY,
    INTENTS,
    RESUME,
    DiscordGateway,
    gateway_of,
)
from streams.connectors.messengers.discord_position import GatewayPosition
from tests.providers.local_discord import TOKEN, LocalDiscord
from tests.providers.local_provider import Shelf, outcome, pulling, until
from tests.senders.messengers_senders import discord_message, snowflake

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@dataclass
class Clock:
    """A time that the test moves; pauses are remembered and take none."""

    now: datetime = NOW
    naps: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Scene:
    discord: LocalDiscord
    shelf: Shelf
    clock: Clock

    def instance(self, *own_ids: str, token: str = TOKEN) -> Instance:
        options = {"api_url": f"{self.discord.url}/api"}
        return Instance("discord", "discord", tokens=(token,), own_ids=frozenset(own_ids), options=options)

    def gateway(self, *own_ids: str, token: str = TOKEN) -> DiscordGateway:
        return DiscordGateway(self.instance(*own_ids, token=token), now=lambda: self.clock.now, sleep=self.clock.sleep)

    @property
    def position(self) -> GatewayPosition:
        return GatewayPosition.read(self.shelf.position)

    def delivered(self, name: str) -> list[Any]:
        return [payload["d"] for payload in self.shelf.payloads if payload["t"] == name]

    def has(self, name: str, times: int = 1) -> bool:
        return len(self.delivered(name)) >= times


def played(play: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with LocalDiscord.running() as discord:
            await play(Scene(discord, Shelf(), Clock()))

    asyncio.run(whole())


def written(minutes: float, channel: str = "500", **fields: Any) -> dict[str, Any]:
    """A message of so many minutes after the beginning, as the API tells it: without its server and without roles."""
    at = NOW + timedelta(minutes=minutes)
    told = discord_message(id=snowflake(at), channel_id=channel, timestamp=at.isoformat(), **fields)
    del told["guild_id"], told["member"]
    return told


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


def missed_scene(scene: Scene) -> None:
    """Two channels and a thread; the session was lost ten minutes ago."""
    scene.clock.now = NOW + timedelta(minutes=10)
    scene.discord.guilds = ("900",)
    scene.discord.channels = {
        "500": [written(-60), written(1, content="first"), written(5, content="second")],
        "510": [written(-60, "510")],
        "520": [written(7, "520", content="in a thread", author={"id": "77", "username": "ours"})],
    }
    scene.discord.members = {"53": ["1"], "77": ["support"]}


SERVER = {
    "id": "900",
    "channels": [
        {"id": "500", "type": 0, "last_message_id": snowflake(NOW + timedelta(minutes=5))},
        {"id": "510", "type": 0, "last_message_id": snowflake(NOW - timedelta(minutes=60))},
        {"id": "530", "type": 0, "last_message_id": snowflake(NOW + timedelta(minutes=5))},
        {"id": "540", "type": 2, "last_message_id": None},
    ],
    "threads": [{"id": "520", "type": 11, "last_message_id": snowflake(NOW + timedelta(minutes=7))}],
}
LOST = GatewayPosition(told_until=NOW, owed_since=NOW).written()


def test_what_a_lost_session_did_not_tell_is_fetched_from_the_channels_that_have_something_new() -> None:
    async def play(scene: Scene) -> None:
        missed_scene(scene)
        scene.discord.throttled = 1
        async with pulling(scene.gateway("support"), scene.shelf, LOST):
            await until(lambda: scene.has("READY"))
            # So it is not resumable: only a new session hears of the channels.
            assert GatewayPosition.read(scene.shelf.position).owed_since == NOW
            beats = scene.discord.beats
            await until(lambda: scene.discord.beats > beats + 2)
            assert scene.shelf.until == []
            await scene.discord.tell("GUILD_CREATE", SERVER)
            await until(lambda: scene.has("GUILD_CREATE"))
            assert scene.position.resumable
            await until(lambda: scene.clock.now in scene.shelf.until)
        assert [each["content"] for each in scene.delivered("MESSAGE_CREATE")] == ["first", "second", "in a thread"]
        assert scene.discord.asked == ["500", "500", "530", "520"]  # the first time it asked for a pause
        assert scene.clock.naps == [0.25]
        events = [event_of(scene.instance("support"), payload) for payload in scene.shelf.payloads]
        told = [(each.event.author.kind, each.event.conversation_id, each.identities) for each in events if each]
        assert told == [
            ("customer", "discord:500", ("discord_guild:900", "discord_user:53")),
            ("customer", "discord:500", ("discord_guild:900", "discord_user:53")),
            ("agent", "discord:520", ("discord_guild:900",)),
        ]

    played(play)


def event_of(instance: Instance, payload: Any) -> Any:
    request = WebhookRequest("POST", Headers(()), json.dumps(payload).encode(), NOW)
    (reading,) = DiscordEvents(instance).normalise(request)
    return reading if isinstance(reading, Draft) else None


def test_many_missed_messages_come_in_order_and_none_twice_after_a_break() -> None:
    class Breaks(Shelf):
        @override
        async def __call__(self, payloads: Any, position: str | None = None, delivered_until: Any = None) -> None:
            if len(payloads) == 100 and len(self.payloads) > 100:
                raise PullTrouble("a break")
            await super().__call__(payloads, position, delivered_until)

    async def play(scene: Scene) -> None:
        missed_scene(scene)
        scene.discord.channels["500"] = [written(1 + number / 100) for number in range(250)]
        gateway = scene.gateway()
        server = {"id": "900", "channels": [{"id": "500", "last_message_id": snowflake(NOW + timedelta(minutes=5))}]}

        async def meet(shelf: Deliver, session: int) -> PullTrouble | None:
            task = asyncio.create_task(gateway.run(LOST, shelf))
            await until(lambda: scene.discord.has_heard(IDENTIFY, session))
            await until(lambda: scene.discord.seq == 1)
            await scene.discord.tell("GUILD_CREATE", server)
            await scene.discord.send({"op": 7, "d": None})
            trouble = await outcome(task)
            return trouble if isinstance(trouble, PullTrouble) else None

        first, second = Breaks(), Shelf()
        assert str(await meet(first, 1)) == "a break"
        assert await meet(second, 2) is None
        fetched = [
            payload["d"]["id"] for payload in (*first.payloads, *second.payloads) if payload["t"] == "MESSAGE_CREATE"
        ]
        assert fetched == [message["id"] for message in scene.discord.channels["500"]]

    played(play)


def test_servers_that_discord_itself_cannot_reach_are_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def play(scene: Scene) -> None:
        missed_scene(scene)
        async with pulling(scene.gateway(), scene.shelf, LOST):
            await until(lambda: scene.has("READY"))
            scene.clock.now += timedelta(minutes=11)
            await until(lambda: scene.shelf.until != [])
            assert scene.position.resumable

    played(play)
    assert "1 servers are out of reach" in caplog.text


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
