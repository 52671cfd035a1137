"""How far each connector that fetches has come, in Kafka: read once at the start, written after every delivery.

A cursor is written after the events that it covers are acknowledged. A crash in between fetches some of them again,
and their ids make that harmless; none is ever skipped.
"""

from collections.abc import Iterable

from schemas.codec import ContractViolation, decode
from schemas.pull_cursor import PullCursor
from schemas.topics import CURSORS
from streams.kafka_connection import KafkaConnection
from streams.topic_reader import TopicAbsent, topic_reader


def stored_cursors(kafka: KafkaConnection, topic_prefix: str, instances: Iterable[str]) -> dict[str, PullCursor]:
    """The newest cursor of each instance that has one. Blocks while it reads.

    Raises:
        KafkaUnavailable: no broker answers, or reading broke off.
    """
    wanted = set(instances)
    found: dict[str, PullCursor] = {}
    with topic_reader(kafka) as reader:
        try:
            for record in reader.records(topic_prefix + CURSORS.name):
                name = (record.key or b"").decode("utf-8", "replace")
                if name not in wanted:
                    continue
                if record.value is None:
                    found.pop(name, None)
                    continue
                try:
                    found[name] = decode(PullCursor, record.value)
                except ContractViolation:
                    # Better to fetch everything again than to go on from the wrong place.
                    found.pop(name, None)
        except TopicAbsent:
            return {}
    return found
