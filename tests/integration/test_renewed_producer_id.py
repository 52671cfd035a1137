"""A producer goes on after Kafka was away for longer than it tries, on a real broker."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from kafka.errors import KafkaTimeoutError, RequestTimedOutError

from schemas.topics import INTERACTIONS
from streams.embedded_kafka import EmbeddedKafka
from streams.renewing_producer import RenewingProducer
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

LATE = (KafkaTimeoutError, RequestTimedOutError)
PATIENCE_SECONDS = 60.0


def test_a_producer_goes_on_after_what_it_had_sent_was_given_up(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    make_topics(kafka, topic_prefix)
    topic = topic_prefix + INTERACTIONS.name
    broker = int((Path(kafka.folder or "") / "broker.pid").read_text())
    producer = RenewingProducer(
        bootstrap_servers=kafka.bootstrap,
        acks="all",
        enable_idempotence=True,
        request_timeout_ms=500,
        delivery_timeout_ms=1_500,
    )
    try:
        producer.send(topic, b"before", partition=0).get(timeout=30)
        given_back = producer._transaction_manager.producer_id_and_epoch
        os.kill(broker, signal.SIGSTOP)
        try:
            with pytest.raises(LATE):
                _send_until_nobody_answers(producer, topic)
        finally:
            os.kill(broker, signal.SIGCONT)
        end, taken = time.monotonic() + PATIENCE_SECONDS, False
        while not taken:  # a broker under load may need more than one attempt to come to itself
            assert time.monotonic() < end, "nothing is taken any more"
            with contextlib.suppress(*LATE):
                producer.send(topic, b"after", partition=0).get(timeout=10)
                taken = True
        assert producer._transaction_manager.producer_id_and_epoch != given_back
    finally:
        producer.close(timeout=5)


def _send_until_nobody_answers(producer: RenewingProducer, topic: str) -> None:
    while True:  # a signal may come after an answer
        producer.send(topic, b"meanwhile", partition=0).get(timeout=30)
