"""One sink process, put together: waits for Kafka and ClickHouse, migrates, serves SQL and writes until told to stop.

`careline sink` and `careline demo` run it. The loop itself is `sink_loop`.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.access_watch import AccessWatch
from streams.kafka_admin import WaitStoppedError, wait_until_stopped
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import KafkaRefused, refusal_in
from streams.kafka_rights import require_rights
from streams.sinks.batch_intent import BatchLimits
from streams.sinks.clickhouse_connection import (
    ClickHouseRefusedError,
    ClickHouseTarget,
    ClickHouseUnavailableError,
    open_clickhouse,
)
from streams.sinks.clickhouse_trouble import trouble_of
from streams.sinks.clickhouse_writer import ClickHouseWriter
from streams.sinks.migrations_runner import Migration, apply_migrations, migrations_folder, read_migrations
from streams.sinks.recorder import Recorder
from streams.sinks.rows import TABLES
from streams.sinks.sink_loop import (
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    SinkCounts,
    SinkLoop,
    TopicTable,
)
from streams.sinks.sql_service import SqlService
from streams.sinks.topic_epochs import epoch_of
from streams.steady_consumer import SteadyConsumer

logger = logging.getLogger(__name__)

GROUP = "careline-sink"
FETCH_BYTES = 500_000
MOST_FETCHED_BYTES = 16 * 1024 * 1024
"""Of an answer, which lies in memory until it is read: also while ClickHouse is away."""
FETCH_WAIT_MS = 200


class SinkError(RuntimeError):
    """The sink cannot start; the message names the cause and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """What a sink needs to know.

    Attributes:
        kafka: How Kafka is reached.
        target: Where ClickHouse is.
        topic_prefix: Before every topic and group name.
        sql_address: Host and port of the SQL service; used while the engine is embedded.
        limits: When batches are cut.
    """

    kafka: KafkaConnection
    target: ClickHouseTarget
    topic_prefix: str = ""
    sql_address: tuple[str, int] | None = None
    limits: BatchLimits = field(default_factory=BatchLimits)


def run_sink(
    options: SinkOptions,
    stop: threading.Event,
    recorder: Recorder,
    announce: Callable[[str], None] = logger.info,
) -> SinkCounts:
    """Run a sink until `stop` is set. Kafka and a ClickHouse server are waited for.

    Raises:
        KafkaRefused: the brokers do not let us in, or not near the topics or the group.
        ClickHouseRefusedError: ClickHouse does not let us in, or not near its tables.
        UnwritableBatchError: a row does not fit into its table.
        SinkError: the topics are missing, or the embedded engine is open elsewhere.
        MigrationError: the tables cannot be brought up to date.
        SqlAddressError: the SQL service cannot listen.
    """
    with suppress(WaitStoppedError), ExitStack() as parts:
        client, applied = _wait_for_tables(options.target, stop)
        parts.enter_context(client)  # stays open: an engine in memory lives as long as its last connection
        if applied:
            announce(f"migrated {options.target}: {', '.join(migration.label for migration in applied)}")
        wait_until_stopped(options.kafka, stop, logger)
        require_rights(
            options.kafka,
            {"READ": [options.topic_prefix + table.topic.name for table in TABLES]},
            options.topic_prefix + GROUP,
        )
        topics = _topic_tables(options, client)
        if options.target.embedded and options.sql_address is not None:
            service = parts.enter_context(SqlService(options.target, *options.sql_address))
            announce(f"read-only SQL at http://{service.address}")
        writer = ClickHouseWriter(options.target, recorder)
        parts.callback(writer.close)
        consumer = _consumer(options)
        parts.callback(consumer.close)
        announce(f"writing {len(topics)} topics into {options.target}")
        loop = SinkLoop(
            consumer, writer, topics, recorder=recorder, limits=options.limits, join=options.target.embedded
        )
        _run(loop, options.kafka, stop)
        return loop.counts
    return SinkCounts()


def _run(loop: SinkLoop, kafka: KafkaConnection, stop: threading.Event) -> None:
    refusals: list[KafkaRefused] = []

    def leave(refused: KafkaRefused) -> None:
        refusals.append(refused)
        stop.set()

    access = AccessWatch(kafka, leave)
    access.start()
    try:
        loop.run(stop)
    except KafkaError as error:
        raise refusal_in(error, kafka) or error from None
    finally:
        access.stop()
    if refusals:
        raise refusals[0]


def _wait_for_tables(target: ClickHouseTarget, stop: threading.Event) -> tuple[Client, list[Migration]]:
    """A ClickHouse whose tables are up to date, and what had to be done for it; it may go away in the middle."""
    pause = FIRST_RETRY_SECONDS
    while True:
        try:
            client = open_clickhouse(target, create_database=True)
            try:
                return client, apply_migrations(client, read_migrations(migrations_folder()))
            except BaseException:
                client.close()
                raise
        except ClickHouseRefusedError:
            raise
        except ClickHouseUnavailableError as error:
            if target.embedded:  # open elsewhere or not installed: waiting does not help
                raise SinkError(str(error)) from None
            logger.warning("%s; trying again in %.1f s", error, pause)
        except ClickHouseError as error:
            trouble = trouble_of(error)
            if trouble.verdict == "refused":
                raise ClickHouseRefusedError(f"{target} refuses: {trouble.told}.") from None
            logger.warning("%s went away while its tables were looked at: %s; trying again", target, trouble.told)
        if stop.wait(pause):
            raise WaitStoppedError
        pause = min(2 * pause, LONGEST_RETRY_SECONDS)


def _topic_tables(options: SinkOptions, client: Client) -> dict[str, TopicTable]:
    names = {options.topic_prefix + table.topic.name: table for table in TABLES}
    admin = KafkaAdminClient(**options.kafka.for_kafka_python())
    try:
        found = {topic["name"]: topic for topic in admin.describe_topics(list(names))}
    finally:
        admin.close()
    missing = sorted(name for name in names if found.get(name, {}).get("error_code", -1) != 0)
    if missing:
        raise SinkError(f"Kafka has no topic {', '.join(missing)}; create them with `careline topics create`")
    return {
        name: TopicTable(table, epoch_of(client, name, str(found[name].get("topic_id", ""))))
        for name, table in names.items()
    }


def _consumer(options: SinkOptions) -> SteadyConsumer:
    return SteadyConsumer(
        **options.kafka.for_kafka_python(),
        group_id=options.topic_prefix + GROUP,
        client_id=GROUP,
        isolation_level="read_committed",  # what a worker's open or failed transaction wrote is no result
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=options.limits.rows,
        allow_auto_create_topics=False,
        # Few large answers instead of one per transaction; a batch waits longer than this anyway.
        fetch_min_bytes=FETCH_BYTES,
        fetch_max_bytes=MOST_FETCHED_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
