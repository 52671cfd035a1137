"""Health profiles on a real Kafka: published once, scored live, overridden by a person, with plays that get done."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agents.domain.health_shelf import from_published
from schemas.alert import Alert
from schemas.codec import contract_in, decode
from schemas.control import Control
from schemas.health_score import HealthScore
from schemas.signal import Signal
from schemas.topics import ALERTS, HEALTH, SIGNALS
from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from streams.file_kinds import HEALTH_PROFILES, PolicyRefused
from streams.file_publisher import publish_file, published_files
from streams.settings import Settings
from streams.signal_sender import send_signal
from streams.topic_reader import topic_reader
from tests.fixtures_kafka import make_topics
from tests.work_processes import PATIENCE_SECONDS, Pipeline

pytestmark = pytest.mark.integration

PARTITIONS = 2
PROFILE = """\
version: {version}
profiles:
  - id: everyone
    components: {{voice: {{weight: 1, signals: {{nps: {weight}, pulse: 1}}}}}}
    bands: {{wobbling: 0, sound: 50}}
plays:
  - {{id: ask, when: {{band: sound, nps: ">= 9"}}, action: "Ask {{account}} for a reference", owner: anna}}
"""
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
Write = Callable[..., Path]


@pytest.fixture
def settings(kafka: EmbeddedKafka, topic_prefix: str) -> Settings:
    make_topics(kafka, topic_prefix, PARTITIONS)
    return Settings(kafka_servers=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(version: str = "v1", weight: str = "1") -> Path:
        path = tmp_path / "health.yaml"
        path.write_text(PROFILE.format(version=version, weight=weight))
        return path

    return write


@pytest.fixture
def pipeline(settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(settings.kafka_servers, settings.topic_prefix, tmp_path, PARTITIONS)
    yield pipeline
    pipeline.close()


def careline(settings: Settings, *arguments: str) -> Result:
    variables = {"CARELINE_KAFKA": settings.kafka_servers, "CARELINE_TOPIC_PREFIX": settings.topic_prefix}
    return CliRunner().invoke(app, ["health", *arguments], env=variables)


def test_a_profile_is_announced_in_every_partition_of_the_signals_once(settings: Settings, write: Write) -> None:
    path = write()

    assert [publish_file(settings, HEALTH_PROFILES, path, lambda: NOON).status for _ in range(2)] == [
        "published",
        "unchanged",
    ]

    with topic_reader(settings.kafka) as reader:
        records = list(reader.records(settings.topic(SIGNALS.name)))
    assert sorted(record.partition for record in records) == list(range(PARTITIONS))
    assert {contract_in(record.headers, Signal) for record in records} == {Control}
    control = decode(Control, records[0].value)
    assert (control.kind, control.as_of, control.policy_version) == ("health_activated", NOON, "v1")
    assert from_published(control.policy_text or "").plays[0].owner == "anna"
    assert published_files(settings, HEALTH_PROFILES)["v1"].text == path.read_text()


@pytest.mark.parametrize(("version", "weight"), [("v1", "2"), ("v2", "-1")], ids=["other content", "wrong"])
def test_a_refused_file_replaces_nothing(settings: Settings, write: Write, version: str, weight: str) -> None:
    publish_file(settings, HEALTH_PROFILES, write(), lambda: NOON)
    before = published_files(settings, HEALTH_PROFILES)

    with pytest.raises(PolicyRefused):
        publish_file(settings, HEALTH_PROFILES, write(version, weight), lambda: NOON)
    assert careline(settings, "publish", str(write(version, weight))).exit_code == 2

    assert published_files(settings, HEALTH_PROFILES) == before


def scores_until(pipeline: Pipeline, is_so: Callable[[HealthScore], bool]) -> HealthScore:
    """The first score told of acme of which something holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    told: list[HealthScore] = []
    while time.monotonic() < end:
        told = pipeline.read(HEALTH, HealthScore, len(told) + 1, key=b"acme")
        for score in told:
            if is_so(score):
                return score
    raise AssertionError(f"not told: {told[-3:]}; {pipeline.log_of()[-2000:]}")


def test_a_signal_becomes_a_score_and_a_person_may_know_better(
    settings: Settings, write: Write, pipeline: Pipeline
) -> None:
    """The file is published by the worker that starts with it."""
    answered_at = datetime.now(UTC) - timedelta(minutes=1)
    answer = Signal(
        id="n1",
        source="delighted",
        account_id="acme",
        occurred_at=answered_at,
        kind="survey",
        name="nps",
        value=10,
        scale=10,
    )
    pipeline.start_worker(CARELINE_HEALTH=str(write()))
    wait_until_published(settings)
    send_signal(settings, answer)

    first = scores_until(pipeline, lambda score: score.score is not None)
    assert (first.band, first.profile, first.profile_version) == ("sound", "everyone", "v1")
    (voice,) = [part for part in first.contributions if part.signal == "nps"]
    assert (voice.value, voice.source, voice.event_ids, voice.observed_at) == (10, "delighted", ("n1",), answered_at)
    assert voice.freshness is not None
    assert voice.freshness > 0.99
    assert [(action.play, action.owner) for action in first.actions] == [("ask", "anna")]

    assert careline(settings, "override", "acme", "20", "--because", "they are leaving").exit_code == 0
    low = scores_until(pipeline, lambda score: score.score == 20)
    assert (low.band, low.contributions[-1].component, low.contributions[-1].because) == (
        "wobbling",
        "override",
        "they are leaving",
    )
    assert sum(part.points for part in low.contributions) == pytest.approx(20)
    assert low.actions == ()
    assert careline(settings, "override", "acme", "--end").exit_code == 0
    again = scores_until(pipeline, lambda score: score.as_of > low.as_of and score.band == "sound")

    listed = json.loads(careline(settings, "plays", "--json").stdout)["actions"]
    assert [action["id"] for action in listed] == [again.actions[0].id]
    assert careline(settings, "done", listed[0]["id"]).exit_code == 0
    scores_until(pipeline, lambda score: score.as_of > again.as_of and score.actions == ())
    ends = [alert for alert in pipeline.read(ALERTS, Alert, 4) if alert.name == "NextAction"]
    assert [(alert.state, alert.summary.rpartition("(")[2]) for alert in ends][-1] == ("resolved", "done)")
    assert careline(settings, "done", listed[0]["id"]).exit_code == 1


def wait_until_published(settings: Settings) -> None:
    """Wait for the worker to have published its file."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        known = published_files(settings, HEALTH_PROFILES)
        if known and all(each.complete for each in known.values()):
            return
        time.sleep(0.2)
