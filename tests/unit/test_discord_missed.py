"""What a lost session of Discord did not tell, fetched from the channels: all of it, once, by the right people."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from typing_extensions import override

from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.messengers.discord_channel import DiscordEvents
from streams.connectors.messengers.discord_gateway import IDENTIFY
from streams.connectors.messengers.discord_position import GatewayPosition
from streams.connectors.source_contract import Deliver, PullTrouble
from tests.providers.discord_scene import NOW, Scene, played
from tests.providers.local_provider import Shelf, outcome, pulling, until
from tests.senders.messengers_senders import discord_message, snowflake


def written(minutes: float, channel: str = "500", **fields: Any) -> dict[str, Any]:
    """A message of so many minutes after the beginning, as the API tells it: without its server and without roles."""
    at = NOW + timedelta(minutes=minutes)
    told = discord_message(id=snowflake(at), channel_id=channel, timestamp=at.isoformat(), **fields)
    del told["guild_id"], told["member"]
    return told


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


def test_a_session_that_still_owes_is_not_resumed_since_only_a_new_one_hears_of_the_channels() -> None:
    async def play(scene: Scene) -> None:
        url = scene.discord.url.replace("http", "ws") + "/again"
        position = GatewayPosition(session_id="s", seq=7, resume_url=url, told_until=NOW, owed_since=NOW)
        async with pulling(scene.gateway(), scene.shelf, position.written()):
            await until(lambda: scene.discord.has_heard(IDENTIFY))

    played(play)


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
