"""How far this worker is behind, told every few seconds: what Kafka still holds plus what waits in the lanes.

Committed offsets would not do: every transaction leaves a marker behind the last record, so an idle partition would
look one record behind for ever. The consumer's position is past the markers.

Where partitions end is asked over connections of its own: the consumer's are those over which it fetches, and when one
of them hangs, a question behind that fetch would hang as well, and nobody would notice that nothing comes.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.lane.client_stop import stop_client
from streams.lane.lanes import Lanes
from streams.sinks.recorder import Recorder
from streams.stuck_watch import StuckWatch

log = logging.getLogger("careline.work")

EVERY_SECONDS = 5.0
ANSWER_SECONDS = 10.0
CONSUMER = "work"


class LagReport:
    """Tells the lag of every partition of this worker, that one is no longer its own, and what it holds."""

    def __init__(
        self,
        app: faust.App,
        lanes: Lanes,
        recorder: Recorder,
        tell_holdings: Callable[[], None],
        stuck_watch: StuckWatch,
        *,
        connection: dict[str, object],
    ) -> None:
        self._app = app
        self._lanes = lanes
        self._recorder = recorder
        self._tell_holdings = tell_holdings
        self._stuck_watch = stuck_watch
        self._connection = connection
        self._scout: Any = None
        self._told: set[tuple[str, int]] = set()

    async def run(self) -> None:
        """Report until cancelled. Trouble is logged and survived: it is only a report."""
        try:
            while True:
                await asyncio.sleep(EVERY_SECONDS)
                try:
                    self._tell_holdings()
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self._report()
                except Exception as error:  # noqa: BLE001 - a broker that is away for a while must not end the worker here
                    log.debug("the lag could not be told: %r", error)
        finally:
            if self._scout is not None:
                await stop_client(self._scout)

    async def _ends(self, partitions: set[Any]) -> dict[Any, int]:
        if not partitions:
            return {}
        if self._scout is None:
            scout = AIOKafkaConsumer(
                **self._connection,
                group_id=None,
                enable_auto_commit=False,
                isolation_level="read_committed",
                request_timeout_ms=int(ANSWER_SECONDS * 1000),
            )
            try:
                await scout.start()
            except BaseException:
                await stop_client(scout)
                raise
            self._scout = scout
        found = await self._scout.end_offsets([TopicPartition(tp.topic, tp.partition) for tp in partitions])
        return dict(found)

    async def _report(self) -> None:
        consumer = self._app.consumer
        assigned = {tp for tp in consumer.assignment() if self._lanes.waiting(tp.topic, tp.partition) is not None}
        ends = await self._ends(assigned)
        for tp in assigned:
            position = await consumer.position(tp)
            behind = max(0, (ends.get(tp) or 0) - (position or 0))
            waiting = self._lanes.waiting(tp.topic, tp.partition) or 0
            self._recorder.lag(CONSUMER, tp.topic, tp.partition, behind + waiting)
            # A full lane leaves its partition alone on purpose; how long it takes for a batch is watched there.
            left_alone = self._lanes.is_full(tp.topic, tp.partition)
            self._stuck_watch.behind(f"{tp.topic}[{tp.partition}]", 0 if left_alone else behind, position or 0)
        if not self._lanes.is_opening:
            for tp in consumer.assignment() - assigned:  # nothing of it can be fetched, whatever is there
                self._stuck_watch.behind(f"{tp.topic}[{tp.partition}]", 1, 0)
        now = {(tp.topic, tp.partition) for tp in consumer.assignment()}
        for topic, partition in self._told - now:
            self._recorder.partition_released(CONSUMER, topic, partition)
            self._stuck_watch.released(f"{topic}[{partition}]")
        self._told = now
