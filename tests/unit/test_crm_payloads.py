"""What Outreach's webhooks and Salesforce's change events mean."""

from pathlib import Path
from typing import Any

import pytest

from streams.connectors.business.outreach_events import OUTREACH
from streams.connectors.business.salesforce_cases import status_of
from streams.connectors.business.salesforce_changes import SALESFORCE
from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from tests.payload_readings import PayloadReader, published, seconds
from tests.senders.business_senders import DELIVERED, MAIL, outreach_event, salesforce_change
from tests.senders.sender import NOW

outreach, salesforce = PayloadReader(OUTREACH), PayloadReader(SALESFORCE)

CASE = "500000000000001AAA"
NEW_CASE = {
    "Status": "New",
    "Origin": "Web",
    "Priority": "High",
    "Subject": "Broken",
    "Description": "It is broken",
    "AccountId": "001A",
    "ContactId": "003C",
    "OwnerId": "00GQ",
    "SuppliedEmail": "Ana@Acme.example",
}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("outreach_account-updated", "other_subject"),
        ("outreach_prospect-updated", "other_subject"),
        ("outreach_task-completed", "told_elsewhere"),
    ],
)
def test_the_published_webhooks_of_outreach(shared: Path, file: str, reason: str) -> None:
    assert outreach.ignored(published(shared, f"crm/{file}.json")) == reason


def test_a_mail_that_was_delivered_is_a_contact() -> None:
    event = outreach_event("mailing", "mailing.updated", DELIVERED, prospect="3", account="2", user="8", sequence="5")
    (mail,) = outreach.interactions(event)
    assert (mail.type, mail.author.kind, mail.author.id, mail.direction, mail.automated, mail.channel) == (
        "message",
        "agent",
        "8",
        "outbound",
        "campaign",
        "email",
    )
    assert (mail.conversation_id, mail.account_id, mail.text) == (
        "outreach:mailing:7",
        "outreach_account:2",
        "Your renewal",
    )


def test_a_call_is_told_as_a_whole() -> None:
    about = {
        "direction": "Inbound",
        "dialedAt": "2026-03-02T09:20:00Z",
        "answeredAt": "2026-03-02T09:20:20Z",
        "completedAt": "2026-03-02T09:29:00Z",
    }
    calls = outreach.interactions(outreach_event("call", "call.created", about, prospect="3", user="8"))
    assert [(call.type, call.author.kind, call.direction) for call in calls] == [
        ("call_started", "customer", "inbound"),
        ("call_answered", "agent", "inbound"),
        ("call_ended", "agent", "inbound"),
    ]
    assert {(call.conversation_id, call.channel, call.account_id) for call in calls} == {
        ("outreach:call:7", "phone", "contact:outreach_prospect:3")
    }


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (outreach_event("mailing", "mailing.delivered"), "needs_fetch"),
        (outreach_event("mailing", "mailing.updated", {"state": "scheduled"}), "not_sent"),
        (outreach_event("mailing", "mailing.replied", {"repliedAt": "2026-03-02T09:29:00Z"}), "told_elsewhere"),
        (outreach_event("call", "call.updated", {"note": "x"}), "needs_fetch"),
        (outreach_event("sequenceState", "sequenceState.advanced"), "other_subject"),
    ],
)
def test_what_outreach_tells_of_itself_is_ignored_with_a_reason(event: Any, reason: str) -> None:
    assert outreach.ignored(event) == reason


def test_a_new_case_is_the_customers_message() -> None:
    (opened,) = salesforce.interactions(salesforce_change("Case", "CREATE", NEW_CASE))
    assert (opened.type, opened.author.kind, opened.author.id, opened.direction) == (
        "message",
        "customer",
        "003C",
        "inbound",
    )
    assert (opened.conversation_id, opened.text, opened.channel) == (f"salesforce:{CASE}", "It is broken", "form")
    assert (opened.priority, opened.team, opened.agent) == ("high", "00GQ", None)
    assert (opened.account_id, opened.account_hint) == ("salesforce_account:001A",) * 2


def test_a_form_on_the_web_proves_no_company() -> None:
    fields = {"SuppliedEmail": "Ana@Acme.example", "Subject": "Broken"}
    (draft,) = salesforce.drafts(salesforce_change("Case", "CREATE", fields))
    assert draft.identities == ("unverified_email:ana@acme.example",)


