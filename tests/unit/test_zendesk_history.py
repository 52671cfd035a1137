"""The life of a ticket from its audits: who was who then, how the ticket stood, what became of it."""

from typing import Any

import pytest

from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_history import ticket_history
from tests.payload_readings import Line, tuple_of
from tests.senders.sender import NOW

TICKET: dict[str, Any] = {
    "id": 7,
    "created_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-02T12:00:00Z",
    "requester_id": 42,
    "submitter_id": 42,
    "organization_id": 9,
    "priority": "urgent",
    "status": "solved",
    "tags": ["now"],
    "via": {"channel": "email"},
    "url": "u",
}
OPENED = {"id": 1, "type": "Create", "field_name": "requester_id", "value": "42"}


def audit(minute: int, author: int, *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    numbered = [{"id": 1000 * minute + place} | event for place, event in enumerate(events, start=1)]
    at = f"2026-03-02T09:{minute:02}:00Z"
    return {"id": minute, "ticket_id": 7, "created_at": at, "author_id": author, "events": numbered} | more


def comment(author: int, body: str, *, public: bool = True) -> dict[str, Any]:
    return {"type": "Comment", "author_id": author, "body": body, "public": public}


def changed(field: str, value: Any, before: Any = None) -> dict[str, Any]:
    return {"type": "Change", "field_name": field, "value": value, "previous_value": before}


def told(*audits: dict[str, Any], people: list[dict[str, Any]] | None = None, **ticket: Any) -> list[Any]:
    drafter = Drafter(Instance("desk", "zendesk"), WebhookRequest("GET", Headers(()), b"", NOW), "other")
    return list(ticket_history(drafter, TICKET | ticket, audits, people or []))


def interactions(*audits: dict[str, Any], **more: Any) -> list[Interaction]:
    return [
        each.event for each in told(*audits, **more) if isinstance(each, Draft) and isinstance(each.event, Interaction)
    ]


def test_each_event_stands_as_the_ticket_did_then() -> None:
    events = interactions(
        audit(0, 42, comment(42, "Broken"), OPENED, {"type": "Create", "field_name": "tags", "value": ["old"]}),
        audit(5, 70, changed("priority", "urgent", "low"), changed("group_id", "3")),
        audit(9, 70, changed("tags", ["now"], ["old"])),
    )
    assert [(each.type, each.priority, each.team, each.tags) for each in events] == [
        ("message", "low", None, ("old",)),
        ("priority_changed", "urgent", "3", ("old",)),
        ("assigned", "urgent", "3", ("old",)),
        ("tagged", "urgent", "3", ("now",)),
    ]


@pytest.mark.parametrize(
    "deed",
    [audit(4, 70, comment(70, "slow", public=False)), audit(4, 1, changed("assignee_id", "70"))],
    ids=["wrote a note", "had the ticket"],
)
def test_an_agent_who_has_left_is_an_end_user_now_and_was_an_agent_then(deed: dict[str, Any]) -> None:
    people = [{"id": 42, "role": "end-user"}, {"id": 70, "role": "end-user"}]
    events = interactions(
        audit(0, 42, comment(42, "Broken"), OPENED), audit(2, 70, comment(70, "Try again")), deed, people=people
    )
    assert [(each.text, each.author.kind) for each in events if each.type == "message"][:2] == [
        ("Broken", "customer"),
        ("Try again", "agent"),
    ]


def test_a_colleague_of_the_customer_is_a_customer() -> None:
    people = [{"id": 42, "role": "end-user"}, {"id": 43, "role": "end-user"}]
    events = interactions(
        audit(0, 42, comment(42, "Broken"), OPENED), audit(2, 43, comment(43, "Here too")), people=people
    )
    assert [each.author.kind for each in events] == ["customer", "customer"]


MERGED = 'This request was closed and merged into request #99 "It broke".'


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [
                comment(70, MERGED, public=False),
                changed("status", "closed"),
                changed("tags", ["closed_by_merge"]),
            ],
            ("merged", "desk:7", "agent:70", "public", "desk:99"),
        ),
        (
            [comment(70, MERGED), changed("status", "closed")],
            ("merged", "desk:7", "agent:70", "public", "desk:99"),
        ),
        (
            [comment(70, "Fusionné dans la demande #99."), changed("tags", ["closed_by_merge"])],
            ("merged", "desk:7", "agent:70", "public", "desk:99"),
        ),
        (
            [changed("satisfaction_score", "good"), changed("satisfaction_comment", "Quick!")],
            ("csat", 1.0, 1.0, "desk:7", "Quick!"),
        ),
        (
            [{"type": "CommentPrivacyChange", "comment_id": 8, "public": False}],
            ("edited", "desk:7", "agent:70", "internal", None),
        ),
        (
            [
                {
                    "type": "ChatStartedEvent",
                    "value": {
                        "history": [
                            {"type": "ChatJoin", "actor_id": "1"},
                            {
                                "type": "ChatMessage",
                                "message_id": "m1",
                                "actor_id": "u1",
                                "actor_type": "end-user",
                                "message": "Hello?",
                                "timestamp": 1_772_442_060_000,
                            },
                        ]
                    },
                }
            ],
            ("message", "desk:7", "customer:u1", "public", "Hello?"),
        ),
    ],
    ids=["merged", "merged and not tagged", "merged in French", "rated", "made private", "chatted"],
)
def test_what_else_audits_tell(events: list[dict[str, Any]], expected: Line) -> None:
    first = audit(0, 42, comment(42, "Broken"), OPENED)
    people = [{"id": 70, "role": "agent"}]
    assert expected in [tuple_of(each) for each in told(first, audit(5, 70, *events), people=people)]


def test_a_rating_knows_its_account() -> None:
    rated = audit(5, 42, changed("satisfaction_score", "bad"))
    (draft,) = [
        each for each in told(audit(0, 42, comment(42, "Broken"), OPENED), rated) if isinstance(each.event, Signal)
    ]
    assert draft.identities == ("zendesk_org:9", "zendesk_user:42")


def test_of_a_ticket_without_audits_the_ticket_itself_tells() -> None:
    assert [tuple_of(each) for each in told(status="deleted", description="Broken")] == [
        ("message", "desk:7", "customer:42", "public", "Broken"),
        ("status_changed", "desk:7", "system:None", "public", "deleted"),
    ]
