"""What `check` and `test` do whatever the files are of: read all, tell every mistake, run the tests, count them.

`policy_commands` and `health_commands` say what is read and how a difference looks.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer
from rich.markup import escape

from streams.cli.told_problems import plain_console, print_json, problems_as_json, show_problems

if TYPE_CHECKING:
    from streams.policy_files.problem import Problem, Problems

DIFFERENT, WRONG_FILE = 1, 2
FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

Found = TypeVar("Found")
Case = TypeVar("Case")


class _Named(Protocol):
    @property
    def file(self) -> str: ...
    @property
    def name(self) -> str: ...


class CaseVerdict(Protocol):
    """What came of one case."""

    @property
    def case(self) -> _Named:
        """Which one it was."""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""

    def as_json(self) -> dict[str, Any]:
        """The entry under `tests` that `--json` prints."""


Result = TypeVar("Result", bound=CaseVerdict)


def check_files(
    paths: Sequence[Path],
    read: "Callable[[Path, Problems], Found | None]",
    counted: Callable[[Found], str],
    *,
    as_json: bool,
) -> None:
    """Tell what is wrong with each file, or what is in it. Ends with status 2 when one is wrong."""
    from streams.policy_files.problem import Problems

    errors: list[Problem] = []
    warnings: list[Problem] = []
    console = plain_console()
    for path in paths:
        problems = Problems(str(path))
        found = read(path, problems)
        errors += problems.errors
        warnings += problems.warnings
        if as_json:
            continue
        show_problems(console, [*problems.errors, *problems.warnings])
        if found is not None:
            console.print(f"[green]ok[/green] {escape(str(path))}: {counted(found)}", soft_wrap=True)
    if as_json:
        print_json({"errors": problems_as_json(errors), "warnings": problems_as_json(warnings)})
    if errors:
        raise typer.Exit(WRONG_FILE)


def run_test_files(
    paths: Sequence[Path],
    read: "Callable[[Path], tuple[list[Case], list[Problems]]]",
    run: Callable[[Sequence[Case]], Iterable[Result]],
    differences: Callable[[Result], Iterable[str]],
    *,
    as_json: bool,
) -> None:
    """Run all cases. Ends with status 1 when one differs, with 2 when a file is wrong: then none was run."""
    found = [read(path) for path in paths]
    everything = [problems for _, told in found for problems in told]
    errors = list(dict.fromkeys(error for problems in everything for error in problems.errors))
    if errors:
        if as_json:
            print_json({"errors": problems_as_json(errors)})
        else:
            show_problems(plain_console(), errors)
        raise typer.Exit(WRONG_FILE)
    results = list(run([case for cases, _ in found for case in cases]))
    failed = sum(not result.passed for result in results)
    if as_json:
        tests = [result.as_json() for result in results]
        print_json({"tests": tests, "passed": len(results) - failed, "failed": failed})
    else:
        warnings = dict.fromkeys(warning for problems in everything for warning in problems.warnings)
        show_problems(plain_console(), list(warnings))
        _show_results(results, differences, failed)
    if failed:
        raise typer.Exit(DIFFERENT)


def _show_results(results: Sequence[Result], differences: Callable[[Result], Iterable[str]], failed: int) -> None:
    console = plain_console()
    for result in results:
        mark = "[green]pass[/green]" if result.passed else "[red]FAIL[/red]"
        console.print(f"{mark} {escape(result.case.file)}: {escape(result.case.name)}", soft_wrap=True)
        for line in differences(result):
            console.print(escape(f"     {line}"), soft_wrap=True)
    console.print(f"{len(results) - failed} passed, {failed} failed")


def in_columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lines in columns as wide as they need to be, never cut off."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
