"""F17 and F26: too many webhooks, slow senders, floods of scrapes; what is admitted is served and nothing is lost."""

import asyncio
import contextlib
import json
import re
import resource
import socket
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from schemas.topics import INTERACTIONS
from tests.faults.fault_story import invent
from tests.faults.house import House, wait_until
from tests.faults.verdicts import Figures, everything_in, wait_until_judged
from tests.process_memory import resident_mb
from tests.senders.own_words_senders import NEW_SECRET, sign_standard

pytestmark = [pytest.mark.integration, pytest.mark.faults]

SENDERS = 200
SECONDS = 8.0
ALONE_SECONDS = 1.5
MOST_P99_RATIO = 3.0
"""How much longer than a fair turn the slowest in a hundred may wait; a turn is 200 senders, each as long as alone."""
CONNECTIONS = 10_000
MOST_GROWTH_PER_CONNECTION_KB = 40.0
SLOW_SENDERS = 300
MOST_GROWTH_MB = 150.0


def test_f17_more_webhooks_than_it_can_take(house: House, seed: int) -> None:
    """As many as 200 senders can, beside 300 that dribble: every 2xx is in Kafka, and memory stays bounded."""
    figures = Figures("F17 overload", seed)
    connect = house.start("connect", "--listen", "127.0.0.1:0", CARELINE_WEBHOOK_SECRET=NEW_SECRET)
    wait_until(lambda: "receiving http" in house.log_of(connect), "connect listens")
    url = next(line for line in house.log_of(connect).splitlines() if line.startswith("receiving")).split()[1]
    wait_until(lambda: _is_ready(url), "Kafka takes records")
    before = resident_mb(connect.pid)

    alone, _, alone_waits = asyncio.run(_flood(url, 1, ALONE_SECONDS, slow_senders=0))
    accepted, answers, waits = asyncio.run(_flood(url, SENDERS, SECONDS, SLOW_SENDERS))

    stored = {str(json.loads(value).get("id")) for _, value in everything_in(house, INTERACTIONS) if value}
    growth = resident_mb(connect.pid) - before
    turn, p99 = SENDERS * sorted(alone_waits)[len(alone_waits) // 2], sorted(waits)[len(waits) * 99 // 100]
    figures.events, figures.lost = len(accepted), len({*alone, *accepted} - stored)
    figures.notes |= {"answers": dict(answers), "grown by MB": round(growth), "p99 s": p99, "fair turn s": turn}
    figures.tell()
    assert figures.lost == 0
    # Every request that was answered is counted, by its answer; those that dribble hear nothing, or a time-out.
    told = _answers_told(house.metrics_of(connect))
    assert told["200"] == len(alone) + answers[200]
    assert all(told[str(status)] == count for status, count in answers.items() if status not in {200, 408})
    assert p99 < MOST_P99_RATIO * turn, figures
    assert answers[200] > 0
    assert set(answers) <= {200, 408, 429, 503}
    assert growth < MOST_GROWTH_MB
    assert connect.poll() is None


async def _flood(
    url: str, senders: int, seconds: float, slow_senders: int
) -> tuple[list[str], Counter[int], list[float]]:
    """Ids that were accepted, how often each status was answered, how long each 200 took."""
    accepted: list[str] = []
    answers: Counter[int] = Counter()
    waits: list[float] = []
    end = time.monotonic() + seconds
    connector = aiohttp.TCPConnector(limit=0)

    async def one(number: int, session: aiohttp.ClientSession) -> None:
        count = 0
        while time.monotonic() < end:
            count += 1
            message_id = f"{senders}-{number}-{count}"
            body = json.dumps(
                {"id": message_id, "conversation": message_id, "at": datetime.now(UTC).isoformat(), "from": "customer"}
            ).encode()
            began = time.monotonic()
            async with session.post(
                url, data=body, headers=sign_standard(NEW_SECRET, body, datetime.now(UTC))
            ) as answer:
                answers[answer.status] += 1
                if answer.status == 200:
                    accepted.append(message_id)
                    waits.append(time.monotonic() - began)

    async with aiohttp.ClientSession(connector=connector) as session:
        dribbling = [asyncio.create_task(_dribble(url, end)) for _ in range(slow_senders)]
        await asyncio.gather(*(one(number, session) for number in range(senders)))
        for task in dribbling:
            task.cancel()
        await asyncio.gather(*dribbling, return_exceptions=True)
    return accepted, answers, waits


async def _dribble(url: str, end: float) -> None:
    """A request whose headers come a byte at a time and never end."""
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(b"POST /in/webhook HTTP/1.1\r\nHost: x\r\n")
            while time.monotonic() < end:
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.5)
        finally:
            writer.close()
            await writer.wait_closed()


