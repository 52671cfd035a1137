"""One partition of one agent at work: take a batch, let the agent decide, commit, acknowledge.

`streams.faust_app.batch_consumer` brings the batches, `agents.conversation_agent` or `agents.account_agent` decides,
`lane_transaction` makes it durable. One batch is in flight; what arrives meanwhile is taken together next time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from agents.domain.instant import Instant
from agents.ports import Agent, Effects, Record, States
from schemas.topics import TopicSpec
from streams.lane.changelog import to_value
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane_effects import LaneEffects
from streams.lane.lane_transaction import LaneTransaction, OutgoingRecord
from streams.lane.partition_states import PartitionStates

MOST_RECORDS_IN_A_BATCH = 4_000
"""About 150 ms of deciding: long enough that a transaction (30 ms) is cheap, short enough for ticks and other lanes."""

FULL_AT_RECORDS = 8_000
"""From here on the consumer leaves the partition alone: memory stays bounded however far a worker is behind."""


@dataclass(frozen=True, slots=True)
class LaneKind:
    """What the lanes of one agent have in common."""

    agent: str
    sources: tuple[TopicSpec, ...]
    ticks: TopicSpec
    memory: TopicSpec
    make_agent: Callable[[States, Effects], Agent]


@dataclass(frozen=True, slots=True)
class Batch:
    """What Faust brought: records of one topic partition, and how to acknowledge them."""

    topic: TopicSpec
    records: Sequence[Any]
    acknowledge: Callable[[], None]


class Lane:
    """Runs one agent on one partition."""

    def __init__(
        self,
        kind: LaneKind,
        partition: int,
        *,
        effects: LaneEffects,
        transaction: LaneTransaction,
        topic_name: Callable[[str], str],
        wall_clock: Callable[[], Instant],
        on_committed: Callable[[CommittedBatch], None],
    ) -> None:
        self.kind = kind
        self.partition = partition
        self.states = PartitionStates()
        self.tick_offset: int | None = None
        """Where the tick in flight stands in the log; null when none is."""
        self._effects = effects
        self._transaction = transaction
        self._topic_name = topic_name
        self._wall_clock = wall_clock
        self._on_committed = on_committed
        self._agent: Agent | None = None
        self._waiting: deque[Batch] = deque()
        self._in_flight: list[Batch] = []
        self._waiting_records = 0
        self._arrived = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether more records should wait in Kafka."""
        return self._waiting_records >= FULL_AT_RECORDS

    def waiting_in(self, topic: str) -> int:
        """How many records of a (physical) topic are queued or being decided."""
        batches = [*self._in_flight, *self._waiting]
        return sum(len(batch.records) for batch in batches if self._topic_name(batch.topic.name) == topic)

    @property
    def agent(self) -> Agent | None:
        """The agent at work here; null until the memory is recovered."""
        return self._agent

    def begin(self, states: PartitionStates) -> None:
        """Take over a recovered memory."""
        self.states = states
        self._agent = self.kind.make_agent(states, self._effects)
        states.changes.clear()

    def offer(self, batch: Batch) -> None:
        """Queue a batch. It is acknowledged when its transaction is committed."""
        self._waiting.append(batch)
        self._waiting_records += len(batch.records)
        self._arrived.set()

    async def run(self) -> None:
        """Work until cancelled.

        An exception means that this worker must stop: its memory is ahead of what is durable.
        """
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._work(self._next())
                await asyncio.sleep(0)

    def _next(self) -> list[Batch]:
        taken = self._in_flight = [self._waiting.popleft()]
        size = len(taken[0].records)
        while self._waiting and size + len(self._waiting[0].records) <= MOST_RECORDS_IN_A_BATCH:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].records)
        return taken

    async def _work(self, batches: list[Batch]) -> None:
        if self._agent is None:
            raise RuntimeError("a lane got work before its memory was recovered")
        began = time.perf_counter()
        observed_at = self._wall_clock()
        self._effects.observed_at = observed_at
        offsets: dict[TopicPartition, int] = {}
        count = 0
        before = _judgements(self._agent)
        for batch in batches:
            name = self._topic_name(batch.topic.name)
            self._agent.process([_record(batch.topic, record) for record in batch.records], observed_at)
            offsets[TopicPartition(name, self.partition)] = batch.records[-1].offset + 1
            count += len(batch.records)
        decided = time.perf_counter()
        await self._transaction.commit([*self._effects.records, *self._changelog()], offsets)
        committed = time.perf_counter()
        self._finish(batches, offsets, count)
        self._on_committed(
            CommittedBatch(
                lane=self,
                records=count,
                events=self._effects.events,
                rejections=self._effects.rejections,
                judged={name: number - before[name] for name, number in _judgements(self._agent).items()},
                offsets=offsets,
                deciding_seconds=decided - began,
                committing_seconds=committed - decided,
            )
        )
        self._effects.clear()

    def _changelog(self) -> list[OutgoingRecord]:
        name = self._topic_name(self.kind.memory.name)
        changes = self.states.changes
        return [
            OutgoingRecord(name, self.partition, key.encode(), None if kept is None else to_value(kept), [])
            for key, kept in changes.items()
        ]

    def _finish(self, batches: list[Batch], offsets: dict[TopicPartition, int], count: int) -> None:
        self.states.changes.clear()
        self._waiting_records -= count
        ticked = offsets.get(TopicPartition(self._topic_name(self.kind.ticks.name), self.partition))
        if self.tick_offset is not None and ticked is not None and ticked > self.tick_offset:
            self.tick_offset = None
        self._in_flight = []
        for batch in batches:
            batch.acknowledge()

    def abandon(self) -> None:
        """Acknowledge everything without having done it: this worker is leaving, and nothing of it was committed."""
        abandoned = [*self._in_flight, *self._waiting]
        self._waiting.clear()
        for batch in abandoned:
            batch.acknowledge()

    async def close(self) -> None:
        """Let go of the lane; what waits is read again by the next owner."""
        self._waiting.clear()
        self._waiting_records = 0
        await self._transaction.close()


def _judgements(agent: Agent) -> dict[str, int]:
    ledger = agent.ledger
    return {
        "applied": ledger.applied,
        "duplicate": ledger.duplicate,
        "late": ledger.late,
        "rejected": ledger.rejected,
    }


def _record(topic: TopicSpec, record: ConsumerRecord) -> Record:
    return Record(
        topic, record.partition, record.offset, record.key, record.value, record.headers, record.timestamp * 1000
    )
