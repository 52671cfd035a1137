"""The memory of one partition: encoded states in a dictionary, and a heap of who wants to be woken when.

Implements `agents.ports.States`. States stay encoded: a batch decodes what it touches, recovery decodes nothing, and a
million conversations cost little more than their bytes. What changed since the last commit is in `changes`, for
`lane_transaction`.
"""

import heapq
from typing import NamedTuple

from agents.domain.instant import Instant


class Wake(NamedTuple):
    """When a key wants to be looked at, and on which clock."""

    clock: str
    at: Instant


class Remembered(NamedTuple):
    """A state and its wake, as they stand in the changelog."""

    state: bytes
    wake: Wake | None


class PartitionStates:
    """`agents.ports.States` in memory."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._wakes: dict[str, Wake] = {}
        self._heaps: dict[str, list[tuple[Instant, str]]] = {}
        self.changes: dict[str, Remembered | None] = {}

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._states)

    def get(self, key: str) -> bytes | None:
        """The state under a key, or null."""
        return self._states.get(key)

    def put(self, key: str, state: bytes, clock: str = "", wake_at: Instant | None = None) -> None:
        """Remember a state and, if it wants one, its wake."""
        wake = Wake(clock, wake_at) if wake_at is not None else None
        remembered = self.changes[key] = Remembered(state, wake)
        self.restore(key, remembered)

    def drop(self, key: str) -> None:
        """Forget a key; the changelog gets a tombstone."""
        self.restore(key, None)
        self.changes[key] = None

    def restore(self, key: str, remembered: Remembered | None) -> None:
        """Take over what the changelog says, without noting a change."""
        if remembered is None:
            self._states.pop(key, None)
            self._wakes.pop(key, None)
            return
        self._states[key] = remembered.state
        wake = remembered.wake
        if wake is None:
            self._wakes.pop(key, None)
        elif self._wakes.get(key) != wake:
            self._wakes[key] = wake
            heapq.heappush(self._heaps.setdefault(wake.clock, []), (wake.at, key))

    def due(self, clock: str, before: Instant, most: int | None = None) -> list[str]:
        """The first `most` keys that wanted to be woken on `clock` before an instant, in order of (wake_at, key)."""
        heap = self._heaps.get(clock, [])
        found: dict[str, Instant] = {}
        while heap and heap[0][0] < before and (most is None or len(found) < most):
            at, key = heapq.heappop(heap)
            if self._wakes.get(key) == (clock, at):
                found[key] = at
        for key in found:
            del self._wakes[key]
        return list(found)

    def release(self, clock: str, into: str) -> list[str]:  # noqa: ARG002 - the port says where to; the caller moves them
        """All keys with a wake on `clock`, in order of (wake_at, key)."""
        heap = self._heaps.pop(clock, [])
        keys = dict.fromkeys(key for at, key in sorted(heap) if self._wakes.get(key) == (clock, at))
        for key in keys:
            del self._wakes[key]
        return list(keys)

    def mentioning(self, word: bytes) -> list[str]:
        """Keys in whose encoded state a word occurs: a search through bytes decodes nothing."""
        return [key for key, state in self._states.items() if word in state]

    def earliest(self, clock: str) -> Instant | None:
        """The first wake on a clock; null where nobody waits."""
        heap = self._heaps.get(clock)
        while heap:
            at, key = heap[0]
            if self._wakes.get(key) == (clock, at):
                return at
            heapq.heappop(heap)
        return None