def _answers_told(metrics: str) -> Counter[str]:
    """How many requests were answered with each status, as the process tells it."""
    found = re.findall(r'^careline_connector_answers_total\{.*status="(\d+)".*\} (\S+)$', metrics, re.MULTILINE)
    told: Counter[str] = Counter()
    for status, count in found:
        told[status] += int(float(count))
    return told


def test_f17_ten_thousand_connections(house: House, seed: int) -> None:
    """Connections that send nothing cost little, others are served beside them, and none is left when they are gone."""
    figures = Figures("F17 connections", seed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    count = min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_000)
    connect = house.start("connect", "--listen", "127.0.0.1:0", CARELINE_WEBHOOK_SECRET=NEW_SECRET)
    wait_until(lambda: "receiving http" in house.log_of(connect), "connect listens")
    url = next(line for line in house.log_of(connect).splitlines() if line.startswith("receiving")).split()[1]
    wait_until(lambda: _is_ready(url), "Kafka takes records")
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    before, files_before = resident_mb(connect.pid), _open_files(connect.pid)
    with contextlib.ExitStack() as held:
        for _ in range(count):
            held.enter_context(socket.create_connection((host, int(port)), timeout=30))
        wait_until(lambda: _open_files(connect.pid) >= files_before + count * 0.9, "they are all taken")
        growth = resident_mb(connect.pid) - before
        accepted, answers, _ = asyncio.run(_flood(url, 5, 2.0, slow_senders=0))
    wait_until(lambda: _open_files(connect.pid) < files_before + 100, "they are let go of")

    stored = {str(json.loads(value).get("id")) for _, value in everything_in(house, INTERACTIONS) if value}
    figures.events, figures.lost = len(accepted), len(set(accepted) - stored)
    figures.notes |= {"connections": count, "grown by MB": round(growth), "answers": dict(answers)}
    figures.tell()
    assert figures.lost == 0
    assert answers.keys() == {200}
    assert growth * 1000 < MOST_GROWTH_PER_CONNECTION_KB * count, figures
    assert connect.poll() is None


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_f26_a_flood_of_scrapes(house: House, seed: int, now: int) -> None:
    """Hundreds of scrapes while a worker works: it goes on, and the number of series depends on no customer."""
    story = invent(seed, 600, now)
    figures = Figures("F26 scrape flood", seed)
    house.publish_policy()
    worker = house.worker()
    wait_until(lambda: bool(house.metrics_of(worker)), "the worker serves metrics")
    address = re.search(r"http://\S+/metrics", house.log_of(worker))
    assert address is not None
    house.send(story.records())
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(_scrape, [address[0]] * 400))
    wait_until_judged(house, story.events)

    series = {line.rsplit(" ", 1)[0] for line in house.metrics_of(worker).splitlines() if not line.startswith("#")}
    figures.events = story.events
    figures.notes |= {"series": len(series), "answered": sum(answers)}
    figures.tell()
    assert all(answers)
    assert len(series) < 3_000
    assert not [line for line in series if "account-" in line or f"s{seed}-c" in line]
    assert worker.poll() is None


def _scrape(address: str) -> bool:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return bool(answer.read())


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url.partition("/in/")[0] + "/ready", timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False
