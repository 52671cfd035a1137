"""Judging on several cores: the same bytes as on one, and an end in good order whatever ends it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from agents.domain.instant import from_datetime
from agents.domain.policy_book import PolicyBook
from schemas.clock_view import ClockView
from schemas.policy import PolicyFile
from schemas.sla_event import Cause
from streams.history.clock_lines import clock_line
from streams.history.judging import Judge, Together, chunks_of
from streams.history.judging_processes import Judges, JudgingStopped, judging_processes
from streams.history.row_events import EventBody, RowOfHistory, Standing
from streams.policy_files.clock_columns import columns_of
from streams.policy_files.policy_reader import read_policy_file
from streams.policy_files.problem import Problems

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = from_datetime(START + timedelta(days=90))
POLICY = """\
version: v1
effective_from: 2026-01-01T00:00:00Z
calendars: {office: {time_zone: Europe/Berlin, weekly: {mon-fri: [09:00-17:00]}}}
policies: [{id: all, calendar: office, targets: {first_response: 1h}}]
"""
MAPPING = """\
format: csv
conversation: "{id}"
events: [{at: "{at}", from: "{who}"}]
"""


@pytest.fixture
def policies(tmp_path: Path) -> PolicyFile:
    path = tmp_path / "p.yaml"
    path.write_text(POLICY)
    found = read_policy_file(path, Problems("p.yaml"))
    assert found is not None
    return found


def gathered(count: int) -> Iterator[Together]:
    ask, answer = EventBody(type="message", author="customer"), EventBody(type="message", author="agent")
    for number in range(count):
        at = START + timedelta(minutes=number)
        rows = [
            RowOfHistory(at, Standing(account="acme"), ask),
            RowOfHistory(at + timedelta(minutes=number % 120), Standing(account="acme"), answer),
        ]
        yield ((f"case {number}", rows),)


@pytest.mark.parametrize(("method", "inherit"), [(None, False), (None, True), ("spawn", True)])
def test_several_processes_say_the_same_as_one_in_the_same_order(
    policies: PolicyFile, method: str | None, inherit: bool
) -> None:
    alone = Judge(PolicyBook.of(policies), NOW)
    expected = [alone.verdict(chunk) for chunk in chunks_of(gathered(300), 20)]
    chunks = list(chunks_of(gathered(300), 20))
    with judging_processes(policies, NOW, 3, method, chunks if inherit else ()) as judges:
        assert list(judges.verdicts(chunks)) == expected
    assert len(expected) == 30
    assert sum(len(verdict.lines.splitlines()) for verdict in expected) == 300


def test_a_process_that_is_killed_is_an_error_in_words(policies: PolicyFile) -> None:
    def judge_while_one_is_killed(judges: Judges) -> None:
        for place, _ in enumerate(judges.verdicts(chunks_of(gathered(500), 20))):
            if place == 1:
                os.kill(judges.pids[0], signal.SIGKILL)

    with judging_processes(policies, NOW, 2) as judges, pytest.raises(JudgingStopped, match="ended by signal 9"):
        judge_while_one_is_killed(judges)


@pytest.fixture
def long_history(tmp_path: Path) -> list[str]:
    """A command over a file that is long enough for processes of its own."""
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "m.yaml").write_text(MAPPING)
    with (tmp_path / "h.csv").open("w") as file:
        file.write("id,who,at\n")
        for number in range(12_500):
            at = START + timedelta(minutes=number)
            file.write(f"{number},customer,{at.isoformat()}\n{number},agent,{at + timedelta(minutes=number % 99)}\n")
    paths = ["--policies", tmp_path / "p.yaml", "--mapping", tmp_path / "m.yaml", tmp_path / "h.csv"]
    return [sys.executable, "-m", "streams", "policy", "run", *map(str, paths), "--now", "2026-06-01T00:00:00Z"]


def test_the_command_prints_the_same_with_any_number_of_jobs(long_history: list[str]) -> None:
    one, two = (
        subprocess.run([*long_history, "--jobs", jobs], capture_output=True, check=True, stdin=subprocess.DEVNULL)
        for jobs in "12"
    )
    assert one.stdout.count(b"\n") == 12_500
    assert (two.stdout, two.stderr) == (one.stdout, one.stderr)


def test_ctrl_c_ends_the_command_and_its_processes_quietly(long_history: list[str]) -> None:
    command = [*long_history, "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them
        _, told = process.communicate()  # ends only when nobody has the other ends any more
    assert (process.returncode, told) == (130, b"")


seconds = st.none() | st.integers(0, 10**7) | st.floats(0, 10**7)
instants = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants it so
words = st.none() | st.text(max_size=5)


@given(st.tuples(instants, instants, instants, instants), st.tuples(seconds, seconds, seconds), words, st.booleans())
def test_a_printed_clock_is_its_columns(
    moments: tuple[datetime | None, ...], figures: tuple[float | None, ...], word: str | None, is_known: bool
) -> None:
    started_at, due_at, satisfied_at, breached_at = moments
    target_seconds, elapsed_seconds, wall_elapsed_seconds = figures
    view = ClockView(
        "1/first_response/1",
        "1",
        "acme" if is_known else "conversation:1",
        "first_response",
        1,
        "met",
        Cause(0, 0),
        START,
        policy=word,
        policy_version=word,
        priority=word,
        target_seconds=target_seconds,
        started_at=started_at,
        due_at=due_at,
        satisfied_at=satisfied_at,
        breached_at=breached_at,
        elapsed_seconds=elapsed_seconds,
        wall_elapsed_seconds=wall_elapsed_seconds,
    )
    assert clock_line(view) == encode(columns_of(view)) + b"\n"
