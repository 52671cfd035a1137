"""What the payloads of Freshdesk and Zammad mean: published, documented and mutilated ones."""

from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.connectors.connector_contract import ConnectorKind, Draft, Instance
from streams.connectors.helpdesks.freshdesk_channel import FRESHDESK
from streams.connectors.helpdesks.freshdesk_words import Change, changes_in
from streams.connectors.helpdesks.hubspot_channel import HUBSPOT
from streams.connectors.helpdesks.zammad_channel import ZAMMAD
from tests.payload_mutilations import assert_sound, mutilations
from tests.payload_readings import published, reading_of, table_of
from tests.senders.helpdesk_senders import FRESHDESK_CREATED, ZAMMAD_CALL

PUBLISHED: list[tuple[ConnectorKind, str, list[str]]] = [
    (
        FRESHDESK,
        "ticket/freshdesk_ticket_created.json",
        [
            (
                "message customer(requester-bob@example.com) inbound other freshdesk:11 domain:example.com"
                " 'Test ticket description ☃.'"
            ),
            "status_changed system other freshdesk:11 domain:example.com 'waiting_on_customer'",
        ],
    ),
    (
        FRESHDESK,
        "ticket/freshdesk_status_changed.json",
        ["status_changed system other freshdesk:11 domain:example.com 'waiting_on_customer'"],
    ),
    (
        FRESHDESK,
        "ticket/freshdesk_public_note.json",
        ["message agent outbound other freshdesk:11 domain:example.com None"],
    ),
]


@pytest.mark.parametrize(("kind", "name", "lines"), PUBLISHED, ids=[name for _, name, _ in PUBLISHED])
def test_published_payloads(kind: ConnectorKind, name: str, lines: list[str], shared: Path) -> None:
    assert table_of(kind, published(shared, name)) == lines


# Freshdesk


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        ("{status:{from:4,to:6}}", {"status": Change("4", "6")}),
        ("{ticket_action:created}", {"ticket_action": Change(None, "created")}),
        (
            "{status:{from:2,to:5},responder_id:{from:--,to:77}}",
            {"status": Change("2", "5"), "responder_id": Change(None, "77")},
        ),
        ('{"priority": {"from": 1, "to": "4"}}', {"priority": Change("1", "4")}),
        ({"status": [2, 3], "spam": [False, True]}, {"status": Change("2", "3"), "spam": Change("false", "true")}),
        ("ticket_created", {"ticket_created": Change(None, None)}),
        ("{{{{:,:}}", {}),
        ("", {}),
        (None, {}),
        (17, {}),
    ],
)
def test_almost_json_is_read_with_care(said: Any, changes: dict[str, Change]) -> None:
    assert changes_in(said) == changes


def rule(**fields: Any) -> dict[str, Any]:
    about = {"ticket_id": 11, "ticket_status": "Open", "requester_name": "Bob", "requester_email": "bob@acme.example"}
    return {"freshdesk_webhook": about | fields}


