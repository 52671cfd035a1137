"""Whether everything is worked off, asked of a real Kafka: records count, markers and aborted records do not."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import SLA_EVENTS
from streams.demo.demo_errors import DemoFailed
from streams.demo.drain import DrainWatch, Stage
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration


async def write(servers: str, topic: str, *, commit: bool) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"{topic}/writer")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"result", partition=0)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def commit_up_to(servers: str, group: str, topic: str, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.commit({TopicPartition(topic, 0): offset})
    finally:
        await consumer.stop()


async def is_drained(drain: DrainWatch, stage: Stage) -> bool:
    try:
        await drain.wait([stage], give_up=lambda: True, patience=0)
    except DemoFailed:
        return False
    return True


def test_a_group_is_drained_when_nothing_is_left_to_read(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    topic, servers = topic_prefix + SLA_EVENTS.name, kafka.bootstrap
    stage = Stage("readers", topic_prefix + "readers", (topic,))

    async def story() -> list[bool]:
        async with DrainWatch(KafkaConnection(servers)) as drain:
            seen = [await is_drained(drain, stage)]
            await write(servers, topic, commit=True)
            seen.append(await is_drained(drain, stage))
            await commit_up_to(servers, stage.group, topic, 1)  # behind it stands the marker, at offset 1
            seen.append(await is_drained(drain, stage))
            await write(servers, topic, commit=False)
            seen.append(await is_drained(drain, stage))
            await write(servers, topic, commit=True)
            seen.append(await is_drained(drain, stage))
            return seen

    empty, unread, read_to_marker, aborted, unread_again = asyncio.run(story())
    assert empty
    assert not unread
    assert read_to_marker
    assert aborted
    assert not unread_again


def test_a_missing_topic_is_not_taken_for_a_drained_one(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    async def story() -> None:
        async with DrainWatch(KafkaConnection(kafka.bootstrap)) as drain:
            await drain.behind(Stage("readers", "readers", (topic_prefix + "nothing",)))

    with pytest.raises(DemoFailed, match="nothing"):
        asyncio.run(story())
