"""What Zendesk's ticket events mean: the published example, and a table of the documented ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Author, Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, Reading, Refused, WebhookRequest
from streams.connectors.helpdesks.zendesk_channel import ZENDESK
from tests.senders.helpdesk_senders import zendesk_event
from tests.senders.sender import NOW


def read(event: dict[str, Any] | bytes, **instance: Any) -> Reading:
    connector = ZENDESK.build(Instance("helpdesk", "zendesk", secrets=("secret",), **instance))
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return connector.normalise(WebhookRequest("POST", Headers([]), body, NOW))


def only(event: dict[str, Any] | bytes, **instance: Any) -> Draft:
    (draft,) = read(event, **instance)
    assert isinstance(draft, Draft), draft
    return draft


def interaction(event: dict[str, Any] | bytes, **instance: Any) -> Interaction:
    made = only(event, **instance).event
    assert isinstance(made, Interaction)
    return made


def comment(*, staff: bool, public: bool, author: str = "70") -> dict[str, Any]:
    said = {
        "id": "8",
        "body": "Try again",
        "is_public": public,
        "author": {"id": author, "is_staff": staff, "name": "N"},
    }
    return zendesk_event("ticket.comment_added", {"comment": said})


def test_the_published_example(shared: Path) -> None:
    path = shared / "payloads" / "ticket" / "zendesk_event_agent_assignment_changed.json"
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    draft = only(path.read_bytes())
    event = draft.event
    assert isinstance(event, Interaction)
    assert (event.id, event.conversation_id, event.type) == (
        "ticket:5158:assignee_id:8447388090496:2025-01-08T12:15:45Z",
        "helpdesk:5158",
        "assigned",
    )
    assert event.occurred_at.isoformat() == "2025-01-08T12:15:45.789012+00:00"
    assert (event.agent, event.team, event.inbox) == ("8447388090496", "8447320466430", "8447346621310")
    assert (event.priority, event.conversation_type) == ("urgent", "problem")
    assert event.tags == ("mobile", "login", "priority-support")
    assert draft.identities == ("zendesk_org:8447346622462", "zendesk_user:8447388090494")


@pytest.mark.parametrize(
    ("staff", "public", "kind", "visibility", "direction"),
    [
        (False, True, "customer", "public", "inbound"),
        (True, True, "agent", "public", "outbound"),
        (True, False, "agent", "internal", None),
        (False, False, "customer", "internal", None),
    ],
)
def test_the_comment_itself_says_who_wrote_it_and_who_may_read_it(
    staff: bool, public: bool, kind: str, visibility: str, direction: str | None
) -> None:
    event = interaction(comment(staff=staff, public=public))
    assert (event.type, event.author, event.visibility, event.direction) == (
        "message",
        Author(kind, "70"),  # type: ignore[arg-type]
        visibility,
        direction,
    )
    assert (event.text, event.raw_reference) == ("Try again", "zendesk:comment:8")


def test_a_comment_of_a_trigger_is_automated() -> None:
    event = interaction(comment(staff=True, public=True, author="-1"))
    assert (event.author.kind, event.automated) == ("system", "trigger")


@pytest.mark.parametrize(
    ("original", "canonical"),
    [
        ("NEW", "new"),
        ("open", "open"),
        ("PENDING", "waiting_on_customer"),
        ("hold", "on_hold"),
        ("SOLVED", "resolved"),
        ("closed", "closed"),
    ],
)
def test_statuses_are_ours_and_the_original_is_kept(original: str, canonical: str) -> None:
    event = interaction(zendesk_event("ticket.status_changed", {"previous": "OPEN", "current": original}))
    assert (event.type, event.status, event.source_status) == ("status_changed", canonical, original.lower())


@pytest.mark.parametrize(
    ("kind", "change", "expected"),
    [
        ("ticket.priority_changed", {"current": "URGENT"}, {"type": "priority_changed", "priority": "urgent"}),
        ("ticket.agent_assignment_changed", {"current": 71}, {"type": "assigned", "agent": "71", "team": "3"}),
        ("ticket.group_assignment_changed", {"current": "4"}, {"type": "assigned", "agent": "70", "team": "4"}),
        ("ticket.tags_changed", {"tags_added": ["login"]}, {"type": "tagged", "tags": ("mobile", "login")}),
        ("ticket.merged", {"target_ticket_id": "99"}, {"type": "merged", "into": "helpdesk:99"}),
        ("ticket.marked_as_spam", {}, {"type": "status_changed", "status": "spam"}),
        ("ticket.soft_deleted", {}, {"type": "status_changed", "status": "deleted"}),
        ("ticket.permanently_deleted", {}, {"type": "status_changed", "status": "deleted"}),
        ("ticket.undeleted", {}, {"type": "status_changed", "status": "open"}),
        ("ticket.organization_changed", {"current": "9"}, {"type": "account_changed"}),
        ("ticket.comment_made_private", {"comment": {"id": "8"}}, {"type": "edited", "visibility": "internal"}),
    ],
)
def test_documented_changes(kind: str, change: dict[str, Any], expected: dict[str, Any]) -> None:
    event = interaction(zendesk_event(kind, change))
    assert {name: getattr(event, name) for name in expected} == expected
    assert event.author == Author("agent", "70")


def test_a_ticket_begins_with_the_message_of_its_requester() -> None:
    event = interaction(zendesk_event("ticket.created"))
    assert (event.type, event.author, event.text) == ("message", Author("customer", "42"), "It is broken")
    assert (event.channel, event.priority, event.tags) == ("email", "high", ("mobile", "login"))


def test_a_ticket_that_staff_filed_begins_with_staff() -> None:
    assert interaction(zendesk_event("ticket.created", submitter_id="70")).author == Author("agent", "70")


def test_a_ticket_that_is_pending_from_the_start_says_so() -> None:
    message, status = read(zendesk_event("ticket.created", status="PENDING"))
    assert isinstance(message, Draft)
    assert isinstance(status, Draft)
    assert isinstance(status.event, Interaction)
    assert status.event.status == "waiting_on_customer"
    assert message.event.id != status.event.id


def test_the_first_comment_counts_once_however_it_is_told() -> None:
    """Creating a ticket sends `created` and `comment_added`; a comment with the same words later is another one."""
    at_once: dict[str, Any] = {"created_at": "2026-03-02T09:29:58Z", "description": "Try again"}
    created = zendesk_event("ticket.created", **at_once)
    added = comment(staff=False, public=True, author="42")
    added["detail"] |= at_once
    assert interaction(created).id == interaction(added).id == "ticket:5158:opening"
    added["detail"]["created_at"] = "2026-03-02T09:00:00Z"
    assert interaction(added).id == "comment:8"
    added["detail"] |= at_once | {"description": "Another text"}
    assert interaction(added).id == "comment:8"


def test_messaging() -> None:
    event = zendesk_event(
        "messaging_ticket.message_added",
        {"actor": {"id": "u1", "type": "end_user"}, "message": {"id": "m1", "body": "hello"}},
    )
    event["detail"] = {"id": "141"}
    made = interaction(event)
    assert (made.conversation_id, made.channel, made.author, made.text) == (
        "helpdesk:141",
        "chat",
        Author("customer", "u1"),
        "hello",
    )
    assert only(event).identities == ("sunshine_user:u1",)


@pytest.mark.parametrize(
    ("said", "value", "scale"),
    [
        ({"satisfaction_score": {"score": "GOOD", "comment": "thanks"}}, 1.0, 1.0),
        ({"satisfaction_score": {"score": "bad", "comment": "thanks"}}, 0.0, 1.0),
        ({"satisfaction_score": {"score": 4, "comment": "thanks"}}, 4.0, 5.0),
    ],
)
def test_a_rating_is_a_survey_signal(said: dict[str, Any], value: float, scale: float) -> None:
    draft = only(zendesk_event("ticket.csat_received", said))
    signal = draft.event
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.name, signal.value, signal.scale, signal.text) == (
        "survey",
        "csat",
        value,
        scale,
        "thanks",
    )
    assert signal.conversation_id == "helpdesk:5158"
    assert draft.identities[0] == "zendesk_org:9"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ticket.subject_changed", "without_effect"),
        ("ticket.next_sla_breach_changed", "without_effect"),
        ("user.created", "other_subject"),
        ("organization.created", "other_subject"),
    ],
)
def test_what_means_nothing_here_is_ignored(kind: str, reason: str) -> None:
    assert read(zendesk_event(kind)) == [Ignored(reason)]


@pytest.mark.parametrize(
    ("event", "reason", "place"),
    [
        (zendesk_event("ticket.teleported"), "not_understood", "teleported"),
        (zendesk_event("ticket.status_changed", {"current": "LIMBO"}), "not_understood", "limbo"),
        (zendesk_event("ticket.created", id=None) | {"subject": None}, "malformed_payload", "$.detail.id"),
        (zendesk_event("ticket.created") | {"time": "yesterday"}, "malformed_payload", "$.time"),
        (zendesk_event("ticket.created") | {"time": "2026-03-02T09:29:58"}, "malformed_payload", "$.time"),
        (zendesk_event("ticket.comment_added"), "malformed_payload", "$.event.comment"),
        (zendesk_event("ticket.merged"), "malformed_payload", "$.event.target_ticket_id"),
        (zendesk_event("ticket.csat_received", {"satisfaction_score": "odd"}), "not_understood", "odd"),
        ({"type": 5}, "malformed_payload", "$.type"),
    ],
)
def test_what_cannot_be_understood_says_where(event: dict[str, Any], reason: str, place: str) -> None:
    (refused,) = read(event)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert place in refused.detail


def test_numbers_texts_and_one_text_of_tags_are_all_read() -> None:
    event = interaction(zendesk_event("ticket.created", id=5158, requester_id=42, submitter_id=42, tags="mobile login"))
    assert (event.conversation_id, event.author.id, event.tags) == ("helpdesk:5158", "42", ("mobile", "login"))


def test_an_instance_may_name_channel_and_clock() -> None:
    event = interaction(zendesk_event("ticket.created"), channel="chat", clock="simulation:7")
    assert (event.channel, event.clock, event.source) == ("chat", "simulation:7", "helpdesk")
