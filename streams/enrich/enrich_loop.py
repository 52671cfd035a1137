"""Reads interactions, has the messages of customers judged, and publishes what was found, each exactly once.

What a gathered batch leads to and the offsets behind it are one Kafka transaction: a process that is killed has either
published both or nothing, and the next owner of the partition goes on from there. The broker refuses the offsets of an
owner that lost its partition meanwhile (KIP-447), and then the results of the same transaction do not appear either: so
they are sent as the member that read the messages, which a process that was frozen may be no more.
Ids follow from the message, so even judging again after a reset of the offsets doubles nothing for readers.

What the conversation agent puts into the dead letters is left out here without a word: it is told there.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import CommitFailedError, KafkaError, ProducerFencedError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata
from typing_extensions import override

from agents.domain.instant import from_datetime
from agents.domain.message_enrichment import Judgement, enrichment_of, is_customer_message, mention_of
from agents.import_clock import is_import
from agents.interaction_check import checked
from agents.ports import Record
from schemas.codec import ContractViolation, contract_in, decode, encode, headers_of
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.interaction import Interaction
from schemas.mention import Mention
from schemas.topics import ENRICHMENTS, INTERACTIONS, MENTIONS
from streams.enrich.message_scorer import MessageScorer
from streams.enrich.model_budget import NOTHING, DailyBudget, Spent, read_spent
from streams.enrich.time_merge import TimeMerge, Waiting
from streams.kafka_refusal import is_refusal
from streams.sinks.recorder import Recorder

log = logging.getLogger("careline.enrich")

SOURCE = "careline/enrich"
CONSUMER_NAME = "enrich"
POLL_SECONDS = 0.1
GATHER_SECONDS = 0.3
"""So long messages are gathered for one transaction, and one call of a model."""
MOST_MESSAGES = 500
"""Gathered at a time: by rules some 30 ms, by a model up to 25 calls."""
PATIENCE_SECONDS = 10.0
"""How long the others wait for a partition that Kafka does not bring; then its messages may come out of order, and one
issue may be told as two. The first fetch of a busy machine may take seconds; a partition without a leader is rare."""
IDLE_COMMIT_SECONDS = 5.0
"""How often offsets are committed while nothing worth a judgement comes."""
LAG_EVERY_SECONDS = 5.0
KAFKA_ANSWER_MS = 10_000


PUT_OUT = "the group has given the partitions to others while this process was away"


class FencedError(RuntimeError):
    """The broker takes no more transactions of this process; a new one goes on from what is committed."""


class PutOutError(RuntimeError):
    """The group has gone on without this process, which was away for longer than its session: a new one joins anew."""


class KafkaRecord(Protocol):
    """What the loop needs of a record of kafka-python."""

    offset: int
    key: bytes | None
    headers: list[tuple[str, bytes]]
    value: bytes | None
    timestamp: int


class EnrichLoop:
    """The loop of one process. Everything happens on the thread that calls `run`.

    Args:
        consumer: of the interactions, in a group, read committed, committing nothing by itself.
        producer: transactional.
        scorer: who judges.
        budget: of what judging costs.
        topic_name: the physical name of a topic.
        recorder: told what happens.
        clock: steady seconds.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        producer: KafkaProducer,
        scorer: MessageScorer,
        *,
        budget: DailyBudget,
        topic_name: Callable[[str], str],
        recorder: Recorder,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._spent: dict[TopicPartition, Spent] = {}
        """What was spent, written beside the offset of each partition."""
        self._consumer = consumer
        self._producer = producer
        self._scorer = scorer
        self._topic_name = topic_name
        self._recorder = recorder
        self._clock = clock
        self._gathered: list[Interaction | Control] = []
        """Messages, and controls that are passed on, in the order of their partitions."""
        self._offsets: dict[TopicPartition, int] = {}
        self._merge = TimeMerge()
        self._arrived_at: dict[TopicPartition, float] = {}
        self._since = self._lag_told_at = clock()
        self._has_moved = False
        self._member: ConsumerGroupMetadata | None = None
        """As whom the messages since the last rewinding were read."""
        self.judged = 0
        """Messages whose enrichments are durable."""

    def run(self, stop: threading.Event) -> None:
        """Judge until `stop` is set; what was gathered is published before returning.

        Raises:
            FencedError: the broker takes no more transactions of this process.
            PutOutError: the group has gone on without this process.
            KafkaError: Kafka refuses something.
        """
        self._consumer.subscribe(
            topics=[self._topic_name(INTERACTIONS.name)], listener=_Moved(self._look_again, self._forget)
        )
        while not stop.is_set():
            self._take_in()
            if self._is_due():
                self._publish()
            self._tell_lag()
        self._publish()

    def _is_due(self) -> bool:
        waited = self._clock() - self._since
        if self._gathered:
            return waited >= GATHER_SECONDS or len(self._gathered) >= MOST_MESSAGES
        return bool(self._offsets) and waited >= IDLE_COMMIT_SECONDS

    def _take_in(self) -> None:
        polled = self._consumer.poll(timeout_ms=int(POLL_SECONDS * 1000), max_records=MOST_MESSAGES)
        if self._has_moved:
            self._rewind()
            return
        for place, records in polled.items():
            self._arrived_at[place] = self._clock()
            for record in records:
                event = _event_in(place, record)
                at = from_datetime(event.occurred_at) if isinstance(event, Interaction) else None
                self._merge.put(place, Waiting(record.offset, at, event))
        self._merge.watch(self._consumer.assignment())
        for place, taken in self._merge.take(MOST_MESSAGES - len(self._gathered), self._is_coming):
            if not self._offsets or (taken.event is not None and not self._gathered):
                self._since = self._clock()
            self._offsets[place] = taken.offset + 1
            if taken.event is not None:
                self._gathered.append(taken.event)
        for place in self._consumer.assignment():
            (self._consumer.pause if self._merge.is_full(place) else self._consumer.resume)(place)

    def _is_coming(self, place: TopicPartition) -> bool:
        """Whether Kafka holds more of a partition that it has not brought yet."""
        end = self._consumer.highwater(place)
        if end is not None and self._consumer.position(place) >= end:
            return False
        return self._clock() - self._arrived_at.setdefault(place, self._clock()) < PATIENCE_SECONDS

    def _publish(self) -> None:
        """Judge what was gathered and make it durable together with the offsets behind it."""
        if not self._offsets:
            return
        member = self._member
        if member is None or member.generation_id < 0:  # as nobody it would be taken unseen
            raise PutOutError(PUT_OUT)
        messages = [event for event in self._gathered if isinstance(event, Interaction)]
        texts = [message.text for message in messages if message.text is not None]
        judgements = self._scorer.score(texts) if texts else []
        began = self._clock()
        try:
            self._producer.begin_transaction()
            self._send(judgements)
            self._producer.send_offsets_to_transaction(self._located(), member)
            self._producer.commit_transaction()
        except KafkaError as error:
            self._give_up(error)
            return
        self._budget.told()
        self._recorder.transaction_committed(CONSUMER_NAME, self._clock() - began)
        for judgement in judgements:
            self._recorder.enriched(judgement.scorer, judgement.fallback)
        self.judged += len(judgements)
        self._clear()

    def _give_up(self, error: KafkaError) -> None:
        """Take back what was begun, and read it again; a refusal of Kafka's is for whoever runs the loop."""
        if is_refusal(error):
            raise error
        if isinstance(error, CommitFailedError):
            raise PutOutError(PUT_OUT) from error
        log.warning("nothing of the batch was published, it is read again: %s", type(error).__name__)
        try:
            if isinstance(error, ProducerFencedError):
                raise error
            self._producer.abort_transaction()
            self._rewind()
        except KafkaError:
            raise FencedError(
                "Kafka takes no more transactions of this process: another `careline enrich` of the same "
                "CARELINE_INSTANCE_ID runs, or Kafka was away for too long; start it again"
            ) from error

    def _located(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offsets behind what was gathered, with what was spent: that of this batch beside the first of them."""
        first = next(iter(self._offsets))
        self._spent[first] = self._spent.get(first, NOTHING).plus(self._budget.untold)
        return {
            place: OffsetAndMetadata(offset, self._spent.get(place, NOTHING).written(), -1)
            for place, offset in self._offsets.items()
        }

    def _send(self, judgements: Iterable[Judgement]) -> None:
        found = iter(judgements)
        for event in self._gathered:
            if isinstance(event, Control):
                self._pass_on(event)
                continue
            judgement = None if event.text is None else next(found)
            if judgement is not None:
                self._emit(ENRICHMENTS.name, enrichment_of(event, judgement))
            if not is_import(event.clock):  # a history comes conversation by conversation, not in the order of time
                self._emit(MENTIONS.name, mention_of(event, judgement))

    def _emit(self, topic: str, result: Enrichment | Mention) -> None:
        self._producer.send(
            self._topic_name(topic),
            key=result.account_id.encode(),
            value=encode(result),
            headers=headers_of(result, SOURCE, result.id, result.occurred_at),
        )

    def _pass_on(self, control: Control) -> None:
        """A forgetting goes behind what was published of its account so far, into every partition."""
        value, headers = encode(control), headers_of(control, SOURCE, control.id, control.as_of)
        for topic in (ENRICHMENTS, MENTIONS):
            name = self._topic_name(topic.name)
            for partition in sorted(self._producer.partitions_for(name)):
                self._producer.send(name, partition=partition, value=value, headers=headers)

    # partitions

    def _look_again(self) -> None:
        self._has_moved = True

    def _forget(self, revoked: Iterable[TopicPartition]) -> None:
        for place in revoked:
            self._recorder.partition_released(CONSUMER_NAME, place.topic, place.partition)

    def _rewind(self) -> None:
        """Go back to what is committed: what was gathered since is read again, here or by the new owner."""
        self._clear()
        self._merge.clear()
        self._arrived_at = {}
        self._has_moved = False
        self._spent = {}
        self._member = self._consumer.group_metadata()  # before looking what is committed: later ones may know more
        for place in self._consumer.assignment():
            committed = self._consumer.committed(place, metadata=True, timeout_ms=KAFKA_ANSWER_MS)
            if committed is None:
                self._consumer.seek_to_beginning(place)
            else:
                self._consumer.seek(place, committed.offset)
                self._spent[place] = read_spent(committed.metadata)
        self._budget.begin(self._spent.values())

    def _clear(self) -> None:
        self._gathered = []
        self._offsets = {}
        self._since = self._clock()

    def _tell_lag(self) -> None:
        if self._clock() - self._lag_told_at < LAG_EVERY_SECONDS:
            return
        self._lag_told_at = self._clock()
        for place in self._consumer.assignment():
            end = self._consumer.highwater(place)
            if end is not None:
                done = self._offsets.get(place) or self._consumer.position(place)
                self._recorder.lag(CONSUMER_NAME, place.topic, place.partition, max(0, end - done))


class _Moved(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no annotations
    """Tells the loop that partitions have moved: it looks what is committed before it goes on."""

    def __init__(self, look_again: Callable[[], None], forget: Callable[[Iterable[TopicPartition]], None]) -> None:
        self._look_again = look_again
        self._on_revoked = forget

    @override
    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._look_again()
        self._on_revoked(list(revoked))

    @override
    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._look_again()


def _event_in(place: TopicPartition, record: KafkaRecord) -> Interaction | Control | None:
    """What a record asks for; null for most, and for what is no interaction."""
    try:
        found = contract_in(record.headers, Interaction)
        if found is Control:
            control = decode(Control, record.value)
            return control if control.kind == "account_forgotten" else None
        message = decode(Interaction, record.value)
        if not is_customer_message(message):
            return None
        appended_at = record.timestamp * 1000
        checked(
            message, Record(INTERACTIONS, place.partition, record.offset, record.key, record.value, (), appended_at)
        )
    except (ContractViolation, ValueError, OverflowError):
        return None
    return message
