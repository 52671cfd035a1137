"""The web server around the connectors: probes, lost requests, broken HTTP, accounts, and what may go wrong inside."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.account_profile import AccountProfile
from streams.connectors import web_server
from streams.connectors.connector_contract import Instance, Reading, WebhookRequest
from streams.connectors.delivery_ledger import DeliveryLedger
from streams.connectors.own_words.webhook_generic import GenericWebhook
from streams.connectors.rate_limit import TokenBucket
from tests.connect_bench import SENDERS, Bench, bench
from tests.senders.helpdesk_senders import zendesk_event
from tests.senders.own_words_senders import MESSAGE, sign_standard

WEBHOOK = SENDERS["webhook"]


def play(scene: Callable[[Bench], Awaitable[None]], **options: object) -> None:
    async def whole() -> None:
        async with bench(**options) as running:  # type: ignore[arg-type]
            await scene(running)

    asyncio.run(whole())


async def raw(running: Bench, sent: bytes) -> bytes:
    """Bytes over a connection of their own, and what comes back until the server closes it."""
    host, _, port = running.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def test_probes_are_answered_and_not_counted() -> None:
    async def scene(running: Bench) -> None:
        for path in ("/health", "/ready"):
            async with running.session.get(running.url + path) as answer:
                assert answer.status == 200
        assert running.recorder.answers == {}

    play(scene)


def test_while_something_is_missing_webhooks_and_readiness_say_not_yet() -> None:
    async def scene(running: Bench) -> None:
        async with running.session.get(f"{running.url}/ready") as answer:
            assert (answer.status, (await answer.json())["reason"]) == (503, "accounts_not_read")
        assert (await running.send(WEBHOOK))[0] == 503
        assert (await running.send(WEBHOOK, headers={}))[0] == 401
        async with running.session.get(f"{running.url}/health") as answer:
            assert answer.status == 200

    play(scene, unready="accounts_not_read")


@pytest.mark.parametrize("path", ["/", "/in", "/in/unknown", "/in/webhook/more"])
def test_other_paths_are_lost(path: str) -> None:
    async def scene(running: Bench) -> None:
        assert (await running.post(path, b"{}"))[0] == 404
        assert running.recorder.answers == {("none", 404, "unknown_path"): 1}

    play(scene)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: nine\r\n\r\n{}",
        b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    ],
    ids=["TLS", "a length in words", "two lengths", "a broken chunk"],
)
def test_broken_http_is_refused_and_counted(sent: bytes) -> None:
    async def scene(running: Bench) -> None:
        answer = await raw(running, sent)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer
        assert running.published.records == []
        ((_, status, reason),) = running.recorder.answers
        assert (status, reason) == (400, "unreadable_http")

    play(scene)


def test_a_declared_size_over_the_limit_is_refused_before_the_body_comes() -> None:
    async def scene(running: Bench) -> None:
        head = b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n"
        assert (await raw(running, head)).startswith(b"HTTP/1.1 413")
        assert running.recorder.answers == {("webhook", 413, "too_large"): 1}

    play(scene)


def test_a_sender_that_asks_first_is_told_before_it_sends() -> None:
    async def scene(running: Bench) -> None:
        head = b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        assert (await raw(running, head % 10_000_000)).startswith(b"HTTP/1.1 413")
        body = WEBHOOK.payload
        lines = "".join(f"{name}: {value}\r\n" for name, value in WEBHOOK.headers().items()).encode()
        polite = (head % len(body)).replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n" + lines) + body
        answer = await raw(running, polite)
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), answer

    play(scene)


def test_the_ordinary_answer_is_what_aiohttp_would_write() -> None:
    """Byte by byte, but for what says that the connection closes: one is put together ahead, the other by aiohttp."""

    async def scene(running: Bench) -> None:
        sent = b""
        for number, connection in enumerate(("keep-alive", "close")):
            body = json.dumps(MESSAGE | {"id": f"m-{number}"}).encode()
            headers = WEBHOOK.headers(body) | {"Content-Length": str(len(body)), "Connection": connection}
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            sent += f"POST /in/webhook HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body
        _, ahead, by_aiohttp = (await raw(running, sent)).split(b"HTTP/1.1")
        date, closes = re.compile(rb"Date: [A-Z][a-z]{2}, .* GMT\r\n"), b"Connection: close\r\n"
        assert closes not in ahead
        assert date.sub(b"", ahead) == date.sub(b"", by_aiohttp.replace(closes, b""))
        assert date.search(ahead)
        assert running.recorder.answers == {("webhook", 200, "accepted"): 2}

    play(scene)


def test_a_body_that_never_ends_runs_into_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "READ_SECONDS", 0.05)

    async def scene(running: Bench) -> None:
        head = b"POST /in/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
        assert (await raw(running, head)).startswith(b"HTTP/1.1 408")
        assert running.recorder.answers == {("webhook", 408, "too_slow"): 1}

    play(scene)


def test_too_many_bytes_at_once_are_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_server, "MOST_HELD_BYTES", 0)

    async def scene(running: Bench) -> None:
        status, answer, headers = await running.send(WEBHOOK)
        assert (status, answer["error"], headers["Retry-After"]) == (503, "overloaded", "10")

    play(scene)


def test_events_are_stamped_with_their_account() -> None:
    async def scene(running: Bench) -> None:
        zendesk = SENDERS["zendesk"]
        assert (await running.send(zendesk, json.dumps(zendesk_event("ticket.created")).encode()))[0] == 200
        other = json.dumps(MESSAGE | {"account_hint": "domain:new.example"}).encode()
        assert (await running.send(WEBHOOK, other))[0] == 200
        known, unknown = running.published.interactions
        assert (known.account_id, known.tier, known.account_hint) == ("acme", "gold", "zendesk_org:9")
        assert (unknown.account_id, unknown.tier) == ("domain:new.example", None)

    play(scene, accounts=[AccountProfile(id="acme", tier="gold", identities=("zendesk_org:9",))])


def test_a_signal_about_nobody_goes_to_the_dead_letters() -> None:
    async def scene(running: Bench) -> None:
        survey = {"kind": "survey", "name": "csat", "value": 4, "at": "2026-03-02T09:00:00Z"}
        assert (await running.send(WEBHOOK, json.dumps(survey).encode()))[1]["rejected"] == 1
        assert running.published.rejections[0].reason == "missing_key"
        assert (await running.send(WEBHOOK, json.dumps(survey | {"account": "acme"}).encode()))[1]["accepted"] == 1
        assert running.published.signals[0].account_id == "acme"

    play(scene)


def test_the_same_event_twice_in_one_list_is_one_event() -> None:
    async def scene(running: Bench) -> None:
        body = json.dumps([MESSAGE, MESSAGE, MESSAGE | {"version": 1}]).encode()
        assert (await running.send(WEBHOOK, body))[1] == {"accepted": 2, "repeated": 1, "ignored": 0, "rejected": 0}

    play(scene)


def test_a_connector_that_fails_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: GenericWebhook, request: WebhookRequest) -> Reading:
        raise ZeroDivisionError

    monkeypatch.setattr(GenericWebhook, "normalise", fail)

    async def scene(running: Bench) -> None:
        assert (await running.send(WEBHOOK))[0] == 200
        (letter,) = running.published.rejections
        assert (letter.reason, letter.value) == ("calculation_failed", WEBHOOK.payload)

    play(scene)


def test_two_instances_of_a_connector_have_routes_and_secrets_of_their_own() -> None:
    old, new, _ = WEBHOOK.secrets
    one = Instance("one", "webhook", secrets=(old,))
    two = replace(one, name="two", secrets=(new,), channel="chat")

    async def whole() -> None:
        async with bench(one, two) as running:
            headers = sign_standard(new, WEBHOOK.payload, running.server._now())
            assert (await running.post("/in/one", WEBHOOK.payload, headers))[0] == 401
            assert (await running.post("/in/two", WEBHOOK.payload, headers))[0] == 200
            (event,) = running.published.interactions
            assert (event.source, event.channel) == ("two", "chat")

    asyncio.run(whole())


def test_the_ledger_remembers_what_arrived_and_forgets_the_oldest() -> None:
    async def scene() -> None:
        ledger = DeliveryLedger(most=2)
        for name in ("a", "b", "c", "failed"):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            ledger.follow(name, future)
            assert ledger.under_way(name) is future
            if name == "failed":
                future.set_exception(OSError())
                future.exception()
            else:
                future.set_result(None)
            await asyncio.sleep(0)
            assert ledger.under_way(name) is None
        assert [ledger.has_arrived(name) for name in ("a", "b", "c", "failed")] == [False, True, True, False]

    asyncio.run(scene())


def test_a_flood_of_one_route_is_told_when_to_come_again() -> None:
    async def scene(running: Bench) -> None:
        answers = [await running.send(WEBHOOK) for _ in range(3)]
        assert [answer[0] for answer in answers] == [200, 200, 429]
        assert answers[2][2]["Retry-After"] == "1"
        assert (await running.send(SENDERS["zendesk"]))[0] == 200

    limited = replace(WEBHOOK.instance(), most_per_second=2.0)
    asyncio.run(_with_instances(scene, limited, SENDERS["zendesk"].instance()))


async def _with_instances(scene: Callable[[Bench], Awaitable[None]], *instances: Instance) -> None:
    async with bench(*instances) as running:
        await scene(running)


@given(st.floats(1, 1000), st.lists(st.floats(0, 2), max_size=40))
def test_no_window_lets_more_in_than_its_rate_and_one_burst(rate: float, pauses: list[float]) -> None:
    bucket = TokenBucket(rate, rate)
    times = [sum(pauses[:length]) for length in range(len(pauses) + 1)]
    let_in = [at for at in times if bucket.wait_seconds(at) == 0]

    for start in let_in:
        for end in let_in:
            if end >= start:
                inside = sum(start <= at <= end for at in let_in)
                assert inside <= rate * (end - start) + rate + 1e-6