@pytest.mark.parametrize(
    ("change", "fields", "changed", "told"),
    [
        ("UPDATE", {"Status": "Working"}, ["Status"], [("status_changed", "open")]),
        (
            "UPDATE",
            {"Status": "Closed", "Priority": "Low"},
            ["Status", "Priority"],
            [("status_changed", "closed"), ("priority_changed", None)],
        ),
        ("UPDATE", {"OwnerId": "005B"}, ["OwnerId", "LastModifiedDate"], [("assigned", None)]),
        ("UPDATE", {"OwnerId": "005B"}, ["0x80400"], [("assigned", None)]),
        ("UPDATE", {"AccountId": "001B"}, ["AccountId"], [("account_changed", None)]),
        ("DELETE", {}, [], [("status_changed", "deleted")]),
        ("UNDELETE", {}, [], [("status_changed", "open")]),
        ("CREATE", {"Status": "Closed", "Subject": "S"}, [], [("message", None), ("status_changed", "closed")]),
    ],
)
def test_changes_of_a_case(change: str, fields: Any, changed: list[str], told: Any) -> None:
    found = salesforce.interactions(salesforce_change("Case", change, fields, changedFields=changed))
    assert [(event.type, event.status) for event in found] == told
    assert {event.conversation_id for event in found} == {f"salesforce:{CASE}"}
    assert len({event.id for event in found}) == len(found)
    assert all(event.author.kind == ("customer" if event.type == "message" else "agent") for event in found)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("New", "new"),
        ("In Progress", "open"),
        ("Escalated", "open"),
        ("Re-Opened", "open"),
        ("On Hold", "on_hold"),
        ("Waiting on Customer", "waiting_on_customer"),
        ("Pending Customer Response", "waiting_on_customer"),
        ("Waiting for Vendor", "waiting_on_third_party"),
        ("Resolved", "resolved"),
        ("Closed - Duplicate", "closed"),
    ],
)
def test_a_status_is_read_by_its_words(word: str, status: str) -> None:
    assert status_of(word) == status


@pytest.mark.parametrize(
    ("fields", "kind", "author", "visibility", "text"),
    [
        (MAIL, "customer", "ana@acme.example", "public", "It is broken"),
        (MAIL | {"Incoming": False, "CreatedById": "005A"}, "agent", "005A", "public", "It is broken"),
        (
            MAIL | {"TextBody": None, "HtmlBody": "<p>It is <b>broken</b></p>"},
            "customer",
            "ana@acme.example",
            "public",
            "It is broken",
        ),
    ],
)
def test_mails_of_a_case(fields: Any, kind: str, author: str, visibility: str, text: str) -> None:
    (mail,) = salesforce.interactions(salesforce_change("EmailMessage", "CREATE", fields, recordIds=["02sA"]))
    assert (mail.author.kind, mail.author.id, mail.visibility, mail.text) == (kind, author, visibility, text)
    assert (mail.id, mail.conversation_id, mail.channel) == ("02sA", f"salesforce:{CASE}", "email")


@pytest.mark.parametrize(("published_", "visibility"), [(True, "public"), (False, "internal"), (None, "internal")])
def test_comments_of_a_case(published_: bool | None, visibility: str) -> None:
    fields = {"ParentId": CASE, "CommentBody": "Try again", "IsPublished": published_, "CreatedById": "005A"}
    (comment,) = salesforce.interactions(salesforce_change("CaseComment", "CREATE", fields))
    assert (comment.author.kind, comment.visibility, comment.text) == ("agent", visibility, "Try again")
    assert comment.direction == ("outbound" if visibility == "public" else None)


@pytest.mark.parametrize(
    ("entity", "fields", "changed", "told"),
    [
        (
            "Opportunity",
            {"StageName": "Closed Won", "Amount": 40000, "AccountId": "001A"},
            ["StageName"],
            ("deal_won", 40000, None),
        ),
        (
            "Opportunity",
            {"StageName": "Verloren", "IsWon": False, "IsClosed": True, "AccountId": "001A"},
            ["StageName"],
            ("deal_lost", None, "Verloren"),
        ),
        ("Account", {"Plan__c": "Gold"}, ["Plan__c"], ("plan", None, "Gold")),
        ("Contract", {"Status": "Activated", "AccountId": "001A"}, ["Status"], ("contract_activated", 1, None)),
        ("Contract", {"Status": "Expired", "AccountId": "001A"}, ["Status"], ("contract_ended", 1, "Expired")),
        (
            "Contract",
            {"EndDate": "2026-12-31", "AccountId": "001A"},
            ["EndDate"],
            ("renewal_at", seconds("2026-12-31T00:00:00+00:00"), "2026-12-31T00:00:00Z"),
        ),
    ],
)
def test_deals_and_contracts_are_signals(entity: str, fields: Any, changed: list[str], told: Any) -> None:
    event = salesforce_change(entity, "UPDATE", fields, changedFields=changed, recordIds=["001A"])
    (signal,) = salesforce.signals(event)
    assert (signal.name, signal.value, signal.text) == told
    assert (signal.kind, signal.account_id) == ("subscription", "salesforce_account:001A")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (salesforce_change("Contact", "UPDATE", {}), "other_subject"),
        (salesforce_change("Employee__c", "CREATE", {}), "other_subject"),
        (salesforce_change("Case", "GAP_UPDATE", {}), "needs_fetch"),
        (salesforce_change("Case", "UPDATE", {"Subject": "x"}, changedFields=["Subject"]), "without_effect"),
        (salesforce_change("Case", "UPDATE", {"ContactId": "003D"}, changedFields=["ContactId"]), "without_effect"),
        (salesforce_change("EmailMessage", "CREATE", MAIL | {"ParentId": None}), "conversation_not_said"),
        (salesforce_change("EmailMessage", "CREATE", MAIL | {"Status": "5"}), "not_sent"),
        (salesforce_change("Opportunity", "UPDATE", {"StageName": "Closed Won"}), "nobody_named"),
        (
            {"channel": "/event/Low_Ink__e", "data": {"payload": {"Ink__c": 1}, "event": {"replayId": 1}}},
            "other_subject",
        ),
        ({"schema": "s", "payload": {"Ink__c": 1}, "event": {"replayId": 2}}, "other_subject"),
        ({"totalSize": 0, "done": True, "records": []}, "nothing_inside"),
    ],
)
def test_other_things_of_salesforce_are_ignored_with_a_reason(event: Any, reason: str) -> None:
    assert salesforce.ignored(event) == reason


