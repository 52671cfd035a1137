"""Runs the connectors that fetch: each in a task of its own, from its cursor, again and again, with patience.

`connect_service` starts it beside the web server. What a puller fetches takes the same way as a webhook: normalised,
stamped with its account, acknowledged by Kafka (`event_store.EventStore.store`). Then the cursor is stored, and every
partition hears how far the source has told.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from schemas.control import Control
from schemas.pull_cursor import PullCursor
from streams.connectors.connector_contract import Headers, Instance, Normaliser, WebhookRequest
from streams.connectors.publisher import (
    REFUSED_PAUSE_SECONDS,
    KafkaNotTaking,
    OutgoingRecord,
    control_records,
    cursor_record,
)
from streams.connectors.source_contract import Fetched, Puller, PullTrouble
from streams.kafka_admin import KafkaUnavailable
from streams.kafka_refusal import KafkaRefused

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 120.0
HOPELESS_PAUSE_SECONDS = 600.0
"""A wrong password does not get right by trying; somebody may change it at the source, though."""
KAFKA_PAUSE_SECONDS = 2.0
READY_PAUSE_SECONDS = 0.2
HEARTBEAT_SECONDS = 10.0
"""A heartbeat goes into every partition: often enough for promises counted in minutes, seldom enough to be noise."""


@dataclass(frozen=True, slots=True)
class PulledSource:
    """A configured instance that fetches."""

    instance: Instance
    puller: Puller
    normaliser: Normaliser


class Store(Protocol):
    """Where fetched payloads go: `event_store.EventStore.store`."""

    async def __call__(self, instance: Instance, normaliser: Normaliser, request: WebhookRequest) -> object:
        """Normalise and publish a payload; returns once Kafka has it."""


class Publish(Protocol):
    """Where cursors and heartbeats go: `publisher.KafkaPublisher`."""

    interaction_partitions: int

    def send(self, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[None]]:
        """Hand records over, a future for each."""


class PullRecorder(Protocol):
    """What is counted here."""

    def pull_failed(self, connector: str, *, hopeless: bool) -> None:
        """A source could not be fetched from."""

    def pulled_until(self, connector: str, delivered_until: datetime) -> None:
        """A source has told everything up to an instant."""


def pause_before(attempt: int, chance: float) -> float:
    """Seconds to wait before an attempt (from 1): exponential, with full jitter by `chance` in [0, 1).

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter": many clients that lost the same server come back
    spread over the whole pause.
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt, 16))
    return FIRST_PAUSE_SECONDS / 2 + chance * (longest - FIRST_PAUSE_SECONDS / 2)


