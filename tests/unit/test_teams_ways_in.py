"""The three ways into the connector for Teams: what each is believed by, what it is answered, and what is refused."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from streams.connectors.connector_contract import Connector, Headers, Instance, WebhookRequest
from streams.connectors.messengers import teams_keys
from streams.connectors.messengers.teams_channel import TEAMS
from tests.connect_bench import bench
from tests.senders.sender import NOW
from tests.senders.teams_senders import APP_ID, MESSAGE, KeyServer, activity, public_key, sign_outgoing, token

CLIENT_STATE = "a long random text"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    running = KeyServer([public_key("new"), public_key("of another channel", endorsements=["directline"])])
    yield running
    running.close()


def bot_of(server: KeyServer, **options: str) -> Connector:
    return TEAMS.build(Instance("teams", "teams", options={"app_id": APP_ID, "openid_url": server.address} | options))


def refusal(connector: Connector, authorization: str, body: bytes = MESSAGE, at: datetime = NOW) -> str | None:
    request = WebhookRequest("POST", Headers([("Authorization", authorization)]), body, at)
    asyncio.run(connector.prepare(request))
    return connector.verify(request).refusal


def test_a_token_of_the_bot_framework_is_believed_and_its_keys_are_fetched_once(server: KeyServer) -> None:
    bot = bot_of(server)
    assert [refusal(bot, f"Bearer {token('new')}") for _ in range(3)] == [None] * 3
    assert server.asked == 2  # the configuration, and the keys


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://api.botframework.us"}, "bad_token"),
        ({"iss": None}, "bad_token"),
        ({"aud": "another bot"}, "bad_token"),
        ({"aud": [APP_ID, "another bot"]}, "bad_token"),
        ({"aud": None}, "bad_token"),
        ({"serviceurl": "https://elsewhere.example/"}, "bad_token"),
        ({"serviceurl": None}, "bad_token"),
        ({"exp": None}, "bad_token"),
        ({"exp": int(NOW.timestamp()) - 299}, None),
        ({"exp": int(NOW.timestamp()) - 301}, "timestamp_too_old"),
        ({"nbf": int(NOW.timestamp()) + 299}, None),
        ({"nbf": int(NOW.timestamp()) + 301}, "timestamp_too_new"),
        ({"nbf": None}, None),
    ],
)
def test_every_claim_counts(server: KeyServer, claims: dict[str, Any], reason: str | None) -> None:
    assert refusal(bot_of(server), f"Bearer {token('new', **claims)}") == reason


@pytest.mark.parametrize(
    ("presented", "reason"),
    [
        (lambda: token("foreign", kid="new"), "bad_signature"),
        (lambda: token("foreign"), "bad_token"),
        (lambda: token("of another channel"), "bad_token"),
        (lambda: token("new", algorithm="RS512"), "bad_token"),
        (lambda: token("new", algorithm="HS256"), "bad_token"),
        (lambda: "no token", "bad_token"),
        (lambda: "", "bad_token"),
        (lambda: "e30.e30.e30", "bad_token"),
        (lambda: base64.urlsafe_b64encode(b"[" * 4000).decode() + ".e30.e30", "bad_token"),
        (lambda: "\udcff.e30.e30", "bad_token"),
    ],
    ids=["forged", "unknown key", "other channel", "RS512", "HS256", "words", "none", "empty", "nested", "no text"],
)
def test_every_other_token_is_refused(server: KeyServer, presented: Callable[[], str], reason: str) -> None:
    assert refusal(bot_of(server), f"Bearer {presented()}") == reason


@pytest.mark.parametrize(
    "words", [{"serviceUrl": "https://elsewhere.example/"}, {"serviceUrl": None}, {"serviceUrl": 5}, {"channelId": "x"}]
)
def test_the_token_must_bear_out_what_the_activity_says_of_itself(server: KeyServer, words: dict[str, Any]) -> None:
    body = json.dumps(activity(**words)).encode()
    assert refusal(bot_of(server), f"Bearer {token('new')}", body) == "bad_token"


def test_keys_are_kept_for_a_day_and_looked_for_again_no_sooner_than_after_five_minutes(server: KeyServer) -> None:
    bot = bot_of(server)

    def after(span: timedelta, name: str = "new") -> tuple[str | None, int]:
        before, at = server.asked, NOW + span
        return refusal(bot, f"Bearer {token(name, at)}", at=at), server.asked - before

    assert after(timedelta(0)) == (None, 2)
    server.keys.append(public_key("rolled over"))
    assert after(timedelta(minutes=4), "rolled over") == ("bad_token", 0)
    assert after(timedelta(minutes=5), "rolled over") == (None, 2)
    assert after(timedelta(minutes=6), "never heard of") == ("bad_token", 0)
    assert after(timedelta(hours=24)) == (None, 0)
    assert after(timedelta(hours=25)) == (None, 2)


def test_without_keys_the_sender_is_asked_to_come_again(server: KeyServer) -> None:
    server.status = 500
    instance = bot_of(server).instance

    async def scene() -> None:
        async with bench(instance) as running:
            headers = {"Authorization": f"Bearer {token('new')}"}
            for _ in range(2):
                status, answer, got = await running.post("/in/teams", MESSAGE, headers)
                assert (status, answer, got["Retry-After"]) == (503, {"error": "keys_unavailable"}, "10")
            assert running.published.records == []
            assert running.recorder.answers == {("teams", 503, "keys_unavailable"): 2}

    asyncio.run(scene())
    assert server.asked == 1  # and not again within ten seconds


def test_keys_on_a_host_that_is_not_listed_are_not_fetched(server: KeyServer) -> None:
    server.jwks_uri = server.address.replace("127.0.0.1", "localhost") + "/keys"
    assert refusal(bot_of(server), f"Bearer {token('new')}") == "keys_unavailable"
    assert server.asked == 1


def test_old_keys_are_not_believed_when_no_new_ones_can_be_had(server: KeyServer) -> None:
    bot = bot_of(server)
    assert refusal(bot, f"Bearer {token('new')}") is None
    server.status = 404
    at = NOW + timedelta(hours=25)
    assert refusal(bot, f"Bearer {token('new', at)}", at=at) == "keys_unavailable"


@pytest.mark.parametrize(
    ("url", "issuer"),
    [
        (teams_keys.OPENID_URL, "https://api.botframework.com"),
        ("https://login.botframework.azure.us/v1/.well-known/openidconfiguration", "https://api.botframework.us"),
        ("https://login.botframework.azure.cn/v1/.well-known/openidconfiguration", "https://api.botframework.azure.cn"),
    ],
)
def test_each_cloud_has_an_issuer_of_its_own(url: str, issuer: str) -> None:
    assert teams_keys.SigningKeys(url).issuer == issuer


def notification(**words: Any) -> dict[str, Any]:
    return {
        "subscriptionId": "s-1",
        "changeType": "created",
        "clientState": CLIENT_STATE,
        "tenantId": "t-1",
        "resource": "chats('19:a@thread.v2')/messages('1772443790000')",
        "resourceData": {"id": "1772443790000", "@odata.type": "#Microsoft.Graph.chatMessage"},
    } | words


GRAPH = Instance("graph", "teams", tokens=("last year's", CLIENT_STATE))


def by_graph(*notifications: dict[str, Any]) -> str | None:
    body = json.dumps({"value": notifications}).encode()
    return TEAMS.build(GRAPH).verify(WebhookRequest("POST", Headers([]), body, NOW)).refusal


def test_a_notification_is_believed_by_its_client_state() -> None:
    assert by_graph(notification(), notification(clientState="last year's")) is None
    assert by_graph(notification(clientState="a guess")) == "bad_token"
    assert by_graph(notification(), notification(clientState="a guess")) == "bad_token"
    assert by_graph(notification(), notification(clientState=None)) == "bad_token"
    assert by_graph(notification(clientState=None)) == "missing_signature"
    assert by_graph() == "missing_signature"


def test_graph_is_answered_its_validation_token_as_plain_text() -> None:
    async def scene() -> None:
        async with bench(GRAPH, Instance("outgoing", "teams", secrets=("c2VjcmV0",))) as running:
            query = "?validationToken=Validation%3A+Testing+%3Cb%3E"
            async with running.session.post(f"{running.url}/in/graph{query}") as answer:
                assert (answer.status, await answer.text()) == (200, "Validation: Testing <b>")
                assert answer.headers["Content-Type"].startswith("text/plain")
            async with running.session.get(f"{running.url}/in/graph{query}") as answer:
                assert answer.status == 405
            assert (await running.post(f"/in/outgoing{query}", b""))[0] == 401
            assert running.published.records == []

    asyncio.run(scene())


def test_a_refused_notification_goes_to_the_dead_letters_without_its_client_state() -> None:
    async def scene() -> None:
        async with bench(GRAPH) as running:
            body = json.dumps({"value": [notification(changeType="teleported"), notification()]}).encode()
            status, answer, _ = await running.post("/in/graph", body)
            assert (status, answer["rejected"], answer["ignored"]) == (200, 1, 1)
            (letter,) = running.published.rejections
            assert "teleported" in letter.detail
            assert letter.value is not None
            assert CLIENT_STATE not in letter.value.decode()

    asyncio.run(scene())


def test_an_outgoing_webhook_is_answered_with_a_message() -> None:
    secret = base64.b64encode(b"this year's").decode()
    options = {"reply": "Danke, wir melden uns."}

    async def scene() -> None:
        async with bench(Instance("teams", "teams", secrets=(secret,), options=options)) as running:
            status, answer, headers = await running.post("/in/teams", MESSAGE, sign_outgoing(secret, MESSAGE, NOW))
            assert (status, answer) == (200, {"type": "message", "text": "Danke, wir melden uns."})
            assert headers["Content-Type"].startswith("application/json")
            assert len(running.published.interactions) == 1

    asyncio.run(scene())


def test_an_instance_accepts_the_ways_that_it_was_given_the_means_for(server: KeyServer) -> None:
    bearer, outgoing = f"Bearer {token('new')}", sign_outgoing("c2VjcmV0", MESSAGE, NOW)["Authorization"]
    webhook = TEAMS.build(Instance("teams", "teams", secrets=("c2VjcmV0",)))
    assert refusal(webhook, outgoing) is None
    assert refusal(webhook, bearer) == "bad_token"
    assert refusal(bot_of(server), outgoing) == "bad_token"
    assert refusal(TEAMS.build(GRAPH), bearer) == "bad_token"


@pytest.mark.parametrize(
    ("means", "message"),
    [
        ({}, "app_id"),
        ({"options": {"app_id": " "}}, "app_id"),
        ({"secrets": ("not base64!",)}, "cannot be read"),
        ({"options": {"app_id": APP_ID, "openid_url": "nowhere"}}, "no address"),
    ],
)
def test_without_any_means_it_says_what_is_missing(means: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        TEAMS.build(Instance("teams", "teams", **means))
    assert "base64!" not in str(caught.value)
