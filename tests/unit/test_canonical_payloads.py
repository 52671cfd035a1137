"""Events in our own words: short keys and long ones, lists, CloudEvents in their three modes, and what is refused."""

import asyncio
import base64
import json
from typing import Any

import pytest
from msgspec import structs

from schemas.codec import encode
from schemas.interaction import Author, Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import Draft, Headers, Instance, Reading, Refused, WebhookRequest
from streams.connectors.event_check import flaw_in
from streams.connectors.own_words.canonical_json import CanonicalReader
from streams.connectors.own_words.cloudevents_http import BATCHED, CLOUDEVENTS, STRUCTURED
from streams.connectors.own_words.webhook_generic import WEBHOOK
from tests.connect_bench import bench
from tests.senders.own_words_senders import CE, MESSAGE, NEW_SECRET
from tests.senders.sender import NOW

INTERACTION, SIGNAL = "careline.interaction.v1", "careline.signal.v1"
SURVEY = {
    "id": "s-1",
    "kind": "survey",
    "name": "csat",
    "value": 4,
    "scale": 5,
    "at": "2026-03-02T09:00:00Z",
    "account": "acme",
}


def read(item: Any) -> Draft | Refused:
    return CanonicalReader("webhook", "wall", None).read(item, NOW)


def interaction(item: Any) -> Interaction:
    draft = read(item)
    assert isinstance(draft, Draft), draft
    assert isinstance(draft.event, Interaction)
    return draft.event


def test_the_short_keys_of_policy_tests() -> None:
    event = interaction(MESSAGE | {"public": False, "automated": True, "account": {"id": "acme", "tier": "gold"}})
    assert (event.occurred_at.isoformat(), event.conversation_id) == ("2026-03-02T09:29:58+00:00", "c-1")
    assert (event.author, event.visibility, event.automated) == (Author("customer"), "internal", "declared")
    assert (event.account_id, event.tier, event.direction) == ("acme", "gold", "inbound")


def test_the_contracts_own_keys() -> None:
    event = interaction(MESSAGE)
    again = interaction(json.loads(encode(event)))
    assert again == event


def test_numbers_are_ids_too() -> None:
    event = interaction({"conversation": 17, "id": 5, "at": "2026-03-02T09:00:00Z", "type": "merged", "into": 18})
    assert (event.conversation_id, event.id, event.into) == ("17", "5", "18")


def test_content_without_an_id_has_the_same_id_every_time() -> None:
    bare = {key: value for key, value in MESSAGE.items() if key != "id"}
    assert interaction(bare).id == interaction(dict(reversed(bare.items()))).id
    assert interaction(bare).id != interaction(bare | {"text": "other"}).id


def test_a_payload_cannot_speak_for_another_source_or_clock() -> None:
    event = interaction(MESSAGE | {"source": "zendesk", "clock": "simulation:1", "received_at": "2000-01-01T00:00:00Z"})
    assert (event.source, event.clock, event.received_at) == ("webhook", "wall", NOW)


def test_a_signal_is_told_by_its_kind() -> None:
    draft = read(SURVEY)
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Signal)
    assert (draft.event.account_id, draft.event.value, draft.event.scale) == ("acme", 4.0, 5.0)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"from": None}, "$.from"),
        ({"from": "robot"}, "$.author"),
        ({"at": "noon"}, "$.occurred_at"),
        ({"type": "teleported"}, "$.type"),
        ({"public": "yes"}, "$.public"),
        ({"author": "ann"}, "$.author"),
        ({"conversation": ["c-1"]}, "$.conversation_id"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], place: str) -> None:
    refused = read({**MESSAGE, **change})
    assert isinstance(refused, Refused)
    assert place in refused.detail


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"at": "2026-03-02T09:00:00"}, "contract_violation"),
        ({"at": "1969-12-31T23:59:59Z"}, "impossible_time"),
        ({"at": "2999-01-01T00:00:00Z"}, "impossible_time"),
        ({"conversation": ""}, "missing_key"),
        ({"id": ""}, "contract_violation"),
        ({"conversation": "c" * 513}, "contract_violation"),
        ({"conversation": "c\0"}, "contract_violation"),
        ({"type": "status_changed"}, "contract_violation"),
        ({"type": "merged"}, "contract_violation"),
    ],
)
def test_what_may_not_enter_kafka(change: dict[str, Any], reason: str) -> None:
    flaw = flaw_in(interaction(MESSAGE | change))
    assert flaw is not None
    assert flaw[0] == reason


