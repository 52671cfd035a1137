"""Connections that are kept, into a real Kafka: when the process is killed, nothing is lost or gets a second id."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from schemas.codec import decode
from schemas.interaction import Interaction
from schemas.topics import INTERACTIONS
from streams.connectors.cursor_store import stored_cursors
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from tests.fixtures_kafka import make_topics
from tests.integration.test_connect_to_kafka import records_of
from tests.providers import local_discord
from tests.providers.local_discord import LocalDiscord
from tests.providers.local_provider import until
from tests.providers.local_slack import LocalSlack
from tests.senders.messengers_senders import discord_message, slack_event, slack_message

pytestmark = pytest.mark.integration

MESSAGES = 120
WAIT_SECONDS = 60


@asynccontextmanager
async def connecting(folder: Path, kafka: EmbeddedKafka, prefix: str) -> AsyncIterator[asyncio.subprocess.Process]:
    variables = {
        "CARELINE_KAFKA": kafka.bootstrap,
        "CARELINE_TOPIC_PREFIX": prefix,
        "CARELINE_PARTITIONS": "2",
        "SLACK": "xapp-1",
        "DISCORD": local_discord.TOKEN,
    }
    options = ["--config", str(folder / "connectors.yaml"), "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "streams", "connect", *options, env={**os.environ, **variables}, stderr=log
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        async with asyncio.timeout(WAIT_SECONDS):
            await process.wait()


async def tell_slack(slack: LocalSlack, numbers: range) -> None:
    for number in numbers:
        event = slack_event(slack_message(ts=f"1772443798.{number:06}"), event_id=f"Ev{number}")
        with suppress(ConnectionError):
            await slack.tell(f"envelope-{number}", event)
        await asyncio.sleep(0)


async def tell_discord(discord: LocalDiscord, numbers: range) -> None:
    for number in numbers:
        await discord.tell("MESSAGE_CREATE", discord_message(id=str(10**17 + number), channel_id=str(number % 7)))
        await asyncio.sleep(0)


def test_a_process_that_is_killed_while_it_receives_goes_on_where_kafka_is(
    kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path
) -> None:
    make_topics(kafka, topic_prefix)

    async def scene(slack: LocalSlack, discord: LocalDiscord) -> None:
        (tmp_path / "connectors.yaml").write_text(
            f"connectors:\n  slack: {{tokens: [SLACK], api_url: '{slack.url}/api'}}\n"
            f"  discord: {{tokens: [DISCORD], api_url: '{discord.url}/api'}}\n"
        )
        async with connecting(tmp_path, kafka, topic_prefix) as first, asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(slack.connected.wait(), discord.connected.wait())
            # A session can be resumed once its position is stored.
            await tell_discord(discord, range(1))
            while "discord" not in await asyncio.to_thread(  # noqa: ASYNC110 - asks Kafka
                stored_cursors, KafkaConnection(kafka.bootstrap), topic_prefix, ["discord"]
            ):
                await asyncio.sleep(0.1)
            telling = asyncio.gather(tell_slack(slack, range(MESSAGES)), tell_discord(discord, range(1, MESSAGES)))
            while len(slack.acknowledged) < MESSAGES // 3:  # noqa: ASYNC110 - asks another process
                await asyncio.sleep(0.005)
            first.kill()
            await telling
        assert len(slack.acknowledged) < MESSAGES
        async with connecting(tmp_path, kafka, topic_prefix), asyncio.timeout(WAIT_SECONDS):
            while len(slack.sockets) < 2 or not discord.has_heard(6):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
            known = {int(envelope.rpartition("-")[2]) for envelope in slack.acknowledged}
            for number in sorted(set(range(MESSAGES)) - known):
                await tell_slack(slack, range(number, number + 1))
            await until(lambda: len(set(slack.acknowledged)) == MESSAGES)
            await until(lambda: discord.beats > 0 and all_stored(kafka, topic_prefix))
        (resumed,) = discord.told(6)
        assert 1 <= resumed["seq"] < MESSAGES

    async def whole() -> None:
        async with LocalSlack.running() as slack, LocalDiscord.running() as discord:
            await scene(slack, discord)

    asyncio.run(whole())
    told = (tmp_path / "log").read_text()
    assert "xapp-1" not in told
    assert local_discord.TOKEN not in told


def all_stored(kafka: EmbeddedKafka, prefix: str) -> bool:
    """Everything is there; what stands there twice, since it was under way when the process was killed, has one id."""
    records = records_of(kafka, prefix, INTERACTIONS)
    events = [decode(Interaction, record.value) for record in records if record.key]
    counts = Counter((event.source, event.id) for event in events)
    assert sum(counts.values()) - len(counts) < 20
    return len(counts) == 2 * MESSAGES
