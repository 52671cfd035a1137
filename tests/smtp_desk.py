"""The SMTP side with its runner, real clients for it, and a list where Kafka would be."""

import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.event_store import EventStore
from streams.connectors.listen_runner import ListeningSource, ListenRunner
from streams.connectors.mail.email_messages import RawMessages
from streams.connectors.mail.smtp_listener import SmtpListener
from tests.connect_bench import CountingRecorder, ListPublisher
from tests.event_loops import on_every_loop

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
MAIL = (
    b"From: Ada <ada@acme.example>\r\nTo: Undisclosed:;\r\nSubject: It is broken\r\n"
    b"Date: Mon, 2 Mar 2026 09:29:50 +0000\r\nMessage-ID: <m-1@acme.example>\r\n\r\nIt is broken\r\n..\r\n"
)
SENDER, OURS, OTHER = "ada@acme.example", "help@ours.example", "sales@ours.example"


class Desk:
    """A listener with its runner, and a list where Kafka would be."""

    def __init__(self, secrets: tuple[str, ...] = (), unready: str | None = None, **options: str) -> None:
        self.published, self.recorder = ListPublisher(), CountingRecorder()
        self.instance = Instance(
            "mail",
            "email-smtp",
            secrets=secrets,
            own_domains=frozenset({"ours.example"}),
            options={"listen": "127.0.0.1:0"} | options,
        )
        self.listener = SmtpListener(self.instance)
        self.runner = ListenRunner(
            [ListeningSource(self.instance, self.listener, RawMessages(self.instance))],
            store=EventStore(self.published, AccountsDirectory(), self.recorder),
            recorder=self.recorder,
            now=lambda: NOW,
            unready=lambda: unready,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Desk"]:
        await self.runner.start()
        try:
            yield self
        finally:
            await self.runner.drain()

    @property
    def port(self) -> int:
        return int(self.listener.addresses[0].rpartition(":")[2])

    def client(self, kind: type[smtplib.SMTP] = smtplib.SMTP) -> smtplib.SMTP:
        return kind("localhost" if kind is smtplib.SMTP else "127.0.0.1", self.port, timeout=20)

    def send(self, content: bytes = MAIL, *recipients: str) -> dict[str, tuple[int, bytes]]:
        with self.client() as client:
            return client.sendmail(SENDER, recipients or (OURS,), content)

    @property
    def counted(self) -> dict[tuple[int, str], int]:
        return {(status, reason): count for (_, status, reason), count in self.recorder.answers.items()}


def play(scene: Callable[[Desk], Awaitable[None]], *secrets: str, unready: str | None = None, **options: str) -> None:
    async def whole() -> None:
        async with Desk(secrets, unready, **options).open() as desk:
            await scene(desk)

    on_every_loop(whole)
