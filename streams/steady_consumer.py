"""kafka-python's consumer, mended where it would stop reading for ever without a word (3.0.12).

A member that joins again because the partitions of a topic have become others (or known only now) remembers no other
reason for it. Once it has handed the new partitions out, that reason is gone; if `poll` runs out of time before Kafka
has confirmed them, it takes itself for joined and never looks at what came: no partitions, no heartbeats. Java's
consumer keeps asking until it has what it was given.

What was fetched of a partition before it was paused is put aside, and no more is fetched of it until that was taken up
again; but that happens only in the moment in which another partition is put aside. Java's consumer takes it up as soon
as the partition goes on (KAFKA-7548).

Whoever is in a group reads with this consumer; `tests/integration/test_steady_consumer.py` fails without it.
"""

from typing import Any

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.consumer import ConsumerCoordinator
from typing_extensions import override


class SteadyConsumer(KafkaConsumer):  # type: ignore[misc]  # kafka-python has no types
    """Takes what `KafkaConsumer` takes, with a group."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self._coordinator.__class__ = SteadyCoordinator
        self._fetcher.__class__ = SteadyFetcher


class SteadyCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Stays in want of joining from the first step of it until what it was given is its own."""

    @override
    async def _on_join_prepare_async(self, generation: int, member_id: str, timeout_ms: float | None = None) -> None:
        self.request_rejoin()
        await super()._on_join_prepare_async(generation, member_id, timeout_ms=timeout_ms)


class SteadyFetcher(Fetcher):  # type: ignore[misc]
    """Takes up again what was put aside once what came in between is used up."""

    _next_partition_records: Any

    @override
    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> tuple[Any, bool]:
        if not self._next_partition_records:
            self._next_partition_records = None
        found: tuple[Any, bool] = super().fetched_records(max_records, update_offsets)
        return found
