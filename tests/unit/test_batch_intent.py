"""The law behind the deduplication tokens: however a batch was cut the first time, its retry is the same batch."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.sla_event import Cause, SlaEvent
from streams.sinks.batch_intent import BatchLimits, Intent, PartitionBatch, read_intent, write_intent
from streams.sinks.joined_batch import MOST_MEMBERS, JoinedBatch, join
from streams.sinks.rows import ROW_SCHEMA, TABLES, Table

TABLE: Table[Any] = next(table for table in TABLES if table.name == "sla_events")
LIMITS = BatchLimits(rows=5, age_seconds=1.0)
OFFSETS = st.lists(st.integers(0, 200), min_size=1, max_size=40, unique=True).map(sorted)
"""Offsets have gaps: transaction markers and compaction take their places."""


def event(offset: int) -> SlaEvent:
    return SlaEvent(
        id=f"e{offset}",
        kind="met",
        conversation_id="c",
        account_id="a",
        occurred_at=datetime(2009, 1, 1, tzinfo=UTC) + timedelta(days=40 * (offset * 37 % 101)),
        cause=Cause(0, offset),
        source="test",
    )


def fill(batch: PartitionBatch[SlaEvent], offsets: list[int], times: list[float]) -> None:
    """As the loop does: take records in until the batch is due."""
    for offset, now in zip(offsets, times, strict=False):
        if not batch.accepts(offset):
            batch.passed(offset)
        if batch.is_due(now, LIMITS):
            return
        batch.add(offset, event(offset), now)
    batch.passed(offsets[-1] + 1)


@given(
    OFFSETS, st.lists(st.floats(0, 3), min_size=40, max_size=40), st.lists(st.floats(0, 9), min_size=40, max_size=40)
)
def test_retry_repeats_the_batch_whatever_the_time(offsets: list[int], gaps: list[float], other: list[float]) -> None:
    first = PartitionBatch(TABLE, "t", 0, 1, start=offsets[0])
    fill(first, offsets, [sum(gaps[:index]) for index in range(len(gaps))])
    promised = read_intent(write_intent(JoinedBatch((first,)).intent_of(first)))
    assert promised is not None

    retry = PartitionBatch(TABLE, "t", 0, 1, start=offsets[0], promised=promised.until)
    fill(retry, offsets, [sum(other[:index]) for index in range(len(other))])
    assert retry.is_due(0, LIMITS)
    assert retry.inserts() == first.inserts()
    assert retry.next_batch().start == first.next_batch().start


@given(OFFSETS)
def test_batches_in_a_row_cover_every_record_once(offsets: list[int]) -> None:
    batch: PartitionBatch[SlaEvent] = PartitionBatch(TABLE, "t", 0, 1, start=0)
    written: list[int] = []
    tokens: list[str] = []
    while batch.start <= offsets[-1]:
        fill(batch, [offset for offset in offsets if offset >= batch.start], [0.0] * len(offsets))
        for token, rows in batch.inserts():
            tokens.append(token)
            written.extend(row[TABLE.columns.index("topic_offset")] for row in rows)
        batch = batch.next_batch()
    assert sorted(written) == offsets
    assert len(set(tokens)) == len(tokens)


def test_promised_end_in_a_gap_is_reached_by_position() -> None:
    batch: PartitionBatch[SlaEvent] = PartitionBatch(TABLE, "t", 0, 1, start=10, promised=20)
    batch.add(12, event(12), 0.0)
    assert not batch.is_due(1e9, LIMITS)
    batch.passed(25)
    assert batch.is_due(0.0, LIMITS)
    assert batch.until == 20


def test_token_tells_topics_lives_and_ranges_apart() -> None:
    def token(**changes: Any) -> str:
        values: dict[str, Any] = {"table": TABLE, "topic": "t", "partition": 0, "epoch": 1, "start": 5} | changes
        batch: PartitionBatch[SlaEvent] = PartitionBatch(**values)
        batch.add(7, event(1), 0.0)
        return batch.inserts()[0][0]

    tokens = {token(), token(topic="u"), token(partition=1), token(epoch=2), token(start=6)}
    assert len(tokens) == 5


def batch_of(partition: int, offsets: list[int], topic: str = "t") -> PartitionBatch[SlaEvent]:
    batch: PartitionBatch[SlaEvent] = PartitionBatch(TABLE, topic, partition, 1, start=offsets[0])
    for offset in offsets:
        batch.add(offset, event(offset), 0.0)
    return batch


def test_joined_batches_are_one_insert_under_the_ranges_of_all() -> None:
    apart = [batch_of(1, [7]), batch_of(0, [0, 3]), batch_of(0, [5], "u")]
    joined, alone = join(apart)
    assert joined.members == (apart[1], apart[0])
    assert alone.inserts() == apart[2].inserts()
    assert alone.intent_of(apart[2]) == Intent(until=6)
    assert {joined.intent_of(member).joined for member in joined.members} == {((0, 0, 4), (1, 7, 8))}
    (group,) = apart[0].groups
    assert sum(len(rows) for _, rows in joined.inserts()) == joined.row_count == 3
    assert (f"t:0:0-3,1:7-7:epoch1:v{ROW_SCHEMA}:{group}", apart[0].groups[group]) in [
        (token, rows[-1:]) for token, rows in joined.inserts()
    ]
    longer = join([batch_of(1, [7, 8]), batch_of(0, [0, 3])])[0]
    assert not {token for token, _ in longer.inserts()} & {token for token, _ in joined.inserts()}


def test_promise_of_the_largest_set_fits_into_the_metadata_of_a_commit() -> None:
    sets = join(batch_of(10_000 + number, [10**12]) for number in range(MOST_MEMBERS + 1))
    assert [len(each.members) for each in sets] == [MOST_MEMBERS, 1]
    assert len(write_intent(sets[0].intent_of(sets[0].members[0]))) < 4096


def test_batches_grow_while_writing_is_slow() -> None:
    limits = BatchLimits(age_seconds=1, longest_age_seconds=10)
    ages = [limits.after(writing_seconds).age_seconds for writing_seconds in (0, 0.9, 3, 3_600)]
    assert ages == [1, 1, 3, 10]
    assert BatchLimits(age_seconds=20, longest_age_seconds=10).after(15).age_seconds == 20


def test_metadata_of_others_is_no_promise() -> None:
    assert read_intent(None) is None
    assert read_intent("") is None
    assert read_intent("reset by hand") is None
    assert read_intent(write_intent(Intent(until=7))) == Intent(until=7)
    assert read_intent(msgspec.json.encode({"until": 7, "later": True}).decode()) == Intent(until=7)


def test_what_lies_in_memory_is_bounded_in_rows_and_in_bytes() -> None:
    """Over all partitions together: a thousand small rows, or one that is as large as they are."""
    limits = BatchLimits(rows_in_memory=4, bytes_in_memory=1_000)
    small, large = PartitionBatch(TABLE, "t", 0, 1, start=0), PartitionBatch(TABLE, "t", 1, 1, start=0)
    for offset in range(3):
        small.add(offset, event(offset), 0.0, 10)
    assert not limits.are_reached_by([small, large])
    large.add(0, event(0), 0.0, 969)
    assert limits.are_reached_by([small, large])
    assert not limits.are_reached_by([large])
    large.add(1, event(1), 0.0, 31)
    assert limits.are_reached_by([large])
    assert not limits.are_reached_by([large.next_batch()])
