"""How a worker leaves when Kafka goes away between being waited for and being asked about its topics."""

import asyncio

import pytest
from aiokafka.errors import InvalidTopicError, KafkaConnectionError, NodeNotReadyError

from streams import worker
from streams.settings import Settings
from streams.sinks.recorder import Recorder
from streams.worker import KAFKA_WENT_AWAY, Worker


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NodeNotReadyError("node id 2"), KAFKA_WENT_AWAY),
        (KafkaConnectionError("none answers"), KAFKA_WENT_AWAY),
        (ConnectionResetError("by peer"), KAFKA_WENT_AWAY),
        (InvalidTopicError("a b"), 1),
    ],
)
def test_a_broker_that_goes_away_at_the_start_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def ask_in_vain(*_: object) -> int:
        raise error

    monkeypatch.setattr(worker, "shared_partitions", ask_in_vain)

    assert asyncio.run(Worker(Settings(kafka_servers="127.0.0.1:1"), Recorder()).run()) == status
