"""State on the wire: how a remembered state is written into the changelog topic, and read back by the next owner.

A value is a fixed head (format, wake instant, length of the clock's name), the clock's name, then the state untouched;
so recovery fills the memory without decoding a single state. A record that cannot be read stops the worker: going on
without one conversation would be a silent loss.
"""

import asyncio
import struct
import time
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.lane.client_stop import stop_client
from streams.lane.partition_states import PartitionStates, Remembered, Wake

FORMAT = 1
_HEAD = struct.Struct(">BqB")
_NEVER = -(2**63)

FETCH_BYTES = 8 * 1024 * 1024
"""Per partition and request: recovery is bound by the broker's answers, so they are large."""


class ChangelogDamaged(RuntimeError):  # noqa: N818 - the state of the changelog, in the words of the log line
    """A changelog record cannot be read. The worker must not go on without it."""


def to_value(remembered: Remembered) -> bytes:
    """A state and its wake as one changelog value."""
    clock = remembered.wake.clock.encode() if remembered.wake is not None else b""
    at = remembered.wake.at if remembered.wake is not None else _NEVER
    return _HEAD.pack(FORMAT, at, len(clock)) + clock + remembered.state


def from_value(value: bytes) -> Remembered:
    """The state and its wake in a changelog value.

    Raises:
        ChangelogDamaged: the value is cut off or was written in a format of a later release.
    """
    try:
        version, at, length = _HEAD.unpack_from(value)
        clock = value[_HEAD.size : _HEAD.size + length].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise ChangelogDamaged(f"cannot be read: {error}") from None
    if version > FORMAT:
        raise ChangelogDamaged(f"has format {version}; this release reads up to {FORMAT}: upgrade all workers first")
    state = value[_HEAD.size + length :]
    return Remembered(state, None if at == _NEVER else Wake(clock, at))


class Recovery:
    """Reads changelog partitions to their end, several at a time."""

    def __init__(
        self, connection: dict[str, object], on_progress: Callable[[int], None], stall_seconds: float = 60.0
    ) -> None:
        """Set up reading; nothing is connected yet.

        Args:
            connection: how to reach Kafka, as keyword arguments of aiokafka's clients.
            on_progress: told the number of keys read so far, every few seconds.
            stall_seconds: without a single record for this long recovery fails instead of hanging.
        """
        self._connection = connection
        self._on_progress = on_progress
        self._stall_seconds = stall_seconds

    async def read(self, topic: str, partitions: Iterable[int]) -> dict[int, tuple[PartitionStates, int]]:
        """The memory of each partition, and the offset up to which it was read.

        The caller has fenced the old owners before, so nothing is added while this reads.
        """
        wanted = {TopicPartition(topic, partition): PartitionStates() for partition in partitions}
        if not wanted:
            return {}
        consumer = AIOKafkaConsumer(
            **self._connection,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_bytes=4 * FETCH_BYTES,
        )
        try:
            await consumer.start()
            consumer.assign(list(wanted))
            ends = await consumer.end_offsets(list(wanted))
            await consumer.seek_to_beginning(*wanted)
            await self._fill(consumer, wanted, ends)
        finally:
            await stop_client(consumer)
        return {partition.partition: (states, ends[partition]) for partition, states in wanted.items()}

    async def _fill(
        self,
        consumer: AIOKafkaConsumer,
        wanted: dict[TopicPartition, PartitionStates],
        ends: dict[TopicPartition, int],
    ) -> None:
        read = 0
        moved_at = told_at = time.monotonic()
        open_partitions = {partition for partition in wanted if ends[partition] > 0}
        while open_partitions:
            batches = await consumer.getmany(*open_partitions, timeout_ms=200)
            for partition, records in batches.items():
                _restore(wanted[partition], records)
                read += len(records)
            now = time.monotonic()
            moved_at = now if batches else moved_at
            if now - moved_at > self._stall_seconds:
                raise TimeoutError(f"no changelog record for {self._stall_seconds:.0f} s while recovering")
            if now - told_at > 2:
                told_at = now
                self._on_progress(read)
            for partition in list(open_partitions):
                if await consumer.position(partition) >= ends[partition]:
                    open_partitions.discard(partition)
            await asyncio.sleep(0)
        self._on_progress(read)


def _restore(states: PartitionStates, records: list) -> None:  # type: ignore[type-arg]
    for record in records:
        try:
            key = record.key.decode()
            states.restore(key, None if record.value is None else from_value(record.value))
        except (ChangelogDamaged, AttributeError, UnicodeDecodeError) as error:
            place = f"{record.topic}[{record.partition}]@{record.offset}"
            raise ChangelogDamaged(f"changelog record {place} {error}") from error
