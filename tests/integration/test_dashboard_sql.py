"""Every SQL of every dashboard, run on the migrated tables of the real engine: it must answer with rows."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
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


@pytest.fixture
def filled(clickhouse: Client) -> Client:
    """Each result contract once, and clocks in every stage, told now on the clock `wall`."""
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
    for table in TABLES:
        example = an_example(table.topic.contracts[0])
        versions = [example]
        if table.name == "clocks":
            versions = [
                msgspec.structs.replace(example, **{**nothing, "instance": number, "target_seconds": 3600.0, **state})
                for number, state in enumerate(clocks)
            ]
        if table.name in {"adherence", "alerts"}:
            versions = [msgspec.structs.replace(example, clock="wall")]
        rows = [table.row(event, Position(0, offset)) for offset, event in enumerate(versions)]
        clickhouse.insert(table.name, rows, column_names=table.columns)
    return clickhouse


def an_example(contract: type[msgspec.Struct]) -> Any:
    folder = ROOT / "schemas" / "examples" / EVENT_TYPES[contract]
    first: Path = next(path for path in sorted(folder.glob("*.json")) if path.stem != "schema")
    return decode(contract, first.read_bytes())


@pytest.mark.parametrize("sql", list(queries()))
def test_query_answers_for_everything_and_for_a_choice(filled: Client, sql: str) -> None:
    everything = filled.query(expanded(sql, chosen={})).result_rows
    sql_of_metrics = "SELECT DISTINCT metric FROM clocks UNION DISTINCT SELECT metric FROM adherence"
    metrics = [row[0] for row in filled.query(sql_of_metrics).result_rows]
    chosen = filled.query(expanded(sql, chosen={"clock": ["wall"], "metric": metrics})).result_rows
    assert everything
    assert len(chosen) == len(everything)


def test_stages_are_told_apart(filled: Client) -> None:
    rows = filled.query("SELECT stage, count() FROM open_clocks GROUP BY stage ORDER BY stage").result_rows
    assert rows == [("due_soon", 1), ("overdue", 1), ("paused", 1), ("running", 1)]
