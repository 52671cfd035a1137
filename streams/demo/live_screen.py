"""Shows a running demo: a picture that is drawn again in a terminal, plain lines where there is none.

`demo_run` tells it the steps and, now and then, how things stand.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from streams.demo.floor_view import FloorView

LINE_EVERY_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorStatus:
    """How things stand. `work_lag` and `sink_lag` are records not yet read; `hints` stand at the bottom."""

    view: FloorView
    events: int
    events_per_second: float
    work_lag: int
    sink_lag: int
    seconds: float
    hints: tuple[str, ...] = ()


@dataclass(slots=True)
class LiveScreen:
    """Where a demo is shown. A context manager: what was drawn last stays."""

    console: Console
    _live: Live | None = field(init=False, default=None)
    _told_at: float = field(init=False, default=float("-inf"))

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was found, with the last picture in it."""
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """One step, above the picture."""
        self.console.print(escape(line), soft_wrap=True, highlight=False)

    def show(self, status: FloorStatus) -> None:
        """How things stand now."""
        if self._live is not None:
            self._live.update(picture(status), refresh=True)
        elif status.seconds - self._told_at >= LINE_EVERY_SECONDS:
            self._told_at = status.seconds
            self.say(line(status))


def line(status: FloorStatus) -> str:
    """The status in one line."""
    view = status.view
    worst = view.breaches[0] if view.breaches else None
    breach = f" · newest breach {worst.account_id} {worst.metric}" if worst is not None else ""
    return (
        f"{status.seconds:5.1f} s · story {_time_of(view)} · {status.events:,} events, "
        f"{status.events_per_second:,.0f}/s"
        f" · lag {status.work_lag} + {status.sink_lag} · {len(view.running):,} clocks running, "
        f"{len(view.overdue):,} overdue"
        f" · adherence {_percent(view.adherence)}{breach}"
    )


def picture(status: FloorStatus) -> RenderableType:
    """The status as a picture."""
    view = status.view
    figures = Table.grid(padding=(0, 3))
    figures.add_row(
        f"[bold]{_time_of(view)}[/bold] in the story",
        f"[bold]{status.events_per_second:,.0f}[/bold] events/s ({status.events:,})",
        f"lag [bold]{status.work_lag:,}[/bold] workers, [bold]{status.sink_lag:,}[/bold] sink",
    )
    figures.add_row(
        f"[bold]{len(view.running):,}[/bold] promises running",
        f"[bold]{len(view.overdue):,}[/bold] overdue and unanswered",
        f"adherence, last hour [bold]{_percent(view.adherence)}[/bold]",
    )
    figures.add_row(_bands(view), f"[bold]{view.met:,}[/bold] kept", f"[bold]{view.breached:,}[/bold] broken")
    hints = "\n".join(escape(hint) for hint in status.hints)
    return Panel(
        Group(figures, "", _breaches(view), "", _movers(view), "", f"[dim]{hints}[/dim]"),
        title=f"Careline · {status.seconds:.0f} s",
        border_style="cyan",
    )


def _breaches(view: FloorView) -> Table:
    table = Table(title="Newest breaches", title_justify="left", box=None, header_style="dim", pad_edge=False)
    for name in ("customer", "promise", "priority", "was due", "noticed after"):
        table.add_column(name)
    for breach in view.breaches:
        due = "" if breach.due_at is None else f"{breach.due_at:%a %H:%M:%S}"
        late = "" if breach.lateness_seconds is None else f"{1000 * breach.lateness_seconds:.0f} ms"
        table.add_row(escape(breach.account_id), escape(breach.metric), escape(breach.priority), due, late)
    return table


def _movers(view: FloorView) -> Table:
    table = Table(title="Health movers", title_justify="left", box=None, header_style="dim", pad_edge=False)
    for name in ("customer", "health", "why"):
        table.add_column(name)
    colours = {"red": "red", "amber": "yellow", "green": "green"}
    for score in view.movers:
        colour = colours.get(score.band or "", "white")
        shown = "" if score.score is None else f"[{colour}]{score.score:.1f}[/{colour}]"
        table.add_row(escape(score.account_id), shown, escape(score.reason or ""))
    return table


def _bands(view: FloorView) -> str:
    bands = list(view.bands.values())
    return (
        f"customers [green]{bands.count('green')}[/green] · [yellow]{bands.count('amber')}[/yellow]"
        f" · [red]{bands.count('red')}[/red]"
    )


def _time_of(view: FloorView) -> str:
    return "--" if view.story_at is None else f"{view.story_at:%a %H:%M} UTC"


def _percent(ratio: float | None) -> str:
    return "--" if ratio is None else f"{100 * ratio:.1f} %"
