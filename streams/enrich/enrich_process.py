"""One `careline enrich`, put together: waits for Kafka, makes the clients and the scorer, judges until told to stop.

`careline enrich` and `careline demo` run it; the loop is `enrich_loop`. Both Kafka clients are made here and nowhere
else.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from uuid import uuid4

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.topics import ENRICHMENTS, INTERACTIONS, MENTIONS
from streams.access_watch import AccessWatch
from streams.enrich.enrich_loop import MOST_MESSAGES, EnrichLoop
from streams.enrich.message_scorer import MessageScorer, RuleScorer
from streams.enrich.model_budget import DailyBudget
from streams.enrich.model_endpoint import ModelEndpoint
from streams.enrich.model_scorer import ModelScorer
from streams.kafka_admin import WaitStoppedError, admin_client, wait_until_stopped
from streams.kafka_refusal import KafkaRefused, refusal_in
from streams.kafka_rights import require_rights
from streams.settings import Settings, SettingsMistake
from streams.sinks.recorder import Recorder
from streams.steady_consumer import SteadyConsumer
from streams.topic_settings import MAX_BATCH_BYTES

log = logging.getLogger("careline.enrich")

GROUP = "careline-enrich"
TRANSACTION_TIMEOUT_MS = 15_000
"""How long readers wait at most for a transaction that a killed process left open, as for the lanes of workers."""
FETCH_WAIT_MS = 200


class EnrichError(RuntimeError):
    """It cannot start; the message names the cause and the way out."""


def run_enrich(
    settings: Settings, stop: threading.Event, recorder: Recorder, announce: Callable[[str], None] = log.info
) -> int:
    """Judge messages until `stop` is set; how many were judged. Kafka is waited for.

    Raises:
        SettingsMistake: the settings of the model do not fit together.
        KafkaRefused: the brokers do not let us in, or not near the topics or the group.
        EnrichError: the topics are missing.
        FencedError: Kafka takes no more transactions of this process.
        PutOutError: the group has gone on without this process.
    """
    budget = DailyBudget(
        settings.model_calls_per_day, settings.model_tokens_per_day, lambda: int(time.time() // 86_400)
    )
    with ExitStack() as parts:
        scorer = make_scorer(settings, budget, recorder)
        parts.callback(scorer.close)
        try:
            wait_until_stopped(settings.kafka, stop, log)
        except WaitStoppedError:
            return 0
        _check_topics(settings)
        producer = _producer(settings)
        parts.callback(producer.close, timeout=5)
        try:
            producer.init_transactions()
        except KafkaError as error:
            raise refusal_in(error, settings.kafka) or error from None
        consumer = _consumer(settings)
        parts.callback(consumer.close)
        announce(f"judging messages of {settings.topic(INTERACTIONS.name)} by {settings.model or 'rules'}")
        loop = EnrichLoop(consumer, producer, scorer, budget=budget, topic_name=settings.topic, recorder=recorder)
        _run(loop, settings, stop)
        return loop.judged


def make_scorer(settings: Settings, budget: DailyBudget, recorder: Recorder) -> MessageScorer:
    """Who judges by these settings: the rules, or a model.

    Raises:
        SettingsMistake: the settings of the model do not fit together.
    """
    if settings.model_url is None:
        return RuleScorer()
    if not settings.model_url.startswith(("http://", "https://")):
        raise SettingsMistake([f"CARELINE_MODEL_URL: {settings.model_url[:80]!r} is no http:// or https:// address"])
    if settings.model is None:
        raise SettingsMistake(["CARELINE_MODEL: the name of the model is missing"])
    endpoint = ModelEndpoint(settings.model_url, settings.model, settings.model_key, settings.model_timeout_seconds)
    return ModelScorer(endpoint, settings.model, settings.model_batch, budget=budget, recorder=recorder)


def _check_topics(settings: Settings) -> None:
    """Make sure that the topics are there, and that we may use them."""
    reads, writes = (
        [settings.topic(INTERACTIONS.name)],
        [settings.topic(topic.name) for topic in (ENRICHMENTS, MENTIONS)],
    )
    require_rights(settings.kafka, {"READ": reads, "WRITE": writes}, settings.topic(GROUP))
    with admin_client(settings.kafka) as admin:
        found = {topic["name"] for topic in admin.describe_topics([*reads, *writes]) if topic["error_code"] == 0}
    missing = sorted({*reads, *writes} - found)
    if missing:
        raise EnrichError(f"Kafka has no topic {', '.join(missing)}; create them with `careline topics create`")


def _run(loop: EnrichLoop, settings: Settings, stop: threading.Event) -> None:
    refusals: list[KafkaRefused] = []

    def leave(refused: KafkaRefused) -> None:
        refusals.append(refused)
        stop.set()

    access = AccessWatch(settings.kafka, leave)
    access.start()
    try:
        loop.run(stop)
    except KafkaError as error:
        raise refusal_in(error, settings.kafka) or error from None
    finally:
        access.stop()
    if refusals:
        raise refusals[0]


def _consumer(settings: Settings) -> SteadyConsumer:
    return SteadyConsumer(
        **settings.kafka.for_kafka_python(),
        group_id=settings.topic(GROUP),
        client_id=GROUP,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=int(settings.session_timeout_seconds * 1000),
        heartbeat_interval_ms=int(min(3.0, settings.session_timeout_seconds / 4) * 1000),
        max_poll_interval_ms=int(_longest_batch_seconds(settings) * 1000),
        allow_auto_create_topics=False,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )


def _longest_batch_seconds(settings: Settings) -> float:
    """What a batch may take before Kafka gives its partitions to somebody else: all its calls just in time."""
    calls = -(-MOST_MESSAGES // settings.model_batch)
    return 300.0 + (0.0 if settings.model_url is None else calls * settings.model_timeout_seconds)


def _producer(settings: Settings) -> KafkaProducer:
    # The broker fences an owner that lost its partitions by its membership of the group; the name only has to be one's
    # own, and a lasting one lets a restart abort at once what was left open.
    name = settings.instance_id or uuid4().hex
    return KafkaProducer(
        **settings.kafka.for_kafka_python(),
        client_id=GROUP,
        transactional_id=f"{settings.topic_prefix}{GROUP}-{name}",
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        acks="all",
        linger_ms=5,
        max_request_size=MAX_BATCH_BYTES,
        allow_auto_create_topics=False,
    )
