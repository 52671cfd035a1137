"""Our record batches against aiokafka's reader: what Kafka's clients read is what a lane wrote, and what ours read."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given
from hypothesis import strategies as st

from agents.ports import Record
from schemas.codec import Headers
from schemas.topics import INTERACTIONS
from streams.faust_app.record_reading import read_as_ours
from streams.lane.outbox import Outbox
from streams.record_batch import BATCH_BYTES, RecordBatch, header_block

some_bytes = st.binary(max_size=200) | st.sampled_from([63, 64, 8191, 8192, 70_000]).map(bytes)
records = st.lists(
    st.tuples(
        st.none() | some_bytes,
        st.none() | some_bytes,
        st.lists(st.tuples(st.text(max_size=4), some_bytes), max_size=3),
    ),
    min_size=1,
    max_size=80,
)


def on_the_wire(batch: RecordBatch) -> bytes:
    """As aiokafka's accumulator sends it."""
    batch.finish()
    batch._set_producer_state(5, 1, 7)
    return batch._build()


def batch_of(written: list[tuple[bytes | None, bytes | None, Headers]]) -> RecordBatch:
    """A batch of these keys, values and headers."""
    batch = RecordBatch()
    for key, value, headers in written:
        assert batch.append(key, value, *header_block(headers))
    return batch


@example([(None, bytes(15), [])])  # as long when compressed
@given(records)
def test_aiokafka_reads_what_was_appended(written: list[tuple[bytes | None, bytes | None, Headers]]) -> None:
    """Each key, value and header, nulls and lengths of several bytes among them, in a batch that is what it should."""
    batch: Any = MemoryRecords(on_the_wire(batch_of(written))).next_batch()

    assert batch.validate_crc()
    assert (batch.is_transactional, batch.is_control_batch, batch.magic) == (True, False, 2)
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (5, 1, 7)
    assert batch.next_offset == len(written)
    assert written == [(record.key, record.value, record.headers) for record in batch]


@given(records, st.integers(0, 80))
def test_a_fetch_gives_our_records_from_its_position_on(
    written: list[tuple[bytes | None, bytes | None, Headers]], position: int
) -> None:
    """Unpacking and skipping is aiokafka's; out comes a `Record`, with the time of appending in microseconds."""
    batch, position = batch_of(written), min(position, len(written))
    raw = MemoryRecords(on_the_wire(batch))
    fetch = PartitionRecords(TopicPartition("x.t", 3), raw, [], position, None, None, True, 1)
    read_as_ours(
        FetchResult(None, assignment=None, partition_records=fetch, backoff=0), {"x.t": INTERACTIONS}.__getitem__
    )

    appended_at = batch._began_at_ms * 1000
    expected = [Record(INTERACTIONS, 3, n, *written[n], appended_at) for n in range(position, len(written))]
    assert expected == list(fetch)
    assert fetch.next_fetch_offset == len(written)


def test_what_does_not_fit_begins_another_batch() -> None:
    """In the order in which it was put; and a first record is taken whatever its size."""
    outbox = Outbox()
    sizes = [BATCH_BYTES + 1, 10, BATCH_BYTES - 1_000, 2_000, 10]
    for size in sizes:
        outbox.put(("t", 0), b"k", bytes(size), *header_block([]))
    outbox.put(("t", 1), b"k", b"", *header_block([]))

    found = [(place, [len(r.value) for r in MemoryRecords(on_the_wire(b)).next_batch()]) for place, b in outbox]

    assert found == [(("t", 0), sizes[:1]), (("t", 0), sizes[1:3]), (("t", 0), sizes[3:]), (("t", 1), [0])]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576])
def test_lengths_of_every_width(size: int) -> None:
    """A byte more at each power of 128, the lowest bit being the sign."""
    (record,) = MemoryRecords(on_the_wire(batch_of([(None, bytes(size), [])]))).next_batch()

    assert record.value == bytes(size)
