"""How fast do results get into ClickHouse? `python -m tests.benchmark.bench_sink [RECORDS] [RATE] [SECONDS]`.

The whole sink (Kafka, chDB in a folder) first makes up for a backlog, then keeps up with a stream. Beside it, in the
same run, the same client reads the backlog and does nothing with it: the machine is shared, so compare the ratio. The
figure that a busy machine does not change is the processor time per record, the engine's own included.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kafka import KafkaConsumer
from typing_extensions import override

from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from streams.sinks.clickhouse_connection import open_clickhouse, read_target
from streams.sinks.recorder import Recorder
from streams.sinks.rows import TABLES
from streams.sinks.sink_process import SinkOptions, run_sink
from tests.benchmark.sink_load import PARTITIONS

PATIENCE_SECONDS = 240


class CountingRecorder(Recorder):
    """Counts what was written and stops the sink when that is all."""

    def __init__(self, expected: int) -> None:
        self.stop = threading.Event()
        self.inserts = 0
        self.rows = 0
        self.insert_seconds = 0.0
        self._expected = expected

    @override
    def sink_inserted(self, table: str, rows: int, seconds: float) -> None:
        self.inserts += 1
        self.rows += rows
        self.insert_seconds += seconds
        if self.rows >= self._expected:
            self.stop.set()


@dataclass(slots=True)
class Measured:
    """A run of the sink: seconds from its first word about writing to its end, and what it took."""

    rows: int
    inserts: int
    seconds: float
    cpu_seconds: float
    insert_seconds: float

    @override
    def __str__(self) -> str:
        cpu_us = self.cpu_seconds / self.rows * 1e6
        return (
            f"{self.rows / self.seconds:,.0f} records/s, {cpu_us:.0f} µs CPU each, "
            f"{self.inserts} inserts of {self.rows / self.inserts:,.0f} rows, {self.insert_seconds:.1f} s in ClickHouse"
        )


def main(records: int = 80_000, rate: int = 1_500, seconds: int = 10) -> None:
    """Measure, print, check that every record is there once."""
    runtime = KafkaRuntime.from_environment(os.environ, Path.home())
    with EmbeddedKafka(runtime) as broker, tempfile.TemporaryDirectory() as folder:
        create_topics(KafkaConnection(broker.bootstrap), "", PARTITIONS, replication_factor=1)
        _feed(broker.bootstrap, 0, records).wait(PATIENCE_SECONDS)
        reading = _read_only(broker.bootstrap, records)
        say(f"reading alone: {reading:,.0f} records/s")
        backlog = _sink(broker.bootstrap, Path(folder), records)
        say(f"backlog: {backlog}")
        say(f"ratio to reading alone: {backlog.rows / backlog.seconds / reading:.2f}")
        feed = _feed(broker.bootstrap, records, rate * seconds, rate)
        stream = _sink(broker.bootstrap, Path(folder), rate * seconds)
        feed.wait(PATIENCE_SECONDS)
        say(f"stream of {rate:,}/s: {stream}; {stream.cpu_seconds / stream.seconds:.0%} of a processor")
        _check(Path(folder), records + rate * seconds)


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _feed(servers: str, *numbers: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.benchmark.sink_load", servers, *map(str, numbers)])


def _read_only(servers: str, records: int) -> float:
    consumer = KafkaConsumer(
        *(table.topic.name for table in TABLES),
        bootstrap_servers=servers,
        group_id="bench-reading",
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    begun = time.perf_counter()
    while not consumer.assignment() and time.perf_counter() - begun < PATIENCE_SECONDS:
        consumer.poll(timeout_ms=100, max_records=1)
    found = 1
    begun = time.perf_counter()
    while found < records - PARTITIONS and time.perf_counter() - begun < PATIENCE_SECONDS:
        found += sum(map(len, consumer.poll(timeout_ms=1000, max_records=20_000).values()))
    taken = time.perf_counter() - begun
    consumer.close()
    return found / taken


def _sink(servers: str, folder: Path, expected: int) -> Measured:
    recorder = CountingRecorder(expected)
    patience = threading.Timer(PATIENCE_SECONDS, recorder.stop.set)
    patience.start()
    begun: list[tuple[float, float]] = []
    options = SinkOptions(kafka=KafkaConnection(servers), target=read_target(f"chdb://{folder}"))
    run_sink(options, recorder.stop, recorder, lambda _: begun.append((time.perf_counter(), time.process_time())))
    patience.cancel()
    wall, cpu = begun[-1]
    return Measured(
        rows=recorder.rows,
        inserts=recorder.inserts,
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        insert_seconds=recorder.insert_seconds,
    )


def _check(folder: Path, expected: int) -> None:
    with open_clickhouse(read_target(f"chdb://{folder}")) as client:
        found = sum(int(client.query(f"SELECT uniqExact(id) FROM {table.name}").result_rows[0][0]) for table in TABLES)
    if found != expected:
        raise SystemExit(f"{found} records in ClickHouse, {expected} were published")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
