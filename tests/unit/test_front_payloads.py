"""What Front's rule and application webhooks mean, and how either is signed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.helpdesks.front_channel import FRONT, RULE_SIGNATURE
from tests.connect_bench import SENDERS, bench, later
from tests.payload_readings import Line, drafts_of, tuples_of
from tests.senders.chat_helpdesk_senders import FRONT_INBOUND

LEELA = {"id": "tea_1", "email": "leela@us.example", "username": "leela"}
RECIPIENT = {
    "handle": "jo@acme.example",
    "role": "to",
    "_links": {"related": {"contact": "https://api2.frontapp.com/contacts/crd_9"}},
}
CONVERSATION = {
    "id": "cnv_1",
    "status": "assigned",
    "assignee": LEELA,
    "recipient": RECIPIENT,
    "tags": [{"id": "tag_1", "name": "login"}],
    "last_message": {"id": "msg_1", "type": "email", "is_inbound": True, "text": "It is broken"},
}
BY_LEELA = {"_meta": {"type": "teammate"}, "data": LEELA}
BY_RULE = {"_meta": {"type": "rule"}, "data": {"id": "rul_1", "name": "Important"}}
BY_GMAIL = {"_meta": {"type": "gmail"}, "data": None}
REPLY = {
    "id": "msg_2",
    "type": "email",
    "is_inbound": False,
    "created_at": 1772443797.25,
    "body": "<div>Try <b>again</b></div>",
    "author": LEELA,
    "recipients": [{"handle": "help@us.example", "role": "from"}, RECIPIENT],
}
COMMENT = {"id": "com_1", "body": "Angry", "posted_at": 1772443797.5, "author": LEELA}


def event(kind: str, target: Any = None, source: Any = BY_LEELA, **conversation: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "type": kind,
        "emitted_at": 1772443798.5,
        "conversation": CONVERSATION | conversation,
        "source": source,
        "target": {"_meta": {}, "data": target},
    }


def test_the_published_example(shared: Path) -> None:
    path = shared / "payloads" / "ticket" / "front_inbound_message.json"
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    (draft,) = drafts_of(FRONT, path.read_bytes())
    said = draft.event
    assert (said.id, said.conversation_id, said.inbox) == ("msg_1176r8y", "desk:2x9c5v", "inb_6j96")
    assert (said.author.kind, said.author.id, said.direction) == ("customer", "calculon@momsbot.com", "inbound")
    assert said.text == "We don't have emotions, and sometimes that makes me very sad."
    assert said.occurred_at.isoformat() == "2018-02-11T00:33:20+00:00"
    assert draft.identities == ("domain:momsbot.com", "email:calculon@momsbot.com", "front_contact:crd_62euuy")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (FRONT_INBOUND, [("message", "desk:cnv_1", "customer:jo@acme.example", "public", "It is broken")]),
        (FRONT_INBOUND["payload"], [("message", "desk:cnv_1", "customer:jo@acme.example", "public", "It is broken")]),
        (event("outbound", REPLY), [("message", "desk:cnv_1", "agent:tea_1", "public", "Try again")]),
        (event("out_reply", REPLY), [("message", "desk:cnv_1", "agent:tea_1", "public", "Try again")]),
        (
            event("outbound", REPLY | {"author": None}),
            [("message", "desk:cnv_1", "agent:tea_1", "public", "Try again")],
        ),
        (
            event("outbound", REPLY | {"author": None}, BY_RULE),
            [("message", "desk:cnv_1", "bot:rul_1", "public", "Try again")],
        ),
        (event("outbound", REPLY | {"is_draft": True}), [("ignored", "not_sent")]),
        (event("comment", COMMENT), [("message", "desk:cnv_1", "agent:tea_1", "internal", "Angry")]),
        (event("mention", COMMENT), [("message", "desk:cnv_1", "agent:tea_1", "internal", "Angry")]),
        (event("assign", {"id": "tea_2"}, BY_RULE), [("assigned", "desk:cnv_1", "system:rul_1", "public", "tea_2")]),
        (event("unassign"), [("assigned", "desk:cnv_1", "agent:tea_1", "public", None)]),
        (event("archive", source=BY_GMAIL), [("status_changed", "desk:cnv_1", "system:None", "public", "closed")]),
        (event("reopen"), [("status_changed", "desk:cnv_1", "agent:tea_1", "public", "open")]),
        (event("trash"), [("status_changed", "desk:cnv_1", "agent:tea_1", "public", "deleted")]),
        (event("restore", status="archived"), [("status_changed", "desk:cnv_1", "agent:tea_1", "public", "closed")]),
        (event("tag", {"id": "tag_1", "name": "login"}), [("tagged", "desk:cnv_1", "agent:tea_1", "public", "tea_1")]),
        (
            event("conversations_merged", {"id": "cnv_2"}),
            [("merged", "desk:cnv_2", "agent:tea_1", "public", "desk:cnv_1")],
        ),
        (event("sending_error", REPLY), [("ignored", "not_delivered")]),
        (event("teleported"), [("refused", "not_understood")]),
        (
            {"type": "new_comment_added", "payload": event("comment", COMMENT)},
            [("message", "desk:cnv_1", "agent:tea_1", "internal", "Angry")],
        ),
        ({"type": "sync", "authorization": {"id": "cmp_1"}}, [("ignored", "connection")]),
        (
            REPLY | {"_links": {"related": {"conversation": "https://api2.frontapp.com/conversations/cnv_7"}}},
            [("message", "desk:cnv_7", "agent:tea_1", "public", "Try again")],
        ),
        ({"_results": [COMMENT, LEELA]}, [("refused", "malformed_payload"), ("ignored", "other_subject")]),
    ],
)
def test_payloads(payload: dict[str, Any], expected: list[Line]) -> None:
    assert tuples_of(FRONT, payload) == expected


def test_a_reply_counts_once_and_a_mention_is_its_comment() -> None:
    told = (event("outbound", REPLY), event("out_reply", REPLY), event("comment", COMMENT), event("mention", COMMENT))
    assert {made.event.id for each in told for made in drafts_of(FRONT, each)} == {"msg_2", "com_1"}


def test_mail_of_our_own_people_comes_from_agents() -> None:
    inbound = json.loads(json.dumps(FRONT_INBOUND).replace("Jo@Acme.example", "andy@us.example"))
    (draft,) = drafts_of(FRONT, inbound, own_domains=frozenset({"us.example"}))
    assert (draft.event.author.kind, draft.event.author.id) == ("agent", "andy@us.example")
    assert not any("us.example" in identity for identity in draft.identities)


def test_a_handle_of_a_social_network_is_no_address() -> None:
    tweet = {"id": "msg_4", "type": "tweet", "is_inbound": True, "recipients": [{"handle": "@jo.acme", "role": "from"}]}
    (draft,) = drafts_of(FRONT, event("inbound", tweet, recipient=None))
    assert (draft.identities, draft.event.channel) == (("front_contact:@jo.acme",), "social")


def test_who_a_preview_names_is_a_customer_still() -> None:
    preview = event(
        "inbound", {"id": "msg_3", "type": "email"}, {"_meta": {"type": "inboxes"}, "data": [{"id": "inb_1"}]}
    )
    (draft,) = drafts_of(FRONT, preview)
    assert (draft.event.author.kind, draft.event.author.id, draft.event.inbox) == (
        "customer",
        "jo@acme.example",
        "inb_1",
    )


def test_a_rule_webhook_is_signed_without_a_time() -> None:
    sender = SENDERS["front"]
    body = json.dumps(FRONT_INBOUND["payload"]).encode()
    signature = RULE_SIGNATURE.sign(sender.secrets[1], WebhookRequest("POST", Headers([]), body, later()))

    async def scene() -> None:
        async with bench() as running:
            assert (await running.send(sender, body, {"X-Front-Signature": signature}))[0] == 200
            assert (await running.send(sender, body + b" ", {"X-Front-Signature": signature}))[0] == 401

    asyncio.run(scene())


def test_the_challenge_is_echoed_to_front_alone() -> None:
    sender = SENDERS["front"]
    body = b'{"type": "sync", "authorization": {"id": "cmp_1"}}'

    async def scene() -> None:
        async with bench() as running:
            asked = sender.headers(body) | {"X-Front-Challenge": "abc"}
            assert (await running.send(sender, body, asked))[:2] == (200, {"challenge": "abc"})
            assert (await running.send(sender, body, {"X-Front-Challenge": "abc"}))[0] == 401

    asyncio.run(scene())
