"""From a request to an answer: verify, store, and only then 2xx.

`web_server` brings requests here and carries the answers back; `event_store` puts into Kafka what they mean. Nothing
here knows HTTP servers or Kafka clients. The rules are the same for every connector, and every answer has a short
stable reason that is counted.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from streams.connectors.connector_contract import Connector, ProviderAnswer, WebhookRequest
from streams.connectors.event_store import Counts, EventStore
from streams.connectors.publisher import KafkaNotTaking, RecordTooLarge
from streams.connectors.source_contract import PullTrouble

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 10
"""Inside what every provider honours; Zendesk retries a 503 only if this is below 60."""


class AnswerRecorder(Protocol):
    """What is counted here; `streams.sinks.recorder.Recorder` has these methods."""

    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        """A request was answered."""


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

    def __init__(self, store: EventStore, unready: Callable[[], str | None] = lambda: None) -> None:
        """`unready` says why nothing can be accepted yet, for instance while the accounts are being read."""
        self._store = store
        self._unready = unready

    async def receive(self, connector: Connector, request: WebhookRequest) -> Answer:
        """The answer to one request; never raises."""
        name = connector.instance.name
        no_event = await self._answer_without_event(connector, request)
        if no_event is not None:
            return no_event
        try:
            whole = await connector.complete(request)
            counts = await self._store.store(connector.instance, connector.normaliser, whole)
        except PullTrouble as trouble:
            level = logging.WARNING if trouble.hopeless else logging.INFO
            log.log(level, "%s: %s. The sender is asked to come again", name, str(trouble))
            return not_now(name, "not_fetched")
        except KafkaNotTaking:
            return not_now(name, "kafka_not_taking")
        except RecordTooLarge:
            return refuse(name, 413, "too_large")
        thanks = connector.acknowledgement(request)
        if thanks is not None:
            return _in_their_words(name, counts.foremost, thanks)
        return _stored(name, counts)

    async def _answer_without_event(self, connector: Connector, request: WebhookRequest) -> Answer | None:
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
        return not_now(name, not_yet) if not_yet is not None else None


@lru_cache(maxsize=1024)
def _stored(connector: str, counts: Counts) -> Answer:
    return Answer(200, counts.foremost, connector, json.dumps(counts._asdict()).encode())


def refuse(connector: str, status: int, reason: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that says no, and why in one word."""
    return Answer(status, reason, connector, json.dumps({"error": reason}).encode(), headers=headers or {})


def not_now(connector: str, reason: str) -> Answer:
    """An answer that asks to send it again later."""
    return refuse(connector, 503, reason, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _in_their_words(connector: str, reason: str, said: ProviderAnswer) -> Answer:
    return Answer(said.status, reason, connector, said.body, said.content_type, headers=dict(said.headers))
