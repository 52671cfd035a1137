"""One installation under attack: topics, workers, sinks and a ClickHouse server as processes of their own.

Every process is a real one (`python -m streams ...`), started with settings from the environment as an operator would,
and ended by the test in whichever way. `verdicts` reads what came of it.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from schemas.policy import to_published
from schemas.topics import INTERACTIONS, TopicSpec
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.faults.fault_story import POLICY, Record
from tests.work_processes import Pipeline

PATIENCE_SECONDS = 120.0
SESSION_SECONDS = 6.0


class House:
    """What a test starts, breaks and looks at. Whatever it starts ends with it."""

    def __init__(self, servers: str, prefix: str, folder: Path, *, partitions: int = 2, copies: int = 1) -> None:
        self.servers = servers
        self.prefix = prefix
        self.partitions = partitions
        self.folder = folder
        self._copies = copies
        self.create_topics()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._logs: dict[int, Path] = {}
        self._warehouse: subprocess.Popen[str] | None = None
        self.clickhouse_port = 0
        """Where the last ClickHouse of this house listens."""
        self._producer = KafkaProducer(
            bootstrap_servers=servers.split(","), acks="all", linger_ms=5, max_request_size=8 * 1024 * 1024
        )
        self.sent = 0

    # topics and the log

    def create_topics(self) -> None:
        """Create what is missing."""
        create_topics(KafkaConnection(self.servers), self.prefix, self.partitions, self._copies)

    def drop(self, topic: TopicSpec) -> None:
        """Take a topic away, with everything in it."""
        admin = KafkaAdminClient(bootstrap_servers=self.servers.split(","))
        try:
            admin.delete_topics([self.prefix + topic.name])
        finally:
            admin.close()

    def publish_policy(self, version: str = "1") -> None:
        """Put the policy of the stories in force since long ago."""
        from datetime import UTC, datetime

        from schemas.control import Control

        problems = Problems("story")
        policy_file = read_policy_text(POLICY.format(version=version), problems)
        assert policy_file is not None, [problem.as_line() for problem in problems.errors]
        as_of = datetime(2020, 1, 1, tzinfo=UTC)
        control = Control(
            id=f"policy-{version}", kind="policy_activated", as_of=as_of, policy_text=to_published(policy_file)
        )
        pipeline = Pipeline(self.servers, self.prefix, self.folder, self.partitions)
        pipeline.broadcast(control)
        pipeline.close()

    def send(self, records: Iterable[Record], topic: TopicSpec = INTERACTIONS) -> int:
        """Write records, acknowledged; how many."""
        waiting = [
            self._producer.send(self.prefix + topic.name, key=record.key, value=record.value) for record in records
        ]
        for each in waiting:
            each.get(timeout=PATIENCE_SECONDS)
        self.sent += len(waiting)
        return len(waiting)

    # processes

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """A Careline process. Its log is a file."""
        return self.start_program(command[0], ("streams", *command), environment)

    def start_program(
        self, name: str, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        """A Python module that runs a Careline process, with what it is called with; `name` is for its log."""
        variables = {
            "CARELINE_KAFKA": self.servers,
            "CARELINE_TOPIC_PREFIX": self.prefix,
            "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
            "CARELINE_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
            **environment,
        }
        path = self.folder / f"{name}-{len(self._processes)}.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments], env={**os.environ, **variables}, stdout=log, stderr=log
            )
        self._processes.append(process)
        self._logs[process.pid] = path
        return process

    def worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """A worker."""
        return self.start("work", **environment)

    def log_of(self, process: subprocess.Popen[bytes]) -> str:
        """What a process said."""
        return self._logs[process.pid].read_text(errors="replace")

    def last_words(self, most: int = 3_000) -> list[tuple[str, str]]:
        """The end of each process's log, with the log's name and how the process ended."""
        ended = {process.pid: process.poll() for process in self._processes}
        return [
            (f"{path.name} (status {ended[pid]})", path.read_text(errors="replace")[-most:])
            for pid, path in self._logs.items()
        ]

    def metrics_of(self, process: subprocess.Popen[bytes]) -> str:
        """A scrape; empty while it does not answer."""
        address = re.search(r"http://\S+/metrics", self.log_of(process))
        if address is None:
            return ""
        try:
            with urllib.request.urlopen(address[0], timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def clickhouse(self, folder: Path, port: int = 0) -> tuple[subprocess.Popen[str], int]:
        """A ClickHouse server on a folder; the process and its port."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.clickhouse_server", str(folder), str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._processes.append(process)  # type: ignore[arg-type]  # ended like the others
        assert process.stdout is not None
        with process.stdout as told:
            self._warehouse, self.clickhouse_port = process, int(told.readline().split()[-1])
        return process, self.clickhouse_port

    def is_filing(self) -> bool:
        """Whether there is a ClickHouse, and a sink that fills it."""
        sinks = {pid for pid, path in self._logs.items() if path.name.startswith("sink-")}
        is_written = any(process.pid in sinks and process.poll() is None for process in self._processes)
        return self._warehouse is not None and self._warehouse.poll() is None and is_written

    def close(self) -> None:
        """End whatever still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self._producer.close(timeout=5)


def wait_until(is_so: Callable[[], bool], what: str | Callable[[], str], patience: float = PATIENCE_SECONDS) -> float:
    """Wait for something that another process brings about; the seconds it took."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > patience:
            raise AssertionError(f"not within {patience:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.1)
    return time.monotonic() - began


def stop(process: subprocess.Popen[bytes], patience: float = 30.0) -> int:
    """SIGTERM; the exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=patience)


class SteadyLoad:
    """Sends a story's records over some seconds, from a thread, so that things break while they come."""

    def __init__(self, house: House, records: list[Record], seconds: float) -> None:
        self._house = house
        self._records = records
        self._seconds = seconds
        self._thread = threading.Thread(target=self._send, name="load", daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the load was not taken in time"
        if self._failure is not None:
            raise self._failure

    def _send(self) -> None:
        slices = max(1, int(self._seconds * 10))
        size = -(-len(self._records) // slices)
        began = time.monotonic()
        try:
            for number in range(slices):
                self._house.send(self._records[number * size : (number + 1) * size])
                time.sleep(max(0.0, began + (number + 1) * self._seconds / slices - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self._failure = error
