"""A real Kafka for the tests: one broker per session, topics of their own for every test.

Loaded by `tests/conftest.py` through `pytest_plugins`; the broker starts with the first test that asks for it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.kafka_admin import TopicOutcome, admin_client, create_topics
from streams.kafka_connection import KafkaConnection


@pytest.fixture(scope="session")
def kafka_runtime() -> KafkaRuntime:
    """Where the broker of this session comes from: the cache and the Java of whoever runs the tests."""
    return KafkaRuntime.from_environment(os.environ, Path.home())


@pytest.fixture(scope="session")
def kafka(kafka_runtime: KafkaRuntime) -> Iterator[EmbeddedKafka]:
    """A running broker, shared by all tests of the session; clients connect to `kafka.bootstrap`."""
    with EmbeddedKafka(kafka_runtime) as broker:
        yield broker


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix that no other test uses, so that tests share the broker and nothing else.

    What was made under it goes when the test ends: the heap of the shared broker does not hold the topics of them all.
    """
    prefix = f"t{uuid4().hex[:10]}."
    broker: EmbeddedKafka | None = request.getfixturevalue("kafka") if "kafka" in request.fixturenames else None
    yield prefix
    if broker:
        with admin_client(KafkaConnection(broker.bootstrap)) as admin:
            admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(prefix)])


def make_topics(kafka: EmbeddedKafka, prefix: str, partitions: int = 2) -> list[TopicOutcome]:
    """Create every topic of Careline under the prefix; they can be used when this returns."""
    return create_topics(KafkaConnection(kafka.bootstrap), prefix, partitions, replication_factor=1)