class PullRunner:
    """The sources of one process, in one event loop."""

    def __init__(
        self,
        sources: Sequence[PulledSource],
        *,
        store: Store,
        publisher: Publish,
        recorder: PullRecorder,
        read_cursors: Callable[[], Mapping[str, PullCursor]],
        unready: Callable[[], str | None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`read_cursors` blocks and is called in a thread; `sleep` waits between attempts.

        `unready` says why nothing can be stored yet; nothing is fetched before.
        """
        self._unready = unready
        self._sources = sources
        self._store = store
        self._publisher = publisher
        self._recorder = recorder
        self._read_cursors = read_cursors
        self._now = now
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []
        self._heartbeats: dict[str, datetime] = {}

    def start(self) -> None:
        """Begin to fetch from every source."""
        if self._sources:
            self._tasks = [asyncio.create_task(self._run_all(), name="careline-pull")]

    async def close(self) -> None:
        """Stop fetching; what is being stored has its time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run_all(self) -> None:
        cursors = await self._cursors()
        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                cursor = cursors.get(source.instance.name)
                group.create_task(self._keep_fetching(source, cursor.position if cursor else None))

    async def _cursors(self) -> Mapping[str, PullCursor]:
        while self._unready() is not None:
            await self._sleep(READY_PAUSE_SECONDS)
        while True:
            try:
                return await asyncio.to_thread(self._read_cursors)
            except (KafkaRefused, KafkaUnavailable) as error:
                pause = REFUSED_PAUSE_SECONDS if isinstance(error, KafkaRefused) else KAFKA_PAUSE_SECONDS
                log.warning("The cursors cannot be read: %s Trying again in %g s", str(error), pause)
                await self._sleep(pause)

    async def _keep_fetching(self, source: PulledSource, position: str | None) -> None:
        name = source.instance.name
        delivery = _Delivery(self, source, position)
        attempt = 0
        while True:
            before = delivery.count
            try:
                await source.puller.run(delivery.position, delivery)
                pause, told = FIRST_PAUSE_SECONDS, "The source has closed the connection"
            except PullTrouble as trouble:
                attempt = 1 if delivery.count > before else attempt + 1
                jittered = pause_before(attempt, random.random())  # noqa: S311 - it spreads clients, it hides nothing
                pause = trouble.retry_after_seconds or (HOPELESS_PAUSE_SECONDS if trouble.hopeless else jittered)
                told = str(trouble)
                self._recorder.pull_failed(name, hopeless=trouble.hopeless)
            except Exception:  # a puller's bug must not end its neighbours
                attempt += 1
                pause, told = pause_before(attempt, random.random()), "The connector failed"  # noqa: S311
                log.exception("The connector %s failed while fetching", name)
                self._recorder.pull_failed(name, hopeless=False)
            log.warning("%s: %s. Trying again in %.0f s", name, told, pause)
            await self._sleep(pause)

    async def stored(
        self,
        source: PulledSource,
        payloads: Sequence[bytes | Fetched],
        position: str | None,
        delivered_until: datetime | None,
    ) -> None:
        """Store payloads and then the position, however long Kafka takes."""
        for payload in payloads:
            request = self._as_request(payload if isinstance(payload, Fetched) else Fetched(payload))
            await self._insist(partial(self._store, source.instance, source.normaliser, request))
        if position is not None:
            cursor = PullCursor(
                instance=source.instance.name,
                position=position,
                saved_at=self._now(),
                delivered_until=delivered_until,
            )
            await self._insist(partial(self._acknowledged, [cursor_record(cursor)]))
        if delivered_until is not None:
            await self._heartbeat(source.instance.name, delivered_until)

    def _as_request(self, fetched: Fetched) -> WebhookRequest:
        now = self._now()
        # A source whose clock is ahead has not received it in the future.
        received_at = min(fetched.received_at or now, now)
        return WebhookRequest("POST", Headers(fetched.headers), fetched.body, received_at)

    async def _heartbeat(self, name: str, until: datetime) -> None:
        self._recorder.pulled_until(name, until)
        last = self._heartbeats.get(name)
        if last is not None and (until - last).total_seconds() < HEARTBEAT_SECONDS:
            return
        control = Control(id=f"heartbeat/{name}/{until.isoformat()}", kind="heartbeat", as_of=until, source=name)
        await self._insist(partial(self._heartbeats_sent, control))
        self._heartbeats[name] = until

    async def _heartbeats_sent(self, control: Control) -> None:
        await self._acknowledged(control_records(control, self._publisher.interaction_partitions))

    async def _acknowledged(self, records: Sequence[OutgoingRecord]) -> None:
        await asyncio.gather(*self._publisher.send(records))

    async def _insist(self, step: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await step()
            except KafkaNotTaking:
                await self._sleep(KAFKA_PAUSE_SECONDS)
            else:
                return


class _Delivery:
    """What a puller calls: stores for one source and remembers how far it is."""

    def __init__(self, runner: PullRunner, source: PulledSource, position: str | None) -> None:
        self._runner = runner
        self._source = source
        self.position = position
        self.count = 0

    async def __call__(
        self, payloads: Sequence[bytes | Fetched], position: str | None = None, delivered_until: datetime | None = None
    ) -> None:
        await self._runner.stored(self._source, payloads, position, delivered_until)
        self.position = position if position is not None else self.position
        self.count += 1
