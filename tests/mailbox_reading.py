"""A mailbox of `imap_house` read by the real puller and runner, with a list where Kafka would be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from schemas.codec import decode
from schemas.interaction import Interaction
from schemas.pull_cursor import PullCursor
from schemas.topics import CURSORS, INTERACTIONS
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.event_store import EventStore
from streams.connectors.mail.email_messages import RawMessages
from streams.connectors.mail.imap_puller import ImapPuller
from streams.connectors.pull_runner import PulledSource, PullRunner
from streams.connectors.source_contract import Fetched
from tests.connect_bench import CountingRecorder, ListPublisher
from tests.imap_house import ImapHouse

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ROUND_SECONDS = 0.02
OPTIONS = {"host": "127.0.0.1", "user": "help", "tls": "none", "begin": "all"}


def mail(number: int, body: bytes = b"It is broken", sender: str = "ada@acme.example") -> bytes:
    return (
        f"From: {sender}\r\nTo: help@ours.example\r\nSubject: No {number}\r\n"
        f"Message-ID: <m-{number}@acme.example>\r\n\r\n"
    ).encode() + body


class Reading:
    """What came out of a mailbox, through the runner that also runs in production."""

    def __init__(self, house: ImapHouse, **options: str) -> None:
        self.house = house
        self.options = options
        self.secrets: tuple[str, ...] = ("sesame",)
        self.tokens: tuple[str, ...] = ()
        self.published, self.recorder, self.pauses = ListPublisher(), CountingRecorder(), list[float]()
        self._runner: PullRunner | None = None

    def puller(self) -> ImapPuller:
        port = {"port": str(self.house.port)}
        instance = Instance(
            "mail",
            "email-imap",
            secrets=self.secrets,
            tokens=self.tokens,
            own_domains=frozenset({"ours.example"}),
            options=OPTIONS | port | self.options,
        )
        return ImapPuller(instance, now=lambda: NOW, round_seconds=ROUND_SECONDS)

    def cursors(self) -> list[PullCursor]:
        return [decode(PullCursor, record.value) for record in self.published.on(CURSORS)]

    def events(self) -> list[Interaction]:
        """Heartbeats go into partitions, events to their key."""
        return [decode(Interaction, each.value) for each in self.published.on(INTERACTIONS) if each.partition is None]

    def ids(self) -> list[str]:
        return [event.id.partition("@")[0] for event in self.events()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Reading"]:
        """A process that reads, from the newest cursor; at the end it is gone."""
        store = EventStore(self.published, AccountsDirectory(), self.recorder)
        puller = self.puller()
        instance = puller._instance
        self._runner = PullRunner(
            [PulledSource(instance, puller, RawMessages(instance))],
            store=store.store,
            publisher=self.published,
            recorder=self.recorder,
            read_cursors=lambda: {cursor.instance: cursor for cursor in self.cursors()},
            now=lambda: NOW,
            sleep=self._sleep,
        )
        self._runner.start()
        try:
            yield self
        finally:
            await self._runner.close()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - asks whatever a test wants to know
                await asyncio.sleep(0.005)


async def nothing_delivered(
    payloads: Sequence[bytes | Fetched], position: str | None = None, delivered_until: datetime | None = None
) -> None:
    raise AssertionError("nothing can be delivered")


async def anything_delivered(
    payloads: Sequence[bytes | Fetched], position: str | None = None, delivered_until: datetime | None = None
) -> None:
    pass
