"""The way in without Kafka: a real web server with real connectors, and a list where Kafka would be."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from schemas.account_profile import AccountProfile
from schemas.codec import decode
from schemas.interaction import Interaction
from schemas.rejection import Rejection, RejectionReason
from schemas.signal import Signal
from schemas.topics import INTERACTIONS, REJECTED, SIGNALS, TopicSpec
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.connector_registry import known_connectors
from streams.connectors.event_store import EventStore
from streams.connectors.intake import Intake
from streams.connectors.publisher import KafkaNotTaking, OutgoingRecord
from streams.connectors.web_server import ConnectServer
from tests.senders.business_senders import BUSINESS_SENDERS
from tests.senders.chat_helpdesk_senders import CHAT_HELPDESK_SENDERS
from tests.senders.helpdesk_senders import HELPDESK_SENDERS
from tests.senders.mail_senders import MAIL_SENDERS
from tests.senders.messengers_senders import MESSENGERS_SENDERS
from tests.senders.own_words_senders import OWN_WORDS_SENDERS
from tests.senders.phone_senders import PHONE_SENDERS
from tests.senders.sender import NOW, Sender
from tests.senders.social_senders import SOCIAL_SENDERS
from tests.senders.survey_senders import SURVEY_SENDERS
from tests.senders.teams_senders import TEAMS_SENDERS

Headers = Mapping[str, str]


class ListPublisher:
    """Acknowledges at once, or not at all while `broken`."""

    interaction_partitions = 2

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.broken = False

    def send(self, records: Sequence[OutgoingRecord]) -> list[asyncio.Future[None]]:
        if self.broken:
            raise KafkaNotTaking("broken by the test")
        self.records += records
        futures: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in records]
        for future in futures:
            future.set_result(None)
        return futures

    def on(self, topic: TopicSpec) -> list[OutgoingRecord]:
        return [record for record in self.records if record.topic is topic]

    @property
    def interactions(self) -> list[Interaction]:
        return [decode(Interaction, record.value) for record in self.on(INTERACTIONS)]

    @property
    def signals(self) -> list[Signal]:
        return [decode(Signal, record.value) for record in self.on(SIGNALS)]

    @property
    def events(self) -> list[Interaction | Signal]:
        return [*self.interactions, *self.signals]

    @property
    def rejections(self) -> list[Rejection]:
        return [decode(Rejection, record.value) for record in self.on(REJECTED)]


class CountingRecorder:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.rejections: Counter[str] = Counter()
        self.until: dict[str, datetime] = {}

    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        self.answers[connector, status, reason] += 1

    def pull_failed(self, connector: str, *, hopeless: bool) -> None:
        self.answers[connector, 0, "hopeless" if hopeless else "failed"] += 1

    def pulled_until(self, connector: str, delivered_until: datetime) -> None:
        self.until[connector] = delivered_until

    def connector_published(self, connector: str, seconds: float) -> None:
        assert seconds >= 0

    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        assert stage == "connect"
        self.rejections[reason] += count


SENDERS = {
    sender.connector: sender
    for sender in (
        *BUSINESS_SENDERS,
        *CHAT_HELPDESK_SENDERS,
        *HELPDESK_SENDERS,
        *MAIL_SENDERS,
        *MESSENGERS_SENDERS,
        *OWN_WORDS_SENDERS,
        *PHONE_SENDERS,
        *SOCIAL_SENDERS,
        *SURVEY_SENDERS,
        *TEAMS_SENDERS,
    )
}


@dataclass
class Bench:
    """A running server and what came of it."""

    url: str
    session: aiohttp.ClientSession
    published: ListPublisher
    recorder: CountingRecorder
    server: ConnectServer

    async def post(
        self, path: str, body: bytes, headers: Any = None, **options: Any
    ) -> tuple[int, dict[str, Any], Headers]:
        async with self.session.post(self.url + path, data=body, headers=headers, **options) as answer:
            text = await answer.read()
            said = json.loads(text) if text and answer.content_type == "application/json" else {}
            return answer.status, said, dict(answer.headers)

    async def send(
        self, sender: Sender, body: bytes | None = None, headers: Any = None
    ) -> tuple[int, dict[str, Any], Headers]:
        payload = sender.proven(body)
        return await self.post(
            f"/in/{sender.connector}", payload, sender.headers(payload) if headers is None else headers
        )


@asynccontextmanager
async def bench(
    *instances: Instance,
    accounts: Sequence[AccountProfile] = (),
    max_body_bytes: int = 64 * 1024,
    unready: str | None = None,
) -> AsyncIterator[Bench]:
    """A server on a free port with these instances; by default one of each connector, with an old and a new secret."""
    kinds = known_connectors()
    chosen = instances or tuple(sender.instance() for sender in SENDERS.values())
    routes = {instance.name: kinds[instance.connector].build(instance) for instance in chosen}
    for name, sender in SENDERS.items():
        if sender.acquaint is not None and name in routes:
            sender.acquaint(routes[name])
    published, recorder = ListPublisher(), CountingRecorder()
    intake = Intake(EventStore(published, AccountsDirectory(accounts), recorder), lambda: unready)
    server = ConnectServer(
        routes, intake, recorder, lambda: NOW, unready=lambda: unready, max_body_bytes=max_body_bytes
    )
    await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        try:
            yield Bench(f"http://{server.addresses[0]}", session, published, recorder, server)
        finally:
            await session.close()
            await server.drain()


def later(**spans: float) -> datetime:
    """An instant relative to the server's."""
    return NOW + timedelta(**spans)
