"""Into Kafka, and only then the sender hears 2xx: kafka-python's producer, with acks=all, from an asyncio server.

`intake` hands records over and waits for their acknowledgement. kafka-python may block while it looks for a topic,
so it is called from a thread of its own; another thread connects, retries and says so, and notices when Kafka goes
away. Requests to Kafka and changes of threads cost more than records, here and at the broker, so records go in bundles
with some time between them. Who comes alone goes at once.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.structs import TopicPartition

from schemas.codec import Headers, encode, headers_of
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.pull_cursor import PullCursor
from schemas.rejection import Rejection
from schemas.signal import Signal
from schemas.topics import CURSORS, INTERACTIONS, REJECTED, SIGNALS, TopicSpec
from streams.connectors.batch_producer import BatchProducer, Parcel
from streams.kafka_admin import KafkaUnavailable, TopicsRefusedError, wait_for_kafka
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import KafkaRefused, refusal_in
from streams.kafka_rights import require_rights

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 2.0
"""How long a sender waits for us at most: every provider allows more, most of them 3 seconds or more."""
BETWEEN_BUNDLES_SECONDS = 0.02
"""From one bundle to the next. At 2,000 events a second forty go together, five in each of eight partitions, at a
fraction of what forty cost one by one; their senders, who allow seconds, wait a little longer."""
MOST_BYTES_WAITING = 32 * 1024 * 1024
"""Memory for records that Kafka has not acknowledged; beyond it new ones are turned away at once."""
LARGEST_RECORD = 6 * 1024 * 1024
"""What the client lets through; the topics take batches of 8 MiB (`streams.topic_settings`)."""
DELIVERY_MS = 10_000
"""How long the client tries; by then the sender has long been told 503, and the memory is wanted back."""
CLOSE_SECONDS = 12.0
"""Longer than any record is tried: kafka-python ends cleanly only when none is left."""
IDLE_SECONDS = 10.0
"""Without a sign of life for so long, the broker is asked for one, so that readiness does not rest on old news."""
SILENT_SECONDS = 2 * DELIVERY_MS / 1000
"""Of records that were handed over not one was acknowledged for so long, while the broker answers: by then each of them
has been tried and given up. A producer that was through too much may never send again; a new one does."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
WRITTEN = (INTERACTIONS, SIGNALS, REJECTED, CURSORS)
REFUSED_PAUSE_SECONDS = 60.0
"""Rights and passwords are mended by people, often at the broker; until then trying would only fill its log."""

TOPICS = (INTERACTIONS, SIGNALS, REJECTED, CURSORS)


class KafkaNotTaking(Exception):  # noqa: N818 - the condition, which the sender hears as 503 and Retry-After
    """Kafka has not acknowledged in time, or cannot be asked.

    What was handed over may still arrive; sent again, it is the same event.
    """


class RecordTooLarge(Exception):  # noqa: N818 - the condition, which ends in the dead letters
    """Kafka will never take this record: it is larger than the topic allows."""


class OutgoingRecord(NamedTuple):
    """A record ready for its topic. `identity` is the same for every delivery of the same event."""

    topic: TopicSpec
    key: str
    value: bytes
    headers: Headers
    identity: str
    partition: int | None = None
    """Null where the key decides, as for all events."""

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory until it is acknowledged."""
        return len(self.value) + len(self.key) + 512  # headers and book-keeping


_Pending = tuple[OutgoingRecord, asyncio.Future[None]]


class _Bundle(NamedTuple):
    """What goes to Kafka together, on its way to the producer's thread."""

    producer: BatchProducer
    pending: Sequence[_Pending]
    deadline: float


