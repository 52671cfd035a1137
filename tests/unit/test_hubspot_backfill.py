"""HubSpot's history: what its webhooks would have told, whole in spite of pages, limits and crashes."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from streams.backfill import hubspot_source
from streams.backfill.backfill_run import Backfill
from streams.backfill.history_api import ApiRefused
from streams.backfill.hubspot_source import HubSpotSource
from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.helpdesks.hubspot_channel import HUBSPOT
from streams.history.history_sender import ImportFailed
from tests.backfill_bench import Scene
from tests.fake_hubspot import FakeHubSpot
from tests.fake_zendesk import broken, too_many
from tests.senders.sender import NOW

BEGAN = 1_772_442_000_000  # 2026-03-02T09:00:00Z, in milliseconds
COMPANY = {"id": "5", "properties": {"name": "Acme", "domain": "acme.example"}}
CONTACTS = [
    {"id": "c1", "properties": {"email": "jo@acme.example"}, "associations": {"companies": {"results": [{"id": "5"}]}}},
    {"id": "c2", "properties": {"email": "jo@home.example"}, "associations": {"companies": {"results": [{"id": "5"}]}}},
]


def at(minute: int, seconds: int = 0) -> str:
    return f"2026-03-02T09:{minute:02}:{seconds:02}.000Z"


def entry(minute: int, value: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "timestamp": at(minute), "sourceType": "CRM_UI"} | more


def ticket(number: int, *, form: bool = False) -> dict[str, Any]:
    history = {
        "hs_pipeline_stage": [entry(30, "4"), entry(10, "2", updatedByUserId=70), entry(0, "1")],
        "hubspot_owner_id": [entry(5, "70", updatedByUserId=70)],
        "hs_ticket_priority": [entry(0, "HIGH")],
        "hs_last_message_sent_at": [entry(10, str(BEGAN + 600_000), updatedByUserId=70)],
    }
    if not form:
        history["hs_last_message_received_at"] = [entry(0, str(BEGAN))]
    return {
        "id": str(number),
        "properties": {
            "content": "It is broken",
            "createdate": at(0),
            "hs_pipeline_stage": "4",
            "source_type": "FORM" if form else "EMAIL",
            "hs_lastmodifieddate": at(40, number // 2),  # two at a time
        },
        "propertiesWithHistory": history,
        "associations": {"companies": {"results": [{"id": "5"}]}},
    }


def thread(number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "createdAt": at(0),
        "latestMessageTimestamp": at(20, number),
        "associatedContactId": "c2",
        "originalChannelId": "1000",
    }


def messages(number: int) -> list[dict[str, Any]]:
    said = {"conversationsThreadId": str(number), "channelId": "1000"}
    asked = {"type": "MESSAGE", "direction": "INCOMING", "text": "Hello?", "senders": [{"actorId": "V-c2"}]}
    answered = {"type": "MESSAGE", "direction": "OUTGOING", "text": "Hi", "senders": [{"actorId": "A-70"}]}
    return [
        said | answered | {"id": f"{number}-m2", "createdAt": at(5)},
        said | asked | {"id": f"{number}-m1", "createdAt": at(1)},
        said | {"type": "ASSIGNMENT", "id": f"{number}-m3", "createdAt": at(3), "assignedTo": "A-70"},
        said | {"type": "THREAD_STATUS_CHANGE", "newStatus": "CLOSED", "id": f"{number}-m4", "createdAt": at(20)},
    ]


def provider(**more: Any) -> FakeHubSpot:
    return FakeHubSpot(
        threads=[thread(number) for number in (1, 2, 3)],
        messages={str(number): messages(number) for number in (1, 2, 3)},
        tickets=[ticket(number) for number in range(1, 7)],
        companies=[COMPANY],
        contacts=CONTACTS,
        **more,
    )


def run(folder: Path, provider: FakeHubSpot, crash_at: int | None = None) -> tuple[Scene, Backfill]:
    scene = Scene(folder, provider, HubSpotSource, "hubspot")
    scene.sink.fail_at = crash_at
    if crash_at is not None:
        with pytest.raises(ImportFailed):
            scene.run()
    return scene, scene.run()


def told(scene: Scene, conversation: str) -> list[tuple[Any, ...]]:
    return [
        (each.type, each.author.kind, each.status or each.text, each.agent, each.priority, each.channel)
        for each in scene.sink.events
        if isinstance(each, Interaction) and each.conversation_id == conversation
    ]


def test_a_thread_and_a_ticket_from_their_beginning(tmp_path: Path) -> None:
    scene, backfill = run(tmp_path, provider())
    assert backfill.position.threads == 9
    assert (
        told(scene, "hubspot:thread:1")
        == [
            ("status_changed", "system", "new", None, None, "chat"),
            ("message", "customer", "Hello?", None, None, "chat"),
            ("assigned", "agent", None, "A-70", None, "chat"),
            ("message", "agent", "Hi", "A-70", None, "chat"),
            ("status_changed", "agent", "closed", "A-70", None, "chat"),
        ]
        or told(scene, "hubspot:thread:1")[4][1] == "system"
    )
    assert told(scene, "hubspot:ticket:1") == [
        ("status_changed", "system", "new", None, None, "email"),
        ("status_changed", "system", "new", None, None, "email"),
        ("priority_changed", "system", None, None, "high", "email"),
        ("message", "customer", None, None, "high", "email"),
        ("assigned", "agent", None, "70", "high", "email"),
        ("status_changed", "agent", "waiting_on_customer", "70", "high", "email"),
        ("message", "agent", None, "70", "high", "email"),
        ("status_changed", "system", "closed", "70", "high", "email"),
    ]
    assert {each.account_id for each in scene.sink.events} == {"hubspot_company:5"}
    (company,) = scene.learned
    assert company.identities == (
        "hubspot_company:5",
        "domain:acme.example",
        "hubspot_contact:c2",
        "email:jo@home.example",
    )


def test_a_form_begins_with_what_was_written_into_it(tmp_path: Path) -> None:
    scene, _ = run(tmp_path, FakeHubSpot(tickets=[ticket(1, form=True)]))
    assert ("message", "customer", "It is broken", None, None, "form") in told(scene, "hubspot:ticket:1")


def test_the_ids_of_a_ticket_are_those_of_the_webhooks(tmp_path: Path) -> None:
    scene, _ = run(tmp_path, FakeHubSpot(tickets=[ticket(1)]))
    events = [{"subscriptionType": "ticket.creation", "occurredAt": BEGAN}]
    for name, entries in ticket(1)["propertiesWithHistory"].items():
        for each in entries:
            changed = {
                "subscriptionType": "ticket.propertyChange",
                "propertyName": name,
                "propertyValue": each["value"],
            }
            minutes = int(each["timestamp"][14:16])
            user = {"sourceId": f"userId:{each['updatedByUserId']}"} if "updatedByUserId" in each else {}
            events.append(changed | {"occurredAt": BEGAN + 60_000 * minutes} | user)
    numbered = [each | {"objectId": 1, "eventId": 1000 + place} for place, each in enumerate(events)]
    request = WebhookRequest("POST", Headers(()), json.dumps(numbered).encode(), NOW)
    drafts = HUBSPOT.normaliser(Instance("hubspot", "hubspot")).normalise(request)
    live = {
        each.event.id: (each.event.occurred_at, each.event.type, each.event.author)
        for each in drafts
        if isinstance(each, Draft) and isinstance(each.event, Interaction)
    }
    fetched = {
        each.id: (each.occurred_at, each.type, each.author)
        for each in scene.sink.events
        if isinstance(each, Interaction)
    }
    assert fetched == live


@pytest.mark.parametrize("trouble", [too_many(), broken()], ids=["429", "500"])
@pytest.mark.parametrize("number", [1, 3, 5, 9, 12])
def test_a_trouble_anywhere_loses_and_doubles_nothing(tmp_path: Path, trouble: Any, number: int) -> None:
    smooth, _ = run(tmp_path / "a", provider())
    troubled, _ = run(tmp_path / "b", provider(troubles={number: trouble}))
    assert set(troubled.sink.keys) == set(smooth.sink.keys)
    assert len(troubled.sink.keys) == len(set(troubled.sink.keys))
    assert troubled.pauses


@pytest.mark.parametrize("page", [0, 1, 2, 3, 4])
def test_a_crash_in_the_middle_goes_on_where_it_was(tmp_path: Path, page: int) -> None:
    smooth, _ = run(tmp_path / "a", provider())
    crashed, backfill = run(tmp_path / "b", provider(), crash_at=page)
    assert set(crashed.sink.keys) == set(smooth.sink.keys)
    assert backfill.position.finished


def test_a_search_that_shows_no_more_begins_again_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubspot_source, "MOST_FOUND", hubspot_source.A_PAGE + 2)
    scene, _ = run(tmp_path, provider())
    whole, _ = run(tmp_path / "whole", provider())
    assert set(scene.sink.keys) == set(whole.sink.keys)
    stuck = [ticket(2) | {"id": str(number)} for number in range(10)]
    with pytest.raises(ApiRefused, match="more tickets moved at once"):
        run(tmp_path / "stuck", FakeHubSpot(tickets=stuck))
