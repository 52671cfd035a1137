"""Intercom's history: the same ids as its webhooks, whole in spite of pages, limits and crashes."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.backfill.backfill_run import Backfill
from streams.backfill.intercom_source import IntercomSource
from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.helpdesks.intercom_channel import INTERCOM
from streams.history.history_sender import ImportFailed
from tests.backfill_bench import Scene
from tests.fake_intercom import FakeIntercom
from tests.fake_zendesk import broken, too_many
from tests.senders.sender import NOW

BEGAN = 1_772_442_000  # 2026-03-02T09:00:00Z
CUSTOMER = {"type": "user", "id": "c1", "email": "jo@acme.example"}
ADMIN = {"type": "admin", "id": "7", "email": "ada@ours.example"}
PARTS: list[dict[str, Any]] = [
    {"id": "p1", "part_type": "assignment", "author": ADMIN, "assigned_to": {"type": "admin", "id": "7"}},
    {"id": "p2", "part_type": "comment", "author": ADMIN, "body": "<p>Try again</p>"},
    {"id": "p3", "part_type": "note", "author": ADMIN, "body": "slow"},
    {"id": "p4", "part_type": "comment", "author": CUSTOMER, "body": "Still broken"},
    {"id": "p5", "part_type": "close", "author": ADMIN},
]
TOPICS = [
    "conversation.admin.assigned",
    "conversation.admin.replied",
    "conversation.admin.noted",
    "conversation.user.replied",
    "conversation.admin.closed",
]


def conversation(number: int, parts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    dated = [
        {"created_at": BEGAN + 60 * place} | part for place, part in enumerate(PARTS if parts is None else parts, 1)
    ]
    return {
        "type": "conversation",
        "id": str(number),
        "created_at": BEGAN,
        "updated_at": BEGAN + 600 + number // 2,  # two at a time
        "state": "closed",
        "admin_assignee_id": 7,
        "source": {"type": "conversation", "id": f"s{number}", "body": "It is broken", "author": CUSTOMER},
        "contacts": {"contacts": [{"type": "contact", "id": "c1"}]},
        "conversation_parts": {"conversation_parts": [part | {"id": f"{number}-{part['id']}"} for part in dated]},
        "conversation_rating": {"rating": 4, "remark": "Quick", "created_at": BEGAN + 500},
    }


def ticket(number: int) -> dict[str, Any]:
    return {
        "type": "ticket",
        "id": str(number),
        "created_at": BEGAN,
        "updated_at": BEGAN + 900,
        "category": "Customer",
        "ticket_state": {"category": "submitted"},
        "ticket_attributes": {"_default_title_": "A refund"},
        "contacts": {"contacts": [{"type": "contact", "id": "c2"}]},
    }


def run(folder: Path, provider: FakeIntercom, crash_at: int | None = None) -> tuple[Scene, Backfill]:
    scene = Scene(folder, provider, IntercomSource, "intercom")
    scene.sink.fail_at = crash_at
    if crash_at is not None:
        with pytest.raises(ImportFailed):
            scene.run()
    return scene, scene.run()


def provider(**more: Any) -> FakeIntercom:
    return FakeIntercom([conversation(number) for number in range(1, 7)], [ticket(90)], **more)


def test_every_event_once_with_the_assignee_of_its_time(tmp_path: Path) -> None:
    company = {"id": "f1", "name": "Acme"}
    contacts = [
        {"id": "c1", "role": "user", "email": "jo@acme.example", "companies": {"data": [{"id": "f1"}]}},
        {"id": "c2", "role": "lead", "email": "eve@acme.example", "companies": {"data": [{"id": "f1"}]}},
    ]
    scene, backfill = run(tmp_path, provider(companies=[company], contacts=contacts))
    assert backfill.position.threads == 7
    assert len(scene.sink.closed) == 1
    events = [each for each in scene.sink.events if each.conversation_id == "intercom:1"]
    told = [
        (each.type, each.author.kind, each.visibility, each.agent) for each in events if isinstance(each, Interaction)
    ]
    assert told == [
        ("message", "customer", "public", None),
        ("assigned", "agent", "public", "7"),
        ("message", "agent", "public", "7"),
        ("message", "agent", "internal", "7"),
        ("message", "customer", "public", "7"),
        ("status_changed", "agent", "public", "7"),
    ]
    assert [(each.name, each.value, each.account_id) for each in events if isinstance(each, Signal)] == [
        ("csat", 4.0, "intercom_company:f1")
    ]
    assert {each.account_id for each in events} == {"intercom_company:f1"}
    assert scene.learned[0].identities == ("intercom_company:f1", "intercom_contact:c1", "email:jo@acme.example")
    (filed,) = [each for each in scene.sink.events if each.conversation_id == "intercom:90"]
    assert (filed.text, filed.account_id) == ("A refund", "contact:intercom_contact:c2")


def test_the_ids_are_those_of_the_webhooks(tmp_path: Path) -> None:
    whole = conversation(1)
    scene, _ = run(tmp_path, FakeIntercom([whole]))
    parts = whole["conversation_parts"]["conversation_parts"]
    notices = [("conversation.user.created", []), *zip(TOPICS, ([part] for part in parts), strict=True)]
    live = {}
    for place, (topic, shown) in enumerate([*notices, ("conversation.rating.added", [])]):
        item = whole | {"conversation_parts": {"conversation_parts": shown}}
        notice = {"type": "notification_event", "id": f"notif_{place}", "topic": topic, "data": {"item": item}}
        body = json.dumps(notice | {"created_at": BEGAN + 60 * place}).encode()
        normaliser = INTERCOM.normaliser(Instance("intercom", "intercom"))
        for made in normaliser.normalise(WebhookRequest("POST", Headers(()), body, NOW)):
            assert isinstance(made, Draft)
            live[made.event.id] = made.event.occurred_at
    assert {each.id: each.occurred_at for each in scene.sink.events} == live


@pytest.mark.parametrize("trouble", [too_many(), broken()], ids=["429", "500"])
@pytest.mark.parametrize("number", [1, 3, 5, 9])
def test_a_trouble_anywhere_loses_and_doubles_nothing(tmp_path: Path, trouble: Any, number: int) -> None:
    smooth, _ = run(tmp_path / "a", provider())
    troubled, _ = run(tmp_path / "b", provider(troubles={number: trouble}))
    assert set(troubled.sink.keys) == set(smooth.sink.keys)
    assert len(troubled.sink.keys) == len(set(troubled.sink.keys))
    assert troubled.pauses


@pytest.mark.parametrize("page", [0, 1, 2, 3])
def test_a_crash_in_the_middle_goes_on_where_it_was(tmp_path: Path, page: int) -> None:
    smooth, _ = run(tmp_path / "a", provider())
    crashed, backfill = run(tmp_path / "b", provider(), crash_at=page)
    assert set(crashed.sink.keys) == set(smooth.sink.keys)
    assert backfill.position.finished
    assert len(crashed.sink.closed) == 1
    # What moved at the very instant of the last position comes again, under the same ids.
    assert len(crashed.sink.keys) - len(smooth.sink.keys) <= 2 * 7
