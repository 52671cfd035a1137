"""The partition of a key, as every Kafka client chooses it (murmur2), without choosing it anew for every record.

`batch_producer` asks it; kafka-python computes the hash in Python, record by record.
"""

from functools import lru_cache

from kafka.partitioner.default import murmur2

MOST_REMEMBERED = 20_000
"""Keys whose hash is remembered, some 4 MB: a conversation has many events in a short time."""


def partition_of(key: bytes, partitions: int) -> int:
    """The number of a key's partition among so many, numbered from 0 without gaps."""
    return _hash_of(key) % partitions


@lru_cache(maxsize=MOST_REMEMBERED)
def _hash_of(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
