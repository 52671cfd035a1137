"""What an agent decided in one batch, collected until the transaction: implements `agents.ports.Effects`.

Partitions are decided here: topics that are partitioned like the lane go to the lane's own partition, the others by
their key, as every Kafka client does (murmur2).
"""

from collections.abc import Callable
from functools import lru_cache

from aiokafka.partitioner import murmur2
from msgspec import Struct
from msgspec.structs import replace

from agents.domain.instant import Instant, to_datetime
from agents.ports import Record
from schemas.codec import encode, headers_of, result_headers
from schemas.control import Control
from schemas.rejection import Origin, Rejection, RejectionReason
from schemas.topics import INTERACTIONS, REJECTED, SLA_EVENTS, TopicSpec
from streams.lane.lane_transaction import OutgoingRecord

SOURCE = "careline/work"

BY_KEY = (SLA_EVENTS, INTERACTIONS)
"""Topics whose records leave the lane: for their account, or for the conversation that others are merged into."""

MOST_REJECTED_BYTES = 2_500_000
"""Base64 makes a third more of it, which has to fit into one batch of the transaction."""


class LaneEffects:
    """The results of one batch."""

    def __init__(self, partition: int, partitions: int, topic_name: Callable[[str], str]) -> None:
        self._partition = partition
        self._partitions = partitions
        self._topic_name = topic_name
        self._names: dict[str, str] = {}
        self.observed_at: Instant = 0
        self.records: list[OutgoingRecord] = []
        self.events: list[Struct] = []
        self.rejections: list[Rejection] = []

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Publish a contract under a key."""
        partition = partition_of(key, self._partitions) if topic in BY_KEY else self._partition
        headers = result_headers(type(event), SOURCE, event.id)  # type: ignore[attr-defined]  # results have an id
        self.records.append(OutgoingRecord(self._name(topic), partition, key.encode(), encode(event), headers))
        self.events.append(event)

    def _name(self, topic: TopicSpec) -> str:
        name = self._names.get(topic.name)
        if name is None:
            name = self._names[topic.name] = self._topic_name(topic.name)
        return name

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Pass a control on into every partition of a topic, marked with the partition that it comes from."""
        relayed = replace(control, relayed_from=self._partition, relays=self._partitions)
        value, headers = encode(relayed), headers_of(relayed, SOURCE, f"{control.id}/{self._partition}", control.as_of)
        name = self._name(topic)
        self.records += [OutgoingRecord(name, place, None, value, headers) for place in range(self._partitions)]

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Put a record into the dead letters, with every byte of it unless it is larger than an event could be."""
        value = record.value
        if value is not None and len(value) > MOST_REJECTED_BYTES:
            detail = f"{detail} (its {len(value):,} bytes are too many for a dead letter; they are at the origin)"
            value = None
        rejection = Rejection(
            id=f"{record.topic.name}/{record.partition}/{record.offset}",
            reason=reason,
            detail=detail,
            origin=Origin(topic=record.topic.name, partition=record.partition, offset=record.offset),
            rejected_at=to_datetime(self.observed_at),
            key=record.key,
            value=value,
            headers=tuple(record.headers),
        )
        headers = headers_of(rejection, SOURCE, rejection.id, rejection.rejected_at)
        self.records.append(
            OutgoingRecord(self._name(REJECTED), self._partition, record.key, encode(rejection), headers)
        )
        self.rejections.append(rejection)

    def clear(self) -> None:
        """Forget the batch: it is committed."""
        self.records = []
        self.events = []
        self.rejections = []


@lru_cache(maxsize=65_536)
def partition_of(key: str, partitions: int) -> int:
    """The partition that every Kafka client's default partitioner chooses for a key."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions
