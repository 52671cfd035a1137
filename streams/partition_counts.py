"""How many partitions the topics have, and that topics which must be read together have equally many."""

from collections.abc import Callable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError

from schemas.topics import TOPICS
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import topics_refused


class TopicsMissing(RuntimeError):  # noqa: N818 - what is wrong, in the words of the log line
    """Topics are missing or do not fit together; the message says which and what to do."""


async def shared_partitions(kafka: KafkaConnection, topic_name: Callable[[str], str]) -> int:
    """The number of partitions that all keyed topics share.

    Raises:
        KafkaRefused: we may not see a topic.
        TopicsMissing: a topic does not exist, or has another number of partitions than the rest.
    """
    wanted = [topic_name(topic.name) for topic in TOPICS]
    together = {topic_name(topic.name) for topic in TOPICS if topic.partitioned_with != "single"}
    admin = AIOKafkaAdminClient(**kafka.for_aiokafka(), client_id="careline-work")
    await admin.start()
    try:
        described = await admin.describe_topics(wanted)
    finally:
        await admin.close()
    not_ours = [topic["topic"] for topic in described if topic["error_code"] == TopicAuthorizationFailedError.errno]
    if not_ours:
        raise topics_refused(kafka, not_ours)
    existing = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    missing = [name for name in wanted if name not in existing]
    if missing:
        raise TopicsMissing(f"missing: {', '.join(missing)}. Create them with `careline topics create`")
    counts = {name: count for name, count in existing.items() if name in together}
    if len(set(counts.values())) != 1:
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise TopicsMissing(f"topics that belong together differ in partitions: {told}")
    return next(iter(counts.values()))
