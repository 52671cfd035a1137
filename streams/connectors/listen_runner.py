"""Runs the connectors that receive over a protocol of their own, beside the web server: mail by SMTP, for instance.

`connect_service` starts it. A listener speaks its protocol and hands over what it receives; the rest is the way of
every payload (`event_store.EventStore.store`), and the answers are counted like those of webhooks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from streams.connectors.connector_contract import Headers, Instance, Normaliser, WebhookRequest
from streams.connectors.event_store import EventStore
from streams.connectors.intake import AnswerRecorder
from streams.connectors.publisher import KafkaNotTaking, RecordTooLarge
from streams.connectors.source_contract import Listener, Outcome


@dataclass(frozen=True, slots=True)
class ListeningSource:
    """A configured instance that listens."""

    instance: Instance
    listener: Listener
    normaliser: Normaliser


class ListenRunner:
    """The listeners of one process, in one event loop."""

    def __init__(
        self,
        sources: Sequence[ListeningSource],
        *,
        store: EventStore,
        recorder: AnswerRecorder,
        now: Callable[[], datetime],
        unready: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`unready` says why nothing can be stored yet, for instance while the accounts are being read."""
        self._sources = sources
        self._store = store
        self._recorder = recorder
        self._now = now
        self._unready = unready

    @property
    def addresses(self) -> list[tuple[Instance, str]]:
        """Everything that is listened on, as URLs, with whose it is."""
        return [(each.instance, address) for each in self._sources for address in each.listener.addresses]

    async def start(self) -> None:
        """Listen at once, with or without Kafka; until Kafka takes records, senders hear that they shall come again.

        Raises:
            OSError: an address cannot be used.
        """
        for source in self._sources:
            await source.listener.start(_FrontDesk(self, source))

    async def drain(self) -> None:
        """Accept nothing new and answer what is in progress."""
        for source in self._sources:
            await source.listener.drain()

    async def stored(self, source: ListeningSource, payload: bytes) -> Outcome:
        """What became of a payload."""
        not_yet = self._unready()
        if not_yet is not None:
            return Outcome(not_yet, stored=False, not_now=True)
        request = WebhookRequest("POST", Headers(()), payload, self._now())
        try:
            counts = await self._store.store(source.instance, source.normaliser, request)
        except KafkaNotTaking:
            return Outcome("kafka_not_taking", stored=False, not_now=True)
        except RecordTooLarge:
            return Outcome("too_large", stored=False)
        return Outcome(counts.foremost)

    def answered(self, source: ListeningSource, status: int, reason: str) -> None:
        """Count an answer of a source."""
        self._recorder.connector_answered(source.instance.name, status, reason)


class _FrontDesk:
    """What one listener is given: the reception of its own instance."""

    def __init__(self, runner: ListenRunner, source: ListeningSource) -> None:
        self._runner = runner
        self._source = source

    async def store(self, payload: bytes) -> Outcome:
        return await self._runner.stored(self._source, payload)

    def answered(self, status: int, reason: str) -> None:
        self._runner.answered(self._source, status, reason)
