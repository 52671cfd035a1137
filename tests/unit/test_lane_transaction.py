"""Why a transaction failed: the broker's word, also where aiokafka hides it behind the state of its producer."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced

from streams.lane.lane_transaction import LaneTransaction, why_it_ended
from streams.lane.outbox import Outbox
from streams.record_batch import NO_HEADERS


class _Fenced(LaneTransaction):
    """A lane whose producer is fenced by the first answer, while the outbox is being handed over."""

    def fence_now(self) -> None:
        manager = self._producer._txn_manager
        manager.set_pid_and_epoch(7, 1)
        manager.begin_transaction()
        manager.fatal_error(ProducerFenced())

    async def give(self) -> None:
        producer = self._producer
        producer.client._wait_on_metadata = _known
        producer._partition = lambda *_: 0  # the metadata of a broker that is not there
        producer.begin_transaction = _known
        outbox = Outbox()
        outbox.put(("results", 0), b"key", b"value", *NO_HEADERS)
        await self.commit(outbox, {TopicPartition("source", 0): 1})


async def _known(*_: object) -> None:
    """A step that has long been taken."""


def test_a_lane_that_is_fenced_while_it_hands_over_its_batches_says_so() -> None:
    async def run() -> None:
        lane = _Fenced({"bootstrap_servers": "127.0.0.1:9"}, "lane", "group")
        lane.fence_now()
        with pytest.raises(ProducerFenced) as caught:
            await lane.give()
        assert isinstance(caught.value.__cause__, IllegalOperation)
        await lane.close()

    asyncio.run(run())


def test_a_producer_whose_transaction_has_not_ended_keeps_the_error() -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:9", transactional_id="lane")
        producer._txn_manager.set_pid_and_epoch(7, 1)
        producer._txn_manager.begin_transaction()
        error = IllegalOperation("no transaction")
        assert why_it_ended(producer, error) is error
        await producer.stop()

    asyncio.run(run())
