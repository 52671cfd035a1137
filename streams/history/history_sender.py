"""History into Kafka: every event, then one tick where the story ends, then the hand-over to the live clock.

`careline import` calls it with the conversations of `streams.history.conversations`. The import has a clock of its
own, so no ticket is judged early because another one is newer: its workers sweep these conversations when they read
the tick, which stands in every partition behind all events of the import. What comes out is the workers' business
(`agents.conversation_agent`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kafka.codec import has_lz4
from kafka.errors import KafkaError
from kafka.future import Future

from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.signal import Signal
from schemas.topics import INTERACTIONS, TopicSpec
from streams.kafka_admin import KafkaUnavailable, wait_for_kafka
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import refusal_in
from streams.renewing_producer import RenewingProducer
from streams.topic_settings import MAX_BATCH_BYTES

IN_FLIGHT = 20_000
"""Events sent and not yet acknowledged; about 10 MB. kafka-python 3 has no bound of its own."""

ACKNOWLEDGED_WITHIN_SECONDS = 120.0
"""As long as the producer itself tries to deliver a batch."""

_CONNECT_SECONDS = 5.0
_METADATA_MS = 8_000
_BATCH_BYTES = 1_000_000
_LINGER_MS = 200
"""Large and patient: each full batch wakes the sending thread, and with small ones the threads wait for each other."""
_EVENTS_BETWEEN_REPORTS = 2_048


class ImportFailed(Exception):  # noqa: N818 - what it is, in the words of the message
    """Kafka is absent, lacks the topics, or refused an event. Importing again completes what was sent before."""

    def __init__(self, message: str, suggestion: str) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class ImportTarget:
    """Where to: the cluster, and `topic_prefix` before every topic name."""

    kafka: KafkaConnection
    topic_prefix: str = ""

    def topic(self, name: str) -> str:
        """The physical name of a topic."""
        return self.topic_prefix + name


@dataclass(frozen=True, slots=True)
class SentHistory:
    """What an import has put into Kafka, all of it acknowledged. `controls` counts those of all partitions."""

    conversations: int
    events: int
    controls: int


def send_history(
    conversations: Iterable[tuple[str, list[Interaction]]],
    clock: str,
    now: datetime,
    target: ImportTarget,
    progress: Callable[[int], None] | None = None,
) -> SentHistory:
    """Send everything; returns when Kafka has acknowledged all of it.

    Args:
        conversations: ids with their events, in order, stamped with `clock`.
        clock: `import:<id>`; the same files and mapping have the same one, so that importing again changes nothing.
        now: how far the clock of the import runs after its last event.
        target: the cluster.
        progress: told now and then how many events have been sent.

    Raises:
        ImportFailed: see there.
    """
    with history_sender(target) as sender:
        count, sent = _send_events(sender, conversations, progress)
        return SentHistory(count, sent, sender.close_story(clock, now))


@contextmanager
def history_sender(target: ImportTarget) -> Iterator["HistorySender"]:
    """A sender for as long as the block lasts.

    Raises:
        ImportFailed: Kafka is absent, or lacks the topics.
    """
    with _producer(target) as producer:
        yield HistorySender(producer, target, _partitions(producer, target))


def _partitions(producer: RenewingProducer, target: ImportTarget) -> list[tuple[str, int]]:
    """Every partition that the clock of an import has to reach. Conversation agents pass it on to the accounts."""
    topic = target.topic(INTERACTIONS.name)
    try:
        return [(topic, partition) for partition in sorted(producer.partitions_for(topic))]
    except KafkaError as error:
        absent = f"Kafka at {target.kafka} does not have the topic {topic}: {error}"
        raise refusal_in(error, target.kafka) or ImportFailed(absent, "create them with `careline topics`") from None


def _send_events(
    sender: "HistorySender",
    conversations: Iterable[tuple[str, list[Interaction]]],
    progress: Callable[[int], None] | None,
) -> tuple[int, int]:
    count = sent = 0
    for conversation, events in conversations:
        count += 1
        key = conversation.encode()
        for event in events:
            sender.send_event(event, INTERACTIONS, key)
            sent += 1
            if progress is not None and sent % _EVENTS_BETWEEN_REPORTS == 0:
                progress(sent)
    if progress is not None:
        progress(sent)
    return count, sent


def _closing_controls(clock: str, now: datetime) -> Iterator[Control]:
    kinds: tuple[Literal["tick", "clock_released"], ...] = ("tick", "clock_released")
    for kind in kinds:
        yield Control(id=f"{clock}/{kind}/{now.isoformat()}", kind=kind, as_of=now, clock=clock)


class HistorySender:
    """Sends, keeps the number in flight bounded, and looks at every answer. Every method raises `ImportFailed`."""

    def __init__(self, producer: RenewingProducer, target: ImportTarget, partitions: Sequence[tuple[str, int]]) -> None:
        self._producer = producer
        self._target = target
        self._partitions = partitions
        self._waiting: deque[Future] = deque()

    def send_event(self, event: Interaction | Signal, topic: TopicSpec, key: bytes) -> None:
        """Hand an event over; `settle` waits for it."""
        headers = headers_of(event, event.source, event.id, event.occurred_at)
        self.send(topic, key=key, value=encode(event), headers=headers)

    def close_story(self, clock: str, now: datetime) -> int:
        """Let the clock of the import run to `now`, then hand its conversations over. Returns the controls sent."""
        # Everything is acknowledged before the tick is sent: not even a retried batch may come to stand behind it.
        self.settle()
        sent = 0
        for control in _closing_controls(clock, now):
            headers = headers_of(control, clock, control.id, control.as_of)
            for topic, partition in self._partitions:
                self._hand_over(topic, partition=partition, value=encode(control), headers=headers)
                sent += 1
            self.settle()
        return sent

    def send(self, topic: TopicSpec, **record: object) -> None:
        """Hand any record over."""
        self._hand_over(self._target.topic(topic.name), **record)

    def _hand_over(self, topic: str, **record: object) -> None:
        try:
            self._waiting.append(self._producer.send(topic, **record))
        except KafkaError as error:
            raise self._failed(error) from None
        if len(self._waiting) > IN_FLIGHT:
            self._acknowledge(down_to=IN_FLIGHT // 2)

    def settle(self) -> None:
        """Wait until everything sent so far is in Kafka."""
        try:
            self._producer.flush(timeout=ACKNOWLEDGED_WITHIN_SECONDS)
        except KafkaError as error:
            raise self._failed(error) from None
        self._acknowledge(down_to=0)

    def _acknowledge(self, down_to: int) -> None:
        while len(self._waiting) > down_to:
            try:
                self._waiting.popleft().get(timeout=ACKNOWLEDGED_WITHIN_SECONDS)
            except KafkaError as error:
                raise self._failed(error) from None

    def _failed(self, error: KafkaError) -> Exception:
        return refusal_in(error, self._target.kafka) or ImportFailed(
            f"Kafka did not take an event: {error}",
            "when that is mended, send the same history again: what is there already counts once",
        )


@contextmanager
def _producer(target: ImportTarget) -> Iterator[RenewingProducer]:
    try:
        wait_for_kafka(target.kafka, timeout=_CONNECT_SECONDS)
        producer = RenewingProducer(
            **target.kafka.for_kafka_python(),
            client_id="careline-import",
            acks="all",
            enable_idempotence=True,
            compression_type="lz4" if has_lz4() else "gzip",
            batch_size=_BATCH_BYTES,
            linger_ms=_LINGER_MS,
            max_block_ms=_METADATA_MS,
            max_request_size=MAX_BATCH_BYTES,
            bootstrap_timeout_ms=_METADATA_MS,
            delivery_timeout_ms=int(ACKNOWLEDGED_WITHIN_SECONDS * 1000),
            allow_auto_create_topics=False,
        )
    except KafkaUnavailable as error:
        raise ImportFailed(f"Kafka does not answer at {error.servers}: {error.cause}", error.way_out) from None
    except (KafkaError, OSError) as error:
        broken = ImportFailed(f"Kafka at {target.kafka} failed: {error}", "look into the log of the broker")
        raise refusal_in(error, target.kafka) or broken from None
    try:
        yield producer
    finally:
        producer.close(timeout=5)
