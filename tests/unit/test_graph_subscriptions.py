"""Graph: subscriptions that are kept, what it tells about them, and messages that notifications only point to."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Headers, Instance, WebhookRequest
from streams.connectors.connector_registry import known_connectors
from streams.connectors.connectors_file import ConnectorsMistake, read_connectors
from streams.connectors.event_store import EventStore
from streams.connectors.intake import Intake
from streams.connectors.messengers.teams_channel import TEAMS
from streams.connectors.messengers.teams_proof import client_states
from streams.connectors.messengers.teams_subscriptions import GraphSubscriptions, message_path
from streams.connectors.source_contract import PullTrouble
from streams.connectors.web_server import ConnectServer
from tests.connect_bench import CountingRecorder, ListPublisher
from tests.providers.local_graph import CLIENT_ID, CLIENT_SECRET, TENANT, LocalGraph
from tests.providers.local_provider import Shelf, outcome, pulling, until

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CHAT, MESSAGE = "19:chat@thread.v2", "1772443700000"
CHAT_MESSAGE = {
    "id": MESSAGE,
    "messageType": "message",
    "createdDateTime": "2026-03-02T09:28:20Z",
    "chatId": CHAT,
    "from": {"user": {"id": "anna", "tenantId": "t-customer", "userIdentityType": "aadUser"}},
    "body": {"contentType": "html", "content": "<p>It is broken</p>"},
}


@dataclass
class Scene:
    graph: LocalGraph
    shelf: Shelf
    public_url: str = "https://in.ours.example"
    now: datetime = NOW

    def instance(self, *secrets: str, **options: str) -> Instance:
        said = {"client_id": CLIENT_ID, "tenant_id": TENANT, "graph_url": self.graph.url, "login_url": self.graph.url}
        return Instance(
            "teams", "teams", tokens=secrets or (CLIENT_SECRET,), public_url=self.public_url, options=said | options
        )

    def puller(self, *secrets: str, **options: str) -> GraphSubscriptions:
        return GraphSubscriptions(self.instance(*secrets, **options), now=lambda: self.now)

    def has_subscribed(self, times: int = 2) -> bool:
        return self.graph.called("POST /subscriptions") == times

    @property
    def held(self) -> list[dict[str, Any]]:
        return list(self.graph.subscriptions.values())


def played(play: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with LocalGraph.running() as graph:
            await play(Scene(graph, Shelf()))

    asyncio.run(whole())


def pointing(change: str = "created", **words: Any) -> dict[str, Any]:
    return {
        "subscriptionId": "subscription-1",
        "changeType": change,
        "tenantId": "t-ours",
        "clientState": "a state",
        "resource": f"chats('{CHAT}')/messages('{MESSAGE}')",
        "resourceData": {"id": MESSAGE, "@odata.type": "#Microsoft.Graph.chatMessage"},
    } | words


def lifecycle(event: str) -> dict[str, Any]:
    return {"subscriptionId": "subscription-1", "lifecycleEvent": event, "clientState": "a state"}


def request_of(*notifications: Any) -> WebhookRequest:
    return WebhookRequest("POST", Headers(()), json.dumps({"value": notifications}).encode(), NOW)


def test_subscriptions_are_made_for_an_hour_and_renewed_in_the_middle_of_it() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.puller(), scene.shelf):
            await until(scene.has_subscribed)
            first = scene.held[0]
            assert first["resource"] == "chats/getAllMessages"
            assert first["notificationUrl"] == first["lifecycleNotificationUrl"]
            assert first["notificationUrl"].startswith("https://in.ours.example/in/teams?of=")
            assert datetime.fromisoformat(first["expirationDateTime"]) - NOW == timedelta(minutes=59)
        scene.now += timedelta(minutes=10)
        scene.held[0]["resource"] = "/Chats/getAllMessages"  # Graph's own spelling
        async with pulling(scene.puller(), scene.shelf):  # a restart, which takes over what there is
            await until(lambda: scene.graph.called("PATCH") == 2)
            assert len(scene.held) == 2
            assert datetime.fromisoformat(scene.held[0]["expirationDateTime"]) - scene.now == timedelta(minutes=59)
        assert scene.has_subscribed(2)

    played(play)


def test_a_subscription_is_renewed_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.connectors.messengers.teams_subscriptions.LIFETIME", timedelta(seconds=0.1))

    async def play(scene: Scene) -> None:
        puller = GraphSubscriptions(scene.instance(subscribe="chats/getAllMessages"))
        async with pulling(puller, scene.shelf):
            await until(lambda: scene.graph.called("PATCH") > 2)
            scene.graph.subscriptions.clear()
            await until(lambda: scene.graph.called("POST") == 2)
        assert len(scene.held) == 1

    played(play)


@pytest.mark.parametrize(
    ("event", "calls"), [("reauthorizationRequired", ("PATCH", 2)), ("subscriptionRemoved", ("POST", 3))]
)
def test_what_graph_says_about_a_subscription_is_seen_to(event: str, calls: tuple[str, int]) -> None:
    async def play(scene: Scene) -> None:
        puller = scene.puller()
        async with pulling(puller, scene.shelf):
            await until(scene.has_subscribed)
            await asyncio.sleep(0.05)
            if event == "subscriptionRemoved":
                del scene.graph.subscriptions["subscription-1"]
            await puller.complete(request_of(lifecycle(event)))
            await until(lambda: scene.graph.called(calls[0]) == calls[1])

    played(play)


def test_the_wait_is_half_of_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[timedelta] = []

    async def wait(puller: GraphSubscriptions, span: timedelta) -> None:
        spans.append(span)
        await asyncio.Event().wait()

    async def play(scene: Scene) -> None:
        monkeypatch.setattr(GraphSubscriptions, "_wait", wait)
        async with pulling(scene.puller(), scene.shelf):
            await until(lambda: spans == [timedelta(minutes=29, seconds=30)])

    played(play)


def test_a_subscription_that_may_not_be_renewed_is_not_made_a_second_time() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.puller(), scene.shelf):
            await until(scene.has_subscribed)
        there = list(scene.held)
        scene.graph.moods = [(200, {"value": there}, {}), (403, {"error": {"code": "Forbidden"}}, {})]
        async with pulling(scene.puller(), scene.shelf) as task:
            assert "refuses to renew a subscription: Forbidden" in str(await outcome(task))
        assert scene.held == there

    played(play)


def test_notifications_that_graph_has_lost_are_told() -> None:
    async def play(scene: Scene) -> None:
        puller = scene.puller()
        async with pulling(puller, scene.shelf) as task:
            await until(scene.has_subscribed)
            await asyncio.sleep(0.05)
            await puller.complete(request_of(lifecycle("missed")))
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert "lost notifications" in str(trouble)
        assert (trouble.hopeless, trouble.retry_after_seconds) == (False, 1.0)

    played(play)


def test_with_a_new_secret_the_subscriptions_are_made_anew_and_strangers_are_left_alone() -> None:
    async def play(scene: Scene) -> None:
        async with pulling(scene.puller(), scene.shelf):
            await until(scene.has_subscribed)
        old = {each["notificationUrl"] for each in scene.held}
        scene.graph.subscriptions["strange"] = {"id": "strange", "notificationUrl": "https://elsewhere.example/x"}
        for each in scene.held[:2]:
            each["notificationUrl"] = each["notificationUrl"].partition("?")[0] + "?of=an+older+one"
        async with pulling(scene.puller(), scene.shelf):
            await until(lambda: scene.has_subscribed(4))
            await until(lambda: len(scene.held) == 3)
        assert {each["notificationUrl"] for each in scene.held} == {*old, "https://elsewhere.example/x"}

    played(play)


@pytest.mark.parametrize(
    ("status", "content", "headers", "hopeless", "words"),
    [
        (403, {"error": {"code": "Forbidden", "message": "no consent"}}, {}, True, "Forbidden 'no consent'"),
        (400, {"error": {"code": "ValidationError", "message": "no answer\n"}}, {}, False, "ValidationError"),
        (429, {}, {"Retry-After": "17"}, False, "busy"),
        (503, {}, {}, False, "busy"),
    ],
)
def test_what_graph_refuses(
    status: int, content: dict[str, Any], headers: dict[str, str], hopeless: bool, words: str
) -> None:
    async def play(scene: Scene) -> None:
        scene.graph.moods = [(status, content, headers)]
        async with pulling(scene.puller(), scene.shelf) as task:
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.hopeless is hopeless
        assert words in str(trouble)
        assert "\n" not in str(trouble)
        assert trouble.retry_after_seconds == {429: 17.0}.get(status)

    played(play)


def test_a_wrong_secret_is_hopeless_and_never_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def play(scene: Scene) -> None:
        async with pulling(scene.puller("wrong-secret"), scene.shelf) as task:
            trouble = await outcome(task)
        assert isinstance(trouble, PullTrouble)
        assert trouble.hopeless
        assert "invalid_client (AADSTS7000215)" in str(trouble)
        assert "wrong-secret" not in str(trouble) + caplog.text

    played(play)


def test_a_token_is_asked_for_once_and_again_when_it_is_no_longer_taken() -> None:
    async def play(scene: Scene) -> None:
        scene.graph.messages = {f"/chats/{CHAT}/messages/{number}": CHAT_MESSAGE for number in range(20)}
        puller = scene.puller()
        resources = [f"chats('{CHAT}')/messages('{number}')" for number in range(20)]
        await puller.complete(request_of(*(pointing(resource=each) for each in resources)))
        assert scene.graph.tokens == 1
        scene.graph.moods = [(401, {}, {})]
        await puller.complete(request_of(pointing(resource=resources[0])))
        assert scene.graph.tokens == 2
        scene.graph.token_lives_seconds = 1
        scene.graph.moods = [(401, {}, {})]
        for _ in range(2):
            await puller.complete(request_of(pointing(resource=resources[0])))
        assert scene.graph.tokens == 4

    played(play)


def test_a_message_that_a_notification_points_to_is_fetched_and_put_into_its_place() -> None:
    async def play(scene: Scene) -> None:
        scene.graph.messages[f"/chats/{CHAT}/messages/{MESSAGE}"] = CHAT_MESSAGE
        told = request_of(pointing(), pointing(resource=f"chats('{CHAT}')/messages('gone')"), pointing("updated"))
        whole = await scene.puller().complete(told)
        first, gone, updated = json.loads(whole.body)["value"]
        assert first["resourceData"] == {"@odata.type": "#Microsoft.Graph.chatMessage", **CHAT_MESSAGE}
        assert gone == json.loads(told.body)["value"][1]
        assert updated["changeType"] == "updated"
        assert updated["resourceData"] == first["resourceData"]
        assert scene.graph.called("GET /chats") == 2
        for nothing in (request_of(pointing(resourceData=CHAT_MESSAGE)), request_of(), request_of(5, None, "x")):
            assert await scene.puller().complete(nothing) is nothing

    played(play)


def test_a_message_that_may_not_be_read_harms_no_neighbour_but_if_none_may_it_is_told() -> None:
    async def play(scene: Scene) -> None:
        scene.graph.messages[f"/chats/{CHAT}/messages/{MESSAGE}"] = CHAT_MESSAGE
        forbidden: tuple[int, dict[str, Any], dict[str, str]] = (403, {"error": {"code": "Forbidden"}}, {})
        neighbour = pointing(resource=f"chats('{CHAT}')/messages('2')")
        scene.graph.moods = [forbidden]
        whole = await scene.puller().complete(request_of(neighbour, pointing()))
        assert [len(each["resourceData"]) for each in json.loads(whole.body)["value"]].count(2) == 1
        scene.graph.moods = [forbidden, forbidden]
        with pytest.raises(PullTrouble, match="Forbidden"):
            await scene.puller().complete(request_of(neighbour, pointing()))

    played(play)


def test_while_graph_is_busy_it_is_left_alone_and_the_notification_stays_with_it() -> None:
    async def play(scene: Scene) -> None:
        scene.graph.messages[f"/chats/{CHAT}/messages/{MESSAGE}"] = CHAT_MESSAGE
        scene.graph.moods = [(429, {}, {"Retry-After": "0.2"})]
        puller = scene.puller()
        for _ in range(3):
            with pytest.raises(PullTrouble):
                await puller.complete(request_of(pointing()))
        assert scene.graph.called("GET /chats") == 1
        await asyncio.sleep(0.25)
        assert (await puller.complete(request_of(pointing()))).body != request_of(pointing()).body

    played(play)


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("chats('19:a@b')/messages('1')", "/chats/19%3Aa%40b/messages/1"),
        ("teams('t')/channels('19:c')/messages('1')/replies('2')", "/teams/t/channels/19%3Ac/messages/1/replies/2"),
        ("users('u')/chats('c')/messages('1')", "/users/u/chats/c/messages/1"),
        ("chats('c')/members('1')", None),
        ("chats('c')", None),
        ("users('u')", None),
        ("chats('..')/../../messages('1')", None),
        ("chats('a/../b')/messages('1')", None),
        ("https://elsewhere.example/chats('c')/messages('1')", None),
        ("chats('c?x=1')/messages('1')", None),
        ("", None),
    ],
)
def test_a_payload_leads_to_messages_and_nowhere_else(resource: str, path: str | None) -> None:
    assert message_path(pointing(resource=resource)) == path


@pytest.mark.parametrize("words", [{"changeType": 5}, {"encryptedContent": {"data": "x"}}, {"resource": None}])
def test_nothing_is_fetched_for_what_means_nothing_here(words: dict[str, Any]) -> None:
    assert message_path(pointing(**words)) is None


def test_each_instance_shows_a_state_of_its_own_that_follows_from_the_secret() -> None:
    options = {"client_id": CLIENT_ID}
    (one,) = client_states(Instance("teams", "teams", tokens=(CLIENT_SECRET,), options=options))
    (other,) = client_states(Instance("teams-2", "teams", tokens=(CLIENT_SECRET,), options=options))
    assert len(one) == 64  # Graph takes 128 characters at most
    assert len({one, other, CLIENT_SECRET}) == 3
    assert client_states(Instance("teams", "teams", tokens=("by hand",))) == ["by hand"]


def test_the_whole_way_from_a_subscription_to_an_event_without_a_word_of_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    async def play(scene: Scene) -> None:
        published, recorder = ListPublisher(), CountingRecorder()
        port = unused_port()
        scene.public_url = f"http://127.0.0.1:{port}"
        scene.graph.validates = True
        instance, puller = scene.instance(), scene.puller()
        (state,) = client_states(instance)
        intake = Intake(EventStore(published, AccountsDirectory(), recorder))
        server = ConnectServer({"teams": TEAMS.build(instance, puller)}, intake, recorder, lambda: NOW)
        await server.start("127.0.0.1", port)
        body = {"value": [pointing(clientState=state)]}
        try:
            async with pulling(puller, scene.shelf), asyncio.timeout(10):
                await until(lambda: len(scene.held) == 2)
                await notify(scene, {"value": [pointing()]}, 401)
                scene.graph.moods = [(429, {}, {"Retry-After": "0.1"})]
                await notify(scene, body, 503)
                assert published.records == []
                await asyncio.sleep(0.15)
                scene.graph.messages[f"/chats/{CHAT}/messages/{MESSAGE}"] = CHAT_MESSAGE
                await notify(scene, body, 200)
                await notify(scene, body, 200)
        finally:
            await server.drain()
        (event,) = published.interactions
        assert (event.id, event.text, event.conversation_id) == (MESSAGE, "It is broken", f"teams:{CHAT}")
        assert recorder.answers["teams", 503, "not_fetched"] == 1
        assert not [secret for secret in (CLIENT_SECRET, state, "token-1") if secret in caplog.text]

    played(play)


async def notify(scene: Scene, content: dict[str, Any], status: int) -> None:
    url = scene.held[0]["notificationUrl"]
    async with aiohttp.ClientSession() as session, session.post(url, json=content) as answer:
        assert answer.status == status


def test_an_instance_with_an_app_subscribes_and_is_called(tmp_path: Path) -> None:
    path = tmp_path / "connectors.yaml"

    def read(more: str) -> Any:
        path.write_text(f"connectors:\n  teams: {{tokens: [SECRET], client_id: c{more}}}\n")
        return read_connectors(path, {"SECRET": CLIENT_SECRET}, known_connectors())

    setup = read(", tenant_id: t, public_url: https://in.ours.example")
    assert (list(setup.routes), [source.instance.name for source in setup.sources]) == (["teams"], ["teams"])
    assert setup.routes["teams"].completer is setup.sources[0].puller
    for more, missing in ((", tenant_id: t", "public_url"), (", public_url: https://in.ours.example", "tenant_id")):
        with pytest.raises(ConnectorsMistake, match=missing) as caught:
            read(more)
        assert CLIENT_SECRET not in str(caught.value)
