"""How fast is the way in? `python -m tests.benchmark.bench_connect [RATE] [SECONDS]`: from a webhook to its 2xx.

`careline connect` runs as its own process on the embedded Kafka; requests leave at fixed times whatever the answers do,
so a stall is not hidden by a sender that waits (coordinated omission). Prints percentiles in milliseconds.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from streams.embedded_kafka import EmbeddedKafka, KafkaRuntime
from streams.embedded_kafka.broker_probe import find_free_port
from tests.senders.own_words_senders import MESSAGE, NEW_SECRET, sign_standard

START = """
from streams.cli.connect_command import connect_app
from streams.settings import Settings, process_environment
connect_app(obj=Settings.from_environment(process_environment()))
"""


WARM_UP_SECONDS = 3
"""At the same rate, sent and not measured: the broker's JVM compiles what it needs in its first seconds."""


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


async def _load(url: str, rate: int, seconds: float) -> tuple[list[float], Counter[int]]:
    taken: list[float] = []
    answers: Counter[int] = Counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await until_ready(session, url)

        async def one(number: int, due: float) -> None:
            body = json.dumps(MESSAGE | {"id": f"m-{number}", "conversation": f"c-{number % 5000}"}).encode()
            async with session.post(f"{url}/in/webhook", data=body, headers=_signed(body)) as answer:
                await answer.read()
                answers[answer.status] += 1
            if due >= measured_from:
                taken.append(time.perf_counter() - due)

        started = time.perf_counter()
        measured_from = started + WARM_UP_SECONDS
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * (WARM_UP_SECONDS + seconds))):
                due = started + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(number, due))
    return taken, answers


def _signed(body: bytes) -> dict[str, str]:
    return sign_standard(NEW_SECRET, body, datetime.now(UTC))


def main(rate: int = 500, seconds: float = 20) -> None:
    """Measure, print, end."""
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    with EmbeddedKafka(KafkaRuntime.from_environment(os.environ, Path.home())) as kafka:
        environment = os.environ | {"CARELINE_WEBHOOK_SECRET": NEW_SECRET, "CARELINE_METRICS_ADDRESS": "127.0.0.1:0"}
        options = ["--listen", f"127.0.0.1:{port}", "--kafka", kafka.bootstrap]
        with subprocess.Popen([sys.executable, "-c", START, *options], env=environment) as process:
            try:
                taken, answers = asyncio.run(_load(url, rate, seconds))
            finally:
                process.terminate()
    taken.sort()
    at = {share: 1000 * taken[min(len(taken) - 1, int(share * len(taken)))] for share in (0.5, 0.95, 0.99, 0.999)}
    shown = "  ".join(f"p{100 * share:g} {value:.1f} ms" for share, value in at.items())
    load = f"{rate}/s for {seconds:g} s after {WARM_UP_SECONDS} s of warm-up"
    print(f"{load}: {dict(answers)}  {shown}  max {1000 * taken[-1]:.1f} ms")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
