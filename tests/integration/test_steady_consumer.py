"""A consumer of a group goes on reading where kafka-python's own would stop, on a real broker."""

import time
from collections.abc import Callable, Iterator

import pytest
from kafka import TopicPartition

from schemas.topics import INTERACTIONS
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_admin import admin_client
from streams.kafka_connection import KafkaConnection
from streams.renewing_producer import RenewingProducer
from streams.steady_consumer import SteadyConsumer
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0
RECORDS = 10


@pytest.fixture
def topic(kafka: EmbeddedKafka, topic_prefix: str) -> str:
    """A topic of two partitions."""
    make_topics(kafka, topic_prefix)
    return topic_prefix + INTERACTIONS.name


@pytest.fixture
def consumer(kafka: EmbeddedKafka, topic: str) -> Iterator[SteadyConsumer]:
    """Subscribed to it, alone in its group."""
    consumer = SteadyConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=topic,
        metadata_max_age_ms=200,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    consumer.subscribe([topic])
    yield consumer
    consumer.close()


def test_a_member_that_is_impatient_gets_new_partitions(
    kafka: EmbeddedKafka, topic: str, consumer: SteadyConsumer
) -> None:
    _until(lambda: len(consumer.assignment()) == 2, lambda: consumer.poll(timeout_ms=1))
    with admin_client(KafkaConnection(kafka.bootstrap)) as admin:
        admin.create_partitions({topic: 3})
    _until(lambda: len(consumer.assignment()) == 3, lambda: consumer.poll(timeout_ms=1))  # less than a join takes


def test_a_partition_that_was_paused_in_the_middle_is_read_to_its_end(
    kafka: EmbeddedKafka, topic: str, consumer: SteadyConsumer
) -> None:
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    producer = RenewingProducer(bootstrap_servers=kafka.bootstrap)
    for place in (first, second):
        for number in range(RECORDS):
            producer.send(topic, b"%d" % number, partition=place.partition)
    producer.close()
    read = {first: 0, second: 0}

    def take(most: int) -> None:
        for place, records in consumer.poll(timeout_ms=100, max_records=most).items():
            read[place] += len(records)

    _until(lambda: 0 < read[first] < RECORDS, lambda: take(1))
    consumer.pause(first)
    _until(lambda: read[second] == RECORDS, lambda: take(RECORDS))
    consumer.resume(first)
    _until(lambda: read[first] == RECORDS, lambda: take(RECORDS))


def _until(is_so: Callable[[], bool], do: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end, "it stopped"
        do()
