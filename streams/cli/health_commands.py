"""`careline health check`, `test` and `signals`: are these profiles right, do they say what we mean, what is built in?

Exit status 0: all is well · 1: a test differs · 2: a file is wrong. The work is done in `streams.health_files`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli.told_problems import plain_console, print_json, problems_as_json, show_problems

if TYPE_CHECKING:
    from streams.health_files.health_cases import HealthCaseResult
    from streams.policy_files.problem import Problem

health_app = typer.Typer(
    name="health",
    help="Health profiles: check files, test them with examples, score accounts, compare with who has left.",
    no_args_is_help=True,
)

_DIFFERENT, _WRONG_FILE = 1, 2
_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@health_app.command("check")
def check(files: _Files, as_json: _Json = False) -> None:
    """Read profile files and tell every mistake with its line and column.

    Exit status: 0, warnings or not; 2 when a file is wrong.
    """
    from streams.health_files.profile_reader import read_profile_file
    from streams.policy_files.problem import Problems

    errors: list[Problem] = []
    warnings: list[Problem] = []
    console = plain_console()
    for path in files:
        problems = Problems(str(path))
        found = read_profile_file(path, problems)
        errors += problems.errors
        warnings += problems.warnings
        if as_json:
            continue
        show_problems(console, [*problems.errors, *problems.warnings])
        if found is not None:
            signals = {rule.name for profile in found.profiles for _, rule in profile.signals}
            counted = f"{len(found.profiles)} profiles, {len(signals)} signals, {len(found.plays)} plays"
            console.print(f"[green]ok[/green] {escape(str(path))}: {counted}", soft_wrap=True)
    if as_json:
        print_json({"errors": problems_as_json(errors), "warnings": problems_as_json(warnings)})
    if errors:
        raise typer.Exit(_WRONG_FILE)


@health_app.command("test")
def run_tests(files: _Files, as_json: _Json = False) -> None:
    """Run example-based tests: what was observed, and which score should have come of it.

    With --json it prints every verdict with its parts, so it serves as a
    calculator too.

    Example: careline health test examples/health/support.tests.yaml

    Exit status: 0 when all pass, 1 when one differs, 2 when a file is wrong.
    """
    from streams.health_files.health_case_reader import read_health_cases
    from streams.health_files.health_cases import run_health_cases

    read = [read_health_cases(path) for path in files]
    everything = [problems for _, found in read for problems in found]
    errors = list(dict.fromkeys(error for problems in everything for error in problems.errors))
    if errors:
        if as_json:
            print_json({"errors": problems_as_json(errors)})
        else:
            show_problems(plain_console(), errors)
        raise typer.Exit(_WRONG_FILE)
    results = list(run_health_cases([case for cases, _ in read for case in cases]))
    failed = sum(not result.passed for result in results)
    if as_json:
        tests = [result.as_json() for result in results]
        print_json({"tests": tests, "passed": len(results) - failed, "failed": failed})
    else:
        console = plain_console()
        show_problems(console, list(dict.fromkeys(each for problems in everything for each in problems.warnings)))
        _show_results(console, results, failed)
    if failed:
        raise typer.Exit(_DIFFERENT)


def _show_results(console: Console, results: Sequence["HealthCaseResult"], failed: int) -> None:
    for result in results:
        mark = "[green]pass[/green]" if result.passed else "[red]FAIL[/red]"
        console.print(f"{mark} {escape(result.case.file)}: {escape(result.case.name)}", soft_wrap=True)
        width = max((len(found.key) for found in result.mismatches), default=0)
        for found in result.mismatches:
            line = f"     {found.key.ljust(width)}  expected {found.expected}  got {found.actual}"
            console.print(escape(line), soft_wrap=True)
    console.print(f"{len(results) - failed} passed, {failed} failed")


@health_app.command("signals")
def signals(as_json: _Json = False) -> None:
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
