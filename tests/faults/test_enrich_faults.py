"""F3 for `careline enrich`: a process that was frozen past its session, and thaws while another does its work."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from schemas.codec import contract_in, decode
from schemas.enrichment import Enrichment
from schemas.mention import Mention
from schemas.topics import ENRICHMENTS, MENTIONS, TopicSpec
from streams.embedded_kafka import EmbeddedKafka
from streams.kafka_connection import KafkaConnection
from streams.topic_reader import topic_reader
from tests.fixtures_kafka import make_topics
from tests.work_processes import Pipeline, a_message, stop

pytestmark = [pytest.mark.integration, pytest.mark.faults]

MESSAGES = 40_000
FROZEN_SECONDS = 9.0
"""Past the session, which is 6 s: the group goes on without it."""


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of this test's own; whatever it starts is ended."""
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def test_f3_a_judge_that_was_frozen_doubles_nothing(pipeline: Pipeline) -> None:
    """What it had gathered is refused or read again, never published beside what the other has made of it."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    text = "This is really terrible. " * 8
    pipeline.send(
        msgspec.structs.replace(a_message(f"c{n % 50}", n, at, "customer"), text=text) for n in range(MESSAGES)
    )
    zombie = pipeline.start_worker("enrich")
    pipeline.read(ENRICHMENTS, Enrichment, enough=1)
    heir = pipeline.start_worker("enrich")
    for _ in range(3):
        zombie.send_signal(signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        zombie.send_signal(signal.SIGCONT)
        time.sleep(FROZEN_SECONDS / 3)
    pipeline.read(ENRICHMENTS, Enrichment, enough=MESSAGES)
    assert [stop(zombie), stop(heir)] == [0, 0]

    told = _ids_in(pipeline, ENRICHMENTS, Enrichment)
    mentioned = _ids_in(pipeline, MENTIONS, Mention)
    assert (len(told), len(mentioned)) == (MESSAGES, MESSAGES)
    assert [each for each in (*told.items(), *mentioned.items()) if each[1] > 1] == []


def _ids_in(pipeline: Pipeline, topic: TopicSpec, contract: type[Enrichment | Mention]) -> Counter[str]:
    with topic_reader(KafkaConnection(pipeline.servers)) as reader:
        records = reader.records(pipeline.prefix + topic.name)
        return Counter(
            decode(contract, record.value).id for record in records if contract_in(record.headers, contract) is contract
        )
