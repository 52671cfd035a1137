"""`careline policy check` and `careline policy test`: are these files right, and do they say what we mean?

Exit status 0: all is well · 1: a test differs · 2: a file is wrong. The work is done in `streams.policy_files`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.cli.told_problems import plain_console, print_json, problems_as_json, show_problems

if TYPE_CHECKING:
    from streams.policy_files.policy_cases import CaseResult
    from streams.policy_files.problem import Problem

policy_app = typer.Typer(
    name="policy",
    help="Policies: check files, test them with examples, run them over history.",
    no_args_is_help=True,
)

_DIFFERENT, _WRONG_FILE = 1, 2
_Files = Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@policy_app.command("check")
def check(files: _Files, as_json: _Json = False) -> None:
    """Read policy files and tell every mistake with its line and column.

    Exit status: 0, warnings or not; 2 when a file is wrong.
    """
    from streams.policy_files.policy_reader import read_policy_file
    from streams.policy_files.problem import Problems

    errors: list[Problem] = []
    warnings: list[Problem] = []
    console = plain_console()
    for path in files:
        problems = Problems(str(path))
        policy_file = read_policy_file(path, problems)
        errors += problems.errors
        warnings += problems.warnings
        if as_json:
            continue
        show_problems(console, [*problems.errors, *problems.warnings])
        if policy_file is not None:
            counted = f"{len(policy_file.policies)} policies, {len(policy_file.calendars)} calendars"
            console.print(f"[green]ok[/green] {escape(str(path))}: {counted}", soft_wrap=True)
    if as_json:
        print_json({"errors": problems_as_json(errors), "warnings": problems_as_json(warnings)})
    if errors:
        raise typer.Exit(_WRONG_FILE)


@policy_app.command("test")
def run_tests(files: _Files, as_json: _Json = False) -> None:
    """Run example-based tests: what happened, and which clocks should have come of it.

    With --json it prints every clock, so it serves as a calculator too.

    Example: careline policy test examples/policies/support.tests.yaml

    Exit status: 0 when all pass, 1 when one differs, 2 when a file is wrong.
    """
    from streams.policy_files.case_reader import read_cases
    from streams.policy_files.policy_cases import run_cases

    read = [read_cases(path) for path in files]
    errors = list(dict.fromkeys(error for _, found in read for problems in found for error in problems.errors))
    if errors:
        if as_json:
            print_json({"errors": problems_as_json(errors)})
        else:
            show_problems(plain_console(), errors)
        raise typer.Exit(_WRONG_FILE)
    results = list(run_cases([case for cases, _ in read for case in cases]))
    failed = sum(not result.passed for result in results)
    if as_json:
        tests = [result.as_json() for result in results]
        print_json({"tests": tests, "passed": len(results) - failed, "failed": failed})
    else:
        console = plain_console()
        warnings = dict.fromkeys(warning for _, found in read for problems in found for warning in problems.warnings)
        show_problems(console, list(warnings))
        _show_results(console, results, failed)
    if failed:
        raise typer.Exit(_DIFFERENT)


def _show_results(console: Console, results: Sequence["CaseResult"], failed: int) -> None:
    for result in results:
        mark = "[green]pass[/green]" if result.passed else "[red]FAIL[/red]"
        console.print(f"{mark} {escape(result.case.file)}: {escape(result.case.name)}", soft_wrap=True)
        for line in _differences(result):
            console.print(escape(line), soft_wrap=True)
    console.print(f"{len(results) - failed} passed, {failed} failed")


def _differences(result: "CaseResult") -> Iterator[str]:
    """One line for each value that differs, in columns as wide as they need to be and never cut off."""
    cells = [
        (f"{found.metric} {found.instance}", found.column or "", f"expected {found.expected}", f"got {found.actual}")
        for found in result.differences
    ]
    widths = [max(len(row[index]) for row in cells) for index in range(3)] if cells else []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield f"     {'  '.join([*padded, row[-1]])}"