WHOSE = "other freshdesk:11 domain:acme.example"


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"triggered_event": "{note_type:private}"}, f"message agent internal {WHOSE} None"),
        ({"triggered_event": "{priority:{from:3,to:1}}"}, f"priority_changed system {WHOSE} 'low'"),
        ({"triggered_event": "{responder_id:{from:--,to:77}}"}, f"assigned system {WHOSE} '77'"),
        ({"triggered_event": "{ticket_action:marked_spam}"}, f"status_changed system {WHOSE} 'spam'"),
        (
            {"triggered_event": "{status:{from:4,to:2}}", "ticket_status": "Offen"},
            f"status_changed system {WHOSE} 'open'",
        ),
        ({"triggered_event": "{status:{from:4,to:7}}", "ticket_status": "Job Application"}, "refused: not_understood"),
        (
            {"triggered_event": "{status:{from:2,to:4}}", "ticket_status": "Closed"},
            f"status_changed system {WHOSE} 'resolved'",
        ),
        ({"triggered_event": "{due_by:{from:a,to:b}}"}, "ignored: without_effect"),
        ({"triggered_event": "{unknown_event:{from:3,to:1}}"}, "refused: not_understood"),
        ({"ticket_status": "Waiting on Customer"}, f"status_changed system {WHOSE} 'waiting_on_customer'"),
        (
            {"triggered_event": "{reply_sent:sent}", "ticket_latest_public_comment": "Bob : <p>Still broken</p>"},
            f"message customer(bob@acme.example) inbound {WHOSE} 'Still broken'",
        ),
        (
            {
                "triggered_event": "{reply_sent:sent}",
                "ticket_latest_public_comment": "Ann : <p>Try again</p>",
                "event_performer_name": "Ann",
                "event_performer_email": "ann@ours.example",
            },
            f"message agent(ann@ours.example) outbound {WHOSE} 'Try again'",
        ),
        (
            {
                "triggered_event": "{reply_sent:sent}",
                "ticket_latest_public_comment": "Ann : <p>Try again</p>",
                "requester_name": None,
                "ticket_agent_name": "Ann",
                "ticket_agent_email": "ann@ours.example",
            },
            f"message agent(ann@ours.example) outbound {WHOSE} 'Try again'",
        ),
        (
            {"triggered_event": "customer_reply_added", "conversation_body": "Still broken"},
            f"message customer(bob@acme.example) inbound {WHOSE} 'Still broken'",
        ),
        (
            {"latest_comment": {"body_text": "Thanks", "incoming": True, "private": False}},
            f"message customer(bob@acme.example) inbound {WHOSE} 'Thanks'",
        ),
    ],
)
def test_webhooks_of_rules(fields: dict[str, Any], line: str) -> None:
    assert table_of(FRESHDESK, rule(**fields)) == [line]


def test_a_rule_may_nest_its_people() -> None:
    ticket = {
        "id": "11",
        "triggered_event": "{reply_sent:sent}",
        "latest_public_comment": "Ann : <p>Try again</p>",
        "agent": {"name": "Ann", "email": "Ann@ours.example"},
        "contact": {"name": "Bob", "email": "bob@acme.example"},
    }
    line = f"message agent(ann@ours.example) outbound {WHOSE} 'Try again'"
    assert table_of(FRESHDESK, {"ticket": ticket}) == [line]


def test_a_rule_that_says_no_event_tells_the_ticket_as_it_is() -> None:
    times = {"ticket_created_at": "2026-03-01T09:00:00Z", "ticket_updated_at": "2026-03-01T10:00:00Z"}
    opening = f"message customer(bob@acme.example) inbound {WHOSE} 'Broken'"
    status = f"status_changed system {WHOSE} 'open'"
    assert table_of(FRESHDESK, rule(**times, ticket_description="Broken")) == [opening, status]
    new = times | {"ticket_updated_at": "2026-03-01T09:00:00Z"}
    assert table_of(FRESHDESK, rule(**new, ticket_description="Broken")) == [opening]
    assert table_of(FRESHDESK, rule(changes={"status": [2, 4]}, ticket_status=4)) == [
        f"status_changed system {WHOSE} 'resolved'"
    ]


def test_a_repeated_delivery_of_a_rule_is_one_event_and_another_change_is_another() -> None:
    def event_id(payload: Any) -> str:
        (draft,) = reading_of(FRESHDESK, payload)
        assert isinstance(draft, Draft)
        return draft.event.id

    first = rule(triggered_event="{priority:{from:3,to:1}}")
    again = {"freshdesk_webhook": dict(reversed(first["freshdesk_webhook"].items()))}
    assert event_id(first) == event_id(again)
    assert event_id(first) != event_id(rule(triggered_event="{priority:{from:2,to:1}}"))


def reply(**said: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "ticket_id": 452,
        "user_id": 23423,
        "body": "<div>Hi tom, still angry</div>",
        "from_email": "rachel@ours.example",
        "to_emails": ["tom@acme.example"],
        "incoming": False,
        "private": False,
        "source": 0,
        "created_at": "2025-07-09T13:08:06Z",
    } | said


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, "message agent(23423) outbound email freshdesk:452 domain:acme.example 'Hi tom, still angry'"),
        (
            {"incoming": True, "from_email": "Tom <tom@acme.example>", "body_text": "No!"},
            "message customer(23423) inbound email freshdesk:452 domain:acme.example 'No!'",
        ),
        ({"private": True, "source": 2}, "message agent(23423) internal other freshdesk:452 domain:acme.example"),
        (
            {"auto_response": True},
            "message agent(23423) outbound email freshdesk:452 domain:acme.example [auto_reply] 'Hi tom, still angry'",
        ),
        ({"source": 6}, "ignored: told_elsewhere"),
        ({"from_email": "(" * 900}, "message agent(23423) outbound email freshdesk:452 domain:acme.example"),
        ({"ticket_id": None}, "refused: malformed_payload"),
    ],
)
def test_replies_bare_and_as_app_events(said: dict[str, Any], line: str) -> None:
    for payload in (reply(**said), {"event": "onConversationCreate", "data": {"conversation": reply(**said)}}):
        (told,) = table_of(FRESHDESK, payload)
        assert told.startswith(line)


