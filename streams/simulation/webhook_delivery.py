"""Simulated events as signed webhooks to `careline connect`: the way that real ones take.

Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`). Events of one conversation travel in order;
a few requests are on their way at once. A 503 is tried again after its Retry-After under the same id.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from zlib import crc32

import aiohttp
import msgspec

from streams.connectors.signatures import StandardWebhooks
from streams.simulation.event_delivery import DeliveryCounts, DeliveryFailed, Event
from streams.simulation.story import key_of

REQUESTS_AT_ONCE = 4
"""Enough to keep the receiver busy while it waits for Kafka; a busier sender would only measure its own queue."""
MOST_EVENTS_PER_REQUEST = 200
"""About 80 kB, far below the megabyte that `careline connect` takes."""
ANSWER_SECONDS = 40.0
"""A little longer than `careline connect` waits for Kafka."""
LONGEST_PAUSE_SECONDS = 10.0
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
MEANING = {
    401: "the signature was refused: sender and receiver have different secrets, or their clocks differ",
    404: "there is no such route: the address ends in /in/ and the name of a connector",
}

_encoder = msgspec.json.Encoder()


class WebhookDelivery:
    """Delivers to one address.

    Args:
        url: Of the generic webhook, for example `http://127.0.0.1:8080/in/company`.
        secret: `whsec_...`, as the receiver has it.
        give_up: Whether to stop trying again; asked before every new attempt.
    """

    def __init__(self, url: str, secret: str, give_up: Callable[[], bool] = lambda: False) -> None:
        """Make it; `deliver` must be called in an event loop.

        Raises:
            DeliveryFailed: the secret cannot be read.
        """
        try:
            self._signer = StandardWebhooks.with_secrets([secret])
        except ValueError as error:
            raise DeliveryFailed(f"{error}; make one: echo whsec_$(openssl rand -base64 32)") from None
        self.counts = DeliveryCounts()
        self._url = url
        self._give_up = give_up
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, events: Sequence[Event]) -> None:
        """Deliver events and wait until all of them are answered.

        Raises:
            DeliveryFailed: the receiver will never take them.
        """
        lanes: list[list[Event]] = [[] for _ in range(REQUESTS_AT_ONCE)]
        for event in events:
            lanes[crc32(key_of(event).encode()) % REQUESTS_AT_ONCE].append(event)
        await asyncio.gather(*(self._deliver_lane(lane) for lane in lanes if lane))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _deliver_lane(self, events: list[Event]) -> None:
        for first in range(0, len(events), MOST_EVENTS_PER_REQUEST):
            chunk = events[first : first + MOST_EVENTS_PER_REQUEST]
            # A repetition inside one request would be dropped as one event: deliveries are apart in life as well.
            await self._post(_encoder.encode(chunk))

    async def _post(self, body: bytes) -> None:
        message_id = f"msg_{blake2b(body, digest_size=12).hexdigest()}"
        pause = 0.5
        while True:
            try:
                status, answer, retry_after = await self._attempt(message_id, body)
            except (aiohttp.ClientError, TimeoutError) as error:
                status, answer, retry_after = 503, str(error) or type(error).__name__, None
            if status == 200:
                self._count(answer)
                return
            if status not in TRY_AGAIN:
                meaning = MEANING.get(status, answer[:200])
                raise DeliveryFailed(f"{self._url} answers {status}: {meaning}")
            if self._give_up():
                raise DeliveryFailed(f"{self._url} does not take events ({answer[:200]}) and time is up")
            await asyncio.sleep(min(LONGEST_PAUSE_SECONDS, retry_after or pause))
            pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)

    async def _attempt(self, message_id: str, body: bytes) -> tuple[int, str, float | None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=REQUESTS_AT_ONCE),
                timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            )
        timestamp = str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": self._signer.sign(message_id, timestamp, body),
        }
        async with self._session.post(self._url, data=body, headers=headers) as response:
            text = await response.text()
            after = response.headers.get("Retry-After", "")
            return response.status, text, float(after) if after.isdecimal() else None

    def _count(self, answer: str) -> None:
        said = msgspec.json.decode(answer, type=dict[str, int])
        self.counts.accepted += said.get("accepted", 0)
        self.counts.repeated += said.get("repeated", 0)
        self.counts.rejected += said.get("rejected", 0)
