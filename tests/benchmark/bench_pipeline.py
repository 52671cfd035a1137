"""The stateful path through a real Kafka, with results, state and offsets in transactions; beside it stock Faust.

Everything shares this machine: the broker, the worker, and whatever else runs. So the figures to compare are the ratios
within one run. The path is measured with the job of stock Faust (a count and a status per conversation), which is what
to compare with, and with Careline's own agents, which do far more with an event.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from kafka import KafkaProducer

from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.policy import to_published
from schemas.topics import INTERACTIONS
from streams.embedded_kafka import THROUGHPUT, EmbeddedKafka, KafkaRuntime
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from tests.benchmark.pipeline_load import BEGIN, bench_interactions, bench_policy

PARTITIONS = 4
CONVERSATIONS = 15_000
STOCK_EVENTS = 20_000
RUN_SECONDS = 300


def main() -> None:
    """Fill the topic once, then let each contender read it from the beginning."""
    runtime = KafkaRuntime.from_environment(os.environ, Path.home())
    with EmbeddedKafka(runtime, profile=THROUGHPUT) as broker:
        # Each contender has topics of its own: a second one would recover the first one's memory and be done.
        events = _fill(broker.bootstrap, "alone.")
        _fill(broker.bootstrap, "both.")
        _fill(broker.bootstrap, "count.")
        say(f"{events:,} interactions of {CONVERSATIONS:,} conversations in {PARTITIONS} partitions")
        count = _run("pipeline_worker", broker.bootstrap, "count.", "count", str(events))
        say(f"the path with stock Faust's job: {_told(count)}")
        alone = _run("pipeline_worker", broker.bootstrap, "alone.", "conversation", str(events))
        say(f"conversation agent: {_told(alone)}")
        both = _run("pipeline_worker", broker.bootstrap, "both.", "conversation,account", str(events))
        say(f"both agents in one worker: {_told(both)}")
        stock = _run("stock_faust", broker.bootstrap, "alone.", str(STOCK_EVENTS))
        say(f"stock Faust with a table: {stock['events_per_second']:,.0f} events/s")
        for name, run in (("equal work", count), ("the conversation agent", alone)):
            say(f"ratio, {name}: {run['events_per_second'] / stock['events_per_second']:.1f}")


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _fill(servers: str, prefix: str) -> int:
    create_topics(KafkaConnection(servers), prefix, PARTITIONS, replication_factor=1)
    producer = KafkaProducer(
        bootstrap_servers=servers, acks="all", linger_ms=50, batch_size=400_000, compression_type="lz4"
    )
    control = Control(id="bench", kind="policy_activated", as_of=BEGIN, policy_text=to_published(bench_policy()))
    headers = headers_of(control, "bench", control.id, control.as_of)
    for partition in range(PARTITIONS):
        producer.send(prefix + INTERACTIONS.name, value=encode(control), partition=partition, headers=headers)
    producer.flush()
    events = bench_interactions(CONVERSATIONS)
    for event in events:
        producer.send(
            prefix + INTERACTIONS.name,
            key=event.conversation_id.encode(),
            value=encode(event),
            headers=headers_of(event, event.source, event.id, event.occurred_at),
        )
    producer.flush()
    producer.close()
    return len(events) + PARTITIONS


def _run(module: str, *arguments: str) -> dict[str, float]:
    command = [sys.executable, "-m", f"tests.benchmark.{module}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=RUN_SECONDS)
    report: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return report


def _told(report: dict[str, float]) -> str:
    cpu_us = report["cpu_seconds"] / report["records"] * 1e6
    transactions = f"{report['transactions']:.0f} transactions (p50 {report['transaction_p50_ms']:.0f} ms)"
    rate = f"{report['events_per_second']:,.0f} events/s"
    return f"{rate}, {cpu_us:.0f} µs CPU each, {transactions}, peak {report['peak_mb']:.0f} MB"


if __name__ == "__main__":
    main()
