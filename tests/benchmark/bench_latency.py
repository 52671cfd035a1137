"""From a signed webhook to the committed result: `python -m tests.benchmark.bench_latency [RATE] [SECONDS]`.

`careline connect` and `careline work` run as processes on the embedded Kafka; requests leave at fixed times whatever
the answers do; what is answered 503 is sent again as a provider does, and its time runs on. A result is the `contact`
fact of the message, seen by a subscriber that reads only what is committed. The resident memory of both processes is
read once a minute, so `... 100 600` tells whether it is flat in ten minutes.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaConsumer

from schemas.codec import decode
from schemas.sla_event import SlaEvent
from schemas.topics import SLA_EVENTS
from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_probe import find_free_port
from streams.kafka_admin import create_topics
from streams.kafka_connection import KafkaConnection
from tests.benchmark.bench_connect import until_ready
from tests.senders.own_words_senders import MESSAGE, NEW_SECRET, sign_standard

PARTITIONS = 4
WARM_UP_SECONDS = 5
PATIENCE_SECONDS = 60


class Watch:
    """When each message left, and how long its result took."""

    def __init__(self) -> None:
        self.left: dict[str, float] = {}
        self.taken: dict[str, float] = {}
        self.put_off = 0
        self._arrived = asyncio.Event()

    async def everything_arrived(self) -> None:
        """Wait until each message that left has its result."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.left.keys() - self.taken.keys():
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            missing = sorted(self.left.keys() - self.taken.keys())
            raise SystemExit(f"{len(missing)} messages have no result, for example {missing[:3]}") from None

    def arrived(self, name: str | None) -> None:
        """The result of a message is visible."""
        due = self.left.get(name or "")
        if name is not None and due is not None and name not in self.taken:
            self.taken[name] = time.perf_counter() - due
            self._arrived.set()

    async def subscribe(self, servers: str) -> None:
        """Note every `contact` fact as it becomes visible."""
        consumer = AIOKafkaConsumer(
            SLA_EVENTS.name, bootstrap_servers=servers, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async for record in consumer:
                event = decode(SlaEvent, record.value)
                if event.kind == "contact":
                    self.arrived(event.cause.event_id)
        finally:
            await consumer.stop()


async def _tell_memory(processes: dict[str, int]) -> None:
    """Print the resident memory of each process now and once a minute."""
    for minute in itertools.count():
        held = "  ".join(f"{name} {_resident_mb(pid):.1f} MB" for name, pid in processes.items())
        print(f"memory at minute {minute}: {held}", flush=True)
        await asyncio.sleep(60)


def _resident_mb(pid: int) -> float:
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(told.stdout) / 1024


async def _measure(url: str, servers: str, rate: int, seconds: float, processes: dict[str, int]) -> list[float]:
    watch = Watch()
    reading = asyncio.create_task(watch.subscribe(servers))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await until_ready(session, url)
        await _one(session, url, watch, "first", time.perf_counter())
        await watch.everything_arrived()
        began = time.perf_counter()
        sampling = asyncio.create_task(_tell_memory(processes))
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * (WARM_UP_SECONDS + seconds))):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(_one(session, url, watch, f"m-{number}", due))
        await watch.everything_arrived()
    if watch.put_off:
        print(f"answered 503 and sent again: {watch.put_off}")
    reading.cancel()
    sampling.cancel()
    return sorted(taken for name, taken in watch.taken.items() if watch.left[name] >= began + WARM_UP_SECONDS)


async def _one(session: aiohttp.ClientSession, url: str, watch: Watch, name: str, due: float) -> None:
    watch.left[name] = due
    number = hash(name) % 5_000
    body = json.dumps(
        MESSAGE | {"id": name, "conversation": f"c-{number}", "at": datetime.now(UTC).isoformat()}
    ).encode()
    headers = sign_standard(NEW_SECRET, body, datetime.now(UTC))
    while True:
        async with session.post(f"{url}/in/webhook", data=body, headers=headers) as answer:
            if answer.status < 300:
                return
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise SystemExit(f"answered {answer.status}: {await answer.text()}")
            watch.put_off += 1
            pause = float(answer.headers["Retry-After"])
        await asyncio.sleep(pause)


def main(rate: int = 500, seconds: float = 20) -> None:
    """Measure, print, end."""
    port = find_free_port()
    with EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home())) as kafka:
        create_topics(KafkaConnection(kafka.bootstrap), "", PARTITIONS, replication_factor=1)
        environment = os.environ | {
            "CARELINE_WEBHOOK_SECRET": NEW_SECRET,
            "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
            "CARELINE_KAFKA": kafka.bootstrap,
            "CARELINE_LOG_LEVEL": "WARNING",
        }
        careline = [sys.executable, "-m", "streams"]
        with (
            subprocess.Popen([*careline, "connect", "--listen", f"127.0.0.1:{port}"], env=environment) as connect,
            subprocess.Popen([*careline, "work"], env=environment) as work,
        ):
            try:
                processes = {"connect": connect.pid, "work": work.pid}
                taken = asyncio.run(_measure(f"http://127.0.0.1:{port}", kafka.bootstrap, rate, seconds, processes))
            finally:
                connect.terminate()
                work.terminate()
    at = {share: 1000 * taken[min(len(taken) - 1, int(share * len(taken)))] for share in (0.5, 0.95, 0.99, 0.999)}
    shown = "  ".join(f"p{100 * share:g} {value:.0f} ms" for share, value in at.items())
    print(f"webhook to committed result, {rate}/s for {seconds:g} s, {len(taken):,} messages: {shown}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
