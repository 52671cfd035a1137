"""What accounts say through the log, on a real Kafka: children to parents, surveys to conversations."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.health_score import HealthScore
from schemas.policy import Duration, MetricTarget, Policy, PolicyFile
from schemas.signal import Signal, SignalKind
from schemas.sla_event import SlaEvent
from schemas.topics import HEALTH, SLA_EVENTS
from streams.audit import audit
from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from streams.lane.lane_effects import partition_of
from streams.settings import Settings
from streams.signal_sender import send_signal
from tests.fixtures_kafka import make_topics
from tests.work_processes import PATIENCE_SECONDS, Pipeline, a_message

pytestmark = pytest.mark.integration

PARTITIONS = 2
PROFILE = """\
version: v1
profiles:
  - {id: groups, when: {tier: group}, children: mean, components: {all: {weight: 1, signals: {pulse: 1}}}}
  - {id: everyone, components: {all: {weight: 1, signals: {pulse: 1}}}}
"""
NOW = datetime.now(UTC)


@pytest.fixture
def settings(kafka: EmbeddedKafka, topic_prefix: str) -> Settings:
    make_topics(kafka, topic_prefix, PARTITIONS)
    return Settings(kafka_servers=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def pipeline(settings: Settings, tmp_path: Path) -> Iterator[Pipeline]:
    pipeline = Pipeline(settings.kafka_servers, settings.topic_prefix, tmp_path, PARTITIONS)
    yield pipeline
    pipeline.close()


def careline(settings: Settings, *arguments: str) -> int:
    variables = {"CARELINE_KAFKA": settings.kafka_servers, "CARELINE_TOPIC_PREFIX": settings.topic_prefix}
    return CliRunner().invoke(app, list(arguments), env=variables).exit_code


def said(account: str, kind: SignalKind, name: str, value: float, minutes: float, **more: str) -> Signal:
    at = NOW + timedelta(minutes=minutes)
    fields = {"id": f"{account}/{name}/{minutes}", "source": "test", "account_id": account, "occurred_at": at}
    return Signal(kind=kind, name=name, value=value, scale=5.0, **fields, **more)  # type: ignore[arg-type]


def until(pipeline: Pipeline, account: str, is_so: Callable[[HealthScore], bool]) -> HealthScore:
    end = time.monotonic() + PATIENCE_SECONDS
    told: list[HealthScore] = []
    while time.monotonic() < end:
        told = pipeline.read(HEALTH, HealthScore, len(told) + 1, key=account.encode())
        for score in told:
            if is_so(score):
                return score
    raise AssertionError(f"not told: {told[-3:]}; {pipeline.log_of()[-2000:]}")


def test_a_parent_in_another_partition_hears_of_its_children(
    settings: Settings, pipeline: Pipeline, tmp_path: Path
) -> None:
    parent = next(name for name in (f"group-{n}" for n in range(20)) if partition_of(name, PARTITIONS) == 0)
    children = [name for name in (f"child-{n}" for n in range(20)) if partition_of(name, PARTITIONS) == 1][:2]
    (tmp_path / "health.yaml").write_text(PROFILE)
    rows = [f"{parent},group,", *(f"{child},,{parent}" for child in children)]
    (tmp_path / "accounts.csv").write_text("\n".join(["id,tier,parent", *rows]) + "\n")
    pipeline.start_worker(CARELINE_HEALTH=str(tmp_path / "health.yaml"))

    assert careline(settings, "accounts", "import", str(tmp_path / "accounts.csv")) == 0
    for child, value in zip(children, (80, 40), strict=True):
        send_signal(settings, said(child, "pulse", "pulse", value, -5))

    both = until(pipeline, parent, lambda told: told.score == 60)
    assert {part.signal: part.points for part in both.contributions} == {children[0]: 40, children[1]: 20}

    (tmp_path / "circle.csv").write_text(f"id,tier,parent\n{parent},group,{children[0]}\n")
    assert careline(settings, "accounts", "import", str(tmp_path / "circle.csv")) == 2
    assert careline(settings, "accounts", "forget", children[0], "--yes") == 0
    alone = until(pipeline, parent, lambda told: told.score == 40)
    assert [part.signal for part in alone.contributions] == [children[1]]


def test_an_unhappy_signal_starts_the_clock_in_another_partition(settings: Settings, pipeline: Pipeline) -> None:
    target = MetricTarget(metric="follow_up", target=Duration(seconds=3600))
    pipeline.activate(
        PolicyFile(version="v1", policies=(Policy(id="everyone", targets={"follow_up": target}),)),
        NOW - timedelta(days=1),
    )
    conversation = next(name for name in (f"desk:{n}" for n in range(20)) if partition_of(name, PARTITIONS) == 0)
    account = next(name for name in (f"acme-{n}" for n in range(20)) if partition_of(name, PARTITIONS) == 1)
    pipeline.send([a_message(conversation, 1, NOW - timedelta(minutes=9))])
    pipeline.start_worker()
    send_signal(settings, said(account, "survey", "csat", 1, -8, conversation_id=conversation))

    (begun,) = [each for each in pipeline.read(SLA_EVENTS, SlaEvent, 3) if each.metric == "follow_up"]
    assert (begun.kind, begun.conversation_id) == ("activated", conversation)
    pipeline.send([a_message(conversation, 2, NOW - timedelta(minutes=1), "agent")])
    kinds = [each.kind for each in pipeline.read(SLA_EVENTS, SlaEvent, 5) if each.metric == "follow_up"]
    assert kinds == ["activated", "met"]
    books = [line for line in audit(settings) if line.book == "interactions"]
    assert [(line.accepted, line.is_even) for line in sorted(books, key=lambda line: line.partition)] == [
        (2, True),  # what the account has said to its conversation has come in once, as a signal
        (0, True),
    ]
