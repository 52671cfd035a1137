"""How records reach the producer together, and how each of them hears what became of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from kafka.structs import TopicPartition

from schemas.topics import INTERACTIONS
from streams.connectors.batch_producer import BatchProducer, Parcel
from streams.connectors.publisher import (
    BETWEEN_BUNDLES_SECONDS,
    LARGEST_RECORD,
    KafkaNotTaking,
    KafkaPublisher,
    OutgoingRecord,
    RecordTooLarge,
)
from streams.kafka_connection import KafkaConnection


class ListProducer:
    """Takes bundles down; conversation `c-7` is in partition 7."""

    def __init__(self) -> None:
        self.bundles: asyncio.Queue[list[tuple[TopicPartition, list[Parcel]]]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._put: list[tuple[TopicPartition, list[Parcel]]] = []

    def place_of(self, topic: str, key: bytes, partition: int | None) -> TopicPartition:
        if key == b"c-none":
            raise KafkaTimeoutError("the topic cannot be looked up")
        return TopicPartition(topic, int(key.removeprefix(b"c-")) if partition is None else partition)

    def put(self, place: TopicPartition, parcels: Iterable[Parcel]) -> None:
        self._put.append((place, list(parcels)))

    def wake(self) -> None:
        bundle, self._put = self._put, []
        self._loop.call_soon_threadsafe(self.bundles.put_nowait, bundle)


@asynccontextmanager
async def publishing() -> AsyncIterator[tuple[KafkaPublisher, ListProducer]]:
    publisher, producer = KafkaPublisher(KafkaConnection("127.0.0.1:1"), "x."), ListProducer()
    publisher._producer = cast(BatchProducer, producer)
    publisher._hand.start()
    yield publisher, producer
    publisher._producer = None
    await asyncio.to_thread(publisher.close)


def record(conversation: str, value: bytes = b"{}") -> OutgoingRecord:
    return OutgoingRecord(INTERACTIONS, conversation, value, [], f"{conversation}/1")


def keys(bundle: list[tuple[TopicPartition, list[Parcel]]]) -> dict[int, list[bytes | None]]:
    return {place.partition: [parcel.key for parcel in parcels] for place, parcels in bundle}


def test_who_comes_alone_goes_at_once_and_who_comes_soon_after_goes_together() -> None:
    async def scene() -> None:
        async with publishing() as (publisher, producer):
            began = asyncio.get_running_loop().time()
            publisher.send([record("c-1")])
            assert keys(await producer.bundles.get()) == {1: [b"c-1"]}
            for conversation in ("c-1", "c-2", "c-1"):
                publisher.send([record(conversation)])
                await asyncio.sleep(0)  # a turn of the loop each
            assert keys(await producer.bundles.get()) == {1: [b"c-1", b"c-1"], 2: [b"c-2"]}
            assert asyncio.get_running_loop().time() - began >= BETWEEN_BUNDLES_SECONDS

    asyncio.run(scene())


def test_each_record_of_a_batch_hears_what_became_of_it() -> None:
    async def scene() -> None:
        async with publishing() as (publisher, producer):
            sent = publisher.send([record("c-1"), record("c-1"), record("c-2"), record("c-none"), _too_large()])
            (_, two), (_, one) = await producer.bundles.get()
            errors: list[BaseException] = [KafkaTimeoutError("away"), MessageSizeTooLargeError("large")]
            publisher._settle_batch([parcel.token for parcel in two], errors.__getitem__)
            publisher._settle_batch([parcel.token for parcel in one], None)
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [
                KafkaNotTaking,
                RecordTooLarge,
                type(None),
                KafkaNotTaking,
                RecordTooLarge,
            ]
            assert publisher._waiting_bytes == 0

    asyncio.run(scene())


def _too_large() -> OutgoingRecord:
    return record("c-1", bytes(LARGEST_RECORD + 1))


@pytest.mark.parametrize("closed", [False, True])
def test_without_a_producer_nothing_is_taken(closed: bool) -> None:
    async def scene() -> None:
        async with publishing() as (publisher, _):
            if closed:
                publisher._stopping.set()
            else:
                publisher._producer = cast(Any, None)
            with pytest.raises(KafkaNotTaking):
                publisher.send([record("c-1")])

    asyncio.run(scene())
