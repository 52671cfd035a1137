"""As whom `careline enrich` commits: as the member of the group that has read the messages, or not at all."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata

from schemas.codec import encode, headers_of
from schemas.interaction import Author, Interaction
from schemas.topics import INTERACTIONS
from streams.enrich.enrich_loop import EnrichLoop, PutOutError
from streams.enrich.message_scorer import RuleScorer
from streams.enrich.model_budget import DailyBudget
from streams.sinks.recorder import Recorder

PLACE = TopicPartition(INTERACTIONS.name, 0)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MEMBER = ConsumerGroupMetadata("careline-enrich", 7, "member-1", None)
PUT_OUT = ConsumerGroupMetadata("careline-enrich")
"""What kafka-python says when the group has put it out: of nobody the broker takes offsets without asking the group."""


class Consumer:
    """A member that reads one message and is put out by the group, of which it will hear with its next poll."""

    def __init__(self, stop: threading.Event, at_first: ConsumerGroupMetadata) -> None:
        self._stop = stop
        self._at_first = at_first
        self._polled = 0

    def subscribe(self, topics: list[str], listener: Any) -> None:
        self._listener = listener

    def poll(self, **_: object) -> Mapping[TopicPartition, list[Any]]:
        self._polled += 1
        if self._polled == 1:
            self._listener.on_partitions_assigned([PLACE])
            return {}
        self._stop.set()
        message = Interaction(
            id="m1", source="test", conversation_id="c1", occurred_at=AT, author=Author("customer"), text="Terrible."
        )
        stamp = round(AT.timestamp() * 1000)
        headers = headers_of(message, "test", "m1", AT)
        return {PLACE: [SimpleNamespace(offset=0, key=b"c1", headers=headers, value=encode(message), timestamp=stamp)]}

    def group_metadata(self) -> ConsumerGroupMetadata:
        return self._at_first if self._polled < 2 else PUT_OUT

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def committed(self, *_: object, **__: object) -> None:
        """Nothing yet."""

    def highwater(self, _: TopicPartition) -> int:
        return 1

    def position(self, _: TopicPartition) -> int:
        return 1

    def seek_to_beginning(self, _: TopicPartition) -> None:
        """It stands there."""

    def pause(self, _: TopicPartition) -> None:
        """Nothing more comes."""

    resume = pause


class Producer:
    """Notes as whom offsets are sent."""

    def __init__(self) -> None:
        self.sent_as: list[ConsumerGroupMetadata] = []

    def begin_transaction(self) -> None:
        """Nothing is at stake."""

    commit_transaction = begin_transaction

    def send(self, *_: object, **__: object) -> None:
        """Whatever."""

    def send_offsets_to_transaction(
        self, _: Mapping[TopicPartition, OffsetAndMetadata], member: ConsumerGroupMetadata
    ) -> None:
        self.sent_as.append(member)


def run(at_first: ConsumerGroupMetadata) -> list[ConsumerGroupMetadata]:
    stop, producer = threading.Event(), Producer()
    consumer: Any = Consumer(stop, at_first)
    EnrichLoop(
        consumer,
        producer,
        RuleScorer(),
        budget=DailyBudget(0, 0, lambda: 0),
        topic_name=str,
        recorder=Recorder(),
    ).run(stop)
    return producer.sent_as


def test_offsets_are_sent_as_the_member_that_has_read() -> None:
    assert run(at_first=MEMBER) == [MEMBER]


def test_nothing_is_published_by_nobody() -> None:
    with pytest.raises(PutOutError):
        run(at_first=PUT_OUT)