def test_half_a_character_anywhere_is_refused_and_never_raises() -> None:
    """A connector of somebody else may bring it: what cannot be written would come again for ever."""
    event = interaction(MESSAGE)
    for broken in (
        structs.replace(event, text="half \ud83d"),
        structs.replace(event, author=Author("customer", "\udcff")),
        structs.replace(event, tags=("\udc00",)),
    ):
        flaw = flaw_in(broken)
        assert flaw is not None
        assert flaw[0] == "not_utf8"


def test_one_bad_item_of_a_list_harms_no_other() -> None:
    connector = WEBHOOK.build(Instance("webhook", "webhook", secrets=(NEW_SECRET,)))
    body = json.dumps([MESSAGE, {"at": 3}, SURVEY]).encode()
    first, second, third = connector.normalise(WebhookRequest("POST", Headers([]), body, NOW))
    assert isinstance(first, Draft)
    assert isinstance(third, Draft)
    assert isinstance(second, Refused)
    assert second.value == b'{"at":3}'


# CloudEvents


def cloud_event(**attributes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "e-1", "source": "/shop", "type": INTERACTION, "data": MESSAGE} | attributes


def read_cloud(body: Any, headers: dict[str, str]) -> Reading:
    connector = CLOUDEVENTS.build(Instance("cloudevents", "cloudevents", tokens=("let me in",)))
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return connector.normalise(WebhookRequest("POST", Headers(headers.items()), raw, NOW))


def test_the_three_modes_say_the_same() -> None:
    binary = read_cloud(MESSAGE, CE | {"content-type": "application/json"})
    structured = read_cloud(cloud_event(), {"content-type": f"{STRUCTURED}; charset=utf-8"})
    batched = read_cloud([cloud_event(), cloud_event()], {"content-type": BATCHED})
    encoded = base64.b64encode(json.dumps(MESSAGE).encode()).decode()
    in_base64 = read_cloud(cloud_event(data=None, data_base64=encoded), {"content-type": STRUCTURED})
    assert binary == structured == in_base64
    assert batched == [*structured, *structured]
    for plain in ({}, {"content-type": "application/json"}):  # the envelope itself says that it is one
        assert read_cloud(cloud_event(), plain) == structured
        assert read_cloud([cloud_event(), cloud_event()], plain) == batched
    (refused,) = read_cloud(MESSAGE, {})
    assert isinstance(refused, Refused)


def test_the_envelope_fills_in_what_the_data_leaves_out() -> None:
    envelope = cloud_event(time="2026-03-02T09:00:00Z", subject="c-9", data={"from": "agent"})
    (draft,) = read_cloud(envelope, {"content-type": STRUCTURED})
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert (draft.event.id, draft.event.conversation_id) == ("/shop/e-1", "c-9")
    assert draft.event.occurred_at.isoformat() == "2026-03-02T09:00:00+00:00"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (cloud_event(specversion="0.3"), "not_understood"),
        (cloud_event(type="com.example.order"), "unknown_type"),
        (cloud_event(source=""), "malformed_payload"),
        (cloud_event(id=None), "malformed_payload"),
        (cloud_event(type=SIGNAL), "contract_violation"),
        (cloud_event(data=None), "contract_violation"),
        (cloud_event(data=None, data_base64="!"), "malformed_payload"),
        (7, "malformed_payload"),
    ],
)
def test_what_is_no_event_of_ours_is_refused(event: Any, reason: str) -> None:
    (refused,) = read_cloud(event, {"content-type": STRUCTURED})
    assert isinstance(refused, Refused)
    assert refused.reason == reason


@pytest.mark.parametrize(("token", "status"), [("let me in", 200), ("let me out", 401), (None, 401)])
def test_a_bearer_token_is_enough_where_it_is_configured(token: str | None, status: int) -> None:
    async def scene() -> None:
        async with bench(Instance("shop", "cloudevents", tokens=("let me in", "and me"))) as running:
            headers = (
                CE | {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
            )
            assert (await running.post("/in/shop", json.dumps(MESSAGE).encode(), headers))[0] == status
            assert len(running.published.interactions) == (1 if status == 200 else 0)

    asyncio.run(scene())


def test_a_sender_may_ask_whether_it_may_send() -> None:
    """CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", section 4."""

    async def scene() -> None:
        async with bench() as running:
            url = f"{running.url}/in/cloudevents"
            async with running.session.options(url, headers={"WebHook-Request-Origin": "shop.example"}) as answer:
                assert answer.status == 200
                assert answer.headers["WebHook-Allowed-Origin"] == "shop.example"
                assert answer.headers["Allow"] == "POST"
            assert running.recorder.answers == {("cloudevents", 200, "handshake"): 1}

    asyncio.run(scene())
