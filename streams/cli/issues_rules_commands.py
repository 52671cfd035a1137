"""`careline issues check` and `publish`: whose an issue is and what counts as one, checked and put in force.

Exit status 0: all is well · 1: Kafka is absent or has no topics · 2: the file is wrong, and what was in force stays so.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from streams.cli.admin_options import JsonOption, KafkaOption, settings_of
from streams.cli.policy_publish_command import tell_publication
from streams.cli.told_problems import plain_console, print_json, problems_as_json, show_problems

_WRONG_FILE = 2
_File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The file of issue rules.")]


def issues_check(file: _File, as_json: JsonOption = False) -> None:
    """Read a file of issue rules and tell every mistake with its line and column.

    Example: careline issues check examples/issues/support.yaml

    Exit status: 0, warnings or not; 2 when the file is wrong.
    """
    from streams.policy_files.issue_rules_reader import read_issue_rules
    from streams.policy_files.problem import Problems

    problems = Problems(str(file))
    rules = read_issue_rules(file, problems)
    if as_json:
        print_json({"errors": problems_as_json(problems.errors), "warnings": problems_as_json(problems.warnings)})
    else:
        console = plain_console()
        show_problems(console, [*problems.errors, *problems.warnings])
        if rules is not None:
            console.print(f"[green]ok[/green] {escape(str(file))}: {len(rules.owners)} owner rules", soft_wrap=True)
    if rules is None:
        raise typer.Exit(_WRONG_FILE)


def issues_publish(context: typer.Context, file: _File, kafka: KafkaOption = None, as_json: JsonOption = False) -> None:
    """Put a file of issue rules in force.

    The file is checked, kept under its version, and announced among the
    mentions, so that the issue agent switches at one place of the log, and a
    replay at the same. Issues that are open keep their owner. A version name
    is used once: a changed file needs a new one.

    Example: careline issues publish examples/issues/support.yaml
    """
    from streams.file_kinds import ISSUE_RULES
    from streams.file_publisher import publish_file

    settings = settings_of(context, kafka)
    tell_publication("careline issues publish", lambda: publish_file(settings, ISSUE_RULES, file), as_json=as_json)