def outgoing(event: Interaction | Signal | Rejection, key: str | None = None) -> OutgoingRecord:
    """An event as a record: interactions under their conversation, signals under their account."""
    if isinstance(event, Rejection):
        identity = f"{REJECTED.name}/{event.id}"
        headers = headers_of(event, event.origin.connector or "connect", event.id, event.rejected_at)
        return OutgoingRecord(REJECTED, key or event.origin.connector or "", encode(event), headers, identity)
    topic, at = (INTERACTIONS, event.conversation_id) if isinstance(event, Interaction) else (SIGNALS, event.account_id)
    identity = f"{topic.name}/{at}/{event.id}/{event.version}"
    return OutgoingRecord(
        topic, at or "", encode(event), headers_of(event, event.source, event.id, event.occurred_at), identity
    )


def cursor_record(cursor: PullCursor) -> OutgoingRecord:
    """A cursor as a record, under its instance."""
    identity = f"{CURSORS.name}/{cursor.instance}/{cursor.position}"
    headers = headers_of(cursor, f"careline/connect/{cursor.instance}", cursor.instance, cursor.saved_at)
    return OutgoingRecord(CURSORS, cursor.instance, encode(cursor), headers, identity)


def control_records(control: Control, partitions: int) -> list[OutgoingRecord]:
    """A control for every partition of the interactions."""
    value, headers = (
        encode(control),
        headers_of(control, f"careline/connect/{control.source}", control.id, control.as_of),
    )
    return [
        OutgoingRecord(INTERACTIONS, "", value, headers, f"{INTERACTIONS.name}/{number}/{control.id}", number)
        for number in range(partitions)
    ]


