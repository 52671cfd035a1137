"""One connect process put together: publisher, accounts, intake, web server and listeners, from start to drained end.

`streams.cli.connect_command` and the demo call it with everything that it needs; it reads no environment.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.accounts_follower import AccountsFollower
from streams.connectors.connector_contract import Instance
from streams.connectors.connectors_file import ConnectorSetup
from streams.connectors.cursor_store import stored_cursors
from streams.connectors.event_store import EventStore, StoreRecorder
from streams.connectors.intake import AnswerRecorder, Intake
from streams.connectors.listen_runner import ListenRunner
from streams.connectors.publisher import KafkaPublisher
from streams.connectors.pull_runner import PullRecorder, PullRunner
from streams.connectors.source_announcement import announce_settling
from streams.connectors.web_server import MAX_BODY_BYTES, ConnectServer
from streams.kafka_connection import KafkaConnection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPlan:
    """Where to listen and where to publish. `prepare` runs once Kafka answers, to create topics for instance."""

    host: str = "127.0.0.1"
    port: int = 8080
    kafka: KafkaConnection
    topic_prefix: str = ""
    max_body_bytes: int = MAX_BODY_BYTES
    prepare: Callable[[], object] | None = None


class ConnectRecorder(AnswerRecorder, StoreRecorder, PullRecorder, Protocol):
    """What is counted by all parts of a connect process."""


class ConnectService:
    """A running set of connectors. `start` in an event loop, `close` in the same one; `addresses` in between."""

    def __init__(
        self,
        plan: ConnectPlan,
        setup: ConnectorSetup,
        recorder: ConnectRecorder,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._plan = plan
        self._directory = AccountsDirectory(setup.accounts)
        pulled = [source.instance for source in setup.sources]
        listening = [source.instance for source in setup.listeners]
        self._instances = [*(route.instance for route in setup.routes.values()), *pulled, *listening]
        self._publisher = KafkaPublisher(plan.kafka, plan.topic_prefix, prepare=self._prepare)
        self._follower = AccountsFollower(plan.kafka, self._directory, plan.topic_prefix)
        store = EventStore(self._publisher, self._directory, recorder)
        self._pulls = PullRunner(
            setup.sources,
            store=store.store,
            publisher=self._publisher,
            recorder=recorder,
            read_cursors=lambda: stored_cursors(plan.kafka, plan.topic_prefix, [each.name for each in pulled]),
            unready=self.trouble,
            now=now,
        )
        self._listeners = ListenRunner(
            setup.listeners, store=store, recorder=recorder, now=now, unready=self._accounts_missing
        )
        intake = Intake(store, self._accounts_missing)
        self._server = ConnectServer(
            setup.routes, intake, recorder, now, unready=self.trouble, max_body_bytes=plan.max_body_bytes
        )

    def _prepare(self) -> None:
        if self._plan.prepare is not None:
            self._plan.prepare()
        announce_settling(self._plan.kafka, self._plan.topic_prefix, self._instances)

    @property
    def addresses(self) -> list[str]:
        """`host:port` of everything that the web server listens on."""
        return self._server.addresses

    @property
    def listeners(self) -> list[tuple[Instance, str]]:
        """The URLs of everything else that is listened on."""
        return self._listeners.addresses

    def trouble(self) -> str | None:
        """Why webhooks are answered 503 now; null when they are accepted."""
        return self._publisher.trouble or self._accounts_missing()

    def _accounts_missing(self) -> str | None:
        if self._follower.refused is not None:
            return str(self._follower.refused)
        return None if self._follower.loaded else "accounts_not_read"

    async def start(self) -> None:
        """Listen at once, with or without Kafka; until Kafka takes records, senders hear that they shall come again.

        Raises:
            OSError: the address cannot be used.
        """
        await self._server.start(self._plan.host, self._plan.port)
        await self._listeners.start()
        self._publisher.start()
        self._follower.start()
        self._pulls.start()

    async def close(self) -> None:
        """Accept nothing new, finish what is in progress, let Kafka have what it was given."""
        await asyncio.gather(self._server.drain(), self._listeners.drain())
        await self._pulls.close()
        await asyncio.to_thread(self._publisher.close)
        await asyncio.to_thread(self._follower.close)

    async def run(self, stop: asyncio.Event, started: Callable[["ConnectService"], object] = lambda _: None) -> None:
        """Serve until `stop` is set."""
        await self.start()
        try:
            started(self)
            await stop.wait()
            log.info("Draining: requests in progress are answered, nothing new is accepted")
        finally:
            await self.close()
