"""The command line of one command alone: it says what the whole one says, and loads less."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli.command_line import command_line
from streams.cli.main import app

HELPDESK = Path(__file__).resolve().parents[2] / "examples" / "helpdesk"
RULES = f"--policies {HELPDESK}/policy.yaml --mapping {HELPDESK}/mapping.yaml"
ROWS = """\
Case ID,Activity,Complete Timestamp,seriousness_2,customer,product
1,Assign seriousness,2010/03/01 09:00:00.000,Value 1,acme,mail
1,Take in charge ticket,2010/03/01 10:30:00.000,Value 1,acme,mail
"""
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
