"""The publisher goes on with another producer where its own has fallen silent, on a real broker."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from schemas.topics import INTERACTIONS
from streams.connectors import publisher as publishing
from streams.connectors.publisher import KafkaNotTaking, KafkaPublisher, OutgoingRecord
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 60.0


@pytest.fixture
def publisher(kafka: EmbeddedKafka, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaPublisher]:
    """Connected, or about to be; it waits for a second only before it thinks of another producer."""
    monkeypatch.setattr(publishing, "SILENT_SECONDS", 1.0)
    make_topics(kafka, topic_prefix)
    publisher = KafkaPublisher(KafkaConnection(kafka.bootstrap), topic_prefix)
    publisher.start()
    yield publisher
    publisher.close()


def test_a_producer_that_has_fallen_silent_is_replaced(publisher: KafkaPublisher) -> None:
    asyncio.run(_until_acknowledged(publisher, "before"))
    silent = publisher._producer
    assert silent is not None
    silent._transaction_manager._in_flight_request_correlation_id = 1  # as if it waited for an answer that never comes

    asyncio.run(_until_acknowledged(publisher, "after"))

    assert publisher._producer is not silent


async def _until_acknowledged(publisher: KafkaPublisher, name: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < end, "nothing is acknowledged"
        try:
            async with asyncio.timeout(2):
                await asyncio.gather(*publisher.send([OutgoingRecord(INTERACTIONS, name, b"{}", [], name)]))
        except (KafkaNotTaking, TimeoutError):
            await asyncio.sleep(0.1)
        else:
            return
