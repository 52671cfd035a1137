"""A whole installation as processes on a shared broker: connect, work and sink, with everything that they say kept.

What tests of the way through all of it stand on: `everything` is every byte of every topic, and every cell of every
table.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from schemas.topics import TOPICS
from streams.embedded_kafka import EmbeddedKafka
from streams.embedded_kafka.broker_probe import find_free_port
from tests.fixtures_kafka import make_topics
from tests.senders.own_words_senders import NEW_SECRET, sign_standard

PATIENCE_SECONDS = 60.0
PARTITIONS = 2


class Installation:
    """One of each process, under a prefix of its own and in a folder of its own."""

    def __init__(self, kafka: EmbeddedKafka, prefix: str, folder: Path, variables: Mapping[str, str]) -> None:
        self._kafka = kafka
        self._prefix = prefix
        self._folder = folder
        ports = [find_free_port() for _ in range(2)]
        self.url = f"http://127.0.0.1:{ports[0]}"
        self._sql_url = f"http://127.0.0.1:{ports[1]}"
        self.environment = {
            **os.environ,
            "CARELINE_KAFKA": kafka.bootstrap,
            "CARELINE_TOPIC_PREFIX": prefix,
            "CARELINE_PARTITIONS": str(PARTITIONS),
            "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
            "CARELINE_CONNECT_ADDRESS": f"127.0.0.1:{ports[0]}",
            "CARELINE_SQL_ADDRESS": f"127.0.0.1:{ports[1]}",
            "CARELINE_CLICKHOUSE": "chdb://",
            "CARELINE_DATA_DIR": str(folder),
            "CARELINE_LOG_LEVEL": "DEBUG",
            "CARELINE_REJECTED_LIMIT_RATIO": "1",
            "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
            **variables,
        }
        self._running: list[subprocess.Popen[bytes]] = []
        make_topics(kafka, prefix, PARTITIONS)

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start `careline COMMAND`; what it says goes into a file."""
        with self._log(command).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams", command], env=self.environment, stdout=log, stderr=log
            )
        self._running.append(process)
        return process

    def wait_until_ready(self) -> None:
        """Until requests are taken."""

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self.url}/ready", timeout=10) as answer:
                    return bool(answer.status == 200)
            except OSError:
                return False

        assert until(ready), self.said("connect")

    def careline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "streams", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_SECONDS,
            check=False,
        )

    def post(self, route: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a request that is taken."""
        request = urllib.request.Request(f"{self.url}/in/{route}", body, dict(headers))
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200, answer.read()

    def try_to_post(self, route: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Send a request, whatever becomes of it."""
        with (
            suppress(OSError),
            urllib.request.urlopen(urllib.request.Request(f"{self.url}/in/{route}", body, dict(headers)), timeout=10),
        ):
            pass

    def tell(self, *events: dict[str, Any]) -> None:
        """Events in our own words to the generic webhook."""
        body = json.dumps(list(events)).encode()
        self.post("webhook", body, sign_standard(NEW_SECRET, body, datetime.now(UTC)))

    def ask(self, sql: str) -> str:
        """What the running sink answers, as JSON; nothing while it does not."""
        try:
            with urllib.request.urlopen(f"{self._sql_url}/?format=JSON", sql.encode(), timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of an answer, numbers as numbers."""
        answer = self.ask(f"{sql} SETTINGS output_format_json_quote_64bit_integers = 0")
        return list(json.loads(answer)["data"]) if answer else []

    def records(self) -> dict[str, list[Any]]:
        """Every record of every topic, by its name, aborted ones too."""
        consumer = KafkaConsumer(bootstrap_servers=self._kafka.bootstrap, group_id=None, enable_auto_commit=False)
        found: dict[str, list[Any]] = {topic.name: [] for topic in TOPICS}
        try:
            places = [
                TopicPartition(self._prefix + topic.name, number)
                for topic in TOPICS
                for number in consumer.partitions_for_topic(self._prefix + topic.name)
            ]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            while any(consumer.position(place) < end for place, end in ends.items()):
                for place, records in consumer.poll(timeout_ms=200).items():
                    found[place.topic.removeprefix(self._prefix)] += records
        finally:
            consumer.close()
        return found

    def tables(self) -> dict[str, str]:
        """Every cell of every table, by the table's name; ask while the sink runs."""
        names = self.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine != 'View'")
        return {row["name"]: self.ask(f"SELECT * FROM {row['name']}") for row in names}

    def said(self, command: str) -> str:
        """Everything that a process has said."""
        return self._log(command).read_text(errors="replace")

    def _log(self, command: str) -> Path:
        return self._folder / f"{command}.log"

    def stop(self) -> None:
        """End what runs, as an operator would."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes to hold before patience ends."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.3)
    return False


def words_in(records: list[Any]) -> bytes:
    """Every byte of these records: keys, values and headers."""
    parts = [part or b"" for record in records for part in (record.key, record.value)]
    parts += [name.encode() + value for record in records for name, value in record.headers]
    return b"\n".join(parts)
