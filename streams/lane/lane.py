"""One partition of one agent at work: take a batch, let the agent decide, commit, acknowledge.

`streams.faust_app.batch_consumer` brings the batches, `agents.conversation_agent` or `agents.account_agent` decides,
`lane_transaction` makes it durable. One batch is in flight; what arrives meanwhile is taken together next time.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import groupby

from aiokafka import TopicPartition

from agents.ports import Agent, Effects, Record, States
from schemas.topics import TopicSpec
from streams.fault_points import AtPlace, nothing_planted
from streams.lane.changelog import to_value
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane_effects import LaneEffects
from streams.lane.lane_transaction import LaneTransaction
from streams.lane.log_clock import LogClock
from streams.lane.outbox import Outbox
from streams.lane.partition_states import PartitionStates
from streams.record_batch import NO_HEADERS

MOST_RECORDS_IN_A_BATCH = 8_000
"""About 200 ms of deciding, which only a lane that is behind ever has.

The more there are, the more often does one state stand for many events: a third fewer records than with 4,000. And it
is as long as the other lanes, and a tick, may wait.
"""

FULL_AT_RECORDS = 12_000
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
class LaneOutlets:
    """Where a lane puts what it decided: the agent writes through `effects` into `outbox`, `transaction` sends it."""

    effects: LaneEffects
    outbox: Outbox
    transaction: LaneTransaction


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a batch, before it is durable."""

    records: int
    offsets: Mapping[TopicPartition, int]
    judged: Mapping[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What Faust brought: records of one topic partition, and how to acknowledge them."""

    topic: TopicSpec
    records: Sequence[Record]
    acknowledge: Callable[[], None]


class Lane:
    """Runs one agent on one partition."""

    def __init__(
        self,
        kind: LaneKind,
        partition: int,
        *,
        outlets: LaneOutlets,
        thread: Executor,
        topic_name: Callable[[str], str],
        clock: LogClock,
        on_committed: Callable[[CommittedBatch], None],
        at_place: AtPlace = nothing_planted,
    ) -> None:
        self.kind = kind
        self.partition = partition
        self.states = PartitionStates()
        self._tick_offset: int | None = None
        """Where the tick in flight stands in the log; null when none is."""
        self._ticks_done_until = 0
        """Behind the last record of the ticks' topic whose batch is committed."""
        self.is_deciding = False
        """Whether the memory is in use by the deciding thread: nobody else may look at it then."""
        self._effects = outlets.effects
        self._outbox = outlets.outbox
        self._transaction = outlets.transaction
        self._thread = thread
        self._topic_name = topic_name
        self._clock = clock
        self._on_committed = on_committed
        self._at_place = at_place
        self.busy_since: float | None = None
        """Since when (steady seconds) it has been at the batch in hand; null when idle."""
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
    def awaits_tick(self) -> bool:
        """Whether a tick is in the log that was not decided yet."""
        return self._tick_offset is not None

    def tick_appended(self, offset: int) -> None:
        """A tick stands in the log. It may have been read and decided before its acknowledgement came."""
        if offset >= self._ticks_done_until:
            self._tick_offset = offset

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
        self._at_place("batch.taken")
        self.busy_since = time.monotonic()
        self.is_deciding = True
        decided = await asyncio.get_running_loop().run_in_executor(self._thread, self._decide, self._agent, batches)
        self.is_deciding = False
        began = time.perf_counter()
        if self._outbox.is_large:
            await asyncio.to_thread(self._outbox.finish)
        else:
            self._outbox.finish()
        self._at_place("batch.decided")
        await self._transaction.commit(self._outbox, decided.offsets)
        self._at_place("transaction.committed")
        committed = time.perf_counter()
        self._finish(batches, decided)
        self._on_committed(
            CommittedBatch(
                lane=self,
                records=decided.records,
                kinds=Counter(self._effects.kinds),
                telling=self._effects.telling,
                rejections=self._effects.rejections,
                issues=self._effects.issues,
                judged=decided.judged,
                offsets=decided.offsets,
                deciding_seconds=decided.seconds,
                committing_seconds=committed - began,
            )
        )
        self._effects.clear()
        self.busy_since = None

    def _decide(self, agent: Agent, batches: list[Batch]) -> Decided:
        """Let the agent decide and write down what changed.

        Runs in the thread in which all lanes of a worker decide, one at a time, so that the event loop meanwhile
        commits what others have decided.
        """
        began = time.perf_counter()
        self._clock.heard(max(batch.records[-1].appended_at for batch in batches))
        observed_at = self._effects.observed_at = self._clock.now()
        before = _judgements(agent)
        offsets: dict[TopicPartition, int] = {}
        for topic, together in groupby(batches, key=lambda batch: batch.topic.name):
            records = [record for batch in together for record in batch.records]
            agent.process(records, observed_at)
            offsets[TopicPartition(self._topic_name(topic), self.partition)] = records[-1].offset + 1
        self._write_changelog()
        return Decided(
            records=sum(len(batch.records) for batch in batches),
            offsets=offsets,
            judged={name: number - before[name] for name, number in _judgements(agent).items()},
            seconds=time.perf_counter() - began,
        )

    def _write_changelog(self) -> None:
        place = (self._topic_name(self.kind.memory.name), self.partition)
        put, changes = self._outbox.put, self.states.changes
        for key, kept in changes.items():
            put(place, key.encode(), None if kept is None else to_value(kept), *NO_HEADERS)
        changes.clear()

    def _finish(self, batches: list[Batch], decided: Decided) -> None:
        self._waiting_records -= decided.records
        ticked = decided.offsets.get(TopicPartition(self._topic_name(self.kind.ticks.name), self.partition))
        if ticked is not None:
            self._ticks_done_until = ticked
            if self._tick_offset is not None and ticked > self._tick_offset:
                self._tick_offset = None
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
