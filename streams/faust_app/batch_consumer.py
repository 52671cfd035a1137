"""A Faust consumer that brings a partition's records as one message and leaves committing to the lane's transaction.

Overrides of faust-streaming 0.15.3 (`faust.transport.consumer`, `faust.transport.drivers.aiokafka`), each for one
reason:

- `getmany`: stock Faust makes a message, four tasks and an acknowledgement per record (about 50 µs); one message per
  partition and fetch removes that. The message's offset is the last record's.
- `_getmany`: partitions whose lane is full are left alone, so memory is bounded by the lanes and not by a buffer of
  messages.
- `perform_seek`: before the first record of an assignment is fetched the lanes fence their old owners and recover; only
  then is the committed position true.
- `ack`, `_add_gap`, `_commit`: offsets are committed inside the lane's transaction. Faust's own bookkeeping, which can
  commit past a message in flight, has nothing left to commit.
- `verify_event_path`: Faust's watchdog asks when it last committed, and would report every few minutes that it did not.
- the thread's `_fetch_records`: aiokafka makes a `ConsumerRecord` of each record, of which we would make our own, for
  two thirds of what reading a record costs; it makes ours at once.
- the thread's `_watch_group`, which Faust lacks: aiokafka keeps what its group coordinator met (no right to the group,
  a dead heartbeat) until somebody asks, and meanwhile does nothing.
- the thread's `_create_worker_consumer`: read committed records only; assign ranges, so that one worker owns the same
  partition of co-partitioned topics (stock Faust without tables assigns round-robin); fetch in large portions.

`tests/unit/test_faust_overrides.py` fails when Faust changes beneath this.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import aiokafka
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.tuples import ack_lock
from typing_extensions import override

from agents.ports import Record
from streams.faust_app.record_reading import read_as_ours
from streams.kafka_refusal import is_refusal
from streams.lane.changelog import ChangelogDamaged

if TYPE_CHECKING:
    from streams.lane.lanes import Lanes

log = logging.getLogger("careline.work")

LOOK_AGAIN_SECONDS = 0.02
"""How soon to ask for a partition again that was left alone because its lane was full."""

ASK_EVERY_SECONDS = 1.0
"""How soon an error of the group coordinator is noticed."""

FETCH_BYTES = 4 * 1024 * 1024

LOG_APPEND_TIME = 1
"""What Kafka calls the time that our topics give their records."""


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Talks to Kafka in a thread of its own, so that heartbeats go on while a batch is decided."""

    @override
    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RangePartitionAssignor
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=500,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            retry_backoff_ms=20,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    @driver.AIOKafkaConsumerThread.task
    async def _watch_group(self) -> None:
        """Ask the coordinator for its errors. It tries again once one is taken; only what is final ends the worker."""
        lanes: Lanes = self.consumer.lanes  # type: ignore[attr-defined]  # BatchConsumer
        while not self.should_stop:
            await self.sleep(ASK_EVERY_SECONDS)
            if self._consumer is None:
                continue
            coordinator: Any = self._consumer._coordinator  # noqa: SLF001 - see above
            try:
                coordinator.check_errors()
            except KafkaError as error:
                if is_refusal(error) or coordinator._coordination_task.done():  # noqa: SLF001 - see above
                    self.parent_loop.call_soon_threadsafe(lanes.fail, error)
                    return
                log.warning("the group of workers cannot be joined, trying again: %r", error)

    @override
    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        """What was fetched, or what comes within the time-out, as `agents.ports.Record`."""
        fetcher = consumer._fetcher  # noqa: SLF001 - as the method does that this overrides
        records = await self._fetched(consumer, active_partitions, max_records)
        if not records and timeout and self.consumer.flow_active:
            waiter = fetcher._create_fetch_waiter()  # noqa: SLF001 - see above
            try:
                await asyncio.wait_for(waiter, timeout)
            except TimeoutError:
                return {}
            if fetcher._closed:  # noqa: SLF001 - see above
                return {}
            records = await self._fetched(consumer, active_partitions, max_records)
        return records

    async def _fetched(self, consumer: Any, active_partitions: set[TP], max_records: int | None) -> Any:
        """What is here already: with a time-out aiokafka would return what came later in records of its own."""
        for fetched in consumer._fetcher._records.values():  # noqa: SLF001 - see above
            if isinstance(fetched, FetchResult):
                read_as_ours(fetched, self.consumer.lanes.topic)  # type: ignore[attr-defined]  # BatchConsumer
        return await super()._fetch_records(consumer, active_partitions, 0, max_records)


class BatchConsumer(driver.Consumer):
    """Yields (partition, message) where the message's value is a list of records."""

    lanes: "Lanes"

    @override
    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @override
    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """One message per partition that has records."""
        try:
            records, active = await self._wait_next_records(timeout)
        except KafkaError as error:
            if not is_refusal(error):
                raise
            self.lanes.fail(error)
            await self.sleep(ASK_EVERY_SECONDS)
            return
        generation = self.app.consumer_generation_id
        if not records or self.should_stop:
            return
        for tp, batch in records.items():
            stale = not self.flow_active or self.app.consumer_generation_id != generation
            if stale or (active is not None and tp not in active):
                break
            yield TP(tp.topic, tp.partition), self._batch_message(tp, batch)

    @override
    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if active_partitions is None:
            return await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        free = {tp for tp in active_partitions if not self.lanes.is_full(tp.topic, tp.partition)}
        if not free:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return {}
        patience = timeout if len(free) == len(active_partitions) else LOOK_AGAIN_SECONDS
        return await super()._getmany(active_partitions=free, timeout=patience)

    def _batch_message(self, tp: Any, batch: list[Record]) -> ConsumerMessage:
        last = batch[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.appended_at / 1e6,
            LOG_APPEND_TIME,
            None,
            None,
            batch,  # type: ignore[arg-type]  # Faust hands the value on untouched: see batch_schema
            None,
            tp=TP(tp.topic, tp.partition),
            generation_id=self.app.consumer_generation_id,
        )

    @override
    async def perform_seek(self) -> None:
        """Make the lanes of this assignment ready, then go to what is committed."""
        try:
            await self.lanes.open((tp.topic, tp.partition) for tp in self.assignment())
        except (KafkaError, ChangelogDamaged) as error:
            # Told in our words; Faust would show a stack trace. Nothing is done with what it fetches from here on.
            self.lanes.fail(error)
            return
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # by another rebalance, which opens the lanes again
            # Of something inside: Faust would take it for its own end, and nobody would open the lanes any more.
            self.lanes.fail(ConnectionError("opening the lanes was broken off from within"))
            return
        await super().perform_seek()

    @override
    def ack(self, message: Any) -> bool:
        """The message is done: its transaction is committed."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            waiting = self._waiting_for_ack
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            return True

    @override
    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Offsets between batches are nobody's business: see `ack`."""

    @override
    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing to verify: Faust commits nothing here."""

    @override
    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Nothing to commit: see `ack`."""
        return True


def transport_for(lanes: "Lanes") -> type[driver.Transport]:
    """Faust's Kafka transport with the batch consumer, bound to the lanes of one worker."""

    class LaneConsumer(BatchConsumer):
        def __init__(self, *args: Any, **options: Any) -> None:
            self.lanes = lanes
            super().__init__(*args, **options)

    class BatchTransport(driver.Transport):
        Consumer = LaneConsumer

    return BatchTransport
