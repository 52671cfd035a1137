"""F17 and F26: too many webhooks, slow senders, floods of scrapes; what is admitted is served and nothing is lost."""

import asyncio
import contextlib
import json
import re
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

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

    accepted, answers, waits = asyncio.run(_flood(url))

    stored = {str(json.loads(value).get("id")) for _, value in everything_in(house, INTERACTIONS) if value}
    growth = resident_mb(connect.pid) - before
    waits.sort()
    figures.events, figures.lost = len(accepted), len(set(accepted) - stored)
    figures.notes |= {"answers": dict(answers), "grown by MB": round(growth), "p99 s": waits[len(waits) * 99 // 100]}
    figures.tell()
    assert figures.lost == 0
    assert answers[200] > 0
    assert set(answers) <= {200, 408, 429, 503}
    assert growth < MOST_GROWTH_MB
    assert connect.poll() is None


async def _flood(url: str) -> tuple[list[str], Counter[int], list[float]]:
    accepted: list[str] = []
    answers: Counter[int] = Counter()
    waits: list[float] = []
    end = time.monotonic() + SECONDS
    connector = aiohttp.TCPConnector(limit=0)

    async def one(number: int, session: aiohttp.ClientSession) -> None:
        count = 0
        while time.monotonic() < end:
            count += 1
            message_id = f"{number}-{count}"
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
        dribbling = [asyncio.create_task(_dribble(url, end)) for _ in range(SLOW_SENDERS)]
        await asyncio.gather(*(one(number, session) for number in range(SENDERS)))
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
