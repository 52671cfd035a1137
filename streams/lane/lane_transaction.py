"""One transaction: results, changed state and source offsets become visible together, or not at all.

A lane has one transactional producer whose id names the lane, so that starting it fences whoever owned the lane before
(`InitProducerId` raises the epoch; an old owner's next call fails with `ProducerFenced`). Every step has a time-out,
because aiokafka retries some errors for ever.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.codec import Headers

STEP_TIMEOUT_SECONDS = 30.0
TRANSACTION_TIMEOUT_MS = 15_000
"""How long readers wait at most for a transaction that a killed worker left open and no new owner fenced before."""

BATCH_BYTES = 4_000_000
"""Half of what our topics take as a record batch (`streams.topic_settings`), so that the largest dead letter fits."""


class OutgoingRecord(NamedTuple):
    """A record on its way out: its partition is decided already."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class LaneTransaction:
    """The transactional producer of one lane."""

    def __init__(self, connection: dict[str, object], transactional_id: str, group: str) -> None:
        self._group = group
        self._producer = AIOKafkaProducer(
            **connection,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            enable_idempotence=True,
            acks="all",
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * BATCH_BYTES,
            request_timeout_ms=10_000,
            retry_backoff_ms=5,
            linger_ms=0,
        )

    async def fence(self) -> None:
        """Take the lane over: from here on every older owner fails at the broker, and what it left open is aborted."""
        await asyncio.wait_for(self._producer.start(), STEP_TIMEOUT_SECONDS)

    async def commit(self, records: Iterable[OutgoingRecord], offsets: Mapping[TopicPartition, int]) -> None:
        """Make it durable. Any exception means that the lane's memory is not to be trusted any more."""
        await asyncio.wait_for(self._producer.begin_transaction(), STEP_TIMEOUT_SECONDS)
        deliveries = [
            await self._producer.send_batch(builder, topic, partition=partition)
            for builder, topic, partition in self._batches(records)
        ]
        if deliveries:
            await asyncio.wait_for(asyncio.gather(*deliveries), STEP_TIMEOUT_SECONDS)
        await asyncio.wait_for(
            self._producer.send_offsets_to_transaction(dict(offsets), self._group), STEP_TIMEOUT_SECONDS
        )
        await asyncio.wait_for(self._producer.commit_transaction(), STEP_TIMEOUT_SECONDS)

    async def close(self) -> None:
        """Let go of the producer."""
        await asyncio.wait_for(self._producer.stop(), STEP_TIMEOUT_SECONDS)

    def _batches(self, records: Iterable[OutgoingRecord]) -> list[tuple[BatchBuilder, str, int]]:
        batches: list[tuple[BatchBuilder, str, int]] = []
        filling: dict[tuple[str, int], BatchBuilder] = {}
        for record in records:
            place = (record.topic, record.partition)
            builder = filling.get(place)
            if builder is None or not _fits(builder, record):
                builder = filling[place] = self._producer.create_batch()
                batches.append((builder, *place))
                if not _fits(builder, record):
                    raise ValueError(f"a record for {record.topic} is larger than {BATCH_BYTES} bytes")
        return batches


def _fits(builder: BatchBuilder, record: OutgoingRecord) -> bool:
    appended = builder.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return appended is not None
