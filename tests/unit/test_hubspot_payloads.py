"""What HubSpot's payloads mean: published ones and signatures, thin events, objects of its API, mutilated ones."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.connectors.connector_contract import Headers, Instance, WebhookRequest
from streams.connectors.helpdesks.hubspot_channel import HUBSPOT
from streams.connectors.payload_reading import instant
from tests.payload_mutilations import assert_sound, mutilations
from tests.payload_readings import published, reading_of, table_of
from tests.senders.helpdesk_senders import HUBSPOT_RECEIVED, hubspot_event


def test_a_published_webhook(shared: Path) -> None:
    assert table_of(HUBSPOT, published(shared, "crm/hubspot_company_deletion.json")) == ["ignored: other_subject"]


def test_the_published_signatures(shared: Path) -> None:
    vectors = json.loads(published(shared, "crm/hubspot_signature_vectors.json"))
    signed_at = instant(vectors, "v3_timestamp")
    assert signed_at is not None

    def refusal(headers: dict[str, str], late: timedelta = timedelta()) -> str | None:
        connector = HUBSPOT.build(Instance("hubspot", "hubspot", secrets=("another", vectors["client_secret"])))
        request = WebhookRequest(
            vectors["http_method"],
            Headers(headers.items()),
            vectors["request_body"].encode(),
            signed_at + late,
            url=vectors["url"],
        )
        return connector.verify(request).refusal

    third = {"X-HubSpot-Signature-v3": vectors["v3"], "X-HubSpot-Request-Timestamp": vectors["v3_timestamp"]}
    assert refusal({"X-HubSpot-Signature": vectors["v1"]}) is None
    assert refusal({"X-HubSpot-Signature": vectors["v1"], "X-HubSpot-Signature-Version": "v1"}) is None
    assert refusal({"X-HubSpot-Signature": vectors["v2"], "X-HubSpot-Signature-Version": "v2"}) is None
    assert refusal({"X-HubSpot-Signature": vectors["v2"], "X-HubSpot-Signature-Version": "v1"}) == "bad_signature"
    assert refusal(third) is None
    assert refusal(third, timedelta(minutes=6)) == "timestamp_too_old"
    assert refusal(third | {"X-HubSpot-Request-Timestamp": "1693657560001"}) == "bad_signature"


TICKET, THREAD = "other hubspot:ticket:123 -", "other hubspot:thread:123 -"


@pytest.mark.parametrize(
    ("subscription", "said", "line"),
    [
        ("ticket.creation", {"sourceId": "userId:45"}, f"status_changed agent(45) {TICKET} 'new'"),
        ("ticket.deletion", {}, f"status_changed system {TICKET} 'deleted'"),
        ("object.restore", {"objectTypeId": "0-5"}, f"status_changed system {TICKET} 'open'"),
        ("conversation.creation", {}, f"status_changed system {THREAD} 'new'"),
        ("conversation.newMessage", {"messageId": "m", "messageType": "MESSAGE"}, "ignored: author_not_said"),
        (
            "conversation.newMessage",
            {"messageId": "m", "messageType": "COMMENT"},
            f"message agent internal {THREAD} None",
        ),
        (
            "conversation.newMessage",
            {"messageId": "m", "direction": "INCOMING"},
            f"message customer inbound {THREAD} None",
        ),
        ("contact.creation", {}, "ignored: other_subject"),
        ("company.deletion", {}, "ignored: other_subject"),
        ("deal.propertyChange", {"propertyName": "dealstage"}, "ignored: nobody_named"),
        ("teleported", {}, "refused: not_understood"),
        (
            "ticket.merge",
            {"primaryObjectId": 100, "mergedObjectIds": [200], "newObjectId": 100},
            "merged system other hubspot:ticket:200 - 'hubspot:ticket:100'",
        ),
    ],
)
def test_thin_events(subscription: str, said: dict[str, Any], line: str) -> None:
    assert table_of(HUBSPOT, [hubspot_event(subscription, **said)]) == [line]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("hs_pipeline_stage", "4", f"status_changed system {TICKET} 'closed'"),
        ("hs_pipeline_stage", "954564780", f"status_changed system {TICKET} 'resolved'"),
        ("hs_pipeline_stage", "77", "refused: not_understood"),
        ("hs_ticket_priority", "HIGH", f"priority_changed system {TICKET} 'high'"),
        ("hubspot_owner_id", "777", f"assigned system {TICKET} '777'"),
        ("hs_lastmodifieddate", "1772443798000", "ignored: without_effect"),
        ("hs_last_message_received_at", "1772443798000", f"message customer inbound {TICKET} None"),
        ("hs_last_message_sent_at", "1772443798000", f"message agent outbound {TICKET} None"),
    ],
)
def test_properties_of_a_ticket(name: str, value: str, line: str) -> None:
    event = hubspot_event("ticket.propertyChange", propertyName=name, propertyValue=value)
    assert table_of(HUBSPOT, [event], options={"statuses": "954564780 = resolved"}) == [line]


def message(kind: str, actor: str, direction: str | None, **said: Any) -> dict[str, Any]:
    return {
        "id": "3ad3474b",
        "type": kind,
        "conversationsThreadId": "1763",
        "createdAt": "2025-11-18T18:47:59.949Z",
        "senders": [{"actorId": actor}],
        "recipients": [],
        "direction": direction,
        "channelId": "1000",
        "text": "Hello",
    } | said


MAIL = {"deliveryIdentifier": {"type": "HS_EMAIL_ADDRESS", "value": "Ann@Acme.example"}}


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            message("MESSAGE", "V-1401", "INCOMING"),
            "message customer(V-1401) inbound chat hubspot:thread:1763 hubspot_contact:1401 'Hello'",
        ),
        (
            message("MESSAGE", "A-9", "OUTGOING", recipients=[MAIL], channelId="1002"),
            "message agent(A-9) outbound email hubspot:thread:1763 domain:acme.example 'Hello'",
        ),
        (
            message("MESSAGE", "E-x@y.example", "INCOMING", senders=[MAIL]),
            "message customer(ann@acme.example) inbound chat hubspot:thread:1763 domain:acme.example 'Hello'",
        ),
        (message("COMMENT", "A-9", None), "message agent(A-9) internal chat hubspot:thread:1763 - 'Hello'"),
        (
            message("WELCOME_MESSAGE", "S-hubspot", None),
            "message bot(S-hubspot) outbound chat hubspot:thread:1763 - [template] 'Hello'",
        ),
        (
            message("MESSAGE", "L-4", "OUTGOING"),
            "message bot(L-4) outbound chat hubspot:thread:1763 - [ai_answer] 'Hello'",
        ),
        (message("MESSAGE", "A-9", "OUTGOING", status={"statusType": "FAILED"}), "ignored: not_delivered"),
        (
            message("THREAD_STATUS_CHANGE", "S-hubspot", None, newStatus="CLOSED"),
            "status_changed system(S-hubspot) other hubspot:thread:1763 - 'closed'",
        ),
        (message("MESSAGE", "V-1", "INCOMING", conversationsThreadId=None), "refused: malformed_payload"),
    ],
)
def test_messages_of_the_api(item: dict[str, Any], line: str) -> None:
    assert table_of(HUBSPOT, {"results": [item]}) == [line]
    assert table_of(HUBSPOT, item) == [line]


def test_records_of_the_api() -> None:
    ticket = {
        "id": "512",
        "properties": {
            "content": "<p>Broken</p>",
            "createdate": "2025-10-30T03:30:17.883Z",
            "hs_pipeline_stage": "4",
            "hs_ticket_priority": "HIGH",
            "source_type": "EMAIL",
        },
    }
    deal = {"id": "5", "properties": {"dealstage": "closedwon", "amount": "1500.00"}}
    company = {"associations": {"companies": {"results": [{"id": "9"}]}}}
    assert table_of(HUBSPOT, [ticket | company, deal | company, deal, {"id": "1", "properties": {}}]) == [
        "message customer inbound email hubspot:ticket:512 hubspot_company:9 'Broken'",
        "status_changed system email hubspot:ticket:512 hubspot_company:9 'closed'",
        "signal subscription deal_won=1500.0 hubspot_company:9",
        "ignored: nobody_named",
        "ignored: other_subject",
    ]


def test_a_workflow_sends_records_in_their_older_shape() -> None:
    ticket = {
        "objectType": "TICKET",
        "objectId": 512,
        "properties": {
            "content": {"value": "Broken", "versions": []},
            "createdate": {"value": "1761795017883"},
            "hs_pipeline_stage": {"value": "4"},
        },
        "isDeleted": False,
    }
    contact = {"vid": 7, "portal-id": 1, "properties": {"email": {"value": "ann@acme.example"}}}
    assert table_of(HUBSPOT, [ticket, ticket | {"isDeleted": True}, contact]) == [
        "message customer inbound other hubspot:ticket:512 - 'Broken'",
        "status_changed system other hubspot:ticket:512 - 'closed'",
        "message customer inbound other hubspot:ticket:512 - 'Broken'",
        "status_changed system other hubspot:ticket:512 - 'deleted'",
        "ignored: other_subject",
    ]


SAMPLES: list[Any] = [
    {"objectId": 5, "properties": {"hs_pipeline_stage": {"value": "2"}, "content": {"value": "Hi"}}},
    [HUBSPOT_RECEIVED, hubspot_event("ticket.merge", mergedObjectIds=[1], primaryObjectId=2)],
    {"results": [message("MESSAGE", "V-1401", "INCOMING", recipients=[MAIL])]},
    {"id": "5", "properties": {"dealstage": "closedwon"}, "associations": {"companies": [{"id": 9}]}},
]


@pytest.mark.parametrize("sample", SAMPLES, ids=["older records", "events", "messages", "records"])
def test_no_mutilation_raises_or_makes_half_an_event(sample: Any) -> None:
    for body in mutilations(sample):
        assert_sound(reading_of(HUBSPOT, body))


def test_a_ticket_that_was_fetched_without_its_stage_asks_for_it() -> None:
    """HubSpot, "Retrieve records": an object has the properties that were asked for, and no others."""
    ticket = {"id": "7", "properties": {"hs_ticket_priority": "LOW", "createdate": "2026-03-02T09:00:00Z"}}
    assert table_of(HUBSPOT, ticket) == ["ignored: needs_fetch"]
    assert table_of(HUBSPOT, ticket | {"properties": {"hs_pipeline_stage": "77"}})[0].startswith("refused")


@pytest.mark.parametrize("what", ["CREATED", "UPDATED", "PURGED"])
def test_what_a_custom_channel_tells_of_its_accounts_is_no_conversation(what: str) -> None:
    told = {"type": f"CHANNEL_ACCOUNT_{what}", "portalId": 1, "channelId": 2, "eventTimestamp": "2026-03-02T09:00:00Z"}
    assert table_of(HUBSPOT, told) == ["ignored: other_subject"]
