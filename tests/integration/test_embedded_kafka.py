"""The embedded Kafka as its users meet it: real brokers, real clients, real kills."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaConsumer, KafkaProducer
from kafka import TopicPartition as Partition

from schemas.topics import INTERACTIONS, TOPICS
from streams.embedded_kafka import ArchiveBuilder, EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_config import cluster_id_of, new_kafka_id
from streams.embedded_kafka.broker_probe import answers_as
from streams.embedded_kafka.embedded_errors import PortTakenError
from streams.embedded_kafka.launch_command import archive_path
from streams.kafka_admin import (
    KafkaUnavailable,
    TopicsRefusedError,
    WaitNotice,
    create_topics,
    describe_topics,
    wait_for_kafka,
)
from streams.kafka_connection import KafkaConnection
from tests.fixtures_kafka import make_topics
from tests.unit.test_jvm_guard import alive, eventually, process_id

pytestmark = pytest.mark.integration

OWNER = """
import os, signal
from pathlib import Path
from streams.kafka_connection import KafkaConnection
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
kafka = EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home()))
kafka.start()
print(kafka.folder, flush=True)
signal.pause()
"""


def _send(servers: str, topic: str, values: list[bytes]) -> None:
    producer = KafkaProducer(bootstrap_servers=servers, acks="all")
    try:
        for sent in [producer.send(topic, value, partition=0) for value in values]:
            sent.get(timeout=30)
    finally:
        producer.close()


def _read(servers: str, topic: str, count: int) -> list[bytes]:
    """The first `count` committed records of partition 0."""
    consumer = KafkaConsumer(
        bootstrap_servers=servers,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        enable_auto_commit=False,
    )
    try:
        consumer.assign([Partition(topic, 0)])
        values: list[bytes] = []
        assert eventually(lambda: _poll_into(consumer, values) >= count, seconds=30)
    finally:
        consumer.close()
    return values


def _poll_into(consumer: KafkaConsumer, values: list[bytes]) -> int:
    for records in consumer.poll(timeout_ms=200).values():
        values.extend(record.value for record in records)
    return len(values)


def test_records_go_in_and_come_out(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    topic = topic_prefix + INTERACTIONS.name
    _send(kafka.bootstrap, topic, [b"one", b"two"])
    assert _read(kafka.bootstrap, topic, 2) == [b"one", b"two"]


def test_a_broker_of_another_cluster_is_not_taken_for_ours(kafka: EmbeddedKafka) -> None:
    assert kafka.folder is not None
    port = int(kafka.bootstrap.rpartition(":")[2])
    own = cluster_id_of((kafka.folder / "data" / "meta.properties").read_text())
    assert own is not None
    assert answers_as(port, own)
    assert not answers_as(port, new_kafka_id())


def test_topics_are_created_once_and_differences_are_told(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    before = describe_topics(KafkaConnection(kafka.bootstrap), topic_prefix, 2, 1)
    assert all(state.missing for state in before)
    names = [topic_prefix + spec.name for spec in TOPICS]
    created = make_topics(kafka, topic_prefix, partitions=2)
    assert [(one.name, one.status, one.reasons) for one in created] == [(name, "created", ()) for name in names]
    assert {one.status for one in make_topics(kafka, topic_prefix, partitions=2)} == {"exists"}
    for outcome, spec in zip(make_topics(kafka, topic_prefix, partitions=3), TOPICS, strict=True):
        if spec.partitioned_with == "single":
            assert outcome.status == "exists"
        else:
            assert (outcome.status, outcome.reasons) == ("differs", ("has 2 partitions, should have 3",))


def test_more_copies_than_brokers_are_refused_with_kafkas_reason(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    with pytest.raises(TopicsRefusedError, match="only 1 broker"):
        create_topics(KafkaConnection(kafka.bootstrap), topic_prefix, 1, replication_factor=3)


def test_a_transaction_is_seen_whole_or_not_at_all(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    topic = topic_prefix + INTERACTIONS.name

    async def commit_one_and_abort_one() -> list[bytes]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=topic_prefix + "lane")
        await producer.start()
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"kept", partition=0)
                await producer.send_offsets_to_transaction({TopicPartition(topic, 0): 1}, topic_prefix + "group")
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"aborted", partition=0)
            await producer.abort_transaction()
            async with producer.transaction():
                await producer.send_and_wait(topic, b"kept too", partition=0)
        finally:
            await producer.stop()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            return [(await asyncio.wait_for(consumer.getone(), 30)).value for _ in range(2)]
        finally:
            await consumer.stop()

    assert asyncio.run(commit_one_and_abort_one()) == [b"kept", b"kept too"]


def test_kept_data_survive_a_kill_of_the_broker(kafka_runtime: KafkaRuntime, tmp_path: Path) -> None:
    with EmbeddedKafka(kafka_runtime, tmp_path) as broker:
        make_topics(broker, "", partitions=1)
        _send(broker.bootstrap, INTERACTIONS.name, [b"before the kill"])
        os.kill(process_id(tmp_path), signal.SIGKILL)
        assert eventually(lambda: not broker.running)
    with EmbeddedKafka(kafka_runtime, tmp_path) as broker:
        _send(broker.bootstrap, INTERACTIONS.name, [b"after it"])
        assert _read(broker.bootstrap, INTERACTIONS.name, 2) == [b"before the kill", b"after it"]
        assert {one.status for one in make_topics(broker, "", partitions=1)} == {"exists"}


def test_a_kill_of_the_owner_leaves_neither_a_broker_nor_a_folder(kafka_runtime: KafkaRuntime) -> None:
    kafka_runtime.install()  # the owner shall not spend its time fetching jars
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        broker = process_id(folder)
        assert alive(broker)
        owner.kill()
    assert eventually(lambda: not alive(broker))
    assert eventually(lambda: not folder.exists())


def test_a_stopped_broker_is_gone_and_so_is_its_folder(kafka_runtime: KafkaRuntime) -> None:
    with EmbeddedKafka(kafka_runtime) as broker:
        folder = broker.folder
        assert folder is not None
        process = process_id(folder)
        with pytest.raises(PortTakenError):
            EmbeddedKafka(kafka_runtime, port=int(broker.bootstrap.rpartition(":")[2])).start()
    assert not alive(process)
    assert not folder.exists()
    broker.stop()
    with pytest.raises(KafkaUnavailable, match="Connection refused"):
        create_topics(KafkaConnection(broker.bootstrap), "", 1, 1)


def test_waiting_tells_each_pause_and_ends_when_kafka_comes(kafka_runtime: KafkaRuntime, tmp_path: Path) -> None:
    """The broker is started from within the first pause, so the order of things is certain."""
    with EmbeddedKafka(kafka_runtime, tmp_path / "first") as first:
        port = int(first.bootstrap.rpartition(":")[2])
    late = EmbeddedKafka(kafka_runtime, tmp_path / "late", port)
    notices: list[WaitNotice] = []
    try:
        wait_for_kafka(KafkaConnection(f"127.0.0.1:{port}"), on_wait=notices.append, sleep=lambda _: late.start())
        assert [notice.attempt for notice in notices] == [1]
        assert notices[0].error.cause == "Connection refused"
    finally:
        late.stop()


def test_a_cancelled_archive_leaves_nothing_and_a_damaged_one_does_no_harm(
    kafka_runtime: KafkaRuntime, tmp_path: Path
) -> None:
    installation = kafka_runtime.install()
    (tmp_path / "jars").symlink_to(kafka_runtime.cache / "jars")
    runtime = KafkaRuntime(
        cache=tmp_path, java_home=kafka_runtime.java_home, search_path=kafka_runtime.search_path, offline=True
    )
    builder = ArchiveBuilder(runtime)
    with builder:
        assert eventually(lambda: builder._broker.running)
        folder = builder._broker.folder
        assert folder is not None
        process = process_id(folder)
    assert not alive(process)
    assert not folder.exists()
    assert not list(tmp_path.glob("kafka-java*"))

    archive = ArchiveBuilder(runtime).build()
    assert archive == archive_path(runtime.install(), builder._profile) != archive_path(installation, builder._profile)
    archive.write_bytes(b"damaged")
    with EmbeddedKafka(runtime) as broker:
        wait_for_kafka(KafkaConnection(broker.bootstrap), timeout=10)
