"""What every way of delivering a simulated event has in common. `webhook_delivery` and `kafka_delivery` are the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.domain.instant import Instant
from schemas.interaction import Interaction
from schemas.signal import Signal

Event = Interaction | Signal


@dataclass(slots=True)
class DeliveryCounts:
    """What became of the events at the door: in Kafka, known already, or put into the dead letters."""

    accepted: int = 0
    repeated: int = 0
    rejected: int = 0

    @property
    def delivered(self) -> int:
        """All that were answered."""
        return self.accepted + self.repeated + self.rejected


class DeliveryFailed(Exception):  # noqa: N818 - what it is, in the words of the message
    """Events cannot be delivered; the message names the cause and the way out."""


class Delivery(Protocol):
    """Takes events to Careline. Returning means that they are in Kafka, in the order given for each key."""

    counts: DeliveryCounts

    async def deliver(self, events: Sequence[Event]) -> None:
        """Deliver events.

        Raises:
            DeliveryFailed: there is no use in trying again.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Ticks(Protocol):
    """Takes the passing of time to the partitions: `kafka_delivery`."""

    async def tick(self, clock: str, as_of: Instant, warp: float, *, accounts: bool) -> None:
        """Tell every partition of the interactions, and of the signals if `accounts`, how far the clock has come.

        Raises:
            DeliveryFailed: it does not arrive.
        """
