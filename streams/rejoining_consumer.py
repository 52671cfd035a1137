"""kafka-python's consumer, mended where a member of a group would be left without partitions for ever.

A member that joins again because the partitions of a topic have become others (or known only now) remembers no other
reason for it. Once it has handed the new partitions out, that reason is gone; if `poll` runs out of time before Kafka
has confirmed them, kafka-python 3.0.12 takes the member for joined and never looks at what came: no partitions, no
heartbeats, no word. Java's consumer keeps asking until it has what it was given. Whoever is in a group reads with this
consumer; `tests/integration/test_rejoined_group.py` fails without it.
"""

from kafka import KafkaConsumer
from kafka.coordinator.consumer import ConsumerCoordinator
from typing_extensions import override


class RejoiningConsumer(KafkaConsumer):  # type: ignore[misc]  # kafka-python has no types
    """Takes what `KafkaConsumer` takes, with a group."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self._coordinator.__class__ = RejoiningCoordinator


class RejoiningCoordinator(ConsumerCoordinator):  # type: ignore[misc]
    """Stays in want of joining from the first step of it until what it was given is its own."""

    @override
    async def _on_join_prepare_async(self, generation: int, member_id: str, timeout_ms: float | None = None) -> None:
        self.request_rejoin()
        await super()._on_join_prepare_async(generation, member_id, timeout_ms=timeout_ms)
