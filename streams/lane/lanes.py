"""All lanes of a worker: opened when Kafka assigns partitions, closed when it takes them away.

`streams.faust_app.batch_consumer` calls `open` before the first record of an assignment is fetched. Opening is: fence
the old owner, recover the memory from the changelog to its end, work. A lane that stays with the same worker through a
rebalance keeps its memory; had somebody else owned it meanwhile, its next transaction would be fenced.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from agents.ports import Record
from schemas.topics import TopicSpec
from streams.fault_points import AtPlace, nothing_planted
from streams.lane.changelog import Recovery
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane import Batch, Lane, LaneKind, LaneOutlets
from streams.lane.lane_effects import LaneEffects
from streams.lane.lane_transaction import LaneTransaction
from streams.lane.log_clock import LogClock
from streams.lane.outbox import Outbox
from streams.stuck_watch import LaneProgress

log = logging.getLogger("careline.work")


@dataclass(frozen=True, slots=True)
class LaneSurroundings:
    """What every lane of a worker is given: how to reach Kafka, how things are called, whom to tell."""

    connection: dict[str, object]
    group: str
    topic_name: Callable[[str], str]
    clock: LogClock
    on_committed: Callable[[CommittedBatch], None]
    on_recovering: Callable[[str, int], None]
    on_recovered: Callable[[str, int, float], None]
    on_failed: Callable[[BaseException], None]
    at_place: AtPlace = nothing_planted


class LaneNotReady(RuntimeError):  # noqa: N818 - what happened, in the words of the log line
    """Records reached a lane that is still being opened: opening took longer than Faust waits for it."""


class Lanes:
    """The lanes that this worker owns."""

    def __init__(self, kinds: Iterable[LaneKind], surroundings: LaneSurroundings) -> None:
        self._kinds = tuple(kinds)
        self._around = surroundings
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._kind_of = {topic.name: kind for kind in self._kinds for topic in kind.sources}
        self._logical = {self._around.topic_name(name): name for name in self._kind_of}
        self._topics = {self._around.topic_name(topic.name): topic for kind in self._kinds for topic in kind.sources}
        self._opening = asyncio.Lock()
        self._wanted: set[tuple[str, int]] = set()
        self._is_abandoned = False
        # One thread for all lanes: deciding is bound by the interpreter's lock, two would only take turns.
        self._deciding = ThreadPoolExecutor(1, "deciding")
        self.partitions = 0

    def __iter__(self) -> Iterator[Lane]:
        return iter(list(self._lanes.values()))

    def topic(self, physical: str) -> TopicSpec:
        """The topic of ours behind a topic's name in Kafka."""
        return self._topics[physical]

    @property
    def is_opening(self) -> bool:
        """Whether lanes are being opened or closed now."""
        return self._opening.locked()

    def keys_of(self, agent: str) -> int:
        """How many keys the lanes of one agent remember."""
        return sum(len(lane.states) for lane in self._lanes.values() if lane.kind.agent == agent)

    async def open(self, assigned: Iterable[tuple[str, int]]) -> None:
        """Own exactly the lanes of these (physical topic, partition) pairs, each ready to work."""
        async with self._opening:
            wanted = {
                (self._kind_of[self._logical[topic]].agent, partition)
                for topic, partition in assigned
                if topic in self._logical
            }
            self._wanted = wanted
            await self._close([key for key in self._lanes if key not in wanted])
            new = sorted(wanted - self._lanes.keys())
            for kind in self._kinds:
                await self._open_kind(kind, [partition for agent, partition in new if agent == kind.agent])

    async def _open_kind(self, kind: LaneKind, partitions: list[int]) -> None:
        if not partitions:
            return
        began = time.perf_counter()
        lanes = [self._make(kind, partition) for partition in partitions]
        try:
            await asyncio.gather(*(transaction.fence() for _, transaction in lanes))
            recovery = Recovery(self._around.connection, partial(self._tell_progress, kind))
            memories = await recovery.read(self._around.topic_name(kind.memory.name), partitions)
        except BaseException:
            await asyncio.gather(*(transaction.close() for _, transaction in lanes))
            raise
        for lane, _ in lanes:
            states, _end = memories[lane.partition]
            lane.begin(states)
            key = (kind.agent, lane.partition)
            self._lanes[key] = lane
            self._tasks[key] = asyncio.create_task(self._watch(lane), name=f"lane {kind.agent}-{lane.partition}")
        keys = sum(len(states) for states, _ in memories.values())
        seconds = time.perf_counter() - began
        log.info("%s: partitions %s ready, %d keys recovered in %.1f s", kind.agent, partitions, keys, seconds)
        self._around.on_recovered(kind.agent, keys, seconds)

    def _tell_progress(self, kind: LaneKind, keys: int) -> None:
        log.info("%s: %d keys recovered so far", kind.agent, keys)
        self._around.on_recovering(kind.agent, keys)

    def _make(self, kind: LaneKind, partition: int) -> tuple[Lane, LaneTransaction]:
        around = self._around
        transactional_id = f"{around.group}-{kind.agent}-{partition}"
        transaction = LaneTransaction(around.connection, transactional_id, around.group, around.at_place)
        outbox = Outbox()
        stands_alone = kind.memory.partitioned_with == "single"
        effects = LaneEffects(partition, self.partitions, around.topic_name, outbox, stands_alone=stands_alone)
        lane = Lane(
            kind,
            partition,
            outlets=LaneOutlets(effects, outbox, transaction),
            thread=self._deciding,
            topic_name=around.topic_name,
            clock=around.clock,
            on_committed=around.on_committed,
            at_place=around.at_place,
        )
        return lane, transaction

    async def _watch(self, lane: Lane) -> None:
        try:
            await lane.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, this worker's memory is not to be trusted any more
            self._around.on_failed(error)

    def offer(self, topic: str, partition: int, records: list[Record], acknowledge: Callable[[], None]) -> None:
        """Hand records to their lane."""
        if self._is_abandoned:
            acknowledge()
            return
        logical = self._logical[topic]
        kind = self._kind_of[logical]
        lane = self._lanes.get((kind.agent, partition))
        if lane is None and (kind.agent, partition) in self._wanted:
            # The next batch would commit past them: this worker leaves, and they are read again.
            acknowledge()
            self._around.on_failed(LaneNotReady(f"records of {topic}[{partition}] came before its lane was ready"))
            return
        if lane is None:
            log.warning(
                "records of %s[%d] arrived after the partition moved on; its new owner reads them", topic, partition
            )
            acknowledge()
            return
        lane.offer(Batch(self._topics[topic], records, acknowledge))

    def fail(self, error: BaseException) -> None:
        """Tell the worker that it cannot go on."""
        self._around.on_failed(error)

    def is_full(self, topic: str, partition: int) -> bool:
        """Whether a partition should be left alone for now."""
        kind = self._kind_of.get(self._logical.get(topic, ""))
        lane = self._lanes.get((kind.agent, partition)) if kind is not None else None
        return lane is not None and lane.is_full

    def progress(self) -> list[LaneProgress]:
        """How each lane stands."""
        return [
            LaneProgress(f"{agent}-{partition}", lane.busy_since)
            for (agent, partition), lane in list(self._lanes.items())
        ]

    def abandon(self) -> None:
        """Acknowledge what waits, and what still comes, without having done it, so that Faust can stop.

        Nothing of it was committed.
        """
        self._is_abandoned = True
        for lane in self._lanes.values():
            lane.abandon()

    def waiting(self, topic: str, partition: int) -> int | None:
        """How many records wait in a partition's lane; null when it is not one of ours."""
        kind = self._kind_of.get(self._logical.get(topic, ""))
        lane = self._lanes.get((kind.agent, partition)) if kind is not None else None
        return lane.waiting_in(topic) if lane is not None else None

    async def let_go(self) -> None:
        """Close every lane, now."""
        async with self._opening:
            await self._close(list(self._lanes))
        self._deciding.shutdown(wait=False)

    async def _close(self, keys: list[tuple[str, int]]) -> None:
        closing: list[Awaitable[None]] = []
        for key in keys:
            task = self._tasks.pop(key)
            task.cancel()
            closing.append(self._lanes.pop(key).close())
        await asyncio.gather(*closing)
