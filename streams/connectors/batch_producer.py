# ruff: noqa: SLF001 - what we lean on in kafka-python is private, and pinned by a test
"""kafka-python's producer with batches of our own: a record costs a fraction of what `KafkaProducer.send` makes of it.

`publisher` puts the records of one turn in, partition by partition, and hears of whole batches. Everything that keeps
promises is kafka-python's: its accumulator hands batches out in order, its sender numbers, sends, repeats, splits and
gives them up. Ours is what is inside (`streams.record_batch`), and that nobody makes a future, two locks and six
callbacks for each record. `tests/unit/test_batch_producer.py` pins what we lean on.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from kafka.codec import gzip_encode, has_lz4, lz4_encode
from kafka.errors import IllegalStateError, KafkaTimeoutError
from kafka.producer.future import FutureProduceResult
from kafka.producer.producer_batch import ProducerBatch
from kafka.structs import TopicPartition
from typing_extensions import override

from schemas.codec import Headers
from streams.connectors.key_partition import partition_of
from streams.record_batch import Codec, RecordBatch, header_block
from streams.renewing_producer import RenewingProducer

MOST_BATCH_BYTES = 256 * 1024
"""Before they are compressed. Inside what every topic takes (Kafka's own default is a megabyte), and enough that what
has gathered while the broker was away goes in few requests."""

CODEC = Codec(3, lz4_encode) if has_lz4() else Codec(1, gzip_encode)


class Parcel(NamedTuple):
    """A record for a partition, and by what its owner knows it again."""

    key: bytes | None
    value: bytes
    headers: Headers
    token: Any


Settled = Callable[[Sequence[Any], Callable[[int], BaseException] | None], None]
"""Called with the tokens of a batch: null when Kafka has it, else what says why not for each by its number."""


class BatchProducer(RenewingProducer):
    """`put` records, then `wake`. Any thread may; `settled` is called in the producer's own."""

    def __init__(self, settled: Settled, **settings: object) -> None:
        super().__init__(**settings)
        self._tell = settled

    def place_of(self, topic: str, key: bytes | None, partition: int | None) -> TopicPartition:
        """Where a record belongs: in its partition, else where its key leads, else in any. May look the topic up.

        Raises:
            KafkaError: the topic cannot be looked up.
        """
        if partition is None:
            count = len(self._metadata.partitions_for_topic(topic) or self.partitions_for(topic) or ())
            if not count:
                raise KafkaTimeoutError(f"{topic} has no partitions")
            partition = random.randrange(count) if key is None else partition_of(key, count)  # noqa: S311 - no secret
        return TopicPartition(topic, partition)

    def put(self, place: TopicPartition, parcels: Iterable[Parcel]) -> None:
        """Add records behind those that wait for the same partition; nothing is sent before `wake`.

        Raises:
            IllegalStateError: the producer is closed; nothing was added.
        """
        accumulator = self._accumulator
        accumulator._appends_in_progress.increment()
        try:
            with accumulator._tp_lock(place):
                if accumulator._closed:
                    raise IllegalStateError("the producer is closed")
                waiting = accumulator._batches[place]
                batch = waiting[-1] if waiting and isinstance(waiting[-1], AwaitedBatch) else None
                for parcel in parcels:
                    if batch is None or not batch.add(parcel):
                        batch = AwaitedBatch(place, self._tell)
                        batch.add(parcel)
                        waiting.append(batch)
                        accumulator._incomplete.add(batch)
        finally:
            accumulator._appends_in_progress.decrement()

    def wake(self) -> None:
        """Let the sender look at what was put in."""
        self._sender.wakeup()


class AwaitedBatch(ProducerBatch):  # type: ignore[misc]  # kafka-python has no types
    """A batch that knows its records by tokens, and tells of all of them at once."""

    def __init__(self, place: TopicPartition, settled: Settled) -> None:
        super().__init__(place, WaitingRecords())
        self._tokens: list[Any] = []
        self._tell = settled
        self.produce_future.add_callback(self._told)

    def add(self, parcel: Parcel) -> bool:
        """Add a record, and say whether there was room for it."""
        if not self.records.put(parcel):
            return False
        self._tokens.append(parcel.token)
        return True

    @override
    def try_append(self, *_: object, **__: object) -> None:
        """What somebody sends record by record begins a batch of its own."""

    def _told(self, result: tuple[object, object, Callable[[int], BaseException] | None]) -> None:
        self._tell(self._tokens, result[2])

    @property
    def _record_futures(self) -> "list[_MovedRecord]":
        """Asked for where the broker finds a batch too large and kafka-python parts it in two."""
        return [_MovedRecord(token, self._tell) for token in self._tokens]

    @_record_futures.setter
    def _record_futures(self, _: list[object]) -> None:
        """kafka-python begins with an empty list, which stays empty here."""


class _MovedRecord:
    """A record that went on in another batch."""

    def __init__(self, token: object, settled: Settled) -> None:
        self._token = token
        self._tell = settled
        self._index = 0

    def rebind(self, produce_future: FutureProduceResult, index: int) -> None:
        self._index = index
        produce_future.add_callback(self._told)

    def _told(self, result: tuple[object, object, Callable[[int], BaseException] | None]) -> None:
        error_of = result[2]
        error = None if error_of is None else error_of(self._index)
        self._tell((self._token,), None if error is None else lambda _: error)


class WaitingRecords(RecordBatch):
    """Records as kafka-python's accumulator and sender ask for them (its own are `MemoryRecordsBuilder`)."""

    def __init__(self) -> None:
        super().__init__(most_bytes=MOST_BATCH_BYTES, codec=CODEC, transactional=False)
        self._written: bytes | None = None

    def put(self, parcel: Parcel) -> bool:
        """Add a record, and say whether there was room for it."""
        return self._written is None and self.append(parcel.key, parcel.value, *header_block(parcel.headers))

    @property
    def producer_id(self) -> int:
        """Who sends it; -1 while it is not sent."""
        return self._producer[0]

    @property
    def producer_epoch(self) -> int:
        """How often the producer began anew."""
        return self._producer[1]

    @property
    def base_sequence(self) -> int:
        """The number of its first record among all of the producer for this partition."""
        return self._producer[2]

    def set_producer_state(self, producer_id: int, epoch: int, base_sequence: int, is_transactional: bool) -> None:  # noqa: FBT001, ARG002
        """Called once, before `close`: sent again, a batch keeps its number."""
        self._set_producer_state(producer_id, epoch, base_sequence)

    @override
    def close(self) -> None:
        """Write it. Called again where a batch is sent again."""
        if self._written is None:
            self.finish()
            self._written = self._build()

    def buffer(self) -> bytes | None:
        """What goes on the wire."""
        return self._written

    def size_in_bytes(self) -> int:
        """Its size as far as it is known."""
        return self.size() if self._written is None else len(self._written)

    def is_full(self) -> bool:
        """Whether it is better sent than filled."""
        return self._written is not None or self.size() >= MOST_BATCH_BYTES

    def next_offset(self) -> int:
        """How many records are in it."""
        return self.record_count()
