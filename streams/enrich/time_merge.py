"""Several partitions read as one, in the order of time: the earliest head of all is next.

Whoever is behind, or begins with the history that Kafka still holds, is brought large pieces of one partition after the
other; counted like that, a message of yesterday would come behind those of today. `enrich_loop` puts what it has read
in here and takes out what may be counted. Within a partition the order of the log stays.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kafka import TopicPartition

from agents.domain.instant import Instant
from schemas.control import Control
from schemas.interaction import Interaction

MOST_WAITING = 2_000
"""Records of one partition; beyond, it is left alone until the others have come as far."""


class Waiting(NamedTuple):
    """One record. `event` is null for what asks for nothing; `at` is when it happened, null where that says nothing."""

    offset: int
    at: Instant | None
    event: Interaction | Control | None


class TimeMerge:
    """What was read and may not be counted yet."""

    def __init__(self) -> None:
        self._waiting: dict[TopicPartition, deque[Waiting]] = {}

    def put(self, place: TopicPartition, record: Waiting) -> None:
        """Add the next record of a partition."""
        self._waiting.setdefault(place, deque()).append(record)

    def is_full(self, place: TopicPartition) -> bool:
        """Whether a partition should be left alone."""
        return len(self._waiting.get(place, ())) >= MOST_WAITING

    def take(self, most: int, is_coming: Callable[[TopicPartition], bool]) -> Iterator[tuple[TopicPartition, Waiting]]:
        """Records whose turn it is: up to `most` that ask for something (some controls more), with those between them.

        It ends when a partition has nothing here of which more `is_coming`: its next record may be earlier.
        """
        while most > 0:
            for place, records in self._waiting.items():
                while records and records[0].at is None:
                    taken = records.popleft()
                    most -= taken.event is not None
                    yield place, taken
            heads = {place: records[0].at or 0 for place, records in self._waiting.items() if records}
            if not heads or any(is_coming(place) for place in self._waiting if place not in heads):
                return
            most -= 1
            place = min(heads, key=lambda each: (heads[each], each))
            yield place, self._waiting[place].popleft()

    def watch(self, places: set[TopicPartition]) -> None:
        """These partitions are ours and no others; what was read of others is their new owner's."""
        self._waiting = {place: self._waiting.get(place, deque()) for place in sorted(places)}

    def clear(self) -> None:
        """Forget everything."""
        self._waiting = {}
