"""How the commands that check files tell what is wrong: for people on a console, for programs as JSON.

Used by `checked_files`, and wherever else files are read that people write. Rich is loaded by those who show
something: a `careline policy run` that finds nothing wrong starts without it.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from streams.policy_files.problem import Problem


def show_problems(console: "Console", problems: Sequence["Problem"]) -> None:
    """One line for each."""
    from rich.markup import escape

    for problem in problems:
        style = "red" if problem.severity == "error" else "yellow"
        console.print(escape(problem.as_line()), style=style, soft_wrap=True)


def problems_as_json(problems: Sequence["Problem"]) -> list[dict[str, str | int | None]]:
    """The entries under `errors` and `warnings`."""
    return [problem.as_json() for problem in problems]


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON has any shape
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def plain_console() -> "Console":
    """A console that colours only what it is told to."""
    from rich.console import Console

    return Console(highlight=False)
