"""`careline sink`, `careline sql` and `careline migrate`: results into ClickHouse, questions to it, its tables.

Exit status 0: done, or ended by SIGTERM or Ctrl-C · 1: it could not be done · 2: a setting is wrong · 77: Kafka or
ClickHouse answers and does not let us (password, certificate, rights). The work is done in
`streams.sinks`; this file reads settings, starts the parts and shows what they say.
"""

import json
import logging
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from streams.cli.starting_over import start_over

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.sinks.clickhouse_connection import ClickHouseTarget
    from streams.sinks.migrations_runner import MigrationStatus
    from streams.sinks.recorder import Recorder
    from streams.sinks.sql_client import ResultTable

_FAILED, _WRONG_SETTING = 1, 2
_NUMERIC = ("Int", "UInt", "Float", "Decimal")

_Kafka = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers, with commas. Default: CARELINE_KAFKA.")
]
_ClickHouse = Annotated[
    str | None,
    typer.Option(
        "--clickhouse",
        metavar="URL",
        help="http://user:password@host:8123/db or chdb://. Default: CARELINE_CLICKHOUSE.",
    ),
]
_Metrics = Annotated[
    str | None,
    typer.Option("--metrics", metavar="HOST:PORT", help="Where /metrics is. Default: CARELINE_METRICS_ADDRESS."),
]
_SqlAddress = Annotated[
    str | None,
    typer.Option("--sql", metavar="HOST:PORT", help="Where the sink answers SQL. Default: CARELINE_SQL_ADDRESS."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def sink(
    kafka: _Kafka = None, clickhouse: _ClickHouse = None, metrics: _Metrics = None, sql_address: _SqlAddress = None
) -> None:
    """Write results from Kafka into ClickHouse, each once.

    Reads SLA events, clocks, adherence, health, enrichments, issues, alerts and dead letters; brings the tables up to
    date first. Batches are at most a second old. While ClickHouse is away the sink waits and says so; Kafka keeps what
    is to come.

    With a server any number of sinks share the work. With the embedded engine (chdb://) there is one, and it answers
    `careline sql` on loopback, because only one process may open the engine.

    Example: careline sink --clickhouse http://careline:secret@clickhouse:8123/careline
    """
    settings = _settings(
        kafka_servers=kafka, clickhouse_url=clickhouse, metrics_address=metrics, sql_address=sql_address
    )
    target = _target(settings)
    _set_up_logging(settings.log_level)
    from prometheus_client import CollectorRegistry

    from streams.sinks.metrics_server import MetricsAddressError, start_metrics_server
    from streams.sinks.prometheus_metrics import PrometheusRecorder

    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    try:
        with start_metrics_server(settings.metrics_address, registry) as server:
            _tell(f"metrics at {server.url}")
            _run_sink(settings, target, recorder)
    except MetricsAddressError as error:
        raise _stop(str(error), _FAILED) from None


def _run_sink(settings: "Settings", target: "ClickHouseTarget", recorder: "Recorder") -> None:
    from kafka.errors import KafkaError, RetriableError

    from streams.kafka_admin import KafkaUnavailable
    from streams.kafka_refusal import REFUSED_STATUS
    from streams.settings import split_address
    from streams.sinks.clickhouse_connection import ClickHouseRefusedError
    from streams.sinks.clickhouse_writer import UnwritableBatchError
    from streams.sinks.migrations_runner import MigrationError
    from streams.sinks.sink_process import SinkError, SinkOptions, run_sink
    from streams.sinks.sql_service import SqlAddressError

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    options = SinkOptions(
        kafka=settings.kafka,
        target=target,
        topic_prefix=settings.topic_prefix,
        sql_address=split_address(settings.sql_address),
    )
    try:
        counts = run_sink(options, stop, recorder, _tell)
    except ClickHouseRefusedError as error:
        raise _stop(str(error), REFUSED_STATUS) from None
    except (KafkaUnavailable, RetriableError) as error:
        start_over("careline.sink", f"Kafka went away ({error})")  # it was there when it was waited for
    except (SinkError, MigrationError, SqlAddressError, UnwritableBatchError, KafkaError) as error:
        raise _stop(str(error), _FAILED) from None
    written = ", ".join(f"{rows:,} {table}" for table, rows in sorted(counts.rows.items()))
    _tell(f"stopped; written: {written or 'nothing'}; left out: {counts.skipped}")


def sql(
    statement: Annotated[
        str, typer.Argument(metavar="SQL", help="One statement that reads; - takes it from the input.")
    ],
    as_json: _Json = False,
    clickhouse: _ClickHouse = None,
    sql_address: _SqlAddress = None,
) -> None:
    """Ask ClickHouse: a server, or the engine inside the sink that runs on this machine.

    Tables: sla_events, clocks, adherence, health, enrichments, issues, alerts, rejected. Views that take replaced and
    retracted rows out: open_clocks, outcomes, outcomes_hourly, adherence_now, error_budgets_now, health_now,
    health_contributions, sentiments, issues_now, alerts_firing.

    Only reading is allowed, for up to 30 s and 100,000 rows. A statement with its own FORMAT is printed as it comes.

    Examples:
    careline sql "SELECT conversation_id, metric, due_at FROM open_clocks WHERE stage = 'overdue' ORDER BY due_at"

    careline sql "SELECT metric, avg(kept) FROM outcomes GROUP BY metric" --json

    careline sql "SELECT * FROM sla_events FORMAT CSVWithNames" > sla_events.csv
    """
    settings = _settings(clickhouse_url=clickhouse, sql_address=sql_address)
    target = _target(settings)
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it logs what we are about to say better
    from streams.settings import split_address
    from streams.sinks.sql_client import SqlError, ask, ask_table
    from streams.sinks.sql_guard import names_format

    text = sys.stdin.read() if statement == "-" else statement
    address = split_address(settings.sql_address)
    try:
        if names_format(text):
            sys.stdout.buffer.write(ask(target, address, text, "TabSeparatedWithNames"))
            return
        result = ask_table(target, address, text)
    except SqlError as error:
        raise _stop(str(error), _FAILED) from None
    if as_json:
        print(json.dumps([dict(zip(result.columns, row, strict=True)) for row in result.rows], ensure_ascii=False))
    else:
        _show_result(result)


def _show_result(result: "ResultTable") -> None:
    table = Table(header_style="bold", show_edge=False, pad_edge=False)
    for name, kind in zip(result.columns, result.types, strict=True):
        numeric = kind.removeprefix("Nullable(").startswith(_NUMERIC)
        table.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*(_cell(value) for value in row))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{len(result.rows):,} {'row' if len(result.rows) == 1 else 'rows'}", style="dim")


def _cell(value: object) -> str:
    if value is None:
        return "[dim]—[/dim]"
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def migrate(
    status: Annotated[bool, typer.Option("--status", help="Show what is applied and pending; change nothing.")] = False,
    as_json: _Json = False,
    clickhouse: _ClickHouse = None,
) -> None:
    """Bring the tables of ClickHouse up to date.

    Creates the database if it is missing and applies every numbered file of deploy/clickhouse that is pending, in
    order, under a lock. Running it again changes nothing; `careline sink` does the same at its start.

    Example: careline migrate --status
    """
    target = _target(_settings(clickhouse_url=clickhouse))
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from streams.sinks.clickhouse_connection import ClickHouseUnavailableError, has_data, open_clickhouse
    from streams.sinks.clickhouse_trouble import trouble_of
    from streams.sinks.migrations_runner import (
        MigrationError,
        apply_migrations,
        migration_status,
        migrations_folder,
        pending_status,
        read_migrations,
    )

    try:
        migrations = read_migrations(migrations_folder())
        if status and not has_data(target):
            _show_migrations(pending_status(migrations), set(), as_json=as_json)
            return
        with open_clickhouse(target, create_database=not status) as client:
            applied = {migration.label for migration in apply_migrations(client, migrations)} if not status else set()
            statuses = migration_status(client, migrations)
    except (ClickHouseUnavailableError, MigrationError) as error:
        raise _stop(str(error), _FAILED) from None
    except ClickHouseError as error:
        raise _stop(f"{target}: {trouble_of(error).told}", _FAILED) from None
    _show_migrations(statuses, applied, as_json=as_json)


def _show_migrations(statuses: list["MigrationStatus"], applied_now: set[str], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "migration": each.label,
                "state": each.state,
                "applied_at": each.applied_at and each.applied_at.isoformat(),
            }
            for each in statuses
        ]
        print(json.dumps(rows))
        return
    for each in statuses:
        when = "" if each.applied_at is None else f"{each.applied_at:%Y-%m-%d %H:%M:%S} UTC"
        _say(f"{each.label:<30} {each.state:<8} {'now' if each.label in applied_now else when}".rstrip())


