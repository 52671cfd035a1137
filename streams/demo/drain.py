"""Whether everything has been worked off: what groups of readers have committed, against what is there to be read.

Result topics end with transaction markers, which hold an offset and nothing to read; so where a group seems to be
behind, a reader of committed records looks whether anything is left. `demo_run` waits with it before it counts.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.structs import OffsetAndMetadata

from streams.demo.demo_errors import DemoFailed
from streams.kafka_connection import KafkaConnection

LOOK_EVERY_SECONDS = 0.1
LOOK_INSIDE_SECONDS = 2.0
COORDINATOR_TRIES, COORDINATOR_PAUSE_SECONDS = 50, 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """A group of readers and the physical topics that it reads."""

    name: str
    group: str
    topics: tuple[str, ...]


@dataclass(slots=True)
class DrainWatch:
    """Measures how far groups are behind. An asynchronous context manager."""

    kafka: KafkaConnection
    _admin: AIOKafkaAdminClient = field(init=False)
    _ends: AIOKafkaConsumer = field(init=False)
    _looking: AIOKafkaConsumer = field(init=False)
    _known: dict[tuple[str, ...], list[TopicPartition]] = field(init=False, default_factory=dict)
    _looks: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        reached = self.kafka.for_aiokafka()
        self._admin = AIOKafkaAdminClient(**reached, client_id="careline-demo")
        # The end for a reader of uncommitted records: a transaction whose markers are on their way counts as well.
        self._ends = AIOKafkaConsumer(**reached, enable_auto_commit=False)
        self._looking = AIOKafkaConsumer(
            **reached,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
        )
        for client in (self._admin, self._ends, self._looking):
            await client.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._ends.stop()
        await self._looking.stop()

    async def behind(self, stage: Stage) -> dict[TopicPartition, tuple[int, int]]:
        """Partitions in which a group has not committed up to the end, with both offsets; markers count as records."""
        places = await self._places(stage)
        committed = await self._committed(stage.group, places)
        ends = await self._ends.end_offsets(places)
        found = {place: (max(0, committed[place].offset) if place in committed else 0, ends[place]) for place in places}
        return {place: offsets for place, offsets in found.items() if offsets[0] < offsets[1]}

    async def wait(self, stages: Sequence[Stage], give_up: Callable[[], bool], patience: float) -> None:
        """Wait until each stage has read everything, one stage after the other.

        Raises:
            DemoFailed: a stage has not finished in time, or the wait was given up.
        """
        deadline = time.monotonic() + patience
        for stage in stages:
            while left := await self._left(await self.behind(stage)):
                if give_up() or time.monotonic() > deadline:
                    told = ", ".join(f"{place.topic}[{place.partition}] {a}..{b}" for place, (a, b) in left.items())
                    raise DemoFailed(
                        f"the {stage.name} have not worked everything off within {patience:.0f} s; left: {told}. "
                        "A busy machine needs a lower --rate"
                    )
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _committed(self, group: str, places: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """The offsets of a group. A broker that makes its topic of offsets just now has no coordinator for a moment.

        Raises:
            DemoFailed: it still has none.
        """
        reason: KafkaError | None = None
        for _ in range(COORDINATOR_TRIES):
            try:
                committed: dict[TopicPartition, OffsetAndMetadata] = await self._admin.list_consumer_group_offsets(
                    group, partitions=places
                )
            except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError) as error:
                reason = error
                await asyncio.sleep(COORDINATOR_PAUSE_SECONDS)
            else:
                return committed
        raise DemoFailed(f"Kafka does not say what {group} has read: {reason}")

    async def _places(self, stage: Stage) -> list[TopicPartition]:
        """The partitions of a stage, asked once.

        Raises:
            DemoFailed: a topic is missing: nothing could be said about it, and nothing would look like drained.
        """
        if stage.topics not in self._known:
            described = await self._admin.describe_topics(list(stage.topics))
            places = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in described
                for partition in topic["partitions"]
            ]
            missing = set(stage.topics) - {place.topic for place in places}
            if missing:
                raise DemoFailed(f"Kafka does not show the topics {', '.join(sorted(missing))}")
            self._known[stage.topics] = places
        return self._known[stage.topics]

    async def _left(self, behind: Mapping[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, tuple[int, int]]:
        """Those in which something can be read; what is behind by markers only is not."""
        if not behind:
            return {}
        consumer = self._looking
        async with self._looks:
            consumer.assign(list(behind))
            for place, (committed, _) in behind.items():
                consumer.seek(place, committed)
            left = dict(behind)
            deadline = time.monotonic() + LOOK_INSIDE_SECONDS
            while left and time.monotonic() < deadline:
                records = await consumer.getmany(*left, timeout_ms=100, max_records=50)
                if any(records.values()):
                    return left
                for place in list(left):
                    if await consumer.position(place) >= left[place][1]:
                        del left[place]
            return left