def test_what_names_a_ticket_may_be_a_rating_or_a_time_entry() -> None:
    rating = {"id": 1, "ticket_id": 20, "user_id": 7, "ratings": {"default_question": -103}, "feedback": "<p>Slow</p>"}
    (draft,) = reading_of(FRESHDESK, rating | {"created_at": "2026-03-02T09:00:00Z"})
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Signal)
    assert (draft.event.value, draft.event.scale, draft.event.text) == (1.0, 7.0, "Slow")
    assert (draft.event.conversation_id, draft.identities) == ("freshdesk:20", ("freshdesk_user:7",))
    assert table_of(FRESHDESK, rating | {"ratings": {"default_question": 9}}) == ["refused: not_understood"]
    spent = {"id": 1, "ticket_id": 20, "agent_id": 1, "time_spent": "02:10", "created_at": "2026-03-02T09:00:00Z"}
    assert table_of(FRESHDESK, spent) == ["ignored: other_subject"]


def test_a_deleted_reply_takes_itself_away_and_not_the_ticket() -> None:
    def event_of(name: str) -> Any:
        (draft,) = reading_of(FRESHDESK, {"event": name, "data": {"conversation": reply()}})
        assert isinstance(draft, Draft)
        return draft.event

    written, gone = event_of("onConversationCreate"), event_of("onConversationDelete")
    assert (gone.type, gone.id, gone.version) == ("deleted", written.id, 1)


def test_a_ticket_as_it_is_and_as_it_changes() -> None:
    ticket = {
        "id": 54,
        "description_text": "It is broken",
        "status": 3,
        "priority": 1,
        "source": 2,
        "requester_id": 129,
        "responder_id": 320,
        "company_id": 2,
        "created_at": "2025-07-09T13:08:06Z",
        "updated_at": "2025-07-09T14:08:06Z",
    }
    where = "form freshdesk:54 freshdesk_company:2"
    assert table_of(FRESHDESK, [ticket]) == [
        f"message customer(129) inbound {where} 'It is broken'",
        f"status_changed system {where} 'waiting_on_customer'",
    ]
    changes = {"status": [4, 3], "group_id": [1, 2], "type": [0, 1], "spam": [True, False]}
    event = {"event": "onTicketUpdate", "data": {"ticket": ticket | {"changes": changes}, "actor": {"id": 129}}}
    assert table_of(FRESHDESK, event) == [
        f"status_changed customer(129) {where} 'waiting_on_customer'",
        f"assigned customer(129) {where} '320'",
        f"status_changed customer(129) {where} 'waiting_on_customer'",
    ]
    nested = {"model_changes": {"status": [2, 3]}, "misc_changes": {}}
    event = {"event": "onTicketUpdate", "data": {"ticket": ticket, "changes": nested, "actor": {"id": 320}}}
    assert table_of(FRESHDESK, event) == [f"status_changed agent(320) {where} 'waiting_on_customer'"]
    assert table_of(FRESHDESK, {"event": "onContactUpdate", "data": {"contact": {"id": 2}}}) == [
        "ignored: other_subject"
    ]


# Zammad


def zammad(ticket: dict[str, Any] | None = None, **article: Any) -> dict[str, Any]:
    return {"ticket": ZAMMAD_CALL["ticket"] | (ticket or {}), "article": ZAMMAD_CALL["article"] | article}


