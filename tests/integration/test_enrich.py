"""`careline enrich` on a real Kafka: each message judged once, through a kill."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from schemas.enrichment import Enrichment
from schemas.interaction import Interaction
from schemas.mention import Mention
from schemas.topics import ENRICHMENTS, MENTIONS
from streams.embedded_kafka import EmbeddedKafka
from tests.fixtures_kafka import make_topics
from tests.work_processes import Pipeline, a_message, stop

pytestmark = pytest.mark.integration


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of this test's own; whatever it starts is ended."""
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def written(conversation: str, number: int, text: str | None, by: str = "customer") -> Interaction:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return msgspec.structs.replace(a_message(conversation, number, at, by), text=text)


def test_each_message_is_judged_once_although_the_process_is_killed(pipeline: Pipeline) -> None:
    count = 3_000
    pipeline.send(written(f"c{n % 50}", n, f"This is really terrible, number {n}.") for n in range(count))
    pipeline.send([written("c1", count, "We are terribly sorry.", "agent"), written("c1", count + 1, None)])
    pipeline.send_raw(b"k", b"{")
    first = pipeline.start_worker("enrich")
    pipeline.read(ENRICHMENTS, Enrichment, enough=1)
    first.kill()
    first.wait()
    second = pipeline.start_worker("enrich")

    found = pipeline.read(ENRICHMENTS, Enrichment, enough=count)
    mentions = pipeline.read(MENTIONS, Mention, enough=count + 1)

    assert Counter(each.interaction_id for each in found) == Counter(f"c{n % 50}-{n}" for n in range(count))
    assert {each.mood for each in found} == {"negative"}
    assert Counter(each.id for each in mentions) == Counter(
        [*(f"c{n % 50}/c{n % 50}-{n}" for n in range(count)), f"c1/c1-{count + 1}"]
    )
    assert stop(second) == 0
