"""`careline policy explain` against what a real worker has committed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from tests.fixtures_kafka import make_topics
from tests.work_processes import Pipeline, a_message, simple_policy, stop

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    """Topics of this test's own; whatever it starts is ended."""
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def explain(pipeline: Pipeline, conversation: str) -> Result:
    variables = {"CARELINE_KAFKA": pipeline.servers, "CARELINE_TOPIC_PREFIX": pipeline.prefix}
    result = CliRunner().invoke(app, ["policy", "explain", conversation, "--json"], env=variables)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_what_a_worker_remembers_is_explained(pipeline: Pipeline) -> None:
    """Conversations in both partitions, one of them answered late in order and late in arrival."""
    before_topics_are_read = explain(pipeline, "c0")
    began = datetime.now(UTC) - timedelta(minutes=10)
    pipeline.activate(simple_policy(), LONG_AGO)
    pipeline.send(a_message(f"c{n}", 1, began + timedelta(seconds=n)) for n in range(8))
    pipeline.send([a_message("c3", 3, began + timedelta(minutes=4), "agent")])
    pipeline.send([a_message("c3", 2, began + timedelta(minutes=2), "agent")])
    worker = pipeline.start_worker()
    pipeline.wait_until_applied(10)

    answered, waiting = explain(pipeline, "c3"), explain(pipeline, "c4")

    assert before_topics_are_read.exit_code == explain(pipeline, "c9").exit_code == 1
    found = json.loads(answered.stdout)
    assert (found["stored_otherwise"], found["known_from"]) == ([], None)
    (first,) = (clock for clock in found["clocks"] if clock["metric"] == "first_response")
    assert (first["outcome"], first["ended_by"]["event"], first["elapsed_seconds"]) == ("met", "c3-2", 117)
    (running,) = (clock for clock in json.loads(waiting.stdout)["clocks"] if clock["metric"] == "first_response")
    assert running["outcome"] in {"open", "breached"}
    assert running["elapsed_seconds"] >= 590
    assert running["intervals"][-1]["to"] == json.loads(waiting.stdout)["as_of"]
    assert stop(worker) == 0
