"""`careline health explain` against what a worker has told."""

import json

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from agents.account_agent import AccountAgent
from agents.domain.instant import HOUR_US
from schemas.codec import encode, result_headers
from schemas.health_score import HealthScore
from schemas.topics import HEALTH
from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from streams.lane.lane_effects import partition_of
from tests.account_stories import ACCOUNT, START, csat, log, sla_event
from tests.doubles import DictStates, ListEffects
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration


def explain(kafka: EmbeddedKafka, prefix: str, account: str, *more: str) -> Result:
    variables = {"CARELINE_KAFKA": kafka.bootstrap, "CARELINE_TOPIC_PREFIX": prefix}
    result = CliRunner().invoke(app, ["health", "explain", account, *more], env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_the_last_score_that_was_told_is_explained(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    assert explain(kafka, topic_prefix, ACCOUNT).exit_code == 1
    make_topics(kafka, topic_prefix, partitions=2)
    effects = ListEffects()
    for events in ([sla_event("met", START)], [csat(1, START + HOUR_US)]):
        AccountAgent(DictStates(), effects).process(log(events), 0)
    told = [score for score in effects.on(HEALTH) if isinstance(score, HealthScore)]
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for score in told:
        producer.send(
            topic_prefix + HEALTH.name,
            key=ACCOUNT.encode(),
            value=encode(score),
            headers=list(result_headers(HealthScore, "test", score.id)),
            partition=partition_of(ACCOUNT, 2),
        )
    producer.flush()
    producer.close()

    found = json.loads(explain(kafka, topic_prefix, ACCOUNT, "--json").stdout)

    assert (found["score"], found["band"]) == (told[-1].score, told[-1].band) == (0, "red")
    assert found["contributions"][-1]["event_ids"] == ["s1"]
    assert "voice/csat" in explain(kafka, topic_prefix, ACCOUNT).stdout
    assert explain(kafka, topic_prefix, "nobody").exit_code == 1
