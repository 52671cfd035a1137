"""Webhooks into a real Kafka: what stands in the topic, what happens while Kafka is away, and whose the events are."""

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.account_profile import AccountProfile
from schemas.codec import decode, encode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.topics import ACCOUNTS, INTERACTIONS, REJECTED, TopicSpec
from streams.connectors.connect_service import ConnectPlan, ConnectService
from streams.connectors.connector_contract import Instance
from streams.connectors.connector_registry import known_connectors
from streams.connectors.connectors_file import ConnectorSetup
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_probe import find_free_port
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from tests.connect_bench import SENDERS, CountingRecorder
from tests.fixtures_kafka import make_topics
from tests.senders.helpdesk_senders import zendesk_event
from tests.senders.own_words_senders import MESSAGE, sign_standard

pytestmark = pytest.mark.integration

WAIT_SECONDS = 60


def setup_of(*connectors: str) -> ConnectorSetup:
    kinds = known_connectors()
    instances = [SENDERS[name].instance() for name in connectors]
    return ConnectorSetup({each.name: kinds[each.connector].build(each) for each in instances})


def records_of(kafka: EmbeddedKafka, prefix: str, topic: TopicSpec) -> list[Any]:
    """Everything in a topic, read to its end."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None, enable_auto_commit=False)
    try:
        partitions = [
            TopicPartition(prefix + topic.name, at) for at in consumer.partitions_for_topic(prefix + topic.name)
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []
        while any(consumer.position(at) < end for at, end in ends.items()):
            for batch in consumer.poll(timeout_ms=200).values():
                found += batch
        return found
    finally:
        consumer.close()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - asks another process
            await asyncio.sleep(0.05)


class Client:
    """A provider with the right secrets, at the server's address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, connector: str, payload: Any) -> tuple[int, dict[str, Any], str | None]:
        sender = SENDERS[connector]
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = sender.headers(body, at=datetime.now(UTC))
        async with self._session.post(f"{self._url}/in/{connector}", data=body, headers=headers) as answer:
            return answer.status, await answer.json(), answer.headers.get("Retry-After")

    async def ready(self) -> bool:
        try:
            async with self._session.get(f"{self._url}/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False


def serve(plan: ConnectPlan, setup: ConnectorSetup, scene: Callable[[Client], Awaitable[None]]) -> CountingRecorder:
    recorder = CountingRecorder()

    async def whole() -> None:
        service = ConnectService(plan, setup, recorder)
        await service.start()
        try:
            async with aiohttp.ClientSession() as session:
                await scene(Client(session, f"http://{service.addresses[0]}"))
        finally:
            await service.close()

    asyncio.run(whole())
    return recorder


def test_a_webhook_stands_in_kafka_when_it_is_acknowledged(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)

    async def scene(client: Client) -> None:
        await until(client.ready)
        assert (await client.post("webhook", MESSAGE))[0] == 200
        assert (await client.post("webhook", MESSAGE))[1]["repeated"] == 1
        assert (await client.post("zendesk", zendesk_event("ticket.created")))[1]["accepted"] == 1
        assert (await client.post("webhook", b"{not json"))[1]["rejected"] == 1

    plan = ConnectPlan(port=0, kafka=KafkaConnection(kafka.bootstrap), topic_prefix=topic_prefix)
    recorder = serve(plan, setup_of("webhook", "zendesk"), scene)

    records = {record.key: record for record in records_of(kafka, topic_prefix, INTERACTIONS)}
    assert set(records) == {b"c-1", b"zendesk:5158"}
    headers = dict(records[b"c-1"].headers)
    assert headers["ce_type"] == b"careline.interaction.v1"
    assert (headers["ce_id"], headers["ce_source"]) == (b"m-1", b"webhook")
    assert decode(Interaction, records[b"zendesk:5158"].value).account_id == "zendesk_org:9"
    (letter,) = [decode(Rejection, record.value) for record in records_of(kafka, topic_prefix, REJECTED)]
    assert (letter.reason, letter.value) == ("not_json", b"{not json")
    assert recorder.answers["webhook", 200, "accepted"] == 1


def test_a_source_whose_deliveries_settle_late_says_so_in_every_partition(
    kafka: EmbeddedKafka, topic_prefix: str
) -> None:
    make_topics(kafka, topic_prefix)

    async def scene(client: Client) -> None:
        await until(client.ready)

    settled = replace(Instance("webhook", "webhook", secrets=SENDERS["webhook"].secrets[:1]), settle_seconds=2)
    setup = ConnectorSetup({"webhook": known_connectors()["webhook"].build(settled)})
    serve(ConnectPlan(port=0, kafka=KafkaConnection(kafka.bootstrap), topic_prefix=topic_prefix), setup, scene)
    records = records_of(kafka, topic_prefix, INTERACTIONS)
    controls = [decode(Control, record.value) for record in records]
    assert {(control.kind, control.source, control.settle_seconds) for control in controls} == {
        ("source_declared", "webhook", 2)
    }
    assert sorted(record.partition for record in records) == list(range(len(records)))


def test_known_accounts_are_stamped_from_the_topic(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    try:
        profile = AccountProfile(id="acme", tier="gold", contract="2026", identities=("zendesk_org:9",))
        producer.send(topic_prefix + ACCOUNTS.name, key=b"acme", value=encode(profile)).get(10)
    finally:
        producer.close()

    async def scene(client: Client) -> None:
        await until(client.ready)
        assert (await client.post("zendesk", zendesk_event("ticket.created")))[0] == 200

    plan = ConnectPlan(port=0, kafka=KafkaConnection(kafka.bootstrap), topic_prefix=topic_prefix)
    serve(plan, setup_of("zendesk"), scene)
    (record,) = records_of(kafka, topic_prefix, INTERACTIONS)
    event = decode(Interaction, record.value)
    assert (event.account_id, event.tier, event.contract, event.account_hint) == (
        "acme",
        "gold",
        "2026",
        "zendesk_org:9",
    )


# kafka-python leaves the sockets of refused connections to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_without_kafka_the_sender_is_asked_to_come_again_and_afterwards_nothing_is_lost_or_doubled(
    kafka_runtime: KafkaRuntime, tmp_path: Path, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Absent at the start, there, gone, there again: 503 whenever it is not there, and one event each."""
    port = find_free_port()
    caplog.set_level(logging.CRITICAL, logger="kafka")  # as the command does; and log records would keep its sockets

    def event(number: int) -> dict[str, Any]:
        return MESSAGE | {"id": f"m-{number}"}

    async def scene(client: Client) -> None:
        status, answer, retry_after = await client.post("webhook", event(1))
        assert (status, answer["error"], retry_after) == (503, "accounts_not_read", "10")
        with EmbeddedKafka(kafka_runtime, folder=tmp_path, port=port):
            await until(client.ready)
            assert (await client.post("webhook", event(1)))[1]["accepted"] == 1
        status, answer, retry_after = await client.post("webhook", event(2))
        assert (status, answer["error"], retry_after) == (503, "kafka_not_taking", "10")
        assert not await client.ready()
        with EmbeddedKafka(kafka_runtime, folder=tmp_path, port=port) as again:
            await until(client.ready)
            assert (await client.post("webhook", event(2)))[0] == 200
            assert (await client.post("webhook", event(1)))[1]["repeated"] == 1
            ids = [
                decode(Interaction, each.value).id
                for each in await asyncio.to_thread(records_of, again, topic_prefix, INTERACTIONS)
            ]
            assert ids == ["m-1", "m-2"]

    servers = f"127.0.0.1:{port}"
    plan = ConnectPlan(
        port=0,
        kafka=KafkaConnection(servers),
        topic_prefix=topic_prefix,
        prepare=lambda: create_topics(KafkaConnection(servers), topic_prefix, 1, 1),
    )
    serve(plan, setup_of("webhook"), scene)
    gc.collect()  # here, where the warnings about them are expected, and not in some other test


def test_signing_helper_is_the_reference_librarys() -> None:
    webhooks = pytest.importorskip("standardwebhooks")
    secret = SENDERS["webhook"].secrets[1]
    at = datetime.now(UTC)
    webhooks.Webhook(secret).verify(b"{}", sign_standard(secret, b"{}", at))


def test_the_command_serves_until_it_is_told_to_stop(
    kafka: EmbeddedKafka, topic_prefix: str, project_root: Path
) -> None:
    """`careline connect` as a process: creates the topics, takes a webhook, shows it in /metrics, ends with 0."""
    port, metrics_port = find_free_port(), find_free_port()
    variables = {
        "CARELINE_WEBHOOK_SECRET": SENDERS["webhook"].secrets[1],
        "CARELINE_KAFKA": kafka.bootstrap,
        "CARELINE_TOPIC_PREFIX": topic_prefix,
        "CARELINE_PARTITIONS": "1",
    }
    options = ["--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics_port}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "connect", *options],
        env={**os.environ, **variables},
        cwd=project_root,
        stderr=subprocess.PIPE,
        text=True,
    )

    async def scene() -> str:
        async with aiohttp.ClientSession() as session:
            client = Client(session, f"http://127.0.0.1:{port}")
            await until(client.ready)
            assert (await client.post("webhook", MESSAGE))[1]["accepted"] == 1
            async with session.get(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
                return await answer.text()

    try:
        metrics = asyncio.run(scene())
    finally:
        process.terminate()
        _, told = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, told
    assert SENDERS["webhook"].secrets[1] not in told
    counted = 'careline_connector_answers_total{connector="webhook",reason="accepted",status="200"} 1.0'
    assert counted in metrics
    assert len(records_of(kafka, topic_prefix, INTERACTIONS)) == 1
