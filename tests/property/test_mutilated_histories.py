"""Histories with anything in any place: nothing raises, and whatever is told has its conversation and its author."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Interaction
from streams.backfill.found_accounts import completed_directory
from streams.backfill.zendesk_companies import companies_of
from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, Reading, Refused, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.hubspot_history import thread_history, ticket_record_history
from streams.connectors.helpdesks.intercom_history import conversation_history
from streams.connectors.helpdesks.zendesk_history import ticket_history
from streams.connectors.payload_reading import as_json, read_json
from tests.payload_mutilations import mutilated
from tests.senders.sender import NOW
from tests.unit import test_hubspot_backfill, test_intercom_backfill
from tests.unit.test_zendesk_backfill import tickets
from tests.zendesk_facts import PEOPLE

FACTS = tickets(1)[0]
ZENDESK = {"ticket": FACTS.ticket(), "audits": FACTS.audits(), "people": PEOPLE}
HUBSPOT = {
    "ticket": test_hubspot_backfill.ticket(1),
    "thread": test_hubspot_backfill.thread(1),
    "messages": test_hubspot_backfill.messages(1),
}


def drafter() -> Drafter:
    return Drafter(Instance("desk", "zendesk"), WebhookRequest("GET", Headers(()), b"", NOW), "other")


def table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def broken(sample: Any) -> st.SearchStrategy[dict[str, Any]]:
    """The objects that a sample may become on its way; what is no JSON does not come through `history_api`."""
    return mutilated([sample]).map(read_json).map(table)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def holds(reading: Reading) -> None:
    for each in reading:
        assert isinstance(each, Draft | Ignored | Refused)
        if isinstance(each, Draft) and isinstance(each.event, Interaction):
            assert each.event.conversation_id.partition(":")[2]
            assert each.event.author.kind in {"customer", "agent", "bot", "system"}


@given(broken(ZENDESK))
def test_zendesk(content: dict[str, Any]) -> None:
    holds(
        ticket_history(
            drafter(), table(content.get("ticket")), listed(content.get("audits")), listed(content.get("people"))
        )
    )


@given(broken(test_intercom_backfill.conversation(1)))
def test_intercom(content: dict[str, Any]) -> None:
    request = WebhookRequest("GET", Headers(()), as_json(content), NOW)
    holds(conversation_history(Instance("chat", "intercom"), request))


@given(broken(HUBSPOT))
def test_hubspot(content: dict[str, Any]) -> None:
    holds(ticket_record_history(drafter(), table(content.get("ticket"))))
    holds(thread_history(drafter(), table(content.get("thread")), listed(content.get("messages"))))


ORGANISATION = {"id": 9, "name": "Acme", "domain_names": ["acme.example"]}
USER = {"id": 42, "role": "end-user", "email": "jo@home.example", "organization_id": 9}


@given(broken({"organisations": [ORGANISATION], "users": [USER]}), st.booleans())
def test_companies(content: dict[str, Any], twice: bool) -> None:
    organisations = [each for each in listed(content.get("organisations")) if isinstance(each, dict)]
    users = [each for each in listed(content.get("users")) if isinstance(each, dict)]
    found = list(companies_of(organisations, users))
    changed = completed_directory(found * 2 if twice else found, {})
    assert completed_directory(found, changed) == {}
