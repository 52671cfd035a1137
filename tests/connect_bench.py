"""The way in without Kafka: a real web server with real connectors, and a list where Kafka would be."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
from streams.connectors.intake import Intake, Route
from streams.connectors.publisher import KafkaNotTaking, OutgoingRecord
from streams.connectors.signatures import StandardWebhooks, ZendeskSignature
from streams.connectors.web_server import ConnectServer

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OLD_SECRET = "whsec_" + base64.b64encode(b"the key of last year, 24").decode()
NEW_SECRET = "whsec_" + base64.b64encode(b"the key of this year, 24").decode()
FOREIGN_SECRET = "whsec_" + base64.b64encode(b"the key of somebody else").decode()

Headers = Mapping[str, str]


class ListPublisher:
    """Acknowledges at once, or not at all while `broken`."""

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
    def rejections(self) -> list[Rejection]:
        return [decode(Rejection, record.value) for record in self.on(REJECTED)]


class CountingRecorder:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.rejections: Counter[str] = Counter()

    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        self.answers[connector, status, reason] += 1

    def connector_published(self, connector: str, seconds: float) -> None:
        assert seconds >= 0

    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        assert stage == "connect"
        self.rejections[reason] += count


@dataclass
class Sender:
    """How a provider sends: it signs with its secret, at its time, and has one payload that means one event."""

    connector: str
    payload: bytes
    sign: Callable[[str, bytes, datetime], dict[str, str]]
    secrets: tuple[str, str, str]
    """The old one, the new one, somebody else's."""
    extra: dict[str, str] = field(default_factory=dict)
    unknown: bytes = b""
    """A well-formed payload that means nothing that is known."""
    signed_headers: tuple[str, ...] = ()

    def headers(self, body: bytes | None = None, *, secret: str | None = None, at: datetime = NOW) -> dict[str, str]:
        return self.extra | self.sign(secret or self.secrets[1], self.payload if body is None else body, at)


def sign_standard(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    signature = StandardWebhooks.with_secrets([secret]).sign("msg_1", seconds, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": signature}


def sign_zendesk(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        ZendeskSignature.SIGNATURE: ZendeskSignature([secret]).sign(stamp, body),
        ZendeskSignature.TIMESTAMP: stamp,
    }


MESSAGE = {"id": "m-1", "conversation": "c-1", "at": "2026-03-02T09:29:58Z", "from": "customer", "text": "It is broken"}
STANDARD_HEADERS = StandardWebhooks.HEADERS
CE = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/shop", "ce-type": "careline.interaction.v1"}


def zendesk_event(kind: str, event: Mapping[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    """A Zendesk event of a ticket, in the documented shape."""
    return {
        "account_id": 22129848,
        "id": f"ev-{kind}",
        "time": "2026-03-02T09:29:58.789012345Z",
        "type": f"zen:event-type:{kind}",
        "subject": "zen:ticket:5158",
        "zendesk_event_version": "2022-11-06",
        "detail": {
            "id": "5158",
            "actor_id": "70",
            "requester_id": "42",
            "submitter_id": "42",
            "organization_id": "9",
            "group_id": "3",
            "assignee_id": "70",
            "brand_id": "1",
            "priority": "HIGH",
            "status": "OPEN",
            "type": "PROBLEM",
            "tags": ["mobile", "login"],
            "description": "It is broken",
            "is_public": True,
            "via": {"channel": "mail"},
        }
        | detail,
        "event": dict(event or {}),
    }


ZENDESK_COMMENT = zendesk_event(
    "ticket.comment_added",
    {"comment": {"id": "8", "body": "It is broken", "is_public": True, "author": {"id": "42", "is_staff": False}}},
)
STANDARD_SECRETS = (OLD_SECRET, NEW_SECRET, FOREIGN_SECRET)

SENDERS = {
    "webhook": Sender(
        "webhook",
        json.dumps(MESSAGE).encode(),
        sign_standard,
        STANDARD_SECRETS,
        unknown=json.dumps(MESSAGE | {"type": "teleported"}).encode(),
        signed_headers=STANDARD_HEADERS,
    ),
    "cloudevents": Sender(
        "cloudevents",
        json.dumps(MESSAGE).encode(),
        sign_standard,
        STANDARD_SECRETS,
        extra=CE | {"content-type": "application/json"},
        unknown=json.dumps(MESSAGE | {"type": "teleported"}).encode(),
        signed_headers=STANDARD_HEADERS,
    ),
    "zendesk": Sender(
        "zendesk",
        json.dumps(ZENDESK_COMMENT).encode(),
        sign_zendesk,
        ("last year's", "this year's", "somebody else's"),
        unknown=json.dumps(zendesk_event("ticket.teleported")).encode(),
        signed_headers=(ZendeskSignature.SIGNATURE, ZendeskSignature.TIMESTAMP),
    ),
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
            return answer.status, json.loads(text) if text else {}, dict(answer.headers)

    async def send(
        self, sender: Sender, body: bytes | None = None, headers: Any = None
    ) -> tuple[int, dict[str, Any], Headers]:
        payload = sender.payload if body is None else body
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
    chosen = instances or tuple(Instance(name, name, secrets=sender.secrets[:2]) for name, sender in SENDERS.items())
    routes = {instance.name: Route(instance, kinds[instance.connector].build(instance)) for instance in chosen}
    published, recorder = ListPublisher(), CountingRecorder()
    intake = Intake(published, AccountsDirectory(accounts), recorder, lambda: unready)
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