def test_wrappings_change_nothing() -> None:
    event = salesforce_change("Case", "CREATE", NEW_CASE)
    wrapped = [
        event["payload"],
        {"data": event, "channel": "/data/ChangeEvents"},
        {"detail": event},
        {"events": [event]},
    ]
    assert {tuple(salesforce.interactions(each)) for each in wrapped} == {tuple(salesforce.interactions(event))}


def test_a_record_of_the_api_is_read_as_it_is() -> None:
    record = NEW_CASE | {"attributes": {"type": "Case"}, "Id": CASE, "CreatedDate": "2026-03-02T09:00:00.000+0000"}
    (opened,) = salesforce.interactions({"totalSize": 1, "done": True, "records": [record]})
    assert (opened.id, opened.occurred_at.isoformat()) == (f"{CASE}:opened", "2026-03-02T09:00:00+00:00")


def outbound(*records: str, before: str = "") -> bytes:
    """An outbound message in the form of its WSDL."""
    told = "".join(f"<Notification><Id>04lA</Id>{record}</Notification>" for record in records)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>00DA</OrganizationId>{told}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()


def sent_record(kind: str, **fields: str) -> str:
    written = "".join(f"<sf:{name}>{value}</sf:{name}>" for name, value in fields.items())
    return f'<sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{written}</sObject>'


def test_an_outbound_message_is_read_as_the_records_that_it_holds() -> None:
    """Salesforce, "Outbound Messaging": up to a hundred notifications, each with one record and the chosen fields."""
    case = {**NEW_CASE, "Description": "It is &lt;broken&gt; &amp; old", "CreatedDate": "2026-03-02T09:00:00.000Z"}
    deal = {"StageName": "Closed Won", "AccountId": "001B", "Amount": "9.5"}
    read = salesforce.read(
        outbound(sent_record("Case", Id=CASE, **case), sent_record("Opportunity", Id="006A", **deal))
    )
    opened, won = (item.event for item in read if isinstance(item, Draft))
    assert (opened.id, opened.text) == (f"{CASE}:opened", "It is <broken> & old")
    assert opened.occurred_at.isoformat() == "2026-03-02T09:00:00+00:00"
    assert (won.name, won.value) == ("deal_won", 9.5)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (outbound(before='<!DOCTYPE a [<!ENTITY b "c">]>'), "malformed_payload: a document type is not allowed"),
        (outbound()[:-9], "malformed_payload: "),
        (b"<a>" * 50_000, "malformed_payload: nested too deeply"),
        (b"<notifications/>", "not_understood: "),
        (outbound(sent_record("Case", Status="New")), "malformed_payload: "),
    ],
)
def test_other_xml_is_refused(body: bytes, reason: str) -> None:
    assert salesforce.refused(body).startswith(reason)
    assert salesforce.ignored(outbound()) == "nothing_inside"


def test_an_outbound_message_is_acknowledged_and_shows_its_token_in_the_address() -> None:
    """Salesforce, "Outbound Messaging": sent again until the answer says `Ack`; its address is all that can be set."""
    connector = SALESFORCE.build(Instance("salesforce", "salesforce", tokens=("t",)))
    sent = WebhookRequest("POST", Headers([]), outbound(), NOW, query={"token": "t"})
    assert connector.verifier.verify(sent).genuine
    assert not connector.verifier.verify(
        WebhookRequest("POST", Headers([]), outbound(), NOW, query={"token": "u"})
    ).genuine
    answer = connector.receipt
    assert answer is not None
    heard = answer(connector.instance, sent)
    assert heard is not None
    assert b"<Ack>true</Ack>" in heard.body
    assert answer(connector.instance, WebhookRequest("POST", Headers([]), b"{}", NOW)) is None
