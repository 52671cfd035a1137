"""From a reading to Kafka: look the events over, say whose they are, redact, publish, wait for the acknowledgement.

`intake` brings webhooks here, `pull_runner` what was fetched, `careline import` comes by another way. What is refused
goes to the dead letters under the same acknowledgement, so that nothing genuine is ever lost between two chairs.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import NamedTuple, Protocol

from schemas.interaction import Interaction
from schemas.rejection import Origin, Rejection, RejectionReason
from schemas.signal import Signal
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import (
    Draft,
    Ignored,
    Instance,
    Normaliser,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.delivery_ledger import DeliveryLedger
from streams.connectors.event_check import flaw_in
from streams.connectors.publisher import PUBLISH_SECONDS, KafkaNotTaking, OutgoingRecord, RecordTooLarge, outgoing

log = logging.getLogger(__name__)

MOST_KEPT_BYTES = 4 * 1024 * 1024
"""Of a body that goes to the dead letters: in base64 it still fits into `publisher.LARGEST_RECORD`."""

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "x-zendesk-webhook-id", "x-zendesk-webhook-invocation-id")
"""Headers that go with a dead letter, besides `ce-*`. Never those that prove who the sender is."""


class StoreRecorder(Protocol):
    """What is counted here; `streams.sinks.recorder.Recorder` has these methods."""

    def connector_published(self, connector: str, seconds: float) -> None:
        """Kafka acknowledged the events of a request."""

    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        """Something went to the dead letters."""


class Publisher(Protocol):
    """Where records go: `publisher.KafkaPublisher`."""

    def send(self, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[None]]:
        """Hand records over, a future for each."""


class Counts(NamedTuple):
    """What became of one request."""

    accepted: int
    repeated: int
    ignored: int
    rejected: int

    @property
    def foremost(self) -> str:
        """The most important thing that happened: a rejection is never hidden behind neighbours that were accepted."""
        if self.rejected:
            return "rejected"
        if self.accepted:
            return "accepted"
        return "repeated" if self.repeated else "ignored"


class EventStore:
    """Stores what connectors have understood. One per process, for one event loop."""

    def __init__(self, publisher: Publisher, directory: AccountsDirectory, recorder: StoreRecorder) -> None:
        self._publisher = publisher
        self._directory = directory
        self._recorder = recorder
        self._ledger = DeliveryLedger()

    async def store(self, instance: Instance, normaliser: Normaliser, request: WebhookRequest) -> Counts:
        """Normalise and publish a genuine request; returns once Kafka has all of it.

        Raises:
            KafkaNotTaking: at least one event is not acknowledged; sent again, it is the same event.
            RecordTooLarge: not even the dead letter fits.
        """
        name = instance.name
        reading = _read(instance, normaliser, request)
        events, refused, ignored = self._sort(instance, reading)
        letters = [rejection_of(flaw, index, instance, request) for index, flaw in refused]
        started = time.perf_counter()
        repeated, too_large = await self._deliver([outgoing(event) for event in events])
        for index in too_large:
            flaw = Refused("too_large", "Kafka takes no record of this size", events[index].id.encode())
            letters.append(rejection_of(flaw, len(reading) + index, instance, request))
        new = [letter for letter in letters if not self._ledger.has_arrived(outgoing(letter).identity)]
        if new:
            await self._deliver([outgoing(letter) for letter in new])
        if events or new:
            self._recorder.connector_published(name, time.perf_counter() - started)
        for letter in new:
            self._recorder.rejected("connect", letter.reason)
        return Counts(len(events) - repeated - len(too_large), repeated, ignored, len(letters))

    def _sort(
        self, instance: Instance, reading: Reading
    ) -> tuple[list[Interaction | Signal], list[tuple[int, Refused]], int]:
        events: list[Interaction | Signal] = []
        refused: list[tuple[int, Refused]] = []
        ignored = 0
        for index, item in enumerate(reading):
            if isinstance(item, Draft):
                event = instance.redaction.event(stamp(item, self._directory))
                flaw = flaw_in(event)
                if flaw is None:
                    events.append(event)
                else:
                    refused.append((index, Refused(flaw[0], flaw[1])))
            elif isinstance(item, Refused):
                refused.append((index, item))
            elif isinstance(item, Ignored):
                ignored += 1
        return events, refused, ignored

    async def _deliver(self, records: list[OutgoingRecord]) -> tuple[int, list[int]]:
        """Publish what is new and wait for all of it. Returns how many were repetitions, and which are too large.

        Raises:
            KafkaNotTaking: at least one is not acknowledged.
        """
        fresh: list[tuple[int, OutgoingRecord]] = []
        awaited: dict[asyncio.Future[None], int | None] = {}
        repeated = 0
        chosen: set[str] = set()
        for index, record in enumerate(records):
            elsewhere = self._ledger.under_way(record.identity)
            if self._ledger.has_arrived(record.identity) or record.identity in chosen:
                repeated += 1
            elif elsewhere is not None:
                repeated += 1
                awaited[elsewhere] = None
            else:
                chosen.add(record.identity)
                fresh.append((index, record))
        if fresh:
            futures = self._publisher.send([record for _, record in fresh])
            for (index, record), future in zip(fresh, futures, strict=True):
                self._ledger.follow(record.identity, future)
                awaited[future] = index
        return repeated, await _acknowledged(awaited)


def _read(instance: Instance, normaliser: Normaliser, request: WebhookRequest) -> Reading:
    try:
        return normaliser.normalise(request)
    except (
        Exception
    ) as error:  # a connector's bug must not make its provider retry for days; the letter keeps every byte
        # The words of an error often quote what it stumbled over.
        log.error(  # noqa: TRY400 - with the trace where nothing is redacted
            "The connector %s failed on a genuine request: %s",
            instance.name,
            type(error).__name__,
            exc_info=instance.redaction.changes_nothing,
        )
        return [Refused("calculation_failed", f"{type(error).__name__} in the connector")]


async def _acknowledged(awaited: dict[asyncio.Future[None], int | None]) -> list[int]:
    if not awaited:
        return []
    await _settled(awaited, PUBLISH_SECONDS)
    too_large = []
    for future, index in awaited.items():
        if not future.done():
            raise KafkaNotTaking("no acknowledgement in time")
        error = future.exception()
        if isinstance(error, RecordTooLarge) and index is not None:
            too_large.append(index)
        elif error is not None:
            raise error
    return sorted(too_large)


async def _settled(futures: Collection[asyncio.Future[None]], seconds: float) -> None:
    """Wait until all are done, or for so long. `asyncio.wait` does the same at three times the price."""
    loop = asyncio.get_running_loop()
    enough: asyncio.Future[None] = loop.create_future()
    left = len(futures)

    def one_done(_: asyncio.Future[None]) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            _release(enough)

    for future in futures:
        future.add_done_callback(one_done)
    timer = loop.call_later(seconds, _release, enough)
    try:
        await enough
    finally:
        timer.cancel()
        if left:
            for future in futures:
                future.remove_done_callback(one_done)


def _release(enough: asyncio.Future[None]) -> None:
    if not enough.done():
        enough.set_result(None)


def rejection_of(refused: Refused, index: int, instance: Instance, request: WebhookRequest) -> Rejection:
    """The dead letter of one item of a request. Its id follows from the content: a repetition makes no second one."""
    connector = instance.name
    value = request.body if refused.value is None else refused.value
    detail = refused.detail
    if len(value) > MOST_KEPT_BYTES:
        detail = f"{detail} (the first {MOST_KEPT_BYTES} of {len(value)} bytes are kept)"
        value = value[:MOST_KEPT_BYTES]
    digest = blake2b(f"{connector}/{index}/".encode() + request.body, digest_size=16).hexdigest()
    kept = tuple(
        (name, text.encode("utf-8", "surrogateescape"))
        for name, text in request.headers.items()
        if name in KEPT_HEADERS or name.startswith("ce-")
    )
    letter = Rejection(
        id=f"{connector}:{digest}",
        reason=refused.reason,
        detail=detail,
        origin=Origin(connector=connector),
        rejected_at=request.received_at,
        key=connector.encode(),
        value=value,
        headers=kept,
    )
    return instance.redaction.letter(letter)
