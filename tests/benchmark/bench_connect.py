"""How fast is the way in? `python -m tests.benchmark.bench_connect [RATE] [SECONDS]`: from a webhook to its 2xx.

`careline connect` runs as its own process on the embedded Kafka; requests leave at fixed times whatever the answers do,
so a stall is not hidden by a sender that waits (coordinated omission). Each has a signature of its own, made before the
run, and goes over one of a few connections that stay open, as a provider's do: the sender shares the machine, where a
client library would cost more than the server. What it costs itself is told beside the server's. Afterwards every 2xx
is looked for in Kafka.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import aiohttp
import uvloop
from typing_extensions import override

from schemas.topics import INTERACTIONS
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_probe import find_free_port
from streams.kafka_connection import KafkaConnection
from streams.topic_reader import topic_reader
from tests.process_memory import resident_mb
from tests.senders.own_words_senders import MESSAGE, NEW_SECRET, sign_standard

START = """
from streams.cli.connect_command import connect_app
from streams.settings import Settings, process_environment
connect_app(obj=Settings.from_environment(process_environment()))
"""

WARM_UP_SECONDS = 10
"""At the same rate, sent and not measured: the broker's JVM compiles what it needs in its first seconds, on processors
that the server needs."""

CONNECTIONS = 64
LATE_ANSWERS_SECONDS = 30


async def until_ready(session: aiohttp.ClientSession, url: str) -> None:
    """Wait until a `careline connect` takes events."""
    async with asyncio.timeout(60):
        while True:
            try:
                async with session.get(f"{url}/ready") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


@dataclass
class Outcome:
    """What became of the requests: how long each took from when it was due, and how it was answered."""

    measured_from: float = 0.0
    taken: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    memory_mb: list[float] = field(default_factory=list)

    def answered(self, due: float, status: int) -> None:
        """Count one."""
        self.answers[status] += 1
        if due >= self.measured_from:
            self.taken.append(time.perf_counter() - due)


class Connection(asyncio.Protocol):
    """One request at a time, over a connection that stays open; answers of our server come with a content length."""

    def __init__(self, outcome: Outcome, when_free: Callable[["Connection"], None]) -> None:
        self._outcome = outcome
        self._when_free = when_free
        self._transport: asyncio.Transport | None = None
        self._due = 0.0
        self._got = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one, and does not say so

    def send(self, request: bytes, due: float) -> None:
        """Write a request; `when_free` is called when its answer is whole."""
        assert self._transport is not None
        self._due = due
        self._got = b""
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        self._got += data
        head, parted, body = self._got.partition(b"\r\n\r\n")
        if not parted:
            return
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
        if len(body) >= int(length):
            self._outcome.answered(self._due, int(head[9:12]))
            self._when_free(self)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


async def _load(port: int, requests: list[bytes], rate: int, memory_mb: Callable[[], float]) -> Outcome:
    outcome = Outcome()
    waiting: deque[tuple[bytes, float]] = deque()
    free: list[Connection] = []
    all_answered = asyncio.Event()

    def when_free(connection: Connection) -> None:
        if waiting:
            connection.send(*waiting.popleft())
        else:
            free.append(connection)
        if outcome.answers.total() == len(requests):
            all_answered.set()

    async with aiohttp.ClientSession() as session:
        await until_ready(session, f"http://127.0.0.1:{port}")
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(outcome, when_free), "127.0.0.1", port)
        free.append(connection)
    everyone = list(free)
    began = time.perf_counter()
    outcome.measured_from = began + WARM_UP_SECONDS
    for number, request in enumerate(requests):
        due = began + number / rate
        if due > time.perf_counter():
            await asyncio.sleep(due - time.perf_counter())
        if number % rate == 0:
            outcome.memory_mb.append(memory_mb())
        if free:
            free.pop().send(request, due)
        else:
            waiting.append((request, due))
    async with asyncio.timeout(LATE_ANSWERS_SECONDS):
        await all_answered.wait()
    for connection in everyone:
        connection.close()
    return outcome


def _requests(port: int, count: int) -> list[bytes]:
    now = datetime.now(UTC)
    made = []
    for number in range(count):
        body = json.dumps(MESSAGE | {"id": f"m-{number}", "conversation": f"c-{number % 5000}"}).encode()
        headers = sign_standard(NEW_SECRET, body, now) | {
            "Host": f"127.0.0.1:{port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        made.append(f"POST /in/webhook HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return made


def _in_kafka(servers: str) -> int:
    with topic_reader(KafkaConnection(servers)) as reader:
        return len({dict(record.headers)["ce_id"] for record in reader.records(INTERACTIONS.name)})


def main(rate: int = 2_000, seconds: int = 20) -> None:
    """Measure, print, end."""
    port = find_free_port()
    requests = _requests(port, rate * (WARM_UP_SECONDS + seconds))
    with EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home())) as kafka:
        environment = os.environ | {"CARELINE_WEBHOOK_SECRET": NEW_SECRET, "CARELINE_METRICS_ADDRESS": "127.0.0.1:0"}
        options = ["--listen", f"127.0.0.1:{port}", "--kafka", kafka.bootstrap]
        with subprocess.Popen([sys.executable, "-c", START, *options], env=environment) as process:
            try:
                sender_began = time.process_time()
                with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
                    outcome = runner.run(_load(port, requests, rate, lambda: resident_mb(process.pid)))
                sender_us = (time.process_time() - sender_began) / len(requests) * 1e6
            finally:
                process.terminate()
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0
        stored = _in_kafka(kafka.bootstrap)
    taken = sorted(outcome.taken)
    at = {share: 1000 * taken[min(len(taken) - 1, int(share * len(taken)))] for share in (0.5, 0.95, 0.99, 0.999)}
    shown = "  ".join(f"p{100 * share:g} {value:.1f} ms" for share, value in at.items())
    load = f"{rate}/s for {seconds:g} s after {WARM_UP_SECONDS} s of warm-up"
    print(f"{load}: {dict(outcome.answers)}  {shown}  max {1000 * taken[-1]:.1f} ms")
    cpu_us = (usage.ru_utime + usage.ru_stime) / len(requests) * 1e6
    memory = f"{outcome.memory_mb[WARM_UP_SECONDS]:.0f} MB after the warm-up, {outcome.memory_mb[-1]:.0f} MB at the end"
    costs = f"{cpu_us:.0f} µs of processor time for each, and {sender_us:.0f} µs of the sender's"
    print(f"{stored:,} different events in Kafka; {costs}; {memory}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
