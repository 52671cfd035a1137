"""A control record into every partition of a topic, acknowledged: what all agents that read it must know.

`streams.file_publisher` announces policies and health profiles with it, `streams.connectors.source_announcement` what
is to be known of sources. Sending a control again gives the same records.
"""

from kafka import KafkaProducer

from schemas.codec import encode, headers_of
from schemas.control import Control


def broadcast(producer: KafkaProducer, topic: str, control: Control, source: str, within_seconds: float) -> None:
    """Send a control into all partitions of a topic and wait until each of them has it.

    Raises:
        KafkaError: Kafka has not taken it everywhere in time.
    """
    value, headers = encode(control), headers_of(control, source, control.id, control.as_of)
    partitions = sorted(producer.partitions_for(topic))
    sent = [producer.send(topic, partition=number, value=value, headers=headers) for number in partitions]
    producer.flush(timeout=within_seconds)
    for each in sent:
        each.get(timeout=within_seconds)
