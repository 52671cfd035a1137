"""Faust and aiokafka beneath us: the methods that we override or lean on are still those that were read and tried.

When this fails after an upgrade: read what changed, compare with `streams/faust_app` and
`streams/record_batch.py`, run the integration and fault tests, and only then write the new digest down.
"""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver

from streams.faust_app.batch_consumer import BatchConsumer, BatchConsumerThread, transport_for
from streams.lane.lanes import Lanes

READ_AND_TRIED = [
    pytest.param(consumer.Consumer.getmany, "4b168d84882a70d6", id="one message per partition and fetch"),
    pytest.param(consumer.Consumer._wait_next_records, "6218e1969a636b3f", id="what getmany waits for"),
    pytest.param(consumer.ThreadDelegateConsumer._getmany, "f9d47aa9010b5ff2", id="leaving full lanes alone"),
    pytest.param(consumer.Consumer.perform_seek, "0e8c130ff4b0afd8", id="lanes are opened before it"),
    pytest.param(consumer.Consumer.ack, "5fcf41cf45153475", id="no bookkeeping of offsets"),
    pytest.param(consumer.Consumer._add_gap, "4df2573ded7c1c2c", id="no bookkeeping of gaps"),
    pytest.param(consumer.ThreadDelegateConsumer._commit, "a20eec84e4b2ed50", id="nothing to commit"),
    pytest.param(consumer.Consumer._drain_messages, "44a2500309e83c63", id="understands skipped offsets"),
    pytest.param(consumer.Consumer.wait_empty, "e4662fe24f094819", id="waits for lanes in a rebalance"),
    pytest.param(
        driver.AIOKafkaConsumerThread._create_worker_consumer, "c2701bfc3e6f6cad", id="read committed, range assignment"
    ),
    pytest.param(driver.AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1455a", id="records of ours"),
    pytest.param(
        Fetcher.fetched_records,
        "be4348896b9b66af",
        id="waits on a waiter of its own, returns at once without a time-out",
    ),
    pytest.param(GroupCoordinator.check_errors, "ba6ca51ad34838d9", id="gives an error once, then tries again"),
    pytest.param(GroupCoordinator._push_error_to_user, "743ff515bd7e2e38", id="waits until an error is taken"),
    pytest.param(FetchResult.getall, "3e717e30de5068d5", id="reads from a position to a number of records"),
    pytest.param(PartitionRecords._unpack_records, "b803e6d46480732c", id="makes each record in a method of its own"),
    pytest.param(MessageBatch, "36a7b1dac89d2910", id="what it asks of a record batch"),
    pytest.param(MessageAccumulator._pop_batch, "41cc98a298ef2628", id="sequence and producer are set once"),
    pytest.param(driver.Consumer.verify_event_path, "a17e8f0610e1abcb", id="no report about commits"),
    pytest.param(driver.Consumer._new_consumer_thread, "0870ec53dea75083", id="our thread"),
    pytest.param(driver.Consumer._to_message, "7c24f6511b2fcef7", id="what a message consists of"),
    pytest.param(Recovery._resume_streams, "d986a6710c1aca98", id="seeks before it resumes"),
    pytest.param(App._on_partitions_revoked, "d5c895bbe57dc73a", id="stops the flow, then waits"),
    pytest.param(App._on_partitions_assigned, "de932b7927db85b3", id="pauses until recovery resumes"),
]


@pytest.mark.parametrize(("method", "digest"), READ_AND_TRIED)
def test_faust_is_still_what_was_read(method: Callable[..., Any], digest: str) -> None:
    """The source of each method that we stand on."""
    source = inspect.getsource(method)

    assert digest == hashlib.sha256(source.encode()).hexdigest()[:16]


def test_our_consumer_is_what_faust_will_make() -> None:
    """The extension points by which Faust finds our classes."""
    assert issubclass(transport_for(Lanes((), None)).Consumer, BatchConsumer)  # type: ignore[arg-type]
    assert issubclass(BatchConsumerThread, driver.AIOKafkaConsumerThread)
    assert {"getmany", "_getmany", "perform_seek", "ack", "_add_gap", "_commit"} <= vars(BatchConsumer).keys()
