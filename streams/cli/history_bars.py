"""Progress bars on standard error for `streams.cli.history_progress`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
def bar_of_bytes(what: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over bytes, with the rate of the rows in them."""
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[steps]:,} rows"), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total or None, steps=0)
        yield lambda done, rows: bar.update(task, completed=done, steps=rows)


@contextmanager
def bar_of_things(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar over a number of things, with their rate."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
