"""The partition of a key, as every Kafka client chooses it (murmur2), without choosing it anew for every record.

`publisher` gives it to kafka-python's producer, which computes the hash in Python and sorts all partitions for each.
"""

from functools import lru_cache
from typing import Any

from kafka.partitioner.default import DefaultPartitioner, murmur2
from typing_extensions import override

MOST_REMEMBERED = 20_000
"""Keys whose hash is remembered, some 4 MB: a conversation has many events in a short time."""


class KeyPartitioner(DefaultPartitioner):  # type: ignore[misc]  # kafka-python has no types
    """kafka-python's own choice for every key. The partitions of a topic are numbered from 0 without gaps."""

    @override
    def partition(
        self,
        topic: str,
        key: Any,
        serialized_key: bytes | None,
        value: Any,
        serialized_value: bytes | None,
        cluster: Any,
    ) -> int:
        """The partition of a record; where there is no key, any."""
        if serialized_key is None:
            return int(super().partition(topic, key, serialized_key, value, serialized_value, cluster))
        return _hash_of(serialized_key) % len(cluster.partitions_for_topic(topic))


@lru_cache(maxsize=MOST_REMEMBERED)
def _hash_of(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
