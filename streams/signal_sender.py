"""A signal that a person gives from the command line, into Kafka under its account, acknowledged by all replicas.

`careline health override`, `pulse` and `done` send with it; the account agent takes it as it takes those of connectors.
"""

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.codec import encode, headers_of
from schemas.signal import Signal
from schemas.topics import SIGNALS
from streams.kafka_admin import failed, wait_for_kafka
from streams.settings import Settings

SOURCE = "careline/health"

_CONNECT_SECONDS = 10.0
_ACKNOWLEDGED_WITHIN_SECONDS = 30.0


def send_signal(settings: Settings, signal: Signal) -> None:
    """Write a signal where those of its account are.

    Raises:
        KafkaRefused: the brokers do not let us in, or not near the topic.
        KafkaUnavailable: no broker answers, there are no topics, or Kafka does not take it in time.
    """
    wait_for_kafka(settings.kafka, timeout=_CONNECT_SECONDS)
    producer = KafkaProducer(
        **settings.kafka.for_kafka_python(),
        client_id="careline-health",
        acks="all",
        enable_idempotence=True,
        max_block_ms=int(_ACKNOWLEDGED_WITHIN_SECONDS * 1000),
        allow_auto_create_topics=False,
    )
    try:
        producer.send(
            settings.topic(SIGNALS.name),
            key=signal.account_id.encode(),
            value=encode(signal),
            headers=headers_of(signal, signal.source, signal.id, signal.occurred_at),
        ).get(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
    except KafkaError as error:
        raise failed(settings.kafka, error) from error
    finally:
        producer.close(timeout=5)
