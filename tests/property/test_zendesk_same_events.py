"""The same facts of a Zendesk, by webhook and by backfill: the same events, ids and outcomes."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.domain.instant import from_datetime
from agents.domain.policy_book import PolicyBook
from agents.domain.verdict import judge_conversation
from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_channel import ZENDESK
from streams.connectors.helpdesks.zendesk_history import ticket_history
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problems
from tests.senders.sender import NOW
from tests.zendesk_facts import AGENT, BEGINNING, PEOPLE, REQUESTER, TicketFacts, Update

INSTANCE = Instance("desk", "zendesk")
POLICY = """
version: 1
policies:
  - id: urgent
    when: {priority: urgent}
    targets: {first_response: 1h, next_response: 1h, total_resolution: 4h, periodic_update: 2h, group_ownership: 1h}
  - id: everyone
    targets: {first_response: 8h, next_response: 4h, total_resolution: 2d, requester_wait: 1d, agent_work: 1d}
"""

texts = st.sampled_from(["It is broken", "Still broken", "Try again", "Thanks!"])
changes = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["open", "pending", "hold", "solved"]),
        "priority": st.sampled_from(["low", "normal", "high", "urgent"]),
        "assignee_id": st.sampled_from([AGENT, None]),
        "group_id": st.sampled_from([3, 4]),
        "tags": st.lists(st.sampled_from(["login", "mobile"]), unique=True),
    },
)


@st.composite
def facts(draw: st.DrawFn) -> TicketFacts:
    first = Update(0, draw(st.sampled_from([REQUESTER, AGENT])), draw(texts), changes=draw(changes))
    updates = [first]
    for gap in draw(st.lists(st.integers(1, 20_000), max_size=6)):
        actor = draw(st.sampled_from([REQUESTER, AGENT]))
        by_staff = actor == AGENT
        update = Update(
            seconds=updates[-1].seconds + gap,
            actor=actor,
            text=draw(st.none() | texts) if by_staff else draw(texts),
            public=draw(st.booleans()) if by_staff else True,
            changes=draw(changes) if by_staff else draw(st.sampled_from([{}, {"status": "open"}])),
        )
        updates.append(update)
    if draw(st.booleans()):
        score = draw(st.sampled_from(["good", "bad"]))
        updates.append(Update(updates[-1].seconds + 60, REQUESTER, changes={"satisfaction_score": score}))
    return TicketFacts(5158, updates)


def stamped(reading: Iterable[Any]) -> dict[str, Interaction | Signal]:
    """The events by id: what comes twice counts once, as in the workers."""
    directory = AccountsDirectory()
    events: dict[str, Interaction | Signal] = {}
    for each in reading:
        if isinstance(each, Draft):
            event = stamp(each, directory)
            events.setdefault(event.id, event)
    return events


def by_webhook(ticket: TicketFacts) -> dict[str, Interaction | Signal]:
    normaliser = ZENDESK.normaliser(INSTANCE)
    bodies = (json.dumps(each).encode() for each in ticket.webhooks())
    requests = (WebhookRequest("POST", Headers(()), body, NOW) for body in bodies)
    return stamped(each for request in requests for each in normaliser.normalise(request))


def by_backfill(ticket: TicketFacts) -> dict[str, Interaction | Signal]:
    drafter = Drafter(INSTANCE, WebhookRequest("GET", Headers(()), b"", NOW), "other")
    return stamped(ticket_history(drafter, ticket.ticket(), reversed(ticket.audits()), PEOPLE))


def told(event: Interaction | Signal) -> dict[str, Any]:
    """Everything that an event says but where it was read."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    for technical in ("raw_reference", "attachments", "received_at"):
        fields.pop(technical, None)
    return fields


def outcomes(events: Iterable[Interaction | Signal]) -> list[Any]:
    policies = read_policy_text(POLICY, Problems(""))
    assert policies is not None
    story = sorted((each for each in events if isinstance(each, Interaction)), key=lambda each: each.occurred_at)
    return list(judge_conversation(PolicyBook.of(policies), story, from_datetime(NOW)))


@given(facts())
def test_the_same_facts_are_the_same_events_and_the_same_outcomes(ticket: TicketFacts) -> None:
    live, fetched = by_webhook(ticket), by_backfill(ticket)
    assert {key: told(event) for key, event in fetched.items()} == {key: told(event) for key, event in live.items()}
    assert outcomes(fetched.values()) == outcomes(live.values())
    assert min(event.occurred_at for event in fetched.values()) == BEGINNING
