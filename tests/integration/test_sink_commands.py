"""`careline sink`, `sql` and `migrate` as processes: one owner of the engine, answers at all times, a clean end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from kafka import KafkaProducer

from schemas.codec import decode, encode
from schemas.sla_event import SlaEvent
from schemas.topics import SLA_EVENTS
from streams.embedded_kafka import EmbeddedKafka
from streams.sinks.rows import TABLES
from tests.fixtures_kafka import make_topics

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 180.0
"""Much more than a machine that does ten other things needs: who waits for longer waits for ever."""

PROGRAM = (
    "import typer; from streams.cli.sink_commands import migrate, sink, sql\n"
    "app = typer.Typer()\n"
    "for command in (migrate, sink, sql): app.command()(command)\n"
    "app()"
)


@pytest.fixture
def environment(tmp_path: Path, project_root: Path) -> dict[str, str]:
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    return {
        **os.environ,
        "PYTHONPATH": str(project_root),
        "CARELINE_DATA_DIR": str(tmp_path),
        "CARELINE_CLICKHOUSE": "chdb://",
        "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
        "CARELINE_SQL_ADDRESS": "127.0.0.1:0",
        "COLUMNS": "120",
    }


def careline(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def doctor_on_clickhouse(environment: dict[str, str]) -> str:
    """What `careline doctor` says of ClickHouse."""
    command = [sys.executable, "-m", "streams", "doctor", "--json"]
    examined = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    (detail,) = [finding["detail"] for finding in json.loads(examined.stdout) if finding["check"] == "clickhouse"]
    return str(detail)


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """The next line of its log with some words; a process that never says them is killed, so that its log ends."""
    assert process.stderr is not None
    patience = threading.Timer(PATIENCE_SECONDS, process.kill)
    patience.start()
    try:
        for line in process.stderr:
            if words in line:
                return line.strip()
    finally:
        patience.cancel()
    raise AssertionError(f"ended, or said nothing for {PATIENCE_SECONDS:.0f} s, without {words!r}")


def test_one_sink_owns_the_engine_answers_and_ends_cleanly(
    kafka: EmbeddedKafka, topic_prefix: str, environment: dict[str, str], project_root: Path
) -> None:
    make_topics(kafka, topic_prefix)
    example = project_root / "schemas" / "examples" / "careline.sla-event.v1" / "breached.json"
    with KafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        producer.send(topic_prefix + SLA_EVENTS.name, value=encode(decode(SlaEvent, example.read_bytes())))
    environment |= {"CARELINE_KAFKA": kafka.bootstrap, "CARELINE_TOPIC_PREFIX": topic_prefix}
    count = "SELECT count() AS n FROM sla_events"
    sink = subprocess.Popen([sys.executable, "-c", PROGRAM, "sink"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        address = line_with(sink, "read-only SQL at").rpartition("http://")[2]
        line_with(sink, f"writing {len(TABLES)} topics")
        while_running = careline(environment | {"CARELINE_SQL_ADDRESS": address}, "sql", count, "--json")
        examined = doctor_on_clickhouse(environment | {"CARELINE_SQL_ADDRESS": address})
        second = careline(environment, "sink")
    finally:
        sink.send_signal(signal.SIGTERM)
        rest = sink.communicate(timeout=PATIENCE_SECONDS)[1]
    assert json.loads(while_running.stdout)[0]["n"] in {0, 1}, while_running.stderr
    assert examined.startswith(f"the sink at {address}, ")
    assert second.returncode == 1
    assert f"is open in process {sink.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert sink.returncode == 0, rest
    assert "stopped; written: 1 sla_events" in rest

    environment["CARELINE_SQL_ADDRESS"] = "127.0.0.1:1"
    after = careline(environment, "sql", count, "--json")
    assert json.loads(after.stdout) == [{"n": 1}], after.stderr
    assert doctor_on_clickhouse(environment).startswith("the embedded ClickHouse in ")


def test_a_process_that_keeps_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.integration.test_sink_commands.PATIENCE_SECONDS", 0.5)
    silent = "import sys, threading; print('other words', file=sys.stderr, flush=True); threading.Event().wait()"
    with (
        subprocess.Popen([sys.executable, "-c", silent], stderr=subprocess.PIPE, text=True) as process,
        pytest.raises(AssertionError, match="without 'these words'"),
    ):
        line_with(process, "these words")


def test_migrate_tells_what_it_does_and_does_it_once(environment: dict[str, str], tmp_path: Path) -> None:
    before = careline(environment, "migrate", "--status", "--json")
    assert {row["state"] for row in json.loads(before.stdout)} == {"pending"}, before.stderr
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"
    first = careline(environment, "migrate")
    assert "0001_results                   applied  now" in first.stdout, first.stderr
    again = careline(environment, "migrate", "--status", "--json")
    assert {row["state"] for row in json.loads(again.stdout)} == {"applied"}


def test_people_get_a_table_and_mistakes_a_sentence(environment: dict[str, str]) -> None:
    assert careline(environment, "migrate").returncode == 0
    environment["CARELINE_SQL_ADDRESS"] = "127.0.0.1:1"
    shown = careline(environment, "sql", "SELECT 'a[b]' AS name, 12345 AS value, NULL AS nothing")
    assert [word in shown.stdout for word in ("name", "a[b]", "12345", "—", "1 row")] == [True] * 5, shown
    wrong = careline(environment, "sql", "SELECT colour FROM clocks")
    assert wrong.returncode == 1
    assert "colour" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    unreadable = careline(environment | {"CARELINE_CLICKHOUSE": "postgres://u:hidden@h/db"}, "migrate")
    assert unreadable.returncode == 2
    assert "hidden" not in unreadable.stderr
