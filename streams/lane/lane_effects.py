"""What an agent decides in one batch, written down for the transaction at once: implements `agents.ports.Effects`.

Partitions are decided here: topics that are partitioned like the lane go to the lane's own partition, the others by
their key, as every Kafka client does (murmur2). Of the results themselves only what the metrics need is kept.
"""

from collections.abc import Callable

from aiokafka.partitioner import murmur2
from msgspec import Struct
from msgspec.structs import replace

from agents.domain.instant import Instant, to_datetime
from agents.ports import Record
from schemas.codec import encode, headers_of, result_headers
from schemas.control import Control
from schemas.issue import Issue
from schemas.rejection import Origin, Rejection, RejectionReason
from schemas.sla_event import ClockEventKind, FactKind, SlaEvent
from schemas.topics import INTERACTIONS, ISSUES, REJECTED, SIGNALS, SLA_EVENTS, TopicSpec
from streams.lane.outbox import Outbox, Place
from streams.record_batch import NO_HEADERS, header_block

SOURCE = "careline/work"

MOST_REJECTED_BYTES = 2_500_000
"""Base64 makes a third more of it, which has to fit into one batch of the transaction."""

MOST_ACCOUNTS = 65_536
"""How many accounts' partitions are remembered: hashing a key costs more than writing the record."""

DECIDED = frozenset({"met", "breached", "satisfied_late", "cancelled", "merged", "retracted"})
"""Kinds of events by which a clock ends, or a breach is certain."""

TELLING = DECIDED | {"outcome_revised"}
"""Kinds that say more to the metrics than that they happened."""


class LaneEffects:
    """The results of one batch."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        topic_name: Callable[[str], str],
        outbox: Outbox,
        *,
        stands_alone: bool = False,
    ) -> None:
        """Set up for one lane.

        Args:
            partition: its own.
            partitions: how many the keyed topics have.
            topic_name: the physical name of a topic.
            outbox: where records go.
            stands_alone: whether it is the only lane of its agent, so that keyed results belong elsewhere.
        """
        self._stands_alone = stands_alone
        self._partition = partition
        self._partitions = partitions
        self._topic_name = topic_name
        self._headers: dict[type[Struct], bytes] = {}
        self._homes: dict[str, Place] = {}
        self._accounts: dict[str, tuple[Place, bytes]] = {}
        self._outbox = outbox
        self.observed_at: Instant = 0
        self.kinds: list[ClockEventKind | FactKind] = []
        """The kind of each SLA event."""
        self.telling: list[SlaEvent] = []
        self.rejections: list[Rejection] = []
        self.issues: list[Issue] = []

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Publish a contract under a key.

        Three topics leave the lane: results for their account, and what conversations and accounts tell each other.
        """
        contract = type(event)
        headers = self._headers.get(contract)
        if headers is None:
            headers = self._headers[contract] = header_block(result_headers(contract, SOURCE, ""))[0]
        if topic is SLA_EVENTS:
            place, key_bytes = self._accounts.get(key) or self._account(key)
            self._note(event)  # type: ignore[arg-type]  # what this topic is for
        elif topic is INTERACTIONS or topic is SIGNALS or (self._stands_alone and topic.partitioned_with != "single"):
            place, key_bytes = self._by_key(topic, key), key.encode()
        else:
            place, key_bytes = self._homes.get(topic.name) or self._home(topic), key.encode()
            if topic is ISSUES:
                self.issues.append(event)  # type: ignore[arg-type]  # what this topic is for
        event_id: str = event.id  # type: ignore[attr-defined]  # results have an id
        self._outbox.put(place, key_bytes, encode(event), headers, event_id.encode())

    def _account(self, key: str) -> tuple[Place, bytes]:
        if len(self._accounts) >= MOST_ACCOUNTS:
            self._accounts.clear()
        found = self._accounts[key] = self._by_key(SLA_EVENTS, key), key.encode()
        return found

    def _by_key(self, topic: TopicSpec, key: str) -> Place:
        return self._topic_name(topic.name), partition_of(key, self._partitions)

    def _home(self, topic: TopicSpec) -> Place:
        home = self._homes[topic.name] = (self._topic_name(topic.name), self._partition)
        return home

    def _note(self, event: SlaEvent) -> None:
        self.kinds.append(event.kind)
        if event.kind in TELLING and event.metric is not None:
            self.telling.append(event)

    def forget(self, topic: TopicSpec, key: str) -> None:
        """A tombstone in a topic that is partitioned like the lane; one that stands alone tells all partitions."""
        everywhere = self._stands_alone and topic.partitioned_with != "single"
        for partition in range(self._partitions) if everywhere else (self._partition,):
            self._outbox.put((self._topic_name(topic.name), partition), key.encode(), None, *NO_HEADERS)

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Pass a control on into every partition of a topic, marked with the partition that it comes from."""
        relayed = replace(control, relayed_from=self._partition, relays=self._partitions)
        value, headers = encode(relayed), headers_of(relayed, SOURCE, f"{control.id}/{self._partition}", control.as_of)
        for partition in range(1 if topic.partitioned_with == "single" else self._partitions):
            self._outbox.put((self._topic_name(topic.name), partition), None, value, *header_block(headers))

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
        value = encode(rejection)
        self._outbox.put(self._home(REJECTED), record.key, value, *header_block(headers))
        self.rejections.append(rejection)

    def clear(self) -> None:
        """Forget the batch: it is committed."""
        self._outbox.clear()
        self.kinds = []
        self.telling = []
        self.rejections = []
        self.issues = []


def partition_of(key: str, partitions: int) -> int:
    """The partition that every Kafka client's default partitioner chooses for a key."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions
