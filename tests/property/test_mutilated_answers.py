"""Whatever becomes of a survey's, a product's or a CRM's payload: nothing raises, and no event is half of one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.business.outreach_events import OUTREACH
from streams.connectors.business.salesforce_changes import SALESFORCE
from streams.connectors.business.segment_events import SEGMENT
from streams.connectors.business.stripe_events import STRIPE
from streams.connectors.connector_contract import ConnectorKind
from streams.connectors.surveys.delighted_responses import DELIGHTED
from streams.connectors.surveys.surveymonkey_responses import SURVEYMONKEY
from streams.connectors.surveys.typeform_responses import TYPEFORM
from tests.payload_mutilations import assert_sound, mutilated
from tests.payload_readings import reading_of
from tests.senders.business_senders import (
    DELIVERED,
    MAIL,
    outreach_event,
    salesforce_change,
    segment_track,
    stripe_event,
)
from tests.senders.survey_senders import RECOMMENDED, delighted_event, scored, surveymonkey_response, typeform_event

LINE = {
    "price": {"id": "p", "currency": "usd", "unit_amount": 5, "recurring": {"interval": "month"}},
    "quantity": 2,
    "current_period_end": 1775121400,
}
SUBSCRIPTION = {"object": "subscription", "status": "trialing", "trial_end": 1775121400, "items": {"data": [LINE]}}
FIELD = {"id": "id-nps", "ref": "nps", "title": "How satisfied?", "properties": {"steps": 5, "start_at_one": True}}
CHAT = {"conversation_id": "c", "message_id": "m", "message_body": "Hi", "agent_id": "a"}
CALL = {"direction": "inbound", "dialedAt": "2026-03-02T09:20:00Z", "answeredAt": "2026-03-02T09:20:20Z"}

WHOLE: dict[str, tuple[ConnectorKind, list[Any]]] = {
    "typeform": (TYPEFORM, [typeform_event(scored(9), definition={"fields": [FIELD]}), {"items": [], "page_count": 0}]),
    "delighted": (DELIGHTED, [delighted_event(updated_at=1772443600, comment="Slow")]),
    "surveymonkey": (SURVEYMONKEY, [surveymonkey_response(RECOMMENDED)]),
    "segment": (
        SEGMENT,
        [
            {"batch": [segment_track("Live Chat Message Sent", properties=CHAT)], "sentAt": "2026-03-02T09:29:30Z"},
            segment_track("x", type="group", traits={"plan": "a", "mrr": 5, "renewal_date": "2026-12-01"}),
            {
                "event": "x",
                "distinct_id": "7",
                "properties": {"$groups": {"company": "acme"}, "$set": {"email": "a@b.c"}},
            },
        ],
    ),
    "stripe": (
        STRIPE,
        [
            stripe_event("customer.subscription.updated", SUBSCRIPTION, status="active"),
            stripe_event("charge.refunded", {"amount_refunded": 5, "receipt_email": "a@b.example"}, amount_refunded=1),
            {"id": "sub_1", "customer": {"id": "cus_1", "email": "a@b.example"}, **SUBSCRIPTION},
            {
                "object": "list",
                "data": [{"object": "invoice", "id": "in_1", "customer": "cus_1", "status": "paid", "total": 5}],
            },
        ],
    ),
    "outreach": (
        OUTREACH,
        [
            outreach_event("call", "call.created", CALL, prospect="3", user="8"),
            outreach_event("mailing", "mailing.updated", DELIVERED, prospect="3"),
        ],
    ),
    "salesforce": (
        SALESFORCE,
        [
            salesforce_change("Case", "CREATE", {"Status": "Closed", "Subject": "S", "AccountId": "001A"}),
            salesforce_change(
                "Case", "UPDATE", {"Status": "Open", "OwnerId": "005B"}, changedFields=["Status", "OwnerId"]
            ),
            salesforce_change("EmailMessage", "CREATE", MAIL),
            salesforce_change("Account", "UPDATE", {"Plan__c": "Gold"}, changedFields=["Plan__c"]),
            {"attributes": {"type": "Opportunity"}, "Id": "006", "StageName": "Closed Won", "AccountId": "001A"},
        ],
    ),
}


@pytest.mark.parametrize("connector", WHOLE)
@given(data=st.data())
def test_a_value_that_is_missing_or_another_breaks_nothing(connector: str, data: st.DataObject) -> None:
    kind, payloads = WHOLE[connector]
    assert_sound(reading_of(kind, data.draw(mutilated(payloads))))


@pytest.mark.parametrize("connector", WHOLE)
def test_a_payload_that_is_cut_off_breaks_nothing(connector: str) -> None:
    kind, payloads = WHOLE[connector]
    for payload in payloads:
        body = json.dumps(payload).encode()
        for end in range(0, len(body), 7):
            assert_sound(reading_of(kind, body[:end]))


@pytest.mark.parametrize("connector", WHOLE)
@pytest.mark.parametrize("depth", [800, 900, 950, 980, 990, 995, 1000, 30_000])
def test_deep_nesting_breaks_nothing(connector: str, depth: int) -> None:
    kind, payloads = WHOLE[connector]
    for payload in payloads:
        for key in list(payload):
            deep = json.dumps(payload | {key: "here"}).replace('"here"', "[" * depth + "]" * depth).encode()
            assert_sound(reading_of(kind, deep))
