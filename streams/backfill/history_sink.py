"""Where a history goes: into Kafka, or nowhere with `--dry-run`.

`backfill_run` puts events in page by page and settles before it remembers the position, so a position never covers what
is not in Kafka.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.signal import Signal
from streams.connectors.publisher import outgoing
from streams.history.history_sender import HistorySender


class HistorySink(Protocol):
    """Takes events in the order of their time within a conversation."""

    def put(self, records: Iterable[Interaction | Signal | Rejection]) -> None:
        """Hand events over and wait until they are kept."""

    def close_story(self, clock: str, until: datetime) -> None:
        """Let the clock of the history run to its end, and hand its conversations over to the clock on the wall."""


class KafkaSink:
    """Into Kafka. Every method raises `ImportFailed`."""

    def __init__(self, sender: HistorySender) -> None:
        self._sender = sender

    def put(self, records: Iterable[Interaction | Signal | Rejection]) -> None:
        """Returns when Kafka has acknowledged all of them."""
        for each in records:
            record = outgoing(each)
            self._sender.send(
                record.topic, key=record.key.encode() or None, value=record.value, headers=list(record.headers)
            )
        self._sender.settle()

    def close_story(self, clock: str, until: datetime) -> None:
        """A tick into every partition, then the release."""
        self._sender.close_story(clock, until)


class NoSink:
    """Nowhere."""

    def put(self, records: Iterable[Interaction | Signal | Rejection]) -> None:
        """They are counted elsewhere."""

    def close_story(self, clock: str, until: datetime) -> None:
        """There is no story to close."""
