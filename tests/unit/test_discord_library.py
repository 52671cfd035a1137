"""discord.py takes our Discord for Discord: what the other tests speak with is what the library speaks with."""

import asyncio
from typing import Any

import pytest
from yarl import URL

from tests.providers.local_discord import TOKEN, LocalDiscord
from tests.providers.local_provider import until
from tests.senders.messengers_senders import discord_message


@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_discord_py_identifies_hears_and_resumes_here_as_we_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import discord
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    heard: list[str] = []

    class Bot(discord.Client):
        async def on_message(self, message: discord.Message) -> None:
            heard.append(message.content)

    async def scene() -> None:
        async with LocalDiscord.running() as ours:
            monkeypatch.setattr(Route, "BASE", f"{ours.url}/api")
            monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", URL(ours.url.replace("http", "ws") + "/"))
            bot = Bot(intents=discord.Intents.default())
            running = asyncio.create_task(bot.start(TOKEN))
            await until(lambda: ours.has_heard(2))
            await ours.tell("CHANNEL_CREATE", {"id": "500", "type": 1, "recipients": []})
            await ours.tell("MESSAGE_CREATE", private_message())
            await until(lambda: heard == ["It is broken"])
            await ours.send({"op": 7, "d": None})
            await until(lambda: ours.has_heard(6))
            await bot.close()
            await asyncio.gather(running, return_exceptions=True)
            (resumed,) = ours.told(6)
            assert resumed == {"token": TOKEN, "session_id": "session-1", "seq": 3}

    asyncio.run(scene())


def private_message() -> dict[str, Any]:
    """A direct message with everything that the library insists on."""
    lists: dict[str, Any] = {"mentions": [], "mention_roles": [], "embeds": []}
    flags = {"mention_everyone": False, "tts": False, "pinned": False}
    told = discord_message() | lists | flags
    told["author"] = {**told["author"], "avatar": None}
    del told["guild_id"], told["member"]
    return told
