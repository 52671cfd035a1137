"""`careline policy check` and `careline policy test`: are these files right, and do they say what we mean?

Exit status 0: all is well · 1: a test differs · 2: a file is wrong. The work is done in `streams.policy_files`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from streams.cli.checked_files import FilesArgument, JsonOption, check_files, in_columns, run_test_files

if TYPE_CHECKING:
    from schemas.policy import PolicyFile
    from streams.policy_files.policy_cases import CaseResult

policy_app = typer.Typer(
    name="policy",
    help="Policies: check files, test them with examples, run them over history.",
    no_args_is_help=True,
)


@policy_app.command("check")
def check(files: FilesArgument, as_json: JsonOption = False) -> None:
    """Read policy files and tell every mistake with its line and column.

    Exit status: 0, warnings or not; 2 when a file is wrong.
    """
    from streams.policy_files.policy_reader import read_policy_file

    def counted(found: "PolicyFile") -> str:
        return f"{len(found.policies)} policies, {len(found.calendars)} calendars"

    check_files(files, read_policy_file, counted, as_json=as_json)


@policy_app.command("test")
def run_tests(files: FilesArgument, as_json: JsonOption = False) -> None:
    """Run example-based tests: what happened, and which clocks should have come of it.

    With --json it prints every clock, so it serves as a calculator too.

    Example: careline policy test examples/policies/support.tests.yaml

    Exit status: 0 when all pass, 1 when one differs, 2 when a file is wrong.
    """
    from streams.policy_files.case_reader import read_cases
    from streams.policy_files.policy_cases import run_cases

    run_test_files(files, read_cases, run_cases, _differences, as_json=as_json)


def _differences(result: "CaseResult") -> Iterable[str]:
    """One line for each value that differs."""
    found = result.differences
    clocks = [(f"{each.metric} {each.instance}", each.column or "") for each in found]
    values = [(f"expected {each.expected}", f"got {each.actual}") for each in found]
    return in_columns([(*clock, *value) for clock, value in zip(clocks, values, strict=True)])
