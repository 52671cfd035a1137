"""Keeps a `FloorView` current: reads SLA events and health scores as any subscriber would, committed ones only."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.codec import ContractViolation, decode
from schemas.health_score import HealthScore
from schemas.sla_event import SlaEvent
from schemas.topics import HEALTH, SLA_EVENTS
from streams.demo.floor_view import FloorView
from streams.settings import Settings

MOST_AT_ONCE = 500
"""Records between two looks at anything else in this process."""


@dataclass(slots=True)
class FloorFollower:
    """Follows the results from now on."""

    settings: Settings
    view: FloorView

    async def run(self, following: asyncio.Event) -> None:
        """Follow until cancelled; sets `following` when nothing can be missed any more."""
        consumer = AIOKafkaConsumer(
            **self.settings.kafka.for_aiokafka(),
            client_id="careline-demo-view",
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="latest",
        )
        await consumer.start()
        try:
            scores, events = self.settings.topic(HEALTH.name), self.settings.topic(SLA_EVENTS.name)
            places = [
                TopicPartition(topic, partition)
                for topic in (scores, events)
                for partition in range(self.settings.partitions)
            ]
            consumer.assign(places)
            await consumer.seek_to_end(*places)
            for place in places:
                await consumer.position(place)
            following.set()
            while True:
                for place, records in (await consumer.getmany(timeout_ms=500, max_records=MOST_AT_ONCE)).items():
                    for record in records:
                        self._take(record.value, is_score=place.topic == scores)
                await asyncio.sleep(0)
        finally:
            await consumer.stop()

    def _take(self, value: bytes | None, *, is_score: bool) -> None:
        try:
            if is_score:
                self.view.take_score(decode(HealthScore, value))
            else:
                self.view.take_event(decode(SlaEvent, value))
        except ContractViolation:
            # A newer program writes what this one does not know; the view is for the eye only.
            return
