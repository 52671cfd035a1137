"""Batches of our own inside kafka-python's producer: what is on the wire, who hears what, and that the inside is known.

When the last test fails after an upgrade of kafka-python: read what changed, compare with
`streams/connectors/batch_producer.py`, run the integration and fault tests, and only then write the new digest down.
"""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.sender import Sender
from kafka.record.memory_records import MemoryRecords
from kafka.structs import TopicPartition

from streams.connectors.batch_producer import MOST_BATCH_BYTES, AwaitedBatch, BatchProducer, Parcel

PLACE = TopicPartition("t", 0)
Heard = list[tuple[Any, str | None]]


class WithoutBroker(BatchProducer):
    """The producer with a real accumulator, and nobody who sends."""

    def __init__(self, heard: Heard) -> None:
        def settled(tokens: Sequence[Any], error_of: Callable[[int], BaseException] | None) -> None:
            heard.extend((token, error_of and str(error_of(at))) for at, token in enumerate(tokens))

        self._accumulator = RecordAccumulator(compression_attrs=3)
        self._tell = settled

    def __del__(self) -> None:
        """Nothing to close."""

    @property
    def waiting(self) -> list[Any]:
        return list(self._accumulator._batches[PLACE])


def parcels(*numbers: int, size: int = 10) -> list[Parcel]:
    return [Parcel(b"k%d" % n, bytes([n]) * size, [("ce_id", b"%d" % n), ("ce_time", b"now")], n) for n in numbers]


def read(batch: Any) -> list[tuple[bytes, bytes, list[tuple[str, bytes]]]]:
    """What kafka-python's reader finds on the wire."""
    (found,) = list(MemoryRecords(batch.records.buffer()))
    assert found.validate_crc()
    return [(record.key, record.value, record.headers) for record in found]


def test_what_is_put_in_while_a_batch_waits_goes_with_it() -> None:
    """In order, readable by any client; and what comes when it has been closed begins another."""
    producer = WithoutBroker([])
    producer.put(PLACE, parcels(1, 2))
    producer.put(PLACE, parcels(3))
    (first,) = producer.waiting
    first.records.set_producer_state(7, 1, 40, False)
    first.records.close()
    producer.put(PLACE, parcels(4))

    assert read(first) == [parcel[:3] for parcel in parcels(1, 2, 3)]
    assert (first.producer_id, first.producer_epoch, first.base_sequence, first.record_count) == (7, 1, 40, 3)
    (header,) = list(MemoryRecords(first.records.buffer()))
    assert (header.producer_id, header.base_sequence, header.is_transactional) == (7, 40, False)
    assert [batch.record_count for batch in producer.waiting] == [3, 1]
    assert len(producer._accumulator._incomplete.all()) == 2


def test_a_full_batch_is_followed_by_another_and_no_record_is_too_large_for_an_empty_one() -> None:
    producer = WithoutBroker([])
    producer.put(PLACE, [*parcels(1, 2, size=MOST_BATCH_BYTES // 2), *parcels(3, size=2 * MOST_BATCH_BYTES)])

    assert [batch.record_count for batch in producer.waiting] == [1, 1, 1]


def test_all_of_a_batch_hear_what_became_of_it() -> None:
    heard: Heard = []
    producer = WithoutBroker(heard)
    producer.put(PLACE, parcels(1, 2))
    producer.waiting[0].complete(100, -1)
    producer.put(TopicPartition("t", 1), parcels(3))
    error = KafkaTimeoutError("away")
    producer._accumulator._batches[TopicPartition("t", 1)][0].complete_exceptionally(error, lambda _: error)

    assert heard == [(1, None), (2, None), (3, str(error))]


def test_a_batch_that_the_broker_finds_too_large_is_parted_and_everyone_hears_of_his_part() -> None:
    """Parted twice; the record that is too large all alone is told so, its neighbours are not."""
    heard: Heard = []
    producer = WithoutBroker(heard)
    producer.put(PLACE, parcels(1, 2, 3))
    accumulator = producer._accumulator
    for _ in range(2):
        batch = accumulator._batches[PLACE].popleft()
        batch.records.close()
        accumulator.split_and_reenqueue(batch)
    first, second, third = producer.waiting
    error = MessageSizeTooLargeError("large")
    first.complete(1, -1)
    second.complete_exceptionally(error, lambda _: error)
    third.complete(2, -1)

    assert heard == [(1, None), (2, str(error)), (3, None)]


def test_a_closed_producer_takes_nothing_and_record_by_record_is_beside_it() -> None:
    producer = WithoutBroker([])
    producer.put(PLACE, parcels(1))
    producer._accumulator.append(PLACE, None, b"k", b"v", [])
    assert [type(batch) for batch in producer.waiting] == [AwaitedBatch, ProducerBatch]

    producer._accumulator.close()
    with pytest.raises(IllegalStateError):
        producer.put(PLACE, parcels(2))
    assert [batch.record_count for batch in producer.waiting] == [1, 1]


READ_AND_TRIED = [
    pytest.param(RecordAccumulator, "f1fa41b6bc0a5e1f", id="queues, locks and closing"),
    pytest.param(ProducerBatch, "0131c28c39c7d089", id="what a batch knows of itself"),
    pytest.param(Sender._send_producer_data, "35ed0cfde9438c35", id="drains, expires, sends"),
    pytest.param(Sender._complete_batch, "6fa3de7609466562", id="completes a batch once"),
    pytest.param(Sender._dispatch_error, "4019d9d8c84a1e33", id="splits, repeats or gives up"),
    pytest.param(Sender._produce_request, "d2085792c451b90a", id="asks records for their buffer"),
]


@pytest.mark.parametrize(("part", "digest"), READ_AND_TRIED)
def test_kafka_python_is_still_what_was_read(part: Any, digest: str) -> None:
    """The source of each part that we stand on."""
    assert digest == hashlib.sha256(inspect.getsource(part).encode()).hexdigest()[:16]
