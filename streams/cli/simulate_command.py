"""`careline simulate`: a simulated company whose events come in like real ones, on a clock that runs faster.

Exit status 0: over, or ended by SIGTERM or Ctrl-C · 1: events cannot be delivered · 2: an option is wrong. The work is
done in `streams.simulation`.
"""

import asyncio
import json
import logging
import signal
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.settings import Settings, process_environment

if TYPE_CHECKING:
    from streams.simulation.company_runner import CompanyRunner, Progress
    from streams.simulation.event_delivery import Delivery
    from streams.simulation.kafka_delivery import KafkaDelivery
    from streams.simulation.story import StoryPlan

_FAILED, _WRONG_OPTION = 1, 2
_SAY_SO_EVERY_SECONDS = 5.0

_Seed = Annotated[int, typer.Option(help="Decides who writes when; the clock of the story is simulation:SEED.")]
_ScenarioName = Annotated[
    str, typer.Option("--scenario", help="calm, incident-hour, silent-vip, backlog-storm or clock-gaming.")
]
_Warp = Annotated[float, typer.Option(min=1, max=100_000, help="Seconds of the story in one second here.")]
_Seconds = Annotated[
    float | None, typer.Option("--seconds", min=0, help="Stop so long after the first event. Default: never.")
]
_Rate = Annotated[float, typer.Option(min=0.1, max=20_000, help="About so many events a second in working hours.")]
_Url = Annotated[
    str | None,
    typer.Option("--url", help="Deliver as signed webhooks, for example to http://127.0.0.1:8080/in/company."),
]
_SecretEnv = Annotated[
    str, typer.Option("--secret-env", metavar="NAME", help="The environment variable with the secret for --url.")
]
_Kafka = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers. Default: CARELINE_KAFKA.")]
_Start = Annotated[
    datetime | None,
    typer.Option(
        "--start", metavar="INSTANT", formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"],
        help="Where the story begins, with offset. Default: Monday 2026-03-02 08:00 in Berlin.",
    ),
]  # fmt: skip
_Months = Annotated[
    int | None,
    typer.Option("--months", min=3, max=24, help="Write so many months of a life into files instead of sending it."),
]
_Events = Annotated[
    Path | None, typer.Option("--events", metavar="FILE.ndjson", help="With --months: where what happens is written.")
]
_Truth = Annotated[
    Path | None,
    typer.Option("--truth", metavar="FILE.json", help="With --months: where it is written who leaves, when and why."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON at the first event and one at the end.")]

_OF_STORIES = {name: f"--{name}" for name in ("scenario", "warp", "seconds", "rate", "url", "kafka", "start")}
"""Options that say nothing about a life in files."""


def simulate(
    context: typer.Context,
    seed: _Seed = 42,
    scenario: _ScenarioName = "incident-hour",
    warp: _Warp = 900.0,
    seconds: _Seconds = None,
    rate: _Rate = 400.0,
    url: _Url = None,
    secret_env: _SecretEnv = "CARELINE_WEBHOOK_SECRET",  # noqa: S107 - the name of a variable
    kafka: _Kafka = None,
    start: _Start = None,
    as_json: _Json = False,
    months: _Months = None,
    events: _Events = None,
    truth: _Truth = None,
) -> None:
    """Simulate a company: forty customers, four teams, and what goes wrong between them.

    Events go straight into Kafka, or with --url through `careline connect` as signed webhooks. The ticks of the story's
    clock always go into Kafka, so both addresses must lead to the same house. A connector that receives a simulation
    says so in connectors.yaml: `clock: simulation:42`, with the seed.

    With --months it writes a life of months into files instead, in which
    some customers leave, and what is behind it: `careline health truth` says
    what the scores find of that.

    Example: careline simulate --scenario backlog-storm --warp 600 --seconds 60

    Example: careline simulate --seed 7 --months 6 --events life.ndjson --truth truth.json
    """
    if months is not None or events is not None or truth is not None:
        _write_life(context, seed, months, events, truth)
        return
    from streams.simulation.event_delivery import DeliveryFailed

    # The client tells a failure many times over; the command says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    settings: Settings = context.obj
    plan = _plan(seed, scenario, rate / warp, start)
    door = None if url is None else (url, _secret(secret_env))
    settings = replace(settings, kafka_servers=kafka or settings.kafka_servers)
    try:
        asyncio.run(_Simulation(settings, plan, warp, seconds, door, as_json).run())
    except DeliveryFailed as failed:
        typer.echo(f"careline simulate: {failed}", err=True)
        raise typer.Exit(_FAILED) from None


def _write_life(context: typer.Context, seed: int, months: int | None, events: Path | None, truth: Path | None) -> None:
    from streams.cli.simulated_life import write_life

    mistake = None
    if months is None or (events is None and truth is None):
        mistake = "--months says how long the life is" if months is None else "--events or --truth says where to"
    elif events is not None and truth is not None and events.resolve() == truth.resolve():
        mistake = "--events and --truth are one file, and one would overwrite the other"
    elif given := [option for name, option in _OF_STORIES.items() if _is_given(context, name)]:
        mistake = f"leave out {', '.join(given)}, which a story that is sent has"
    if mistake is not None or months is None:
        typer.echo(f"careline simulate: a life goes into files: {mistake}", err=True)
        raise typer.Exit(_WRONG_OPTION)
    write_life(seed, months, events, truth)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _plan(seed: int, scenario: str, events_per_story_second: float, start: datetime | None) -> "StoryPlan":
    from agents.domain.instant import from_datetime
    from streams.simulation.scenario_table import SCENARIOS
    from streams.simulation.story import DEFAULT_START, StoryPlan

    if scenario not in SCENARIOS:
        told = "\n".join(f"  {known.name:<14} {known.meaning}" for known in SCENARIOS.values())
        typer.echo(f"careline simulate: there is no scenario {scenario!r}; choose one of\n{told}", err=True)
        raise typer.Exit(_WRONG_OPTION)
    starts_at = DEFAULT_START if start is None else from_datetime(start)
    return StoryPlan(
        seed=seed, starts_at=starts_at, events_per_hour=events_per_story_second * 3600, scenario=SCENARIOS[scenario]
    )


def _secret(variable: str) -> str:
    secret = process_environment().get(variable)
    if not secret:
        typer.echo(f"careline simulate: {variable} is not set; it holds the secret that --url is signed with", err=True)
        raise typer.Exit(_WRONG_OPTION)
    return secret


@dataclass(slots=True)
class _Simulation:
    """One run: its options, and `door`: the address and the secret of a webhook, null for straight into Kafka."""

    settings: Settings
    plan: "StoryPlan"
    warp: float
    seconds: float | None
    door: tuple[str, str] | None
    as_json: bool

    async def run(self) -> None:
        from streams.simulation.company_runner import CompanyRunner
        from streams.simulation.kafka_delivery import KafkaDelivery
        from streams.simulation.story import Story

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        ticks = KafkaDelivery(self.settings.kafka, self.settings.topic)
        delivery = self._delivery(ticks, stop)
        await ticks.open()
        runner = CompanyRunner(Story(self.plan), self.warp, delivery, ticks, on_first_event=self._began)
        telling = asyncio.create_task(_tell_now_and_then(runner))
        try:
            progress = await runner.run(stop, self.seconds)
        finally:
            telling.cancel()
            await delivery.close()
            await ticks.close()
        self._ended(runner, progress)

    def _delivery(self, ticks: "KafkaDelivery", stop: asyncio.Event) -> "Delivery":
        from streams.simulation.webhook_delivery import WebhookDelivery

        return ticks if self.door is None else WebhookDelivery(*self.door, give_up=stop.is_set)

    def _began(self, progress: "Progress") -> None:
        if self.as_json:
            _print_json({"first_event_at": progress.first_event_at, "clock": self.plan.clock})

    def _ended(self, runner: "CompanyRunner", progress: "Progress") -> None:
        from agents.domain.instant import to_datetime

        counts = runner.delivery.counts
        typer.echo(runner.describe(), err=True)
        if self.as_json:
            _print_json(
                {
                    "events": progress.events,
                    "accepted": counts.accepted,
                    "repeated": counts.repeated,
                    "rejected": counts.rejected,
                    "first_event_at": progress.first_event_at,
                    "last_event_at": progress.last_event_at,
                    "reached": to_datetime(progress.reached_at).astimezone(UTC).isoformat(),
                }
            )


async def _tell_now_and_then(runner: "CompanyRunner") -> None:
    while True:
        await asyncio.sleep(_SAY_SO_EVERY_SECONDS)
        typer.echo(runner.describe(), err=True)


def _print_json(value: dict[str, object]) -> None:
    print(json.dumps(value))
    sys.stdout.flush()
