"""How a worker leaves when Kafka goes away between being waited for and being used."""

import asyncio

import pytest
from aiokafka.errors import InvalidTopicError, KafkaConnectionError, NodeNotReadyError

from streams import worker
from streams.settings import Settings
from streams.sinks.recorder import Recorder
from streams.worker import KAFKA_WENT_AWAY, Worker


def run_in_vain() -> int:
    settings = Settings(kafka_servers="127.0.0.1:1")
    return asyncio.run(Worker(settings, Recorder(), end=lambda _: None).run())  # nobody ends the tests


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

    assert run_in_vain() == status


def test_a_broker_that_goes_away_while_faust_starts_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(*_: object) -> int:
        return 2

    monkeypatch.setattr(worker, "shared_partitions", two)

    assert run_in_vain() == KAFKA_WENT_AWAY