def _settings(**changes: str | None) -> "Settings":
    from streams.settings import Settings, SettingsMistake, process_environment, split_address

    try:
        settings = Settings.from_environment(process_environment())
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        settings = replace(settings, **given)
        split_address(settings.sql_address)
    except (SettingsMistake, ValueError) as error:
        raise _stop(str(error), _WRONG_SETTING) from None
    return settings


def _target(settings: "Settings") -> "ClickHouseTarget":
    from streams.sinks.clickhouse_connection import ClickHouseUnavailableError, read_target

    try:
        return read_target(settings.clickhouse_url, settings.data_dir)
    except ClickHouseUnavailableError as error:
        raise _stop(str(error), _WRONG_SETTING) from None


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level.upper() != "DEBUG":
        # They tell a failure many times over; the sink says the same in one line.
        for chatty in ("kafka", "clickhouse_connect", "urllib3"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)


def _say(line: str) -> None:
    Console(highlight=False).print(escape(line), soft_wrap=True)


def _tell(line: str) -> None:
    Console(stderr=True, highlight=False).print(escape(line), soft_wrap=True)


def _stop(message: str, status: int) -> typer.Exit:
    Console(stderr=True, highlight=False).print(escape(message), style="red", soft_wrap=True)
    return typer.Exit(status)
