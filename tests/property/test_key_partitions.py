"""A record lands where every other Kafka client would put it, although its partition is not computed anew each time."""

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner

from streams.connectors.key_partition import partition_of


class _Partitions:
    """Of any topic, as kafka-python's metadata tell them."""

    def __init__(self, count: int) -> None:
        self._numbers = set(range(count))

    def topics(self) -> set[str]:
        return {"t"}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._numbers if topic == "t" else None

    available_partitions_for_topic = partitions_for_topic


@given(st.lists(st.binary(max_size=40), min_size=1), st.integers(1, 300))
def test_a_key_has_the_partition_that_kafka_python_chooses(keys: list[bytes], count: int) -> None:
    cluster = _Partitions(count)
    for key in [*keys, *keys]:
        assert partition_of(key, count) == DefaultPartitioner().partition("t", None, key, None, b"v", cluster)
