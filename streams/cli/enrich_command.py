"""`careline enrich`: every message of a customer judged once, live.

Exit status 0: ended by SIGTERM or Ctrl-C · 1: could not go on, the log says why · 2: a setting is wrong · 77: Kafka
answers and does not let us. Put out of its group it starts over by itself.
"""

import logging
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.starting_over import start_over
from streams.settings import Settings, SettingsMistake

if TYPE_CHECKING:
    from streams.sinks.recorder import Recorder

_Kafka = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers. Default: CARELINE_KAFKA.")]
_Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="HOST:PORT", help="Where /metrics is; port 0: any. Default: CARELINE_METRICS_ADDRESS."
    ),
]


def enrich(context: typer.Context, kafka: _Kafka = None, metrics: _Metrics = None) -> None:
    """Judge what customers write: language and sentiment, as events of their own.

    Reads interactions and publishes an enrichment for each public message of
    a customer, once; account health and care figures use them. It also tells
    the issue agent (in `careline work`) by which words customers write.

    By default it judges by rules, offline. With CARELINE_MODEL_URL it asks
    any OpenAI-compatible endpoint, many messages in one call, within a budget
    a day; where that does not answer, the rules judge, and the enrichment
    says so. Start as many as there are partitions; each serves /metrics.

    Example: careline enrich --kafka 127.0.0.1:9092
    """
    settings: Settings = context.obj
    settings = replace(
        settings,
        kafka_servers=kafka or settings.kafka_servers,
        metrics_address=metrics or settings.metrics_address,
    )
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it tells a failure many times over
    from prometheus_client import CollectorRegistry

    from streams.sinks.metrics_server import MetricsAddressError, start_metrics_server
    from streams.sinks.prometheus_metrics import PrometheusRecorder

    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    try:
        with start_metrics_server(settings.metrics_address, registry) as server:
            logging.getLogger("careline.enrich").info("metrics at %s", server.url)
            _run(settings, recorder)
    except MetricsAddressError as error:
        typer.echo(f"careline enrich: {error}", err=True)
        raise typer.Exit(1) from None


def _run(settings: Settings, recorder: "Recorder") -> None:
    from kafka.errors import KafkaError, RetriableError

    from streams.enrich.enrich_loop import FencedError, PutOutError
    from streams.enrich.enrich_process import EnrichError, run_enrich
    from streams.kafka_admin import KafkaUnavailable

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        judged = run_enrich(settings, stop, recorder)
    except PutOutError as put_out:
        start_over("careline.enrich", str(put_out))
    except SettingsMistake as mistake:
        for problem in mistake.problems:
            typer.echo(f"careline enrich: {problem}", err=True)
        raise typer.Exit(2) from None
    except (KafkaUnavailable, RetriableError) as error:
        start_over("careline.enrich", f"Kafka went away ({error})")  # it was there when it was waited for
    except (EnrichError, FencedError, KafkaError) as error:
        typer.echo(f"careline enrich: {error}", err=True)
        raise typer.Exit(1) from None
    logging.getLogger("careline.enrich").info("stopped; %d messages judged", judged)
