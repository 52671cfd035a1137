"""`careline connect`: receive webhooks and put what they say into Kafka.

Exit status 0: ended by SIGTERM or Ctrl-C · 1: an address cannot be used · 2: the configuration is wrong. The work is
done in `streams.connectors`; this file reads settings, starts the parts and says what it does.
"""

import asyncio
import logging
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from streams.settings import Settings, process_environment, split_address

if TYPE_CHECKING:
    from streams.connectors.connect_service import ConnectPlan, ConnectService
    from streams.connectors.connectors_file import ConnectorSetup
    from streams.sinks.recorder import Recorder

connect_app = typer.Typer(name="connect", invoke_without_command=True)

_ADDRESS_TROUBLE, _WRONG_CONFIGURATION = 1, 2

NOTHING_CONFIGURED = """Nothing is configured to be received.

Either write a connectors.yaml and give it with --config:

    connectors:
      zendesk: {secrets: [ZENDESK_SECRET]}    # the name of an environment variable

or start the generic webhook alone, with a secret that you and the sender know:

    export CARELINE_WEBHOOK_SECRET="whsec_$(openssl rand -base64 32)"
    careline connect"""

_Config = Annotated[
    Path | None,
    typer.Option("--config", help="The connectors.yaml. Default: CARELINE_CONNECTORS, else the generic webhook alone."),
]
_Listen = Annotated[
    str | None,
    typer.Option(
        "--listen", metavar="HOST:PORT", help="Where to listen; port 0: any. Default: CARELINE_CONNECT_ADDRESS."
    ),
]
_Kafka = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers, with commas. Default: CARELINE_KAFKA.")
]
_Metrics = Annotated[
    str | None,
    typer.Option("--metrics", metavar="HOST:PORT", help="Where /metrics is. Default: CARELINE_METRICS_ADDRESS."),
]
_MaxBody = Annotated[
    int, typer.Option("--max-body", metavar="BYTES", min=1024, max=4 * 1024 * 1024, help="Larger requests hear 413.")
]


@connect_app.callback()
def connect(
    context: typer.Context,
    config: _Config = None,
    listen: _Listen = None,
    kafka: _Kafka = None,
    metrics: _Metrics = None,
    max_body: _MaxBody = 1024 * 1024,
) -> None:
    """Receive webhooks and put what they say into Kafka.

    Every request is verified on its raw bytes, understood, and written to Kafka with acks=all before the sender hears
    2xx. While Kafka is away senders hear 503 and Retry-After, and nothing is lost. What is genuine and cannot be
    understood goes to the dead letters (careline rejected list).

    Routes: POST /in/NAME for every connector, GET /health (the process lives), GET /ready (Kafka takes events).

    Without a connectors.yaml the generic webhook listens at /in/webhook, signed with CARELINE_WEBHOOK_SECRET as
    standardwebhooks.com describes; two secrets with a blank between them are both right, so that one can be replaced.

    Example: careline connect --config connectors.yaml --listen 127.0.0.1:8080
    """
    if context.invoked_subcommand is not None:
        return
    settings: Settings = context.obj
    settings = replace(
        settings,
        kafka_servers=kafka or settings.kafka_servers,
        connect_address=listen or settings.connect_address,
        metrics_address=metrics or settings.metrics_address,
        connectors_file=config or settings.connectors_file,
    )
    try:
        split_address(settings.connect_address)
    except ValueError as error:
        raise _stop(f"careline connect: {error}", _WRONG_CONFIGURATION) from None
    setup = _setup(settings, process_environment())
    _set_up_logging(settings.log_level)
    _serve(settings, setup, max_body)


def _setup(settings: Settings, variables: Mapping[str, str]) -> "ConnectorSetup":
    from streams.connectors.connector_registry import known_connectors
    from streams.connectors.connectors_file import ConnectorsMistake, only_webhook, read_connectors

    try:
        if settings.connectors_file is not None:
            return read_connectors(settings.connectors_file, variables, known_connectors())
        if settings.webhook_secret:
            return only_webhook(settings.webhook_secret, known_connectors())
    except ConnectorsMistake as mistake:
        raise _stop(str(mistake), _WRONG_CONFIGURATION) from None
    raise _stop(NOTHING_CONFIGURED, _WRONG_CONFIGURATION)


def _serve(settings: Settings, setup: "ConnectorSetup", max_body: int) -> None:
    from prometheus_client import CollectorRegistry

    from streams.sinks.metrics_server import MetricsAddressError, start_metrics_server
    from streams.sinks.prometheus_metrics import PrometheusRecorder

    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    try:
        with start_metrics_server(settings.metrics_address, registry) as server:
            _tell(f"metrics   {server.url}")
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_run(settings, setup, recorder, max_body))
    except MetricsAddressError as error:
        raise _stop(str(error), _ADDRESS_TROUBLE) from None
    except OSError as error:
        reason = f"cannot listen on {settings.connect_address}: {error.strerror or error}; choose another with --listen"
        if setup.listeners:
            reason = f"cannot listen: {error.strerror or error}; choose another with --listen, or in connectors.yaml"
        raise _stop(reason, _ADDRESS_TROUBLE) from None


async def _run(settings: Settings, setup: "ConnectorSetup", recorder: "Recorder", max_body: int) -> None:
    from streams.calm_collector import calm_the_collector
    from streams.connectors.connect_service import ConnectService

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = ConnectService(_plan(settings, max_body), setup, recorder)
    calm_the_collector()
    await service.run(stop, lambda running: _announce(running, setup, settings))


def _plan(settings: Settings, max_body: int) -> "ConnectPlan":
    from streams.connectors.connect_service import ConnectPlan
    from streams.kafka_admin import create_topics

    host, port = split_address(settings.connect_address)
    return ConnectPlan(
        host=host,
        port=port,
        kafka=settings.kafka,
        topic_prefix=settings.topic_prefix,
        max_body_bytes=max_body,
        prepare=lambda: create_topics(
            settings.kafka, settings.topic_prefix, settings.partitions, settings.replication_factor
        ),
    )


def _announce(running: "ConnectService", setup: "ConnectorSetup", settings: Settings) -> None:
    for address in running.addresses:
        for name, route in setup.routes.items():
            _tell(f"receiving http://{address}/in/{name}  ({route.instance.connector})")
        _tell(f"probes    http://{address}/health  http://{address}/ready")
    for instance, url in running.listeners:
        _tell(f"receiving {url}  ({instance.name})")
    for source in setup.sources:
        _tell(f"fetching  {source.instance.name}  ({source.instance.connector})")
    _tell(f"Kafka     {settings.kafka}  ({settings.kafka_security_protocol})")


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level.upper() != "DEBUG":
        # It says the same ten times a second while Kafka is away; the publisher says it once for each attempt.
        logging.getLogger("kafka").setLevel(logging.CRITICAL)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def _tell(line: str) -> None:
    Console(stderr=True, highlight=False).print(escape(line), soft_wrap=True)


def _stop(message: str, status: int) -> typer.Exit:
    Console(stderr=True, highlight=False).print(escape(message), style="red", soft_wrap=True)
    return typer.Exit(status)
