"""One suite for every connector: what a genuine, forged, late, huge, broken or repeated request is answered."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest
from multidict import CIMultiDict

from schemas.interaction import Interaction
from tests.connect_bench import SENDERS, Bench, bench, later
from tests.senders.sender import Sender

OWN_WORDS = {"webhook", "cloudevents"}
"""Their senders name the conversation themselves."""

Scene = Callable[[Bench, Sender], Awaitable[None]]


@pytest.fixture(params=sorted(SENDERS))
def sender(request: pytest.FixtureRequest) -> Sender:
    return SENDERS[request.param]


def play(scene: Scene, sender: Sender) -> None:
    async def whole() -> None:
        async with bench() as running:
            await scene(running, sender)

    asyncio.run(whole())


def assert_refused(
    running: Bench, sender: Sender, answer: tuple[int, dict[str, object], object], status: int, reason: str
) -> None:
    assert (answer[0], answer[1]) == (status, {"error": reason})
    assert running.published.records == []
    assert running.recorder.answers == {(sender.connector, status, reason): 1}


def test_a_signed_event_is_published_before_it_is_acknowledged(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        status, answer, _ = await running.send(sender)
        assert status == 200
        assert answer.get("accepted", 1) == 1
        (event,) = running.published.events
        assert event.source == sender.connector
        assert event.received_at == later()
        assert event.occurred_at <= later()
        (record,) = running.published.records
        if isinstance(event, Interaction):
            assert (event.type, event.author.kind) == ("message", "customer")
            assert record.key == event.conversation_id
            assert event.conversation_id.startswith(f"{sender.connector}:") or sender.connector in OWN_WORDS
        else:
            assert record.key == event.account_id
        assert dict(record.headers)["ce_type"] == f"careline.{sender.event}.v1".encode()
        assert dict(record.headers)["ce_id"] == event.id.encode()
        assert running.recorder.answers == {(sender.connector, 200, "accepted"): 1}

    play(scene, sender)


@pytest.mark.parametrize("index", [0, 1])
def test_while_a_secret_is_rotated_both_are_right(sender: Sender, index: int) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        body = sender.proven(secret=sender.secrets[index])
        headers = sender.headers(body, secret=sender.secrets[index])
        assert (await running.post(f"/in/{sender.connector}", body, headers))[0] == 200

    play(scene, sender)


def test_an_unsigned_request_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if sender.in_body is not None:
            bare = sender.in_body("", sender.payload)
            answer = await running.post(f"/in/{sender.connector}", bare, sender.extra)
        else:
            answer = await running.send(sender, headers=sender.extra)
        assert_refused(running, sender, answer, 401, "missing_signature")

    play(scene, sender)


def test_a_signature_without_its_time_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if sender.covers != "body and time" or len(sender.signed_headers) == 1:
            pytest.skip("this sender does not sign its time in a header of its own")
        headers = sender.headers()
        del headers[next(name for name in sender.signed_headers if "timestamp" in name)]
        assert_refused(running, sender, await running.send(sender, headers=headers), 401, "missing_timestamp")

    play(scene, sender)


def test_a_forged_signature_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        body = sender.proven(secret=sender.secrets[2])
        headers = sender.headers(body, secret=sender.secrets[2])
        answer = await running.post(f"/in/{sender.connector}", body, headers)
        assert_refused(running, sender, answer, 401, sender.forged)

    play(scene, sender)


def test_a_changed_body_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if sender.covers == "nothing":
            pytest.skip("a token covers no body")
        answer = await running.send(sender, body=sender.payload + b" ", headers=sender.headers())
        assert_refused(running, sender, answer, 401, "bad_signature")

    play(scene, sender)


@pytest.mark.parametrize(
    ("seconds", "reason"), [(-301, "timestamp_too_old"), (301, "timestamp_too_new"), (-299, None), (299, None)]
)
def test_the_signed_time_may_be_five_minutes_off_either_way(sender: Sender, seconds: int, reason: str | None) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if sender.covers != "body and time":
            pytest.skip("this sender does not sign its time")
        answer = await running.send(sender, headers=sender.headers(at=later(seconds=seconds)))
        if reason is None:
            assert answer[0] == 200
        else:
            assert_refused(running, sender, answer, 401, reason)

    play(scene, sender)


def test_a_repeated_signature_header_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if not sender.signed_headers:
            pytest.skip("this sender proves itself in the body")
        headers = CIMultiDict(sender.headers())
        headers.add(sender.signed_headers[-1], headers[sender.signed_headers[-1]])
        assert_refused(running, sender, await running.send(sender, headers=headers), 401, "repeated_header")

    play(scene, sender)


def test_a_header_that_is_no_text_is_refused(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if not sender.signed_headers:
            pytest.skip("this sender proves itself in the body")
        headers = sender.headers()
        headers[sender.signed_headers[-1]] = "grüße"
        status, _, _ = await running.send(sender, headers=headers)
        assert status == 401

    play(scene, sender)


def test_a_replay_is_acknowledged_and_makes_one_event(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        for _ in range(3):
            assert (await running.send(sender))[0] == 200
        assert len(running.published.events) == 1
        assert running.recorder.answers[sender.connector, 200, "repeated"] == 2

    play(scene, sender)


def test_a_delivery_that_failed_is_not_taken_for_a_repetition(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        running.published.broken = True
        status, answer, headers = await running.send(sender)
        assert (status, answer, headers["Retry-After"]) == (503, {"error": "kafka_not_taking"}, "10")
        running.published.broken = False
        assert (await running.send(sender))[0] == 200
        assert len(running.published.events) == 1

    play(scene, sender)


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        (b"{", {"not_json"}),
        (b"", {"not_json"}),
        (b'{"a": "\xff"}', {"not_utf8"}),
        (b"[" * 30_000, {"not_json", "malformed_payload"}),
        (b"7", {"contract_violation", "malformed_payload"}),
        (b"{}", {"contract_violation", "malformed_payload"}),
    ],
    ids=["cut off", "empty", "not UTF-8", "nested", "a number", "an empty object"],
)
def test_what_is_genuine_and_malformed_goes_to_the_dead_letters(sender: Sender, body: bytes, reasons: set[str]) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if not sender.json:
            pytest.skip("this sender does not write JSON")
        if sender.in_body is not None and sender.proven(body) == body:
            # Nothing in such a body says who sent it.
            assert_refused(running, sender, await running.send(sender, body=body), 401, "missing_signature")
            return
        for _ in range(2):
            status, answer, _ = await running.send(sender, body=body)
            assert (status, answer.get("rejected", 1)) == (200, 1)
        (letter,) = running.published.rejections
        assert letter.reason in reasons
        assert letter.value == sender.proven(body)
        assert letter.origin.connector == sender.connector
        assert not {name for name, _ in letter.headers} & set(sender.signed_headers) - {"webhook-id"}
        assert running.published.events == []
        assert running.recorder.rejections == {letter.reason: 1}

    play(scene, sender)


def test_what_is_genuine_and_unknown_goes_to_the_dead_letters(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        status, answer, _ = await running.send(sender, body=sender.unknown)
        assert (status, answer.get("rejected", 1)) == (200, 1)
        (letter,) = running.published.rejections
        assert "teleported" in letter.detail
        assert letter.value == sender.proven(sender.unknown)

    play(scene, sender)


def test_a_body_over_the_limit_is_refused_unread(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        huge = b" " * (64 * 1024 + 1)
        answer = await running.send(sender, body=huge)
        assert_refused(running, sender, answer, 413, "too_large")

    play(scene, sender)


def test_a_chunked_body_over_the_limit_is_refused(sender: Sender) -> None:
    async def chunks() -> object:
        for _ in range(65):
            yield b" " * 1024

    async def scene(running: Bench, sender: Sender) -> None:
        answer = await running.post(f"/in/{sender.connector}", chunks(), sender.headers(b""))  # type: ignore[arg-type]
        assert_refused(running, sender, answer, 413, "too_large")

    play(scene, sender)


def test_a_compressed_body_is_refused_before_it_unfolds(sender: Sender) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        body = gzip.compress(sender.payload)
        headers = sender.headers(body) | {"content-encoding": "gzip"}
        assert_refused(running, sender, await running.send(sender, body=body, headers=headers), 415, "compressed_body")

    play(scene, sender)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(sender: Sender, method: str) -> None:
    async def scene(running: Bench, sender: Sender) -> None:
        if method in sender.greets:
            pytest.skip("here this is a handshake")
        url = f"{running.url}/in/{sender.connector}"
        async with running.session.request(method, url, data=sender.payload, headers=sender.headers()) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert running.published.records == []

    play(scene, sender)
