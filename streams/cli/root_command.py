"""`careline` itself: its help, its settings, and the status with which every command ends that Kafka refuses.

`streams.cli.main` puts all commands under it.
"""

from dataclasses import fields
from typing import Annotated, Any

import typer
from typing_extensions import override

from streams.cli.plain_values import PlainGroup
from streams.kafka_refusal import REFUSED_STATUS, KafkaRefused
from streams.settings import Settings, SettingsMistake, process_environment

WRONG_SETTINGS = 2


def _told_settings() -> str:
    """Every variable with its meaning and default, for `careline --help`: an installation has no docs/ beside it."""
    told = ["Settings, from the environment:"]
    for setting in fields(Settings):
        default = "" if setting.default in (None, "") else f" Default: {setting.default}."
        told.append(f"{setting.metadata['variable']}: {setting.metadata['meaning']}.{default}")
    return "\n\n".join(told)


class _Refusable(PlainGroup):
    """Ends every command that Kafka refuses in the same way, which scripts and supervisors can tell from absence."""

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KafkaRefused as refused:
            typer.echo(f"careline {ctx.invoked_subcommand}: {refused}", err=True)
            raise typer.Exit(REFUSED_STATUS) from None


def root_app() -> typer.Typer:
    """`careline` without a command."""
    app = typer.Typer(
        name="careline",
        cls=_Refusable,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="Measure live how well a company keeps its promises to its customers.\n\n"
        "Start with [bold]careline demo[/bold]: everything on this machine, nothing to install. Settings come from "
        "CARELINE_* variables, listed below.",
        epilog=_told_settings(),
    )
    app.callback()(root)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"careline {version('careline')}")
        raise typer.Exit


def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - the callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Read the settings once."""
    try:
        context.obj = Settings.from_environment(process_environment())
    except SettingsMistake as mistake:
        for problem in mistake.problems:
            typer.echo(f"careline: {problem}", err=True)
        raise typer.Exit(WRONG_SETTINGS) from None
