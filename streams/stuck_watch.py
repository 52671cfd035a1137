"""Ends a worker that does not get on: a batch never decided, an event loop that stands, a fetch that sleeps.

Leaving that does not come to an end is ended, too.

Kafka sees only whether a worker lives (its consumer's heartbeats go on in a thread of their own), so a stuck one would
keep its partitions for ever. Looks from a thread, because whatever is stuck may be the event loop itself; leaves
without asking anybody, because nobody could answer. What was in flight is read again by the next owner.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

log = logging.getLogger("careline.work")

LOOK_EVERY_SECONDS = 1.0
STUCK = 1
"""The exit status."""


class LaneProgress(NamedTuple):
    """How a lane stands: its name, and since when (steady seconds) it has been at the batch in hand; null is idle."""

    name: str
    busy_since: float | None


class StuckWatch:
    """Looks every second. `beat`, `behind` and `moved` are called from the event loop."""

    def __init__(
        self,
        after_seconds: float,
        lanes: Callable[[], Iterable[LaneProgress]],
        *,
        clock: Callable[[], float] = time.monotonic,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self._after_seconds = after_seconds
        self._lanes = lanes
        self._clock = clock
        self._leave = leave
        self._beat_at = clock()
        self._gone_by: float | None = None
        self._status: Callable[[], int] = lambda: STUCK
        self._behind_since: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="careline-stuck-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def leaving(self, within_seconds: float, status: Callable[[], int]) -> None:
        """The worker is leaving by itself. Should that take longer, it is ended with the status of then."""
        self._status = status
        self._gone_by = self._clock() + within_seconds

    def beat(self) -> None:
        """The event loop turns."""
        self._beat_at = self._clock()

    def behind(self, partition: str, records: int, position: int) -> None:
        """How much of a partition waits in Kafka, and where reading stands; told every few seconds."""
        place = f"{partition}@{position}"
        standing = {key: since for key, since in self._behind_since.items() if key.rpartition("@")[0] != partition}
        if records > 0:
            standing[place] = self._behind_since.get(place, self._clock())
        self._behind_since = standing

    def released(self, partition: str) -> None:
        """A partition has another owner."""
        self._behind_since = {
            key: since for key, since in self._behind_since.items() if key.rpartition("@")[0] != partition
        }

    def trouble(self) -> str | None:
        """What is stuck; null when nothing is."""
        if self._gone_by is not None:
            return None if self._clock() < self._gone_by else "leaving does not come to an end"
        limit = self._clock() - self._after_seconds
        if self._beat_at < limit:
            return f"the event loop has stood still for {self._clock() - self._beat_at:.0f} s"
        for lane in self._lanes():
            if lane.busy_since is not None and lane.busy_since < limit:
                return f"the lane {lane.name} has been at one batch for {self._clock() - lane.busy_since:.0f} s"
        for place, since in self._behind_since.items():
            if since < limit:
                return f"nothing is fetched of {place} although more is there, for {self._clock() - since:.0f} s"
        return None

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_SECONDS):
            trouble = self.trouble()
            if trouble is not None:
                log.critical("stuck: %s; leaving, so that another worker goes on from what is committed", trouble)
                self._leave(self._status())
                return
