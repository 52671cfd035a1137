"""The command line of one command alone: it says what the whole one says, and loads less."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.command_line import command_line
from streams.cli.main import app

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HELPDESK = EXAMPLES / "helpdesk"
RULES = f"--policies {HELPDESK}/policy.yaml --mapping {HELPDESK}/mapping.yaml"
ROWS = """\
Case ID,Activity,Complete Timestamp,seriousness_2,customer,product
1,Assign seriousness,2010/03/01 09:00:00.000,Value 1,acme,mail
1,Take in charge ticket,2010/03/01 10:30:00.000,Value 1,acme,mail
"""
ACCOUNTS = f"--profile {EXAMPLES}/health/support.yaml --mapping {EXAMPLES}/health/accounts.mapping.yaml "
ACCOUNTS += f"{EXAMPLES}/health/accounts.csv"
SLOW = {"pydantic", "rich", "holidays", "dateutil", "icalendar", "faust", "aiohttp", "asyncio", "streams.cli.main"}
LOADED = """\
import sys
from streams.cli.command_line import run
try:
    run()
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


@pytest.mark.parametrize(
    "said",
    [
        "--help",
        "",
        "FILE",
        "--policies p.yaml --mapping m.yaml",
        "--policies p.yaml --mapping m.yaml --jobs 0 FILE",
        "--policies p.yaml --mapping m.yaml --jobs -1 FILE",
        "--policies p.yaml --mapping m.yaml --jobs many FILE",
        "--policies p.yaml --mapping m.yaml --now yesterday FILE",
        "--policies p.yaml --mapping m.yaml FILE",
        "--polices p.yaml",
        f"{RULES} FILE FILE --now 2011-01-01",
        f"{RULES} FILE --now 2011-01-01T00:00:00+01:00 --strict --jobs 2",
    ],
)
def test_a_command_line_is_understood_alone_as_among_all_others(said: str, rows: Path) -> None:
    words = ["policy", "run", *said.replace("FILE", str(rows)).split()]

    alone, whole = (CliRunner().invoke(each, words) for each in (command_line(words), app))

    assert command_line(words) is not app
    assert (alone.exit_code, alone.stdout, alone.stderr) == (whole.exit_code, whole.stdout, whole.stderr)


@pytest.mark.parametrize("words", ["", "--help", "policy", "policy check p.yaml", "--version policy run", "import"])
def test_all_other_words_are_for_the_whole_command_line(words: str) -> None:
    assert command_line(words.split()) is app


def test_a_policy_run_loads_nothing_that_is_slow_and_not_needed(rows: Path) -> None:
    words = ["policy", "run", *RULES.split(), "--now", "2011-01-01", str(rows)]
    ran = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=True)

    assert len(ran.stdout.splitlines()) == 2
    assert SLOW.isdisjoint(ran.stderr.split())


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "health signals",
        "health signals --json",
        f"health check {EXAMPLES}/health/support.yaml",
        f"health test {EXAMPLES}/health/support.tests.yaml",
        f"health run {ACCOUNTS}",
        f"health run --json {ACCOUNTS}",
        f"issues run --mapping {EXAMPLES}/messages/mapping.yaml {EXAMPLES}/messages/messages.csv",
        f"policy run {RULES} --now 2011-01-01 ROWS",
        f"policy diff {HELPDESK}/policy.yaml {HELPDESK}/policy.yaml --mapping {HELPDESK}/mapping.yaml --events ROWS",
    ],
)
def test_a_command_whose_reader_has_left_ends_quietly(words: str, rows: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ran = subprocess.run(
        [sys.executable, "-m", "streams", *words.replace("ROWS", str(rows)).split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)

    assert ran.returncode == 0, ran.stderr
    assert not any(word in ran.stderr for word in ("Broken pipe", "BrokenPipe", "Traceback", "ignored", "error"))


def test_a_command_without_a_reader_of_its_messages_still_prints(rows: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ran = subprocess.run(
        [sys.executable, "-m", "streams", "policy", "run", *RULES.split(), "--now", "2011-01-01", str(rows)],
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
    )
    os.close(writing)

    assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 2)


def test_a_mistake_keeps_its_status_where_nobody_reads(tmp_path: Path) -> None:
    """What is told last of all is no longer waited for by anybody, but the shell asks for the status."""
    reading, writing = os.pipe()
    os.close(reading)

    ran = subprocess.run(
        [sys.executable, "-m", "streams", "health", "check", str(tmp_path / "none.yaml"), "--json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)

    assert ran.returncode == 2, ran.stderr


@pytest.mark.parametrize("words", ["--version", "health signals", f"health run --json {ACCOUNTS}"])
def test_a_full_disk_is_told_in_one_line(words: str) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "streams", *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (ran.returncode, ran.stderr) == (1, "careline: the output cannot be written: No space left on device\n")
