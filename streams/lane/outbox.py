"""The record batches of one transaction, filled record by record while an agent decides.

`lane_effects` puts results in, `lane` the changed state; `lane_transaction` sends them.
"""

from collections.abc import Iterator

from streams.record_batch import RecordBatch

Place = tuple[str, int]
"""A topic, by its physical name, and a partition."""

LARGE_BYTES = 64 * 1024
"""Less is compressed sooner than handed over to another thread."""


class Outbox:
    """What goes out, in order of its destination."""

    def __init__(self) -> None:
        self._batches: list[tuple[Place, RecordBatch]] = []
        self._filling: dict[Place, RecordBatch] = {}

    def __iter__(self) -> Iterator[tuple[Place, RecordBatch]]:
        """Place and batch, in the order in which the batches were begun."""
        return iter(self._batches)

    @property
    def is_large(self) -> bool:
        """Whether `finish` is worth a thread."""
        return sum(batch.size() for _, batch in self._batches) > LARGE_BYTES

    def put(self, place: Place, key: bytes | None, value: bytes | None, headers: bytes, last: bytes) -> None:
        """Add a record; `headers` and `last` as `record_batch.header_block` gives them."""
        batch = self._filling.get(place)
        if batch is None or not batch.append(key, value, headers, last):
            batch = self._filling[place] = RecordBatch()
            self._batches.append((place, batch))
            batch.append(key, value, headers, last)

    def finish(self) -> None:
        """Compress everything."""
        for _, batch in self._batches:
            batch.finish()

    def clear(self) -> None:
        """Forget what was sent."""
        self._batches = []
        self._filling = {}
