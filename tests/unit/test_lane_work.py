"""A lane at work: the loop stays free while it decides, and nothing is acknowledged before it is durable."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from aiokafka import TopicPartition

from agents.domain.instant import Instant
from agents.ports import Effects, Record, States
from schemas.conversation_state import PartitionLedger
from schemas.topics import ACCOUNT_STATE, SIGNALS, SLA_EVENTS, TopicSpec
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane import MOST_RECORDS_IN_A_BATCH, Batch, Lane, LaneKind, LaneOutlets
from streams.lane.lane_effects import LaneEffects
from streams.lane.log_clock import LogClock
from streams.lane.outbox import Outbox, Place
from streams.lane.partition_states import PartitionStates
from streams.lane.ticks import _is_due

PATIENCE_SECONDS = 20


class PatientAgent:
    """Notes what came, and decides no sooner than it may."""

    def __init__(self, states: States, _effects: Effects) -> None:
        self.ledger = PartitionLedger()
        self.has_begun = threading.Event()
        self.may_decide = threading.Event()
        self.calls: list[tuple[str, list[int]]] = []
        self._states = states

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:
        """Wait for leave, then note it."""
        self.has_begun.set()
        assert self.may_decide.wait(PATIENCE_SECONDS)
        topic, offsets = records[0].topic.name, [record.offset for record in records]
        self.calls.append((topic, offsets))
        self.ledger.applied += len(records)
        self._states.put(f"{topic}/{offsets[-1]}", b"state", "wall", observed_at)


class PatientTransaction:
    """Notes how many records go where, and commits no sooner than it may."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()
        self.may_commit = asyncio.Event()
        self.committed: list[tuple[dict[Place, int], Mapping[TopicPartition, int]]] = []

    async def commit(self, outbox: Outbox, offsets: Mapping[TopicPartition, int]) -> None:
        """As `LaneTransaction.commit`."""
        self.has_begun.set()
        await self.may_commit.wait()
        self.committed.append(({place: batch.record_count() for place, batch in outbox}, offsets))


class Surroundings:
    """A lane of the account agent on partition 3, with an agent and a transaction that wait for the test."""

    def __init__(self, thread: Executor) -> None:
        self.outbox = Outbox()
        self.transaction = PatientTransaction()
        self.told: asyncio.Queue[CommittedBatch] = asyncio.Queue()
        self.acknowledged: list[str] = []
        transaction: Any = self.transaction
        self.lane = Lane(
            LaneKind("account", (SLA_EVENTS, SIGNALS), SIGNALS, ACCOUNT_STATE, PatientAgent),
            3,
            outlets=LaneOutlets(LaneEffects(3, 4, str, self.outbox), self.outbox, transaction),
            thread=thread,
            topic_name="x.{}".format,
            clock=LogClock(lambda: 100),
            on_committed=self.told.put_nowait,
        )
        self.lane.begin(PartitionStates())
        self.agent: Any = self.lane.agent

    def offer(self, name: str, topic: TopicSpec, offsets: Sequence[int]) -> None:
        """Queue records without content."""
        records = [Record(topic, 3, offset, None, None, (), 0) for offset in offsets]
        self.lane.offer(Batch(topic, records, lambda: self.acknowledged.append(name)))


def at_work(test: Callable[[Surroundings], Awaitable[None]]) -> None:
    """Run a test beside a lane at work."""

    async def run() -> None:
        with ThreadPoolExecutor(1) as thread:
            around = Surroundings(thread)
            working = asyncio.create_task(around.lane.run())
            async with asyncio.timeout(PATIENCE_SECONDS):
                await test(around)
            working.cancel()

    asyncio.run(run())


def test_a_lane_decides_beside_the_loop_and_acknowledges_after_the_commit() -> None:
    """Batches of one topic are decided together; meanwhile no tick looks at the memory; then commit, then acks."""

    async def test(around: Surroundings) -> None:
        around.lane.states.put("early", b"", "wall", 1)
        around.offer("a", SLA_EVENTS, (1, 2))
        around.offer("b", SLA_EVENTS, (3, 5))
        around.offer("c", SIGNALS, (9,))
        await asyncio.to_thread(around.agent.has_begun.wait, PATIENCE_SECONDS)
        in_use = _is_due(around.lane, 50)
        around.agent.may_decide.set()
        await around.transaction.has_begun.wait()
        assert (in_use, _is_due(around.lane, 50)) == (False, True)
        assert (around.acknowledged, around.told.qsize()) == ([], 0)
        around.transaction.may_commit.set()
        told = await around.told.get()

        assert around.agent.calls == [(SLA_EVENTS.name, [1, 2, 3, 5]), (SIGNALS.name, [9])]
        following = {TopicPartition(f"x.{SLA_EVENTS.name}", 3): 6, TopicPartition(f"x.{SIGNALS.name}", 3): 10}
        assert around.transaction.committed == [({(f"x.{ACCOUNT_STATE.name}", 3): 2 + 1}, following)]
        assert around.acknowledged == ["a", "b", "c"]
        assert (told.records, told.judged["applied"]) == (5, 5)

    at_work(test)


def test_a_lane_that_is_behind_takes_no_more_than_a_batch() -> None:
    """What is beyond it waits for the next transaction, with nothing left over from the first."""

    async def test(around: Surroundings) -> None:
        half = MOST_RECORDS_IN_A_BATCH // 2
        for begin in range(0, 3 * half, half):
            around.offer("", SIGNALS, range(begin, begin + half))
        assert around.lane.is_full
        around.agent.may_decide.set()
        around.transaction.may_commit.set()
        told = [await around.told.get(), await around.told.get()]

        assert [(batch.records, batch.judged["applied"]) for batch in told] == [(2 * half, 2 * half), (half, half)]
        assert [sent for sent, _ in around.transaction.committed] == [{(f"x.{ACCOUNT_STATE.name}", 3): 1}] * 2
        assert not around.lane.is_full

    at_work(test)


def test_a_tick_whose_acknowledgement_comes_late_is_not_waited_for() -> None:
    """It may have been read, decided and committed before its writer hears of it; time must not stop for that."""

    async def test(around: Surroundings) -> None:
        around.agent.may_decide.set()
        around.transaction.may_commit.set()
        around.offer("the tick", SIGNALS, (7,))
        await around.told.get()
        waits = [_awaits(around.lane, 7), _awaits(around.lane, 8)]
        around.offer("the next", SIGNALS, (8,))
        await around.told.get()

        assert [*waits, around.lane.awaits_tick] == [False, True, False]

    at_work(test)


def _awaits(lane: Lane, offset: int) -> bool:
    lane.tick_appended(offset)
    return lane.awaits_tick
