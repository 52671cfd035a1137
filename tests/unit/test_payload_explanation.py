"""What `careline connect explain` takes for a body: the file itself, the bodies that it collects, and nothing else."""

import json
from typing import Any

import pytest

from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.connector_registry import known_connectors
from streams.connectors.payload_explanation import PayloadExplained, PayloadExplainer
from tests.senders.helpdesk_senders import zendesk_event
from tests.senders.messengers_senders import slack_event, slack_message
from tests.senders.sender import NOW

ASKED = slack_event(slack_message())


def explained(connector: str, content: Any) -> PayloadExplained:
    kind = known_connectors()[connector]
    explainer = PayloadExplainer(kind, Instance(connector, connector), AccountsDirectory())
    return explainer.explain(json.dumps(content).encode(), {}, NOW)


@pytest.mark.parametrize(
    "content",
    [
        {"asked": ASKED, "pinged": {"type": "url_verification", "challenge": "x"}},
        [ASKED, {"type": "url_verification", "challenge": "x"}],
        {"headers": {"Content-Type": "application/json"}, "body": json.dumps(ASKED)},
        {"description": "somebody asks", "payload": ASKED},
        {"summary": "an example of OpenAPI", "value": ASKED},
    ],
    ids=["named", "listed", "request", "described", "example"],
)
def test_a_file_may_collect_bodies(content: Any) -> None:
    assert [event["text"] for event in explained("slack", content).events] == ["It is broken"]


def test_what_stands_inside_a_refused_body_is_no_body() -> None:
    ticket: dict[str, Any] = {
        "description": "It is broken",
        "created_at": "2026-03-02T09:00:00Z",
        "url": "https://us.zendesk.com/7",
    }
    assert explained("zendesk", zendesk_event("ticket.created", **ticket)["detail"]).events
    found = explained("zendesk", zendesk_event("ticket.teleported", **ticket))
    assert (found.events, found.ignored) == ([], None)
    assert found.rejected is not None
    assert found.rejected.startswith("not_understood")
