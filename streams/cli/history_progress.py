"""Progress bars for commands that read and send history.

On a terminal only, and on standard error, so that pipes stay clean.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text
from typing_extensions import override


class _Rate(ProgressColumn):
    """Steps per second since the beginning."""

    @override
    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        steps = task.fields.get("steps", task.completed)
        return Text(f"{steps / elapsed:,.0f}/s" if elapsed > 0 else "")


@contextmanager
def reading(files: Sequence[Path]) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the bytes of the files, with the rate of rows; nothing at all where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    total = sum(path.stat().st_size for path in files if path.is_file())
    columns = (TextColumn("reading"), BarColumn(), TextColumn("{task.fields[steps]:,} rows"), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total or None, steps=0)
        yield lambda done, rows: bar.update(task, completed=done, steps=rows)


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
    """A bar over a number of things, with their rate; nothing at all where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
