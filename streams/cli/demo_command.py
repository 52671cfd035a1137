"""`careline demo`: everything on this machine in one process tree, fed by a simulated company.

Exit status 0: over, or ended by Ctrl-C · 1: a part failed, with its last words · 2: an option is wrong · 130:
interrupted while it was starting. The work is done in `streams.demo`.
"""

import asyncio
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from streams.settings import Settings, process_environment

if TYPE_CHECKING:
    from streams.demo.demo_parts import DemoOptions
    from streams.demo.demo_summary import DemoSummary

_FAILED, _WRONG_OPTION = 1, 2

_Seconds = Annotated[
    float | None, typer.Option("--seconds", min=1, help="Stop so long after the first event. Default: at Ctrl-C.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end, on the last line.")]
_Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Keep Kafka's and ClickHouse's data here for the next time."),
]
_Kafka = Annotated[
    str | None,
    typer.Option("--kafka", metavar="HOST:PORT", help="Use a Kafka that runs, with topics of the demo's own."),
]
_Seed = Annotated[int, typer.Option(help="Decides who writes when.")]
_ScenarioName = Annotated[
    str, typer.Option("--scenario", help="calm, incident-hour, silent-vip, backlog-storm or clock-gaming.")
]
_Warp = Annotated[float, typer.Option(min=1, max=100_000, help="Seconds of the story in one second here.")]
_Rate = Annotated[float, typer.Option(min=0.1, max=20_000, help="About so many events a second in working hours.")]
_Workers = Annotated[int, typer.Option(min=1, max=16, help="How many worker processes.")]


def demo(
    context: typer.Context,
    seconds: _Seconds = None,
    as_json: _Json = False,
    data: _Data = None,
    kafka: _Kafka = None,
    seed: _Seed = 42,
    scenario: _ScenarioName = "incident-hour",
    warp: _Warp = 900.0,
    rate: _Rate = 400.0,
    workers: _Workers = 2,
) -> None:
    """See all of it at work on this machine, with nothing installed and no Docker.

    Starts Apache Kafka, the webhook server, two workers and the sink with an embedded ClickHouse, all on loopback and
    on free ports; then a simulated company of forty customers lives a quarter of an hour every second. Ctrl-C ends it
    in order. The first start fetches Kafka (38 MB, kept for the next time).

    Example: careline demo --seconds 30 --json
    """
    from streams.demo.demo_parts import DemoOptions
    from streams.simulation.scenario_table import SCENARIOS

    if scenario not in SCENARIOS:
        told = "\n".join(f"  {known.name:<14} {known.meaning}" for known in SCENARIOS.values())
        typer.echo(f"careline demo: there is no scenario {scenario!r}; choose one of\n{told}", err=True)
        raise typer.Exit(_WRONG_OPTION)
    options = DemoOptions(
        seconds=seconds, data=data, kafka=kafka, seed=seed, scenario=scenario, warp=warp, rate=rate, workers=workers
    )
    # Clients say in their own logs what we say better; the parts have logs of their own.
    logging.basicConfig(level=logging.CRITICAL)
    console = Console(stderr=as_json)
    summary = asyncio.run(_demo(context.obj, options, console))
    _show(summary, console, as_json=as_json)


async def _demo(settings: Settings, options: "DemoOptions", console: Console) -> "DemoSummary":
    from streams.demo.demo_errors import DemoFailed
    from streams.demo.demo_parts import DemoParts
    from streams.demo.demo_run import DemoRun
    from streams.demo.live_screen import LiveScreen
    from streams.embedded_kafka import EmbeddedKafkaError
    from streams.file_kinds import PolicyRefused
    from streams.kafka_admin import KafkaUnavailable, TopicsRefusedError
    from streams.sinks.sql_client import SqlError

    variables = process_environment()
    folder = _folder(options.data)
    try:
        parts = DemoParts(options, folder, settings, variables)
        with LiveScreen(console) as screen:
            return await DemoRun(parts, screen, Path.home()).run()
    except (
        DemoFailed,
        EmbeddedKafkaError,
        KafkaUnavailable,
        TopicsRefusedError,
        PolicyRefused,
        SqlError,
        OSError,
    ) as error:
        typer.echo(f"careline demo: {_in_words(error)}", err=True)
        if options.data is None and not (folder / "run").exists():
            shutil.rmtree(folder, ignore_errors=True)  # no program has written a log that would be worth keeping
        raise typer.Exit(_FAILED) from None


def _folder(named: Path | None) -> Path:
    """Where the data goes: the folder that was named, or a new one. Ends the program when nothing can be kept there."""
    try:
        if named is None:
            return Path(tempfile.mkdtemp(prefix="careline-demo-"))
        folder = named.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # that it is there does not say that it may be written to
            return folder
    except OSError as error:
        cause = error.strerror or str(error)
        if named is None:
            typer.echo(
                f"careline demo: no folder for its data can be made: {cause}; name one with --data DIR", err=True
            )
            raise typer.Exit(_FAILED) from None
        told = f"its data cannot be kept in {named}: {cause}; name another folder, or leave --data out"
        typer.echo(f"careline demo: {told}", err=True)
        raise typer.Exit(_WRONG_OPTION) from None


def _in_words(error: Exception) -> str:
    """What is wrong, without the number that the system gives to it."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror


def _show(summary: "DemoSummary", console: Console, *, as_json: bool) -> None:
    told = summary.as_json()
    if as_json:
        print(json.dumps(told), flush=True)
        return
    events, outcomes = told["events"], told["outcomes"]
    rows = ", ".join(f"{count:,} {table}" for table, count in told["clickhouse_rows"].items())
    late, rate = told["breach_lateness_seconds"], told["throughput_events_per_second"]
    console.print(
        f"{events['accepted']:,} events ({events['applied']:,} applied, {events['duplicate']:,} duplicate, "
        f"{events['late']:,} late, {events['rejected']:,} rejected), {rate:,} a second\n"
        f"{outcomes['met']:,} promises kept, {outcomes['breached']:,} broken, {told['accounts']} customers\n"
        f"breaches noticed after {late['p50']} s (median), {late['p99']} s (99 of 100)\n"
        f"ClickHouse: {rows}",
        highlight=False,
        soft_wrap=True,
    )
