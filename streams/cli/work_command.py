"""`careline work`: a Faust worker with all agents.

Exit status 0: ended by SIGTERM or Ctrl-C · 1: could not go on (fenced, too many rejections, a bug), the log says why ·
2: a file or a setting is wrong · 77: Kafka answers and does not let us (password, certificate, rights).
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from streams.cli.starting_over import start_over
from streams.repeated_lines import RepeatedLines
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.file_kinds import Offer
    from streams.kafka_admin import WaitNotice
    from streams.sinks.recorder import Recorder


_Kafka = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Brokers. Default: CARELINE_KAFKA.")]
_Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics", metavar="HOST:PORT", help="Where /metrics is; port 0: any. Default: CARELINE_METRICS_ADDRESS."
    ),
]
_Policies = Annotated[
    Path | None,
    typer.Option("--policies", help="Publish this policy file on start if it differs from the one in force."),
]
_Health = Annotated[
    Path | None,
    typer.Option("--health", help="Publish this file of health profiles on start if it differs from the one in force."),
]

_Issues = Annotated[
    Path | None,
    typer.Option("--issues", help="Publish this file of issue rules on start if it differs from the one in force."),
]


def work(
    context: typer.Context,
    kafka: _Kafka = None,
    metrics: _Metrics = None,
    policies: _Policies = None,
    health: _Health = None,
    issues: _Issues = None,
) -> None:
    """Judge promises live: read interactions, emit clock events, adherence, health and issues.

    Start as many workers as there are partitions, on as many machines as you like: Kafka spreads the load, and a worker
    that dies is replaced without losing or doubling anything. Each serves /metrics.

    Example: careline work --policies examples/policies/support.yaml
    """
    settings: Settings = context.obj
    settings = replace(
        settings,
        kafka_servers=kafka or settings.kafka_servers,
        metrics_address=metrics or settings.metrics_address,
        policies_file=policies or settings.policies_file,
        health_file=health or settings.health_file,
        issues_file=issues or settings.issues_file,
    )
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for chatty in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatedLines("aiokafka", "kafka", "faust", "mode"))
    _end(_run(settings))


def _end(status: int) -> NoReturn:
    from streams.worker import KAFKA_WENT_AWAY

    sys.stdout.flush()
    sys.stderr.flush()
    if status == KAFKA_WENT_AWAY:
        start_over("careline.work", "Kafka went away")  # the memory may be ahead of what is durable
    # Faust's consumer thread may outlive a failed stop; what matters is committed, and a supervisor awaits the status.
    os._exit(status)


def _run(settings: Settings) -> int:
    from prometheus_client import CollectorRegistry

    from streams.file_kinds import PolicyRefused
    from streams.sinks.metrics_server import MetricsAddressError, start_metrics_server
    from streams.sinks.prometheus_metrics import PrometheusRecorder

    registry = CollectorRegistry()
    recorder = PrometheusRecorder(registry)
    try:
        offers = _offers(settings)  # Kafka may be long in coming, and cannot mend a file
        with start_metrics_server(settings.metrics_address, registry) as server:
            logging.getLogger("careline.work").info("metrics at %s", server.url)
            return _work(settings, recorder, offers)
    except PolicyRefused as refused:
        typer.echo(str(refused), err=True)
        return 2
    except MetricsAddressError as error:
        typer.echo(f"careline work: {error}", err=True)
        return 1


def _offers(settings: Settings) -> "list[Offer[Any]]":
    """The files to publish, read and tried.

    Raises:
        PolicyRefused: one is wrong, or several; the mistakes of all are told together.
    """
    from streams.file_kinds import HEALTH_PROFILES, ISSUE_RULES, POLICY, FileKind, PolicyRefused

    files: dict[FileKind[Any], Path | None] = {
        POLICY: settings.policies_file,
        HEALTH_PROFILES: settings.health_file,
        ISSUE_RULES: settings.issues_file,
    }
    offers = []
    problems = []
    for kind, path in files.items():
        try:
            if path is not None:
                offers.append(kind.offer(path))
        except PolicyRefused as refused:
            problems += refused.problems
    if problems:
        raise PolicyRefused(problems)
    return offers


def _work(settings: Settings, recorder: "Recorder", offers: "Sequence[Offer[Any]]") -> int:
    from streams.file_publisher import publish_offer
    from streams.kafka_admin import KafkaUnavailable, wait_for_kafka
    from streams.kafka_refusal import REFUSED_STATUS, KafkaRefused
    from streams.kafka_rights import require_rights
    from streams.partition_counts import TopicsMissing
    from streams.worker import KAFKA_WENT_AWAY, Worker, lane_kinds, needed_topics

    log = logging.getLogger("careline.work")
    try:
        wait_for_kafka(settings.kafka, on_wait=_say_waiting)
        topics = needed_topics(lane_kinds(settings))
        physical = {operation: [settings.topic(name) for name in names] for operation, names in topics.items()}
        require_rights(settings.kafka, physical, settings.topic(settings.group))
        for offer in offers:
            log.info("%s", publish_offer(settings, offer))
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(Worker(settings, recorder, end=_end).run())
    except KafkaRefused as refused:
        typer.echo(f"careline work: {refused}", err=True)
        return REFUSED_STATUS
    except KafkaUnavailable as error:
        log.error("%s", error)  # noqa: TRY400 - it was there when it was waited for, and is waited for again
        return KAFKA_WENT_AWAY
    except TopicsMissing as error:
        typer.echo(f"careline work: {error}", err=True)
        return 1


def _say_waiting(notice: "WaitNotice") -> None:
    log = logging.getLogger("careline.work")
    log.warning("%s", notice)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop
