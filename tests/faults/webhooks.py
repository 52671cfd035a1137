"""A connect process, and whoever sends it webhooks: what was accepted is written down, and looked for in the log."""

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime

import aiohttp

from schemas.topics import INTERACTIONS
from tests.faults.house import House, wait_until
from tests.faults.verdicts import everything_in
from tests.senders.own_words_senders import NEW_SECRET, sign_standard


class Webhooks:
    """A connect process, and a sender that keeps book of what it was answered."""

    def __init__(self, house: House) -> None:
        self.process = house.start(
            "connect", "--listen", "127.0.0.1:0", CARELINE_WEBHOOK_SECRET=NEW_SECRET, CARELINE_REPLICATION_FACTOR="3"
        )
        wait_until(lambda: "receiving http" in house.log_of(self.process), "connect listens")
        line = next(line for line in house.log_of(self.process).splitlines() if line.startswith("receiving"))
        self.url = line.split()[1]
        self.accepted: list[str] = []
        self.answers: Counter[int] = Counter()
        self.slowest = 0.0

    async def send_for(self, seconds: float, name: str, retry: bool = True) -> None:
        """Send one message after another, each again until it is accepted where `retry` is set."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
            end, number = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                number += 1
                await self._send(session, f"{name}-{number}", end if retry else 0.0)

    async def _send(self, session: aiohttp.ClientSession, message_id: str, until: float) -> None:
        body = json.dumps(
            {"id": message_id, "conversation": message_id, "at": datetime.now(UTC).isoformat(), "from": "customer"}
        ).encode()
        while True:
            began = time.monotonic()
            headers = sign_standard(NEW_SECRET, body, datetime.now(UTC))
            try:
                async with session.post(self.url, data=body, headers=headers) as answer:
                    self.answers[answer.status] += 1
                    if answer.status == 200:
                        self.accepted.append(message_id)
                    elif answer.status == 503:
                        assert answer.headers["Retry-After"] == "10"
            except (TimeoutError, aiohttp.ClientError):
                self.answers[0] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if message_id in self.accepted[-1:] or time.monotonic() > until:
                return
            await asyncio.sleep(0.5)


def stored(house: House) -> Counter[str]:
    """How often each interaction is in the log."""
    values = (json.loads(value) for _, value in everything_in(house, INTERACTIONS) if value)
    return Counter(str(event["id"]) for event in values if "conversation_id" in event)


def lost(house: House, webhooks: Webhooks) -> int:
    """How many that were answered 200 are not in the log."""
    there = stored(house)
    return sum(message_id not in there for message_id in webhooks.accepted)
