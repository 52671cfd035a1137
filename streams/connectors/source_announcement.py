"""What conversation agents must know of a source before they judge: how late its deliveries may be.

`connect_service` calls this once Kafka answers. The word goes into every partition of the interactions, as a control
like any other (`schemas.control`); saying it again changes nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from kafka import KafkaProducer

from schemas.control import Control
from schemas.topics import INTERACTIONS
from streams.connectors.connector_contract import Instance
from streams.control_broadcast import broadcast
from streams.kafka_connection import KafkaConnection

_WITHIN_SECONDS = 10.0


def announce_settling(kafka: KafkaConnection, topic_prefix: str, instances: Iterable[Instance]) -> None:
    """Say of every instance that has a word on it how long its deliveries may take to settle.

    Raises:
        KafkaError: Kafka does not take it.
    """
    controls = [_declared(each) for each in instances if each.settle_seconds is not None]
    if not controls:
        return
    topic = topic_prefix + INTERACTIONS.name
    producer = KafkaProducer(**kafka.for_kafka_python(), acks="all", max_block_ms=_WITHIN_SECONDS * 1000)
    try:
        for control in controls:
            broadcast(producer, topic, control, f"careline/connect/{control.source}", _WITHIN_SECONDS)
    finally:
        producer.close(timeout=_WITHIN_SECONDS)


def _declared(instance: Instance) -> Control:
    return Control(
        id=f"source/{instance.name}/settle/{instance.settle_seconds}",
        kind="source_declared",
        as_of=datetime.now(UTC),
        source=instance.name,
        settle_seconds=instance.settle_seconds or 0,
    )
