"""Migrations and rows on the real engine: every contract finds its table, and a row that comes twice counts once."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_connect.driver.client import Client

from agents.domain.instant import from_datetime
from schemas.adherence import AdherenceReport
from schemas.codec import EVENT_TYPES, decode
from schemas.rejection import Origin, Rejection
from schemas.rollup import Rollup, Timings
from schemas.sla_event import Cause, SlaEvent
from streams.care_parts import care_values
from streams.sinks.batch_intent import PartitionBatch
from streams.sinks.forgotten_rows import delete_forgotten
from streams.sinks.migrations_runner import (
    Migration,
    MigrationError,
    apply_migrations,
    migration_status,
    migrations_folder,
    read_migrations,
)
from streams.sinks.rows import TABLES, Position, Table, insert_group

pytestmark = pytest.mark.integration

MIGRATIONS = read_migrations(migrations_folder())
EXAMPLES = Path("schemas", "examples")


def examples_of(table: Table[Any], root: Path) -> list[Any]:
    contract = table.topic.contracts[0]
    folder = root / EXAMPLES / EVENT_TYPES[contract]
    return [decode(contract, path.read_bytes()) for path in sorted(folder.glob("*.json")) if path.stem != "schema"]


def write(client: Client, table: Table[Any], *rows: tuple[Any, ...]) -> None:
    client.insert(table.name, rows, column_names=table.columns)


def test_migrating_twice_changes_nothing(empty_clickhouse: Client) -> None:
    assert apply_migrations(empty_clickhouse, MIGRATIONS) == MIGRATIONS
    assert apply_migrations(empty_clickhouse, MIGRATIONS) == []
    assert {status.state for status in migration_status(empty_clickhouse, MIGRATIONS)} == {"applied"}


def test_status_of_an_empty_database_writes_nothing(empty_clickhouse: Client) -> None:
    assert {status.state for status in migration_status(empty_clickhouse, MIGRATIONS)} == {"pending"}
    assert empty_clickhouse.query("SHOW TABLES").result_rows == []


def test_edited_old_file_is_refused(clickhouse: Client) -> None:
    edited = [MIGRATIONS[0]._replace(script=MIGRATIONS[0].script + "\nSELECT 1;"), *MIGRATIONS[1:]]
    with pytest.raises(MigrationError, match="0001_results: applied before with another text"):
        apply_migrations(clickhouse, edited)


def test_failing_statement_is_named_and_can_be_corrected(empty_clickhouse: Client) -> None:
    good = "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Memory;"
    with pytest.raises(MigrationError, match=r"0001_first\.sql, statement 2: .*no_such_table"):
        apply_migrations(empty_clickhouse, [Migration(1, "first", good + "DROP TABLE no_such_table;")])
    corrected = Migration(1, "first", good)
    assert apply_migrations(empty_clickhouse, [corrected]) == [corrected]


def test_lock_of_another_process_is_waited_for(empty_clickhouse: Client) -> None:
    sql = "CREATE TABLE schema_migrations_lock (x UInt8) ENGINE = Memory COMMENT 'process 7 on elsewhere'"
    empty_clickhouse.command(sql)
    waits: list[float] = []
    with pytest.raises(MigrationError, match="process 7 on elsewhere is migrating"):
        apply_migrations(empty_clickhouse, MIGRATIONS, pause=waits.append)
    assert sum(waits) == 30

    def release(_: float) -> None:
        empty_clickhouse.command("DROP TABLE IF EXISTS schema_migrations_lock SYNC")

    assert apply_migrations(empty_clickhouse, MIGRATIONS, pause=release) == MIGRATIONS


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table_has_a_column_for_every_cell_and_no_other(clickhouse: Client, table: Table[Any]) -> None:
    columns = {row[0] for row in clickhouse.query(f"DESCRIBE TABLE {table.name}").result_rows}
    assert columns == set(table.columns) | {"ingested_at"}
    contract = table.topic.contracts[0]
    fields = {field.name for field in msgspec.structs.fields(contract)}
    covered = {name.split(".")[0] for name in columns} | {name.split("_")[0] for name in columns}
    assert fields - covered == set(), "a field of the contract that ClickHouse does not keep"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_golden_examples_come_out_as_they_went_in(clickhouse: Client, table: Table[Any], project_root: Path) -> None:
    examples = examples_of(table, project_root)
    rows = [table.row(event, Position(3, offset)) for offset, event in enumerate(examples)]
    write(clickhouse, table, *rows)
    names = ", ".join(f"`{name}`" for name in table.columns)
    result = clickhouse.query(
        f"SELECT {names} FROM {table.name} ORDER BY topic_offset",
        column_formats={"key": "bytes", "value": "bytes"} if table.name == "rejected" else None,
    )
    assert [comparable(row) for row in result.result_rows] == [comparable(row) for row in rows]


def comparable(row: Sequence[Any]) -> list[Any]:
    def plain(cell: Any) -> Any:
        if isinstance(cell, bytes):
            return cell.decode()
        if isinstance(cell, dict):
            return [plain(each) for each in cell.values()]
        if isinstance(cell, (list, tuple)):
            return [plain(each) for each in cell]
        return cell

    return [plain(cell) for cell in row]


def test_any_bytes_survive_in_the_dead_letters(clickhouse: Client) -> None:
    value = bytes(range(256))
    rejection = Rejection(
        id="r1",
        reason="not_utf8",
        detail="",
        origin=Origin(connector="zendesk"),
        rejected_at=datetime(2026, 3, 1, tzinfo=UTC),
        value=value,
        headers=(("x", b"\xff"),),
    )
    table = table_named("rejected")
    write(clickhouse, table, table.row(rejection, Position(0, 1)))
    assert clickhouse.command("SELECT hex(value) FROM rejected") == value.hex().upper()
    assert clickhouse.command("SELECT hex(headers[1].value) FROM rejected") == "FF"


def table_named(name: str) -> Table[Any]:
    return next(table for table in TABLES if table.name == name)


def sla_event(**changes: Any) -> SlaEvent:
    event = SlaEvent(
        id="e1",
        kind="met",
        conversation_id="c1",
        account_id="a1",
        occurred_at=datetime(2012, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
        cause=Cause(0, 1),
        source="import:x",
    )
    return msgspec.structs.replace(event, **changes)


def test_fact_written_again_counts_once_and_keeps_its_microseconds(clickhouse: Client) -> None:
    table = table_named("sla_events")
    event = sla_event()
    for offset in (5, 900):
        write(clickhouse, table, table.row(event, Position(0, offset)))
    rows = clickhouse.query("SELECT occurred_at, topic_offset FROM sla_events FINAL").result_rows
    assert rows == [(event.occurred_at, 900)]


def test_latest_value_wins_in_any_order_of_arrival_and_over_a_new_life_of_the_topic(
    clickhouse: Client, project_root: Path
) -> None:
    table = table_named("clocks")
    view = examples_of(table, project_root)[0]
    states = [("open", Position(0, 10)), ("breached", Position(0, 900)), ("satisfied_late", Position(0, 3, epoch=2))]
    for outcome, position in (states[1], states[2], states[0]):
        write(clickhouse, table, table.row(msgspec.structs.replace(view, outcome=outcome), position))
    assert clickhouse.command("SELECT groupArray(outcome) FROM clocks FINAL") == "['satisfied_late']"


def test_imported_history_is_not_expired_on_arrival(clickhouse: Client) -> None:
    table = table_named("sla_events")
    write(clickhouse, table, table.row(sla_event(), Position(0, 1)))
    clickhouse.command("OPTIMIZE TABLE sla_events FINAL")
    assert clickhouse.command("SELECT count() FROM sla_events") == 1
    clickhouse.command(
        "ALTER TABLE sla_events UPDATE ingested_at = now() - INTERVAL 3 YEAR WHERE 1 SETTINGS mutations_sync = 2"
    )
    clickhouse.command("OPTIMIZE TABLE sla_events FINAL")
    assert clickhouse.command("SELECT count() FROM sla_events") == 0


def test_groups_of_an_insert_never_hold_too_many_months() -> None:
    table = table_named("sla_events")
    first = datetime(1995, 1, 1, tzinfo=UTC)
    months: dict[int, set[tuple[int, int]]] = {}
    for day in range(0, 366 * 40, 9):
        event = sla_event(occurred_at=first + timedelta(days=day))
        months.setdefault(insert_group(table, event), set()).add((event.occurred_at.year, event.occurred_at.month))
    assert max(map(len, months.values())) == 48  # ClickHouse refuses more than 100


@pytest.fixture
def decided(clickhouse: Client, project_root: Path) -> Callable[..., None]:
    table = table_named("clocks")
    view = examples_of(table, project_root)[0]
    offsets = iter(range(1, 1000))

    def write_clock(instance: int, outcome: str, **changes: Any) -> None:
        at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        state = {"clock": "import:1", "satisfied_at": at, "breached_at": None, "as_of": at} | changes
        changed = msgspec.structs.replace(view, instance=instance, outcome=outcome, **state)
        write(clickhouse, table, table.row(changed, Position(0, next(offsets))))

    return write_clock


def test_hourly_outcomes_follow_revisions_and_retractions(clickhouse: Client, decided: Callable[..., None]) -> None:
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    decided(1, "met")
    decided(2, "breached", satisfied_at=None, breached_at=at)
    decided(3, "met")
    decided(4, "satisfied_late", breached_at=at - timedelta(minutes=40))
    hourly = "SELECT hour, sum(met), sum(breached) FROM outcomes_hourly GROUP BY hour ORDER BY hour"
    eight, nine = at.replace(hour=8, minute=0), at.replace(minute=0)
    assert clickhouse.query(hourly).result_rows == [(eight, 0, 1), (nine, 2, 1)]
    decided(1, "satisfied_late", breached_at=at)
    decided(2, "retracted")
    assert clickhouse.query(hourly).result_rows == [(eight, 0, 1), (nine, 1, 1)]
    decided(5, "cancelled", satisfied_at=None, breached_at=at)
    decided(6, "cancelled", satisfied_at=None)
    decided(7, "met", due_at=None, target_seconds=None)
    assert clickhouse.query(hourly).result_rows == [(eight, 0, 1), (nine, 1, 2)]
    for instance in (3, 4, 5):
        decided(instance, "merged", breached_at=at if instance > 3 else None)
    assert clickhouse.query(hourly).result_rows == [(nine, 0, 1)]


def test_open_clocks_are_judged_by_the_time_on_their_own_clock(
    clickhouse: Client, decided: Callable[..., None]
) -> None:
    now = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    undecided = {"satisfied_at": None, "target_seconds": 3600.0}
    decided(1, "met", as_of=now)
    decided(2, "open", due_at=now + timedelta(minutes=50), **undecided)
    decided(3, "open", due_at=now + timedelta(minutes=5), **undecided)
    decided(4, "open", due_at=None, paused=True, **undecided)
    decided(5, "breached", due_at=now - timedelta(minutes=1), **undecided)
    sql = "SELECT instance, stage, seconds_left FROM open_clocks ORDER BY instance"
    expected = [(2, "running", 3000.0), (3, "due_soon", 300.0), (4, "paused", None), (5, "overdue", -60.0)]
    assert clickhouse.query(sql).result_rows == expected


def test_views_show_what_looks_like_playing_with_the_clock(clickhouse: Client, decided: Callable[..., None]) -> None:
    decided(1, "met", flags=("holding_reply",))
    decided(2, "open", satisfied_at=None, flags=("paused_after_reply", "reassigned_back"))
    assert clickhouse.query("SELECT flags FROM outcomes").result_rows == [(["holding_reply"],)]
    shown = clickhouse.query("SELECT flags, stage FROM open_clocks").result_rows
    assert shown[0][0] == ["paused_after_reply", "reassigned_back"]


def test_the_latest_report_is_laid_out_flat(clickhouse: Client, project_root: Path) -> None:
    """What an older report said of a scope that has ended since is gone with it."""
    (table,) = [each for each in TABLES if each.name == "adherence"]
    first, *_ = examples_of(table, project_root)
    assert isinstance(first, AdherenceReport)
    gone = msgspec.structs.replace(first.standings[1], scope_value="fax")
    older = msgspec.structs.replace(first, standings=(*first.standings, gone))
    write(clickhouse, table, table.row(older, Position(0, 1)), table.row(first, Position(0, 2)))
    flat = clickhouse.query(
        "SELECT scope, scope_value, window, met, breached, ratio, open, overdue, at_risk FROM adherence_now"
    ).result_rows
    fields = ("scope", "scope_value", "window", "met", "breached", "ratio", "open", "overdue", "at_risk")
    told = [each._replace(scope_value=each.scope_value or "") for each in first.figures()]
    figures = [tuple(str(getattr(each, name)) for name in fields) for each in told]
    assert sorted(tuple(map(str, row)) for row in flat) == sorted(figures)
    sums = clickhouse.query(
        "SELECT scope, sum(met), sum(breached), sum(open) FROM adherence_now WHERE window = '7d' GROUP BY scope"
    ).result_rows
    assert {row[1:] for row in sums} == {(37, 3, 3)}
    (budget,) = first.budgets
    (row,) = clickhouse.query(
        "SELECT policy, left, breaches_left, arrayFirst((window, is_burning) -> is_burning, burn_window, burning) "
        "FROM error_budgets_now"
    ).result_rows
    assert row == (budget.policy, budget.left, budget.breaches_left, "7d")


@pytest.mark.parametrize("name", ["issues", "alerts"])
def test_what_is_forgotten_is_taken_out_of_lists_that_others_are_in_too(
    clickhouse: Client, name: str, project_root: Path
) -> None:
    table = table_named(name)
    example = next(each for each in examples_of(table, project_root) if each.accounts)
    write(clickhouse, table, table.row(example, Position(0, 1)))
    batch = PartitionBatch(table, name, 0, 1, 0)
    batch.forget(2, (example.accounts[0], "somebody else"), 0.0)

    delete_forgotten(clickhouse, batch)

    assert clickhouse.query(f"SELECT accounts FROM {name}").result_rows == [(list(example.accounts[1:]),)]

    # What began anew behind it stays, also when the same forgetting is read again.
    write(clickhouse, table, table.row(example, Position(0, 3)))
    delete_forgotten(clickhouse, batch)

    told = clickhouse.query(f"SELECT accounts FROM {name} ORDER BY topic_offset DESC LIMIT 1").result_rows
    assert told == [(list(example.accounts),)]

    # Nobody is left: neither are the words by which it was told.
    batch.forget(4, example.accounts, 0.0)
    delete_forgotten(clickhouse, batch)

    assert clickhouse.query(f"SELECT count() FROM {name}").result_rows == [(0,)]


def test_the_views_of_care_figures_say_what_careline_care_says(clickhouse: Client) -> None:
    """Also of an agent of few cases: nothing."""
    (table,) = [each for each in TABLES if each.name == "rollups"]
    now = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    of_ten = {
        "met/first_response": 8,
        "breached/first_response": 2,
        "csat": 12,
        "csat_satisfied": 9,
        "nps": 11,
        "nps_promoters": 6,
        "nps_detractors": 1,
        "ces": 10,
        "ces_score": 71_000,
        "sentiment": 13,
        "sentiment_score": 60_000,
        "first_resolutions": 10,
        "solved_at_first_contact": 7,
        "resolutions": 14,
        "reopened": 3,
        "begun_by_customer": 9,
        "begun_by_us": 4,
        "feedback_opened": 11,
        "feedback_closed": 8,
        "csat_hard": 10,
        "csat_hard_satisfied": 4,
        "forced_switches": 2,
    }
    of_few = {measure: min(count, 9) for measure, count in of_ten.items()} | {"met/first_response": 7}
    parts = [
        Rollup(
            id=f"{scope}{value}",
            partition=0,
            scope=scope,  # type: ignore[arg-type]  # one of them
            scope_value=value,
            bucket="day",
            begins_at=now,
            as_of=now,
            counts=counts,
            timings=(Timings("first_response/wall", (3, 100, 180), (1, 5, sum(counts.values()) % 5 + 2)),),
        )
        for scope, value, counts in (
            ("company", None, of_few),
            ("team", "billing", of_few),
            ("agent", "ann", of_ten),
            ("team", "sales", of_ten),
            ("agent", "bob", of_few | {"csat": 0}),
        )
    ]
    write(clickhouse, table, *(table.row(part, Position(0, offset)) for offset, part in enumerate(parts)))

    for part in parts:
        (care,) = [
            each for each in care_values(parts, part.scope, "30d", from_datetime(now)) if each.value == part.scope_value
        ]
        expected = {figure.name: figure.value for figure in care.figures}
        where = f"WHERE scope = '{part.scope}' AND scope_value = '{part.scope_value or ''}' AND window = '30d'"
        found = clickhouse.query(f"SELECT * FROM care_figures {where}")
        shown = dict(zip(found.column_names, found.result_rows[0], strict=True))
        shared = shown.keys() & expected.keys()
        assert {name: shown[name] for name in shared} == pytest.approx({name: expected[name] for name in shared})
        assert len(shared) == 11
        durations = clickhouse.query(f"SELECT median_seconds, p90_seconds, p99_seconds FROM care_durations {where}")
        times = [expected[f"first_response_wall_{each}_seconds"] for each in ("median", "p90", "p99")]
        assert list(durations.result_rows[0]) == pytest.approx(times, rel=1e-4)
