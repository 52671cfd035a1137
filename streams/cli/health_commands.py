"""`careline health check`, `test` and `signals`: are these profiles right, do they say what we mean, what is built in?

Exit status 0: all is well · 1: a test differs · 2: a file is wrong. The work is done in `streams.health_files`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer
from rich.markup import escape

from streams.cli.checked_files import FilesArgument, JsonOption, check_files, in_columns, run_test_files
from streams.cli.told_problems import plain_console, print_json

if TYPE_CHECKING:
    from agents.domain.health_profile import HealthFile
    from streams.health_files.health_cases import HealthCaseResult

health_app = typer.Typer(
    name="health",
    help="Health profiles: check files, test them with examples, score accounts, compare with who has left.",
    no_args_is_help=True,
)


@health_app.command("check")
def check(files: FilesArgument, as_json: JsonOption = False) -> None:
    """Read profile files and tell every mistake with its line and column.

    Exit status: 0, warnings or not; 2 when a file is wrong.
    """
    from streams.health_files.profile_reader import read_profile_file

    def counted(found: "HealthFile") -> str:
        signals = {rule.name for profile in found.profiles for _, rule in profile.signals}
        return f"{len(found.profiles)} profiles, {len(signals)} signals, {len(found.plays)} plays"

    check_files(files, read_profile_file, counted, as_json=as_json)


@health_app.command("test")
def run_tests(files: FilesArgument, as_json: JsonOption = False) -> None:
    """Run example-based tests: what was observed, and which score should have come of it.

    With --json it prints every verdict with its parts, so it serves as a
    calculator too.

    Example: careline health test examples/health/support.tests.yaml

    Exit status: 0 when all pass, 1 when one differs, 2 when a file is wrong.
    """
    from streams.health_files.health_case_reader import read_health_cases
    from streams.health_files.health_cases import run_health_cases

    run_test_files(files, read_health_cases, run_health_cases, _differences, as_json=as_json)


def _differences(result: "HealthCaseResult") -> Iterable[str]:
    """One line for each value that differs."""
    return in_columns([(found.key, f"expected {found.expected}", f"got {found.actual}") for found in result.mismatches])


@health_app.command("signals")
def signals(as_json: JsonOption = False) -> None:
    """List the built-in signals: what each means, its unit, how it ages, how it becomes a score.

    A profile file may use every one of them without declaring it, and
    override what it likes under `signals:`. Those marked live are found out
    by the account agent; the others are told by connectors or files.
    """
    from streams.health_files.signal_list import listed_signals

    listed = listed_signals()
    if as_json:
        print_json({"signals": [dict(signal) for signal in listed]})
        return
    console = plain_console()
    for signal in listed:
        console.print(f"[bold]{signal['name']}[/bold]{' (live)' if signal['live'] else ''}", soft_wrap=True)
        console.print(escape(f"    {signal['meaning']}; {signal['unit']}"), soft_wrap=True)
        ageing = f"half-life {signal['half_life'] or '-'}, time to live {signal['ttl'] or '-'}"
        console.print(escape(f"    {ageing}; {signal['normalise']}"), soft_wrap=True)
