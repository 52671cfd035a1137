"""A bot of ours at Discord on this machine, with a shelf where Kafka would be and a time that the test moves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams.connectors.connector_contract import Instance
from streams.connectors.messengers.discord_gateway import DiscordGateway
from streams.connectors.messengers.discord_position import GatewayPosition
from tests.providers.local_discord import TOKEN, LocalDiscord
from tests.providers.local_provider import Shelf

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