@pytest.mark.parametrize(
    ("ticket", "article", "lines"),
    [
        ({}, {}, ["message customer(8) inbound phone zammad:81 domain:acme.example 'It is broken'"]),
        (
            {"state": "closed", "state_id": 4},
            {"sender": "Agent", "type": "email"},
            [
                "message agent(3) outbound email zammad:81 domain:acme.example 'It is broken'",
                "status_changed agent(3) email zammad:81 domain:acme.example 'closed'",
            ],
        ),
        (
            {"state": "en attente", "state_id": 3},
            {"sender_id": 1, "sender": None, "type": "note", "internal": True},
            [
                "message agent(3) internal other zammad:81 domain:acme.example 'It is broken'",
                "status_changed agent(3) other zammad:81 domain:acme.example 'waiting_on_customer'",
            ],
        ),
        (
            {},
            {"sender": "System", "type": "email", "created_by_id": 1},
            [
                "message system(1) email zammad:81 domain:acme.example [trigger] 'It is broken'",
                "status_changed agent(3) email zammad:81 domain:acme.example 'open'",
            ],
        ),
        (
            {},
            {"type": "email", "preferences": {"is-auto-response": True}},
            ["message customer(8) inbound email zammad:81 domain:acme.example [auto_reply] 'It is broken'"],
        ),
    ],
)
def test_articles_and_states(ticket: dict[str, Any], article: dict[str, Any], lines: list[str]) -> None:
    assert table_of(ZAMMAD, zammad(ticket, **article)) == lines


def test_what_names_a_ticket_is_not_yet_an_article() -> None:
    minutes = {"id": 7, "ticket_id": 50, "ticket_article_id": 88, "time_unit": "30.0", "type_id": 2, "created_by_id": 3}
    assert table_of(ZAMMAD, minutes) == ["refused: malformed_payload"]
    note = {"ticket_id": 50, "body": "Look into it", "type": "note", "internal": True}
    assert table_of(ZAMMAD, note) == ["message agent internal other zammad:50 - 'Look into it'"]


def test_an_update_without_an_article_tells_the_state_and_a_new_owner() -> None:
    ticket = ZAMMAD_CALL["ticket"] | {"last_owner_update_at": ZAMMAD_CALL["ticket"]["updated_at"], "state": "neu"}
    assert table_of(ZAMMAD, {"ticket": ticket, "article": {}}) == [
        "status_changed agent(3) other zammad:81 domain:acme.example 'new'",
        "assigned agent(3) other zammad:81 domain:acme.example '5'",
    ]
    assert table_of(ZAMMAD, ZAMMAD_CALL["article"]) == [
        "message customer(8) inbound phone zammad:81 zammad_user:8 'It is broken'"
    ]


# all of them


@pytest.mark.parametrize("kind", [FRESHDESK, HUBSPOT, ZAMMAD], ids=lambda kind: kind.id)
def test_a_status_that_is_none_of_ours_is_a_mistake_of_the_configuration(kind: ConnectorKind) -> None:
    instance = Instance(kind.id, kind.id, secrets=("s",), tokens=("t",), options={"statuses": "8=sleeping"})
    with pytest.raises(ValueError, match="'sleeping' is none of"):
        kind.build(instance)


SAMPLES = [
    (FRESHDESK, FRESHDESK_CREATED),
    (FRESHDESK, rule(triggered_event="{note_type:private}", latest_comment={"body": "<p>a</p>", "private": True})),
    (FRESHDESK, {"event": "onConversationCreate", "data": {"conversation": reply(attachments=[{"size": 1}])}}),
    (FRESHDESK, {"event": "onTicketUpdate", "data": {"ticket": {"id": 1, "status": 2, "changes": {"status": [2, 3]}}}}),
    (ZAMMAD, zammad({"last_owner_update_at": ZAMMAD_CALL["ticket"]["updated_at"]}, attachments=[{"size": "35574"}])),
]


@pytest.mark.parametrize(
    ("kind", "sample"), SAMPLES, ids=[f"{kind.id} {index}" for index, (kind, _) in enumerate(SAMPLES)]
)
def test_no_mutilation_raises_or_makes_half_an_event(kind: ConnectorKind, sample: Any) -> None:
    for body in mutilations(sample):
        assert_sound(reading_of(kind, body))


def test_who_belongs_to_us_is_an_agent_by_configuration() -> None:
    (draft,) = reading_of(FRESHDESK, reply(incoming=True), own_domains=frozenset({"ours.example"}))
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert draft.event.author.kind == "agent"
