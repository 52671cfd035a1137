"""Socket Mode: nothing is acknowledged before it is stored, nothing is lost when connections are replaced."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from streams.connectors import provider_api
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Connector, Headers, Instance, WebhookRequest
from streams.connectors.event_store import EventStore
from streams.connectors.messengers import slack_socket
from streams.connectors.messengers.slack_channel import SLACK, SlackEvents
from streams.connectors.messengers.slack_socket import SocketMode, socket_mode_of
from streams.connectors.pull_runner import PulledSource, PullRunner
from streams.connectors.source_contract import PullTrouble
from tests.connect_bench import CountingRecorder, ListPublisher
from tests.providers.local_provider import Shelf, outcome, pulling, until
from tests.providers.local_slack import TICKET, LocalSlack
from tests.senders.messengers_senders import slack_event, slack_message
from tests.senders.sender import NOW

TOKEN = "xapp-1-secret"


def message(number: int) -> dict[str, Any]:
    return slack_event(slack_message(ts=f"1772443798.{number:06}"), event_id=f"Ev{number}")


def instance_at(slack: LocalSlack, *tokens: str) -> Instance:
    return Instance("slack", "slack", tokens=tokens or (TOKEN,), options={"api_url": f"{slack.url}/api"})


def played(scene: Callable[[LocalSlack, Shelf], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with LocalSlack.running() as slack:
            await scene(slack, Shelf())

    asyncio.run(whole())


def test_an_envelope_is_acknowledged_once_it_is_stored() -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        shelf.close()
        async with pulling(SocketMode(instance_at(slack)), shelf):
            await slack.connected.wait()
            await slack.tell("E1", message(1))
            await asyncio.sleep(0.1)
            assert slack.acknowledged == []
            shelf.open()
            await until(lambda: slack.acknowledged == ["E1"])
        assert [payload["envelope_id"] for payload in shelf.payloads] == ["E1"]
        assert slack.asked == [f"Bearer {TOKEN}"]

    played(scene)


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "a reason of next year"])
def test_a_connection_is_replaced_before_slack_closes_it_and_read_to_its_end(reason: str) -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        async with pulling(SocketMode(instance_at(slack)), shelf):
            await slack.connected.wait()
            await slack.disconnect(reason)
            await until(lambda: len(slack.sockets) == 2)
            await slack.tell("late", message(1), connection=0)
            await slack.tell("new", message(2), connection=1)
            await until(lambda: sorted(slack.acknowledged) == ["late", "new"])
            await slack.sockets[0].close()
            await slack.tell("newer", message(3))
            await until(lambda: slack.acknowledged[-1] == "newer")

    played(scene)


def test_a_connection_outlives_the_patience_for_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_api, "CALL_SECONDS", 0.1)

    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        async with pulling(SocketMode(instance_at(slack)), shelf):
            await slack.connected.wait()
            await asyncio.sleep(0.3)
            await slack.tell("E1", message(1))
            await until(lambda: slack.acknowledged == ["E1"])

    played(scene)


def test_a_line_that_does_not_answer_pings_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_socket, "PING_SECONDS", 0.1)

    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        slack.answers_pings = False
        async with pulling(SocketMode(instance_at(slack)), shelf) as task:
            assert "the line broke" in str(await outcome(task))

    played(scene)


def test_a_lost_connection_is_trouble_and_one_closed_in_order_is_none() -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        for number, (code, expected) in enumerate([(1006, "code 1006"), (1011, "code 1011"), (1000, "None")], start=1):
            async with pulling(SocketMode(instance_at(slack)), shelf) as task:
                await until(partial(slack.has_opened, number))
                await slack.sockets[-1].close(code=code)
                assert expected in str(await outcome(task))

    played(scene)


@pytest.mark.parametrize(
    ("status", "content", "headers", "hopeless", "pause"),
    [
        (200, {"ok": False, "error": "invalid_auth"}, {}, True, None),
        (200, {"ok": False, "error": "missing_scope"}, {}, True, None),
        (200, {"ok": False, "error": "internal_error"}, {}, False, None),
        (429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"}, False, 30.0),
        (503, {}, {}, False, None),
        (200, {"ok": True}, {}, False, None),
    ],
)
def test_a_refusal_says_whether_it_helps_to_wait(
    status: int, content: dict[str, Any], headers: dict[str, str], hopeless: bool, pause: float | None
) -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        slack.refusals = [(status, content, headers)]
        async with pulling(SocketMode(instance_at(slack)), shelf) as task:
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert (trouble.hopeless, trouble.retry_after_seconds) == (hopeless, pause)
        assert TOKEN not in str(trouble)

    played(scene)


def test_while_a_token_is_being_replaced_the_other_one_works() -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        slack.refusals = [(200, {"ok": False, "error": "token_revoked"}, {})]
        async with pulling(SocketMode(instance_at(slack, "xapp-old", "xapp-new")), shelf):
            await slack.connected.wait()
        assert slack.asked == ["Bearer xapp-old", "Bearer xapp-new"]

    played(scene)


def test_socket_mode_that_is_switched_off_is_hopeless() -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        async with pulling(SocketMode(instance_at(slack)), shelf) as task:
            await slack.connected.wait()
            await slack.disconnect("link_disabled")
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.hopeless

    played(scene)


@pytest.mark.parametrize("url", ["ws://sockets.example/link/?ticket=1", "wss://10.0.0.1/link/", "no address"])
def test_a_socket_elsewhere_is_not_opened(url: str) -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        slack.socket_url = url
        async with pulling(SocketMode(instance_at(slack)), shelf) as task:
            assert "not on its own host" in str(await outcome(task))

    played(scene)


def test_what_is_no_envelope_is_passed_over() -> None:
    async def scene(slack: LocalSlack, shelf: Shelf) -> None:
        async with pulling(SocketMode(instance_at(slack)), shelf):
            await slack.connected.wait()
            for text in ("no JSON", "[]", "3", '{"type": "news"}', "[" * 5000, '{"envelope_id": ["E0"]}'):
                await slack.sockets[0].send_str(text)
            await slack.tell("E1", message(1))
            await until(lambda: slack.acknowledged == ["E1"])

    played(scene)


def test_from_the_socket_to_kafka_an_event_that_is_told_twice_counts_once_and_no_secret_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def scene(slack: LocalSlack, _: Shelf) -> None:
        published, recorder = ListPublisher(), CountingRecorder()
        instance = instance_at(slack)
        store = EventStore(published, AccountsDirectory(), recorder)
        source = PulledSource(instance, SocketMode(instance), SlackEvents(instance))
        naps = list[float]()

        async def nap(seconds: float) -> None:
            naps.append(seconds)
            await asyncio.sleep(0.01)

        runner = PullRunner(
            [source],
            store=store.store,
            publisher=published,
            recorder=recorder,
            read_cursors=dict,
            now=lambda: NOW,
            sleep=nap,
        )
        slack.refusals = [(200, {"ok": False, "error": "internal_error"}, {})]
        runner.start()
        await slack.connected.wait()
        published.broken = True
        await slack.tell("E1", message(1))
        await until(lambda: len(naps) > 2)
        assert slack.acknowledged == []
        published.broken = False
        await slack.tell("E2", message(1))
        await until(lambda: slack.acknowledged == ["E1", "E2"])
        await slack.sockets[0].close(code=1011)
        await until(lambda: len(slack.sockets) == 2)
        await runner.close()
        (event,) = published.interactions
        assert event.conversation_id == "slack:T-OWN:C1:1772443798.000001"

    played(scene)
    assert "internal_error" in caplog.text
    assert TOKEN not in caplog.text
    assert TICKET not in caplog.text


def test_only_app_level_tokens_open_sockets_and_the_mistake_shows_none() -> None:
    assert socket_mode_of(Instance("slack", "slack", secrets=("signing",))) is None
    with pytest.raises(ValueError, match="app-level token") as caught:
        socket_mode_of(Instance("slack", "slack", tokens=("xoxb-secret",)))
    assert "xoxb-secret" not in str(caught.value)
    with pytest.raises(ValueError, match="no https"):
        socket_mode_of(Instance("slack", "slack", tokens=(TOKEN,), options={"api_url": "http://slack.example"}))


def test_slack_sdks_own_client_takes_our_slack_for_slack() -> None:
    """What the tests above speak with is what Slack's library speaks with."""

    async def scene(slack: LocalSlack, _: Shelf) -> None:
        heard: list[str] = []

        async def listener(client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
            heard.append(request.payload["event_id"])
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

        client = SocketModeClient(app_token=TOKEN, web_client=AsyncWebClient(base_url=f"{slack.url}/api/"))
        client.socket_mode_request_listeners.append(listener)
        await client.connect()  # type: ignore[no-untyped-call]
        try:
            await slack.tell("E1", message(1))
            await until(lambda: slack.acknowledged == ["E1"])
            assert heard == ["Ev1"]
        finally:
            await client.close()  # type: ignore[no-untyped-call]

    played(scene)


def test_what_slack_sdk_signs_is_believed_and_what_we_sign_slack_sdk_believes() -> None:
    connector: Connector = SLACK.build(Instance("slack", "slack", secrets=("signing secret",)))
    body = b'{"type": "event_callback"}'
    seconds = str(int(NOW.timestamp()))
    signature = SignatureVerifier("signing secret").generate_signature(timestamp=seconds, body=body)
    assert signature is not None
    headers = [("X-Slack-Request-Timestamp", seconds), ("X-Slack-Signature", signature)]

    def refusal(body: bytes, minutes: int) -> str | None:
        request = WebhookRequest("POST", Headers(headers), body, NOW + timedelta(minutes=minutes))
        return connector.verify(request).refusal

    assert (refusal(body, 4), refusal(body + b" ", 4), refusal(body, 6)) == (None, "bad_signature", "timestamp_too_old")
