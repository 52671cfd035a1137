"""One transaction: results, changed state and source offsets become visible together, or not at all.

A lane has one transactional producer whose id names the lane, so that starting it fences whoever owned the lane before
(`InitProducerId` raises the epoch; an old owner's next call fails with `ProducerFenced`). Every step has a time-out,
because aiokafka retries some errors for ever.
"""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation

from streams.fault_points import AtPlace, nothing_planted
from streams.lane.client_stop import stop_client
from streams.lane.outbox import Outbox

STEP_TIMEOUT_SECONDS = 30.0
TRANSACTION_TIMEOUT_MS = 15_000
"""How long readers wait at most for a transaction that a killed worker left open and no new owner fenced before."""


class LaneTransaction:
    """The transactional producer of one lane."""

    def __init__(
        self, connection: dict[str, object], transactional_id: str, group: str, at_place: AtPlace = nothing_planted
    ) -> None:
        self._group = group
        self._at_place = at_place
        self._producer = AIOKafkaProducer(
            **connection,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=10_000,
            retry_backoff_ms=5,
            linger_ms=0,
        )

    async def fence(self) -> None:
        """Take the lane over: from here on every older owner fails at the broker, and what it left open is aborted.

        Close it also where this fails.
        """
        await asyncio.wait_for(self._producer.start(), STEP_TIMEOUT_SECONDS)

    async def commit(self, outbox: Outbox, offsets: Mapping[TopicPartition, int]) -> None:
        """Make it durable. Any exception means that the lane's memory is not to be trusted any more.

        The offsets go their way beside the records: they are for the coordinators, the records for the leaders.
        """
        await asyncio.wait_for(self._producer.begin_transaction(), STEP_TIMEOUT_SECONDS)
        try:
            deliveries = [
                await self._producer.send_batch(batch, topic, partition=partition)
                for (topic, partition), batch in outbox
            ]
        except IllegalOperation as error:
            raise why_it_ended(self._producer, error) from error
        located = self._producer.send_offsets_to_transaction(dict(offsets), self._group)
        async with asyncio.timeout(STEP_TIMEOUT_SECONDS):
            await asyncio.gather(*deliveries, located)
        self._at_place("transaction.sent")
        await asyncio.wait_for(self._producer.commit_transaction(), STEP_TIMEOUT_SECONDS)

    async def close(self) -> None:
        """Let go of the producer."""
        await stop_client(self._producer)


def why_it_ended(producer: AIOKafkaProducer, error: BaseException) -> BaseException:
    """What ended a transaction from behind, or the error itself where nothing did.

    A first answer of the broker may say that this producer is fenced while later batches are still being handed over.
    aiokafka's sender then takes the producer out of the transaction, keeps the cause with the transaction's waiter, and
    those batches fail with `IllegalOperation`, which says nothing about the broker.
    """
    manager = producer._txn_manager  # noqa: SLF001 - aiokafka tells the cause nowhere else
    ended = manager.wait_for_transaction_end() if manager is not None else None
    return (ended.exception() if ended is not None and ended.done() else None) or error
