"""What Intercom's notifications mean: the published ones of 2019 to 2026, and the shapes that differ between them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schemas.account_profile import AccountProfile
from schemas.interaction import Attachment, Interaction
from schemas.signal import Signal
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft
from streams.connectors.helpdesks.intercom_channel import INTERCOM
from tests.connect_bench import SENDERS, bench
from tests.payload_readings import Line, drafts_of, tuples_of
from tests.senders.chat_helpdesk_senders import body_of, intercom_conversation, intercom_notice, intercom_part

ANDY = {"type": "admin", "id": "70", "name": "Andy"}
JO = {"type": "user", "id": "c-1", "email": "jo@acme.example"}
FIN = {"type": "bot", "id": "7", "name": "Fin", "is_ai_answer": True}

BOB = "desk:137324500000000"
PUBLISHED: dict[str, list[Line]] = {
    "company_created": [("ignored", "other_subject")],
    "user_created": [("ignored", "other_subject")],
    "conversation_admin_assigned": [("assigned", BOB, "agent:3330619", "public", "3330619")],
    "conversation_admin_closed": [("status_changed", BOB, "agent:3330619", "public", "closed")],
    "conversation_admin_noted": [("message", BOB, "agent:3330619", "internal", "this is a note")],
    "conversation_admin_opened": [("status_changed", BOB, "agent:3330619", "public", "open")],
    "conversation_admin_replied": [
        ("message", BOB, "agent:3330619", "public", "hi Bob"),
        ("status_changed", BOB, "agent:3330619", "public", "open"),
    ],
    "conversation_admin_single_created": [("message", BOB, "agent:3330619", "public", "hi Bob")],
    "conversation_admin_snoozed": [("status_changed", BOB, "agent:3330619", "public", "on_hold")],
    "conversation_admin_unsnoozed": [("status_changed", BOB, "agent:3330619", "public", "open")],
    "conversation_part_tag_created": [("tagged", BOB, "system:None", "public", "3330619")],
    "conversation_user_replied": [
        (
            "message",
            "desk:21322009097",
            "customer:5c9553cb27e377f24eed49f7",
            "public",
            "Well, I need some help getting access to a developer account.",
        )
    ],
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_published_notifications(shared: Path, name: str) -> None:
    path = shared / "payloads" / "livechat" / f"intercom_{name}.json"
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    assert tuples_of(INTERCOM, path.read_bytes()) == PUBLISHED[name]


def test_the_published_ticket(shared: Path) -> None:
    path = shared / "payloads" / "livechat" / "intercom_ticket_created_2026.json"
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    (draft,) = drafts_of(INTERCOM, path.read_bytes())
    event = draft.event
    assert (event.type, event.author.kind, event.author.id, event.direction) == (
        "message",
        "customer",
        "696346bbaebb5a479d3851a3",
        "inbound",
    )
    assert (event.id, event.conversation_id) == ("215472629311235:ticket", "desk:215472629311235")
    assert event.occurred_at.isoformat() == "2026-01-11T06:44:28+00:00"


def test_a_conversation_begins_with_its_source() -> None:
    (draft,) = drafts_of(INTERCOM, intercom_notice("conversation.user.created", intercom_conversation()))
    event = draft.event
    assert (event.id, event.conversation_id, event.text) == ("3381", "desk:2154", "It is broken")
    assert (event.author.kind, event.author.id, event.direction, event.channel) == (
        "customer",
        "c-1",
        "inbound",
        "chat",
    )
    assert (event.agent, event.team, event.priority) == ("70", None, "not_priority")
    assert draft.identities[:2] == ("domain:acme.example", "email:jo@acme.example")


@pytest.mark.parametrize(
    ("part_type", "body", "author", "expected"),
    [
        ("comment", "<p>Try <i>again</i></p>", ANDY, [("message", "agent:70", "public", "Try again")]),
        ("comment", "<p>Still</p>", JO, [("message", "customer:c-1", "public", "Still")]),
        ("note", "<p>Angry</p>", ANDY, [("message", "agent:70", "internal", "Angry")]),
        ("call_summary", "<p>Jo called</p>", FIN, [("message", "bot:7", "internal", "Jo called")]),
        (
            "assignment",
            "<p>Mine</p>",
            ANDY,
            [("message", "agent:70", "public", "Mine"), ("assigned", "agent:70", "public", "71")],
        ),
        (
            "close",
            "<p>Bye</p>",
            ANDY,
            [("message", "agent:70", "public", "Bye"), ("status_changed", "agent:70", "public", "closed")],
        ),
        ("comment", "<p>Read this</p>", FIN, [("message", "bot:7", "public", "Read this")]),
        ("language_detection_details", None, FIN, [("ignored", "nothing_inside")]),
    ],
)
def test_a_part_tells_everything_that_was_done_in_it(
    part_type: str, body: str | None, author: dict[str, Any], expected: list[Line]
) -> None:
    part = intercom_part(part_type, body, author, assigned_to={"type": "admin", "id": "71"})
    found = tuples_of(INTERCOM, intercom_notice("conversation.admin.replied", intercom_conversation(part)))
    assert [(line[0], *line[2:]) if len(line) > 2 else line for line in found] == expected


def test_bots_say_why_they_are_automated() -> None:
    operator = {"type": "admin", "id": "8", "email": "operator+abc@intercom.io"}
    parts = (intercom_part("comment", "<p>A</p>", FIN), intercom_part("quick_reply", "<p>B</p>", operator, id="901"))
    found = drafts_of(INTERCOM, intercom_notice("conversation.operator.replied", intercom_conversation(*parts)))
    assert [(made.event.author.kind, made.event.automated) for made in found] == [
        ("bot", "ai_answer"),
        ("bot", "bot"),
    ]


def test_a_message_counts_once_in_whatever_it_is_told() -> None:
    part = intercom_part("comment", "<p>It is broken</p>", JO, id="3381")
    replied = intercom_notice("conversation.user.replied", intercom_conversation(part))
    created = intercom_notice("conversation.user.created", intercom_conversation(part))
    bare = intercom_conversation(part)
    assert {made.event.id for each in (replied, created, bare) for made in drafts_of(INTERCOM, each)} == {"3381"}


def test_a_rating_is_a_survey_signal() -> None:
    rating = {"rating": 4, "remark": "Quick!", "created_at": 1772443790, "contact": {"id": "c-1"}}
    notice = intercom_notice("conversation.rating.added", intercom_conversation(conversation_rating=rating))
    (draft,) = drafts_of(INTERCOM, notice)
    signal = draft.event
    assert isinstance(signal, Signal)
    assert (signal.kind, signal.name, signal.value, signal.scale, signal.text) == ("survey", "csat", 4.0, 5.0, "Quick!")
    assert draft.identities[0] == "domain:acme.example"
    unrated = intercom_notice("conversation.rating.added", intercom_conversation(conversation_rating={}))
    assert tuples_of(INTERCOM, unrated) == [("ignored", "no_answer")]


def ticket(*parts: dict[str, Any], state: str = "submitted", **more: Any) -> dict[str, Any]:
    return {
        "type": "ticket",
        "id": "2154",
        "ticket_id": "66",
        "ticket_attributes": {"_default_title_": "Login", "_default_description_": "Cannot log in"},
        "ticket_state": {"type": "ticket_state", "category": state},
        "contacts": {"contacts": [{"type": "contact", "id": "c-1"}]},
        "admin_assignee_id": "0",
        "team_assignee_id": "0",
        "created_at": 1772443700,
        "updated_at": 1772443790,
        "ticket_parts": {"type": "ticket_part.list", "ticket_parts": list(parts)},
    } | more


REPLY = intercom_part("comment", "<p>Any news?</p>", JO)


@pytest.mark.parametrize(
    ("topic", "item", "expected"),
    [
        ("ticket.created", ticket(), [("message", "desk:2154", "customer:c-1", "public", "Cannot log in")]),
        (
            "ticket.created",
            ticket(state="in_progress", category="Tracker"),
            [("status_changed", "desk:2154", "system:None", "public", "open")],
        ),
        (
            "ticket.contact.replied",
            {
                "type": "ticket_ticket_part",
                "ticket": ticket(intercom_part("comment", "<p>Old</p>", JO, id="1"), REPLY),
                "ticket_part": REPLY,
            },
            [("message", "desk:2154", "customer:c-1", "public", "Any news?")],
        ),
        (
            "ticket.state.updated",
            ticket(state="waiting_on_customer"),
            [("status_changed", "desk:2154", "system:None", "public", "waiting_on_customer")],
        ),
        (
            "ticket.closed",
            {"ticket": ticket(state="resolved")},
            [("status_changed", "desk:2154", "system:None", "public", "resolved")],
        ),
        ("ticket.closed", {"ticket": ticket()}, [("status_changed", "desk:2154", "system:None", "public", "closed")]),
        ("ticket.attribute.updated", ticket(), [("ignored", "without_effect")]),
        ("ticket.rating.provided", ticket(rating=5), [("csat", 5.0, 5.0, "desk:2154", None)]),
        (
            "conversation.deleted",
            {"type": "conversation", "conversation_id": "2154"},
            [("status_changed", "desk:2154", "system:None", "public", "deleted")],
        ),
        ("conversation.read", intercom_conversation(REPLY), [("ignored", "receipt")]),
        (
            "conversation.contact.attached",
            {"conversation": {"model": {"id": 2154}}},
            [("ignored", "participant_changed")],
        ),
        ("contact.lead.tag.created", {"type": "contact_tag"}, [("ignored", "other_subject")]),
        ("api.request.completed", {"type": "api.request.completed"}, [("ignored", "other_subject")]),
        ("ping", {"type": "ping"}, [("ignored", "connection")]),
        ("conversation.teleported", intercom_conversation(), [("refused", "not_understood")]),
        ("conversation.user.created", {}, [("refused", "malformed_payload")]),
    ],
)
def test_topics(topic: str, item: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(INTERCOM, intercom_notice(topic, item)) == expected


def test_what_a_lead_says_of_itself_makes_no_company() -> None:
    lead = {"type": "lead", "id": "c-9", "email": "Boss@Acme.example"}
    source = {"id": "1", "body": "<p>Hi</p>", "author": lead}
    (draft,) = drafts_of(
        INTERCOM, intercom_notice("conversation.user.created", intercom_conversation(source=source, contacts=[]))
    )
    assert draft.identities == ("unverified_email:boss@acme.example", "intercom_contact:c-9")
    stamped = stamp(draft, AccountsDirectory([AccountProfile(id="acme", identities=("domain:acme.example",))]))
    assert str(stamped.account_id).startswith("contact:")
    assert "boss" not in str(stamped.account_id)


def test_a_bare_conversation_tells_its_whole_history() -> None:
    answered = intercom_part(
        "comment",
        "<p>Try again</p>",
        ANDY,
        attachments=[{"name": "a.pdf", "content_type": "application/pdf", "filesize": 7}],
    )
    told = drafts_of(INTERCOM, intercom_conversation(answered, state="closed"))
    events = [made.event for made in told if isinstance(made, Draft) and isinstance(made.event, Interaction)]
    assert [(event.type, event.author.kind, event.status) for event in events] == [
        ("message", "customer", None),
        ("message", "agent", None),
        ("status_changed", "system", "closed"),
    ]
    assert events[1].attachments == (Attachment(name="a.pdf", media_type="application/pdf", size_bytes=7),)


def test_an_event_of_the_product_is_usage() -> None:
    item = {
        "type": "event",
        "event_name": "invited-friend",
        "id": "84ca",
        "email": "jo@acme.example",
        "created_at": 1772443790,
    }
    (draft,) = drafts_of(INTERCOM, intercom_notice("event.created", item))
    assert (draft.event.kind, draft.event.name, draft.event.id) == ("usage", "invited-friend", "84ca")


def test_intercom_asks_with_head_whether_the_endpoint_is_there() -> None:
    async def scene() -> None:
        async with bench() as running:
            async with running.session.head(f"{running.url}/in/intercom") as answer:
                assert answer.status == 200
            ping = body_of(intercom_notice("ping", {"type": "ping", "message": "hello"}))
            assert (await running.send(SENDERS["intercom"], ping))[0] == 200
            assert running.published.records == []

    asyncio.run(scene())
