"""A member of a group gets the partitions that its topic has got meanwhile, on a real broker."""

import time

import pytest

from schemas.topics import INTERACTIONS
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_admin import admin_client
from streams.kafka_connection import KafkaConnection
from streams.rejoining_consumer import RejoiningConsumer
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0


def test_a_member_that_is_impatient_gets_new_partitions(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    topic = topic_prefix + INTERACTIONS.name
    consumer = RejoiningConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=topic_prefix + "impatient", metadata_max_age_ms=200
    )
    consumer.subscribe([topic])
    try:
        before = _assigned(consumer, 1)
        with admin_client(KafkaConnection(kafka.bootstrap)) as admin:
            admin.create_partitions({topic: before + 1})
        assert _assigned(consumer, before + 1) == before + 1
    finally:
        consumer.close()


def _assigned(consumer: RejoiningConsumer, at_least: int) -> int:
    """How many partitions it has, once it has that many or the time is up."""
    end = time.monotonic() + PATIENCE_SECONDS
    while len(consumer.assignment()) < at_least and time.monotonic() < end:
        consumer.poll(timeout_ms=1)  # less than a join takes
    return len(consumer.assignment())
