"""Care figures on real parts: two partitions of a real Kafka, a worker that is killed, `careline care`, ClickHouse."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from msgspec.structs import replace
from typer.testing import CliRunner

from schemas.interaction import Interaction
from schemas.rollup import Rollup
from schemas.topics import ROLLUPS
from streams.cli.main import app
from streams.embedded_kafka import EmbeddedKafka
from streams.sinks.rows import TABLES, Position
from tests.fixtures_kafka import make_topics
from tests.work_processes import PATIENCE_SECONDS, Pipeline, a_message, simple_policy

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CONVERSATIONS = 300


@pytest.fixture
def pipeline(kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path) -> Iterator[Pipeline]:
    make_topics(kafka, topic_prefix, partitions=2)
    pipeline = Pipeline(kafka.bootstrap, topic_prefix, tmp_path)
    yield pipeline
    pipeline.close()


def story() -> list[Interaction]:
    """Every conversation asks once and is answered after four minutes, by eleven accounts in two teams."""
    began = datetime.now(UTC) - timedelta(minutes=6)
    found = []
    for number in range(CONVERSATIONS):
        at = began + timedelta(milliseconds=number)
        labels = {"account_id": f"account-{number % 11}", "team": ("billing", "support")[number % 2]}
        asked = replace(a_message(f"c{number}", 1, at), **labels)
        answered = replace(a_message(f"c{number}", 2, at + timedelta(minutes=4), "agent"), **labels)
        found += [asked, answered]
    return found


def care(pipeline: Pipeline, *arguments: str) -> dict[Any, Any]:
    variables = {"CARELINE_KAFKA": pipeline.servers, "CARELINE_TOPIC_PREFIX": pipeline.prefix}
    result = CliRunner().invoke(app, ["care", "--json", *arguments], env=variables)
    return {} if result.exit_code else {each["value"]: each for each in json.loads(result.stdout)["values"]}


def test_figures_of_two_partitions_are_whole_though_a_worker_was_killed(pipeline: Pipeline, clickhouse: Client) -> None:
    pipeline.activate(simple_policy(), LONG_AGO)
    pipeline.send(story())
    first = pipeline.start_worker()
    pipeline.read(ROLLUPS, Rollup, enough=1)
    first.kill()
    first.wait()
    pipeline.start_worker()

    end = time.monotonic() + PATIENCE_SECONDS
    company: dict[str, Any] = {}
    while time.monotonic() < end:
        found = care(pipeline)
        company = found[None]["figures"] if found else {}
        if company and company["first_response_wall_median_seconds"]["population"] >= CONVERSATIONS:
            break
        time.sleep(0.5)

    assert company["first_response_wall_median_seconds"]["population"] == CONVERSATIONS
    assert company["first_response_wall_p99_seconds"]["value"] == pytest.approx(240, rel=0.02)
    assert company["adherence_ratio"] == {"value": 1.0, "unit": "ratio", "population": CONVERSATIONS}
    assert company["proactive_ratio"] == {"value": 0.0, "unit": "ratio", "population": CONVERSATIONS}
    teams = care(pipeline, "--scope", "team")
    assert {team: each["figures"]["adherence_ratio"]["population"] for team, each in teams.items()} == {
        "billing": CONVERSATIONS // 2,
        "support": CONVERSATIONS // 2,
    }
    accounts = care(pipeline, "--scope", "account")
    assert sum(each["figures"]["adherence_ratio"]["population"] for each in accounts.values()) == CONVERSATIONS
    assert len(accounts) == 11

    parts = pipeline.read(ROLLUPS, Rollup, enough=10)
    assert {part.partition for part in parts} == {0, 1}
    table = next(each for each in TABLES if each.topic is ROLLUPS)
    rows = [table.row(part, Position(part.partition, offset)) for offset, part in enumerate(parts)]
    clickhouse.insert(table.name, rows, column_names=table.columns)
    where = "WHERE scope = 'company' AND window = '30d' AND clock = 'wall'"
    assert clickhouse.query(
        f"SELECT met, breached, adherence_ratio, csat_ratio FROM care_figures {where}"
    ).result_rows == [(CONVERSATIONS, 0, 1.0, None)]
    ((population, median),) = clickhouse.query(
        f"SELECT population, median_seconds FROM care_durations {where} AND measure = 'first_response/wall'"
    ).result_rows
    assert population == CONVERSATIONS
    assert median == pytest.approx(company["first_response_wall_median_seconds"]["value"], rel=1e-4)