class KafkaPublisher:
    """One producer per process. Until Kafka answers, every record is refused with `KafkaNotTaking`."""

    def __init__(
        self,
        kafka: KafkaConnection,
        topic_prefix: str = "",
        *,
        prepare: Callable[[], object] | None = None,
    ) -> None:
        """`prepare` is called once Kafka answers, to create topics."""
        self._kafka = kafka
        self._names = {topic: topic_prefix + topic.name for topic in TOPICS}
        self._prepare = prepare
        self._producer: BatchProducer | None = None
        self._bundles: SimpleQueue[_Bundle | None] = SimpleQueue()
        self._hand = threading.Thread(target=self._send_bundles, name="careline-publish", daemon=True)
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="careline-kafka-watch", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outbox: list[_Pending] = []
        self._next_bundle_at = 0.0
        self._settled: deque[tuple[Sequence[_Pending], Sequence[Exception] | None]] = deque()
        self._woken = False
        self._waiting_bytes = 0
        self._heard_at = 0.0
        self._silent_since: float | None = None
        """When the first record was handed over since Kafka has acknowledged one; null while none is waited for."""
        self._answers_since: float | None = None
        """Since when every look has found a broker; null after one that did not."""
        self._look_again_at = 0.0
        self._failing: str | None = "Kafka has not answered yet"
        self.interaction_partitions = 0
        """How many partitions the interactions have; 0 until Kafka has answered."""

    @property
    def trouble(self) -> str | None:
        """Why Kafka does not take records now; null while it does."""
        return self._failing

    def start(self) -> None:
        """Begin to connect, in the background, for as long as it takes."""
        self._watcher.start()
        self._hand.start()

    def send(self, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[None]]:
        """Hand records over; each future is done when Kafka has acknowledged (or refused) its record.

        Raises:
            KafkaNotTaking: nothing was handed over: there is no connection, or too much is waiting already.
        """
        producer = self._producer
        if producer is None or self._stopping.is_set():
            raise KafkaNotTaking(self._failing or "shutting down")
        total = sum(record.size_bytes for record in records)
        if self._waiting_bytes + total > MOST_BYTES_WAITING:
            raise KafkaNotTaking("too much is waiting for Kafka already")
        self._waiting_bytes += total
        if self._silent_since is None:
            self._silent_since = time.monotonic()
        loop = self._loop = asyncio.get_running_loop()
        if not self._outbox:
            # Also with no time to wait only after this turn of the loop: what else it brings goes along.
            loop.call_later(max(0.0, self._next_bundle_at - loop.time()), self._hand_over, producer, loop)
        futures = [loop.create_future() for _ in records]
        self._outbox += zip(records, futures, strict=True)
        return futures

    def _hand_over(self, producer: BatchProducer, loop: asyncio.AbstractEventLoop) -> None:
        self._next_bundle_at = loop.time() + BETWEEN_BUNDLES_SECONDS
        pending, self._outbox = self._outbox, []
        self._bundles.put(_Bundle(producer, pending, time.monotonic() + PUBLISH_SECONDS))
        loop.call_later(PUBLISH_SECONDS, self._look_after, pending)

    def _look_after(self, pending: Sequence[_Pending]) -> None:
        if not all(future.done() for _, future in pending):
            self._miss(f"no acknowledgement within {PUBLISH_SECONDS:g} s")

    def _send_bundles(self) -> None:
        while (bundle := self._bundles.get()) is not None:
            together: dict[TopicPartition, list[Parcel]] = {}
            for pending in bundle.pending:
                try:
                    place, parcel = self._addressed(bundle, pending)
                except Exception as error:  # noqa: BLE001 - whatever it is, the next record shall have its turn
                    self._settle([pending], error)
                else:
                    together.setdefault(place, []).append(parcel)
            for place, parcels in together.items():
                try:
                    bundle.producer.put(place, parcels)
                except Exception as error:  # noqa: BLE001 - as above
                    self._settle([parcel.token for parcel in parcels], error)
            bundle.producer.wake()

    def _addressed(self, bundle: _Bundle, pending: _Pending) -> tuple[TopicPartition, Parcel]:
        record = pending[0]
        if time.monotonic() > bundle.deadline:
            # Nobody waits for it any more, and its sender will send it again.
            raise KafkaNotTaking("waited too long for its turn")
        if record.size_bytes > LARGEST_RECORD:
            raise MessageSizeTooLargeError(f"{record.size_bytes} bytes, more than {LARGEST_RECORD}")
        key = record.key.encode() or None
        place = bundle.producer.place_of(self._names[record.topic], key, record.partition)
        return place, Parcel(key, record.value, record.headers, pending)

    def _settle_batch(self, batch: Sequence[_Pending], error_of: Callable[[int], BaseException] | None) -> None:
        """What became of a batch. Called in the producer's own threads."""
        self._tell(batch, error_of and [self._outcome(error_of(index)) for index in range(len(batch))])

    def _settle(self, pending: Sequence[_Pending], error: Exception) -> None:
        self._tell(pending, [self._outcome(error)] * len(pending))

    def _tell(self, pending: Sequence[_Pending], errors: Sequence[Exception] | None) -> None:
        self._settled.append((pending, errors))
        if not self._woken and self._loop is not None:
            self._woken = True
            try:
                self._loop.call_soon_threadsafe(self._resolve)
            except RuntimeError:
                log.debug("The server is gone; nobody waits for the records any more")

    def _outcome(self, error: BaseException) -> Exception:
        refused = refusal_in(error, self._kafka)
        if refused is not None:
            self._refuse(refused)
        if isinstance(error, MessageSizeTooLargeError):
            return RecordTooLarge(str(error))
        told = str(refused or error) or type(error).__name__
        if refused is None:
            self._miss(told)
        return error if isinstance(error, KafkaNotTaking) else KafkaNotTaking(told)

    def _resolve(self) -> None:
        self._woken = False  # before looking: what settles from here on calls again
        while self._settled:
            batch, errors = self._settled.popleft()
            if errors is None:
                self._silent_since = None
                self._hear()
            for index, (record, future) in enumerate(batch):
                self._waiting_bytes -= record.size_bytes
                if future.done():
                    continue
                if errors is None:
                    future.set_result(None)
                else:
                    future.set_exception(errors[index])
                    future.exception()  # looked at: its waiter may have given up, and that is no bug to warn about

    def _hear(self) -> None:
        self._heard_at = time.monotonic()
        if self._failing is not None:
            log.info("Kafka at %s takes records", self._kafka)
            self._failing = None

    def _miss(self, reason: str) -> None:
        if self._failing is None:
            log.warning(
                "Kafka at %s does not take records: %s. Webhooks are answered 503 until it does", self._kafka, reason
            )
        self._failing = reason

    def _refuse(self, refused: KafkaRefused) -> None:
        if self._failing != str(refused):
            log.error("%s Webhooks are answered 503; it is tried again once a minute", refused)
        self._failing = str(refused)
        self._look_again_at = time.monotonic() + REFUSED_PAUSE_SECONDS

    def _watch(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            if time.monotonic() < self._look_again_at:
                self._stopping.wait(1.0)
                continue
            try:
                if self._producer is None:
                    self._connect()
                elif self._failing is not None or time.monotonic() - self._heard_at > IDLE_SECONDS:
                    wait_for_kafka(self._kafka, timeout=0)
                    self._renew_if_silent()
                    self._hear()
                pause = FIRST_PAUSE_SECONDS
            except (KafkaRefused, KafkaUnavailable, TopicsRefusedError, KafkaError, OSError) as error:
                refused = refusal_in(error, self._kafka)
                if refused is not None:
                    self._refuse(refused)
                    continue
                self._miss(str(error))
                self._answers_since = None
                # As text: a kept log record would keep the error, its frames and their sockets.
                log.warning("%s Trying again in %.1f s", str(error), pause)
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                self._stopping.wait(1.0)

    def _connect(self) -> None:
        wait_for_kafka(self._kafka, timeout=0)
        if self._prepare is not None:
            self._prepare()
        require_rights(self._kafka, {"WRITE": [self._names[topic] for topic in WRITTEN]})
        producer = BatchProducer(self._settle_batch, **producer_settings(self._kafka))
        try:
            # Now, in this thread, and not with the first record.
            found = {topic: producer.partitions_for(name) for topic, name in self._names.items()}
        except KafkaError:
            producer.close(timeout=0)
            raise
        self.interaction_partitions = len(found[INTERACTIONS])
        self._producer = producer
        self._hear()

    def _renew_if_silent(self) -> None:
        """Go on with another producer where the broker answers, and this one hears nothing from it."""
        silent, now = self._producer, time.monotonic()
        since = self._answers_since = now if self._answers_since is None else self._answers_since
        if silent is None or self._silent_since is None or now - max(since, self._silent_since) < SILENT_SECONDS:
            return
        log.warning("Kafka at %s answers, and acknowledges nothing: connecting anew", self._kafka)
        self._connect()
        self._silent_since = None
        # Not waited for: what keeps it from sending may keep it from ending.
        threading.Thread(target=silent.give_up, name="careline-silent", daemon=True).start()

    def close(self) -> None:
        """Let what was handed over arrive, or run out of its time, and end. Takes seconds only while Kafka is away."""
        self._stopping.set()
        self._bundles.put(None)
        for thread in (self._hand, self._watcher):
            if thread.is_alive():
                thread.join()
        if self._producer is not None:
            try:
                self._producer.close(timeout=CLOSE_SECONDS)
            except KafkaError as error:
                log.warning("Kafka did not take everything before the end: %s", str(error))


def producer_settings(kafka: KafkaConnection) -> dict[str, Any]:
    """The settings of kafka-python's producer, each with its reason."""
    return {
        **kafka.for_kafka_python(),
        "client_id": "careline-connect",
        "acks": "all",
        "enable_idempotence": True,  # its own retries write nothing twice
        "linger_ms": 0,  # what goes together is gathered here
        "metrics_enabled": False,  # we count ourselves
        "max_in_flight_requests_per_connection": 5,  # the most that keeps order with idempotence
        "max_request_size": LARGEST_RECORD,
        "max_block_ms": 1_000,  # half of what a sender waits: the next in the queue shall have a chance
        "request_timeout_ms": 5_000,
        "delivery_timeout_ms": DELIVERY_MS,
        "reconnect_backoff_max_ms": 1_000,  # back within a second after Kafka is
        "allow_auto_create_topics": False,  # a topic with the broker's default partitions could never be put right
        "bootstrap_timeout_ms": 5_000,
        "metadata_max_age_ms": 60_000,
    }
