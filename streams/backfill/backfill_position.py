"""How far a backfill has come: in Kafka's topic of cursors, or in a file.

Written after the events that it covers are acknowledged, so a crash fetches some of them again, under the same ids,
and skips none.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from schemas.pull_cursor import PullCursor
from streams.connectors.cursor_store import stored_cursors
from streams.connectors.publisher import cursor_record
from streams.history.history_sender import HistorySender
from streams.kafka_connection import KafkaConnection


class BackfillPosition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where to go on. `at` is the source's own text; `clock` is the one that all runs of this backfill share."""

    clock: str
    since: datetime
    until: datetime
    at: str | None = None
    with_accounts: bool = False
    """The directory has what the provider knew about companies."""
    threads: int = 0
    events: int = 0
    finished: bool = False


class UnreadablePosition(Exception):  # noqa: N818 - what it is, in the words of the message
    """What is kept there is no position of ours."""


class Positions(Protocol):
    """Where a position is kept."""

    def load(self) -> BackfillPosition | None:
        """The last one; null where there is none.

        Raises:
            UnreadablePosition: what is there is something else.
            KafkaUnavailable: Kafka was asked and does not answer.
        """

    def save(self, position: BackfillPosition) -> None:
        """Keep it; returns once it is safe."""


class FilePositions:
    """In a file of its own, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> BackfillPosition | None:
        """See `Positions`."""
        try:
            return _read(self._path.read_bytes(), str(self._path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreadablePosition(f"{self._path} cannot be read: {error.strerror or error}") from None

    def save(self, position: BackfillPosition) -> None:
        """See `Positions`."""
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(position)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


class KafkaPositions:
    """In the topic of cursors, under a name of its own."""

    def __init__(self, kafka: KafkaConnection, topic_prefix: str, name: str) -> None:
        self._kafka = kafka
        self._prefix = topic_prefix
        self._name = name
        self.sender: HistorySender | None = None
        """Set while there is one: saving goes through it."""

    def load(self) -> BackfillPosition | None:
        """See `Positions`."""
        found = stored_cursors(self._kafka, self._prefix, [self._name]).get(self._name)
        return _read(found.position.encode(), f"the cursor {self._name}") if found is not None else None

    def save(self, position: BackfillPosition) -> None:
        """See `Positions`. Raises `ImportFailed`."""
        if self.sender is None:
            raise RuntimeError("nothing is being sent")
        said = msgspec.json.encode(position).decode()
        record = cursor_record(PullCursor(instance=self._name, position=said, saved_at=datetime.now(UTC)))
        self.sender.send(record.topic, key=record.key.encode(), value=record.value, headers=list(record.headers))
        self.sender.settle()


class NoPositions:
    """Nowhere: a dry run begins at the beginning."""

    def load(self) -> BackfillPosition | None:
        """There is none."""
        return None

    def save(self, position: BackfillPosition) -> None:
        """It is not kept."""


def _read(said: bytes, where: str) -> BackfillPosition:
    try:
        return msgspec.json.decode(said, type=BackfillPosition)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadablePosition(f"{where} holds no position of a backfill: {error}") from None
