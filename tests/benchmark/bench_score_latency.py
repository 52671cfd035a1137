"""From a signal to the account's new score: `python -m tests.benchmark.bench_score_latency [RATE] [SECONDS]`.

`careline work` runs as a process on the embedded Kafka; signals leave at fixed times whatever the worker does. Each is
an answer to a survey that moves its account's score, so each has a score that names it as its cause, seen by a
subscriber that reads only what is committed.
"""

import asyncio
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.codec import decode, encode, headers_of
from schemas.health_score import HealthScore
from schemas.signal import Signal
from schemas.topics import HEALTH, SIGNALS
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from tests.benchmark.bench_latency import PARTITIONS, WARM_UP_SECONDS, Watch

ACCOUNTS = 5_000
"""More than there are signals in a batch: two for one account in a batch would be told as one."""


async def _subscribe(watch: Watch, servers: str) -> None:
    consumer = AIOKafkaConsumer(
        HEALTH.name, bootstrap_servers=servers, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async for record in consumer:
            watch.arrived(decode(HealthScore, record.value).cause_id)
    finally:
        await consumer.stop()


async def _measure(servers: str, rate: int, seconds: float) -> list[float]:
    watch = Watch()
    reading = asyncio.create_task(_subscribe(watch, servers))
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=0)
    await producer.start()
    try:
        await _one(producer, watch, 0, time.perf_counter())
        await watch.everything_arrived()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(1, int(rate * (WARM_UP_SECONDS + seconds))):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(_one(producer, watch, number, due))
        await watch.everything_arrived()
    finally:
        await producer.stop()
    reading.cancel()
    return sorted(taken for name, taken in watch.taken.items() if watch.left[name] >= began + WARM_UP_SECONDS)


async def _one(producer: AIOKafkaProducer, watch: Watch, number: int, due: float) -> None:
    turn, account = divmod(number, ACCOUNTS)
    signal = Signal(
        id=f"s-{number}",
        source="bench",
        account_id=f"account-{account}",
        occurred_at=datetime.now(UTC),
        kind="survey",
        name="csat",
        value=1.0 if turn % 2 else 5.0,
    )
    watch.left[signal.id] = due
    headers = headers_of(signal, "bench", signal.id, signal.occurred_at)
    await producer.send_and_wait(SIGNALS.name, encode(signal), key=signal.account_id.encode(), headers=headers)


def main(rate: int = 500, seconds: float = 20) -> None:
    """Measure, print, end."""
    with EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home())) as kafka:
        create_topics(KafkaConnection(kafka.bootstrap), "", PARTITIONS, replication_factor=1)
        environment = os.environ | {
            "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
            "CARELINE_KAFKA": kafka.bootstrap,
            "CARELINE_LOG_LEVEL": "WARNING",
        }
        with subprocess.Popen([sys.executable, "-m", "streams", "work"], env=environment) as work:
            try:
                taken = asyncio.run(_measure(kafka.bootstrap, rate, seconds))
            finally:
                work.terminate()
    at = {share: 1000 * taken[min(len(taken) - 1, int(share * len(taken)))] for share in (0.5, 0.95, 0.99, 0.999)}
    shown = "  ".join(f"p{100 * share:g} {value:.0f} ms" for share, value in at.items())
    print(f"signal to committed score, {rate}/s for {seconds:g} s, {len(taken):,} signals: {shown}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
