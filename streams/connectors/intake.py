"""From a request to an answer: verify, read, say whose it is, publish, and only then 2xx.

`web_server` brings requests here and carries the answers back; nothing here knows HTTP servers or Kafka clients. The
rules are the same for every connector, and every answer has a short stable reason that is counted.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from schemas.interaction import Interaction
from schemas.rejection import Origin, Rejection, RejectionReason
from schemas.signal import Signal
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import (
    Connector,
    Draft,
    Ignored,
    ProviderAnswer,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.delivery_ledger import DeliveryLedger
from streams.connectors.event_check import flaw_in
from streams.connectors.publisher import PUBLISH_SECONDS, KafkaNotTaking, OutgoingRecord, RecordTooLarge, outgoing

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10
"""Inside what every provider honours; Zendesk retries a 503 only if this is below 60."""

MOST_KEPT_BYTES = 4 * 1024 * 1024
"""Of a body that goes to the dead letters: in base64 it still fits into `publisher.LARGEST_RECORD`."""

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "x-zendesk-webhook-id", "x-zendesk-webhook-invocation-id")
"""Headers that go with a dead letter, besides `ce-*`. Never those that prove who the sender is."""


class AnswerRecorder(Protocol):
    """What is counted here; `streams.sinks.recorder.Recorder` has these methods."""

    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        """A request was answered."""

    def connector_published(self, connector: str, seconds: float) -> None:
        """Kafka acknowledged the events of a request."""

    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        """Something went to the dead letters."""


class Publisher(Protocol):
    """Where records go: `publisher.KafkaPublisher`."""

    def send(self, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[None]]:
        """Hand records over, a future for each."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender hears. `reason` is the code that is counted; `connector` the instance it is counted under."""

    status: int
    reason: str
    connector: str
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Intake:
    """Receives the requests of all instances. One per process, for one event loop."""

    def __init__(
        self,
        publisher: Publisher,
        directory: AccountsDirectory,
        recorder: AnswerRecorder,
        unready: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`unready` says why nothing can be accepted yet, for instance while the accounts are being read."""
        self._publisher = publisher
        self._directory = directory
        self._recorder = recorder
        self._unready = unready
        self._ledger = DeliveryLedger()

    async def receive(self, connector: Connector, request: WebhookRequest) -> Answer:
        """The answer to one request; never raises."""
        name = connector.instance.name
        await connector.prepare(request)
        verdict = connector.verify(request)
        greeting = connector.handshake(request, verdict)
        if greeting is not None:
            return _in_their_words(name, "handshake", greeting)
        if request.method != "POST":
            return refuse(name, 405, "method_not_allowed", headers={"Allow": "POST"})
        if verdict.refusal is not None:
            return not_now(name, verdict.refusal) if verdict.undecided else refuse(name, 401, verdict.refusal)
        not_yet = self._unready()
        if not_yet is not None:
            return not_now(name, not_yet)
        return await self._publish(connector, request, _read(connector, request))

    async def _publish(self, connector: Connector, request: WebhookRequest, reading: Reading) -> Answer:
        name = connector.instance.name
        events, refused, ignored = self._sort(reading)
        letters = [rejection_of(flaw, index, name, request) for index, flaw in refused]
        started = time.perf_counter()
        try:
            repeated, too_large = await self._deliver([outgoing(event) for event in events])
            for index in too_large:
                flaw = Refused("too_large", "Kafka takes no record of this size", events[index].id.encode())
                letters.append(rejection_of(flaw, len(reading) + index, name, request))
            new = [letter for letter in letters if not self._ledger.has_arrived(outgoing(letter).identity)]
            await self._deliver([outgoing(letter) for letter in new])
        except KafkaNotTaking:
            return not_now(name, "kafka_not_taking")
        except RecordTooLarge:
            return refuse(name, 413, "too_large")
        if events or new:
            self._recorder.connector_published(name, time.perf_counter() - started)
        for letter in new:
            self._recorder.rejected("connect", letter.reason)
        accepted = len(events) - repeated - len(too_large)
        counts = {"accepted": accepted, "repeated": repeated, "ignored": ignored, "rejected": len(letters)}
        thanks = connector.acknowledgement(request)
        if thanks is not None:
            return _in_their_words(name, _reason_of(counts), thanks)
        return Answer(200, _reason_of(counts), name, json.dumps(counts).encode())

    def _sort(self, reading: Reading) -> tuple[list[Interaction | Signal], list[tuple[int, Refused]], int]:
        events: list[Interaction | Signal] = []
        refused: list[tuple[int, Refused]] = []
        ignored = 0
        for index, item in enumerate(reading):
            if isinstance(item, Draft):
                event = stamp(item, self._directory)
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


def _read(connector: Connector, request: WebhookRequest) -> Reading:
    try:
        return connector.normalise(request)
    except (
        Exception
    ) as error:  # a connector's bug must not make its provider retry for days; the letter keeps every byte
        log.exception("The connector %s failed on a genuine request", connector.instance.name)
        return [Refused("calculation_failed", f"{type(error).__name__} in the connector")]


async def _acknowledged(awaited: dict[asyncio.Future[None], int | None]) -> list[int]:
    if not awaited:
        return []
    done, waiting = await asyncio.wait(awaited, timeout=PUBLISH_SECONDS)
    if waiting:
        raise KafkaNotTaking("no acknowledgement in time")
    too_large = []
    for future in done:
        error = future.exception()
        index = awaited[future]
        if isinstance(error, RecordTooLarge) and index is not None:
            too_large.append(index)
        elif error is not None:
            raise error
    return sorted(too_large)


def rejection_of(refused: Refused, index: int, connector: str, request: WebhookRequest) -> Rejection:
    """The dead letter of one item of a request. Its id follows from the content: a repetition makes no second one."""
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
    return Rejection(
        id=f"{connector}:{digest}",
        reason=refused.reason,
        detail=detail,
        origin=Origin(connector=connector),
        rejected_at=request.received_at,
        key=connector.encode(),
        value=value,
        headers=kept,
    )


def refuse(connector: str, status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that says no, and why in one word."""
    return Answer(status, reason, connector, json.dumps({"error": reason}).encode(), headers=headers or {})


def not_now(connector: str, reason: str) -> Answer:
    """An answer that asks to send it again later."""
    return refuse(connector, 503, reason, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _in_their_words(connector: str, reason: str, said: ProviderAnswer) -> Answer:
    return Answer(said.status, reason, connector, said.body, said.content_type, headers=dict(said.headers))


def _reason_of(counts: Mapping[str, int]) -> str:
    """The most important thing that happened: a rejection is never hidden behind neighbours that were accepted."""
    return next((reason for reason in ("rejected", "accepted", "repeated", "ignored") if counts[reason]), "ignored")
