"""Ticks.

How time enters the log. When a deadline has passed on the wall clock, a control record says so in that partition.

The lane reads its own tick back behind everything that was already in Kafka, and only then decides; so a worker that is
behind accuses nobody, and the tick of a worker that lost the partition does no harm.

The first tick of a worker asks the log what time it is (`log_clock`): it is due whatever the wall clock says.
"""

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from agents.domain.instant import Instant
from agents.interaction_check import WALL
from agents.partition_controls import tick
from schemas.codec import encode, headers_of
from streams.fault_points import AtPlace, nothing_planted
from streams.lane.client_stop import stop_client
from streams.lane.lane import Lane
from streams.lane.lanes import Lanes
from streams.lane.log_clock import LogClock
from streams.sinks.recorder import Recorder

log = logging.getLogger("careline.ticks")

LOOK_EVERY_SECONDS = 0.02
"""How often the heaps' tops are looked at: a few comparisons per lane, and the largest part of a breach's lateness."""

SOURCE = "careline/work"


class TickWriter:
    """Appends ticks for the lanes of one worker, at most one in flight per lane."""

    def __init__(
        self,
        connection: dict[str, object],
        lanes: Lanes,
        topic_name: Callable[[str], str],
        clock: LogClock,
        recorder: Recorder,
        *,
        at_place: AtPlace = nothing_planted,
    ) -> None:
        self._producer = AIOKafkaProducer(
            **connection,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=10_000,
            retry_backoff_ms=5,
            linger_ms=0,
        )
        self._lanes = lanes
        self._topic_name = topic_name
        self._clock = clock
        self._has_asked = False
        self._recorder = recorder
        self._at_place = at_place

    async def run(self) -> None:
        """Look, append, look again, until cancelled.

        Trouble is told and survived: a timer that dies would stop time.
        """
        await self._producer.start()
        try:
            while True:
                try:
                    await self._look()
                except Exception as error:  # noqa: BLE001 - see above
                    log.warning("no tick could be appended, trying again: %r", error)
                    self._recorder.survived("ticks")
                    await asyncio.sleep(1)
                await asyncio.sleep(LOOK_EVERY_SECONDS)
        finally:
            await stop_client(self._producer)

    async def _look(self) -> None:
        self._at_place("tick.due")
        now = self._clock.now()
        idle = [lane for lane in self._lanes if not lane.awaits_tick and not lane.is_deciding]
        due = [lane for lane in idle if _is_due(lane, now)]
        if not self._has_asked:
            due = due or idle[:1]
        if due:
            await asyncio.gather(*(self._append(lane, now) for lane in due))

    async def _append(self, lane: Lane, now: Instant) -> None:
        control = tick(WALL, now)
        metadata = await self._producer.send_and_wait(
            self._topic_name(lane.kind.ticks.name),
            value=encode(control),
            partition=lane.partition,
            headers=headers_of(control, SOURCE, control.id, control.as_of),
        )
        lane.tick_appended(metadata.offset)
        self._has_asked = True
        self._clock.appended(now, metadata.timestamp * 1000)
        self._recorder.tick_applied(WALL)


def _is_due(lane: Lane, now: Instant) -> bool:
    if lane.is_deciding:
        return False
    earliest = lane.states.earliest(WALL)
    return earliest is not None and earliest < now
