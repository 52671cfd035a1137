"""Every SQL of every dashboard, run on the migrated tables of the real engine: it must answer with rows."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from schemas.codec import EVENT_TYPES, decode
from streams.sinks.rows import TABLES, Position
from tests.architecture.repository_files import ROOT

pytestmark = pytest.mark.integration

DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))


def queries() -> Iterator[Any]:
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield pytest.param(target["rawSql"], id=f"{path.stem}: {panel['title']}")
        for variable in dashboard["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{path.stem}: ${variable['name']}")


def expanded(sql: str, *, chosen: dict[str, list[str]]) -> str:
    """As the data source for ClickHouse expands its macros; a variable that is not chosen stands at `All`."""

    def conditional(match: re.Match[str]) -> str:
        return match["condition"] if match["variable"] in chosen else "1=1"

    sql = re.sub(r"\$__conditionalAll\((?P<condition>.*?\)), \$(?P<variable>\w+)\)", conditional, sql)
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= now() - INTERVAL 1 DAY AND \1 <= now() + INTERVAL 1 HOUR", sql)
    for name, values in chosen.items():
        sql = sql.replace(f"${{{name}:singlequote}}", ", ".join(f"'{value}'" for value in values))
    assert "$" not in sql, "a macro that this test does not know"
    return sql


@pytest.fixture(scope="module")
def filled(clickhouse_of_module: Client) -> Client:
    """Each example of each result contract, and clocks in every stage, told now on the clock `wall`."""
    clickhouse = clickhouse_of_module
    now = datetime.now(UTC)
    soon, late = now + timedelta(minutes=5), now - timedelta(minutes=5)
    clocks: list[dict[str, Any]] = [
        {"outcome": "open", "due_at": now + timedelta(hours=5)},
        {"outcome": "open", "due_at": soon},
        {"outcome": "open", "paused": True},
        {"outcome": "breached", "due_at": late, "breached_at": late},
        {"outcome": "met", "satisfied_at": late},
        {"outcome": "satisfied_late", "breached_at": late, "satisfied_at": now},
    ]
    nothing = {"clock": "wall", "due_at": None, "breached_at": None, "satisfied_at": None, "paused": False}
    just_now: dict[str, dict[str, Any]] = {
        "health": {"as_of": now},
        "enrichments": {"occurred_at": now, "clock": "wall", "sentiment": -0.5, "mood": "negative"},
        "rollups": {"scope": "company", "scope_value": "", "begins_at": now.replace(hour=0, minute=0, second=0)},
        "issues": {"opened_at": now, "status": "opened", "closed_at": None},
        "adherence": {"clock": "wall"},
        "alerts": {"clock": "wall"},
    }
    for table in TABLES:
        versions = list(examples(table.topic.contracts[0]))
        if table.name == "clocks":
            versions = [
                msgspec.structs.replace(
                    versions[0], **{**nothing, "instance": number, "target_seconds": 3600.0, **state}
                )
                for number, state in enumerate(clocks)
            ]
        versions = [msgspec.structs.replace(version, **just_now.get(table.name, {})) for version in versions]
        if table.name == "rollups":  # the theme of the issue that is an example
            topic = {"scope": "topic", "scope_value": "theme-77c0e1d2aa31f05b", "counts": {"mentions": 31}}
            versions.append(msgspec.structs.replace(versions[0], **topic))
        rows = [table.row(event, Position(0, offset)) for offset, event in enumerate(versions)]
        clickhouse.insert(table.name, rows, column_names=table.columns)
    return clickhouse


def examples(contract: type[msgspec.Struct]) -> Iterator[Any]:
    folder = ROOT / "schemas" / "examples" / EVENT_TYPES[contract]
    for path in sorted(folder.glob("*.json")):
        if path.stem != "schema":
            yield decode(contract, path.read_bytes())


@pytest.mark.parametrize("sql", list(queries()))
def test_query_answers_for_everything_and_for_a_choice(filled: Client, sql: str) -> None:
    everything = filled.query(expanded(sql, chosen={})).result_rows
    sql_of_metrics = "SELECT DISTINCT metric FROM clocks UNION DISTINCT SELECT metric FROM adherence"
    metrics = [row[0] for row in filled.query(sql_of_metrics).result_rows]
    chosen = filled.query(expanded(sql, chosen={"clock": ["wall"], "metric": metrics})).result_rows
    assert everything
    assert len(chosen) == len(everything)


def answer(filled: Client, title: str) -> list[dict[str, Any]]:
    """The rows of the panel of that title."""
    (sql,) = [each.values[0] for each in queries() if str(each.id).partition(": ")[2] == title]
    return list(filled.query(expanded(sql, chosen={})).named_results())


def test_open_issues_show_whose_they_are_who_has_them_and_how_they_grow(filled: Client) -> None:
    silence, surge = sorted(answer(filled, "Issues that are open"), key=lambda row: row["kind"])
    assert (surge["owner"], surge["account_count"], surge["growth"]) == ("team-identity", 4, 307.54)
    assert surge["accounts"] == ["account-260", "account-264", "account-134", "account-221"]
    assert (silence["owner"], silence["accounts"], silence["missing"]) == ("customer-success", ["acme"], 8.4)
    (alert,) = answer(filled, "Alerts about issues")
    assert (alert["name"], alert["owner"], alert["account_count"]) == ("IssueSurge", "team-identity", 4)


def test_tone_leaves_out_what_nobody_could_tell_and_mentions_keep_it(filled: Client) -> None:
    filled.command("INSERT INTO enrichments (id, conversation_id, occurred_at, clock) VALUES ('t', 't', now(), 'wall')")
    assert {row["tone"] for row in answer(filled, "Sentiment over time")} == {-0.5}
    (now,) = answer(filled, "Tone of the last 24 hours")
    assert (now["tone"], now["negative"], now["messages"]) == (-0.5, 1, 3)
    assert sum(row["untold"] for row in answer(filled, "Mentions by mood")) == 1


def test_churn_risk_and_next_actions_are_among_the_columns_of_health_now(filled: Client) -> None:
    assert {row["churn_index"] for row in answer(filled, "Churn risk")} == {42.86}
    assert [(row["play"], row["owner"]) for row in answer(filled, "Next actions that are open")] == [
        ("call", "account")
    ]
    assert answer(filled, "What costs points")


def test_stages_are_told_apart(filled: Client) -> None:
    rows = filled.query("SELECT stage, count() FROM open_clocks GROUP BY stage ORDER BY stage").result_rows
    assert rows == [("due_soon", 1), ("overdue", 1), ("paused", 1), ("running", 1)]
