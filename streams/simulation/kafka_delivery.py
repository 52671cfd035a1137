"""Simulated events, and the ticks of their clock, straight into Kafka.

Ticks always go this way: they are no news from a customer but the passing of time, and every partition needs its own
(`agents.conversation_agent.tick`).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.domain.instant import Instant
from agents.partition_controls import tick
from schemas.codec import encode, headers_of
from schemas.interaction import Interaction
from schemas.topics import INTERACTIONS, SIGNALS
from streams.kafka_admin import KafkaUnavailable, wait_for_kafka
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import refusal_in
from streams.simulation.event_delivery import DeliveryCounts, DeliveryFailed, Event
from streams.simulation.story import key_of

SOURCE = "careline/simulation"
ACKNOWLEDGED_WITHIN_SECONDS = 60.0
OPENED_WITHIN_SECONDS = 10.0
"""aiokafka asks again and again for a topic that does not exist; one that does is known within milliseconds."""


class KafkaDelivery:
    """One idempotent producer for ticks, and for events where no webhook is wanted."""

    def __init__(self, kafka: KafkaConnection, topic_name: Callable[[str], str]) -> None:
        self.counts = DeliveryCounts()
        self._kafka = kafka
        self._topic_name = topic_name
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, list[int]] = {}

    async def open(self) -> None:
        """Connect and learn the partitions.

        Raises:
            DeliveryFailed: no broker answers, or the topics are missing.
            KafkaRefused: the brokers do not let us in, or not near the topics.
        """
        try:
            await asyncio.to_thread(wait_for_kafka, self._kafka, OPENED_WITHIN_SECONDS)
        except KafkaUnavailable as error:
            raise DeliveryFailed(str(error)) from None
        producer = AIOKafkaProducer(
            **self._kafka.for_aiokafka(),
            client_id="careline-simulate",
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            retry_backoff_ms=20,
        )
        wanted = [self._topic_name(topic.name) for topic in (INTERACTIONS, SIGNALS)]
        try:
            async with asyncio.timeout(OPENED_WITHIN_SECONDS):
                await producer.start()
                for name in wanted:
                    self._partitions[name] = sorted(await producer.partitions_for(name))
        except (KafkaError, TimeoutError) as error:
            await producer.stop()
            if refused := refusal_in(error, self._kafka):
                raise refused from None
            cause = str(error) or f"{' and '.join(wanted)} did not answer within {OPENED_WITHIN_SECONDS:.0f} s"
            raise DeliveryFailed(
                f"Kafka at {self._kafka} cannot be used: {cause}; is it running, and are the topics there "
                f"(`careline topics create`)?"
            ) from None
        self._producer = producer

    async def deliver(self, events: Sequence[Event]) -> None:
        """Append events under their keys and wait until Kafka has all of them.

        Raises:
            DeliveryFailed: Kafka did not acknowledge in time.
        """
        records: list[tuple[str, dict[str, Any]]] = []
        for event in events:
            topic = INTERACTIONS if isinstance(event, Interaction) else SIGNALS
            headers = headers_of(event, event.source, event.id, event.occurred_at)
            record = {"key": key_of(event).encode(), "value": encode(event), "headers": headers}
            records.append((self._topic_name(topic.name), record))
        await self._append(records)
        self.counts.accepted += len(events)

    async def tick(self, clock: str, as_of: Instant, warp: float, *, accounts: bool) -> None:
        """Tell every partition of the interactions, and of the signals if `accounts`, how far the clock has come."""
        control = tick(clock, as_of, warp)
        topics = (INTERACTIONS, SIGNALS) if accounts else (INTERACTIONS,)
        record = {"value": encode(control), "headers": headers_of(control, SOURCE, control.id, control.as_of)}
        names = [self._topic_name(topic.name) for topic in topics]
        await self._append(
            [(name, {**record, "partition": partition}) for name in names for partition in self._partitions[name]]
        )

    async def close(self) -> None:
        """Let Kafka have what it was given."""
        if self._producer is not None:
            await self._producer.stop()

    async def _append(self, records: Sequence[tuple[str, dict[str, Any]]]) -> None:
        if self._producer is None:
            raise DeliveryFailed("the producer has not been opened")
        try:
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
                waiting = [await self._producer.send(topic, **record) for topic, record in records]
                await asyncio.gather(*waiting)
        except (KafkaError, TimeoutError) as error:
            lost = DeliveryFailed(f"Kafka at {self._kafka} did not take events: {error!r}")
            raise refusal_in(error, self._kafka) or lost from None
