"""What a payload means, in one line an event: for the tables of the tests of payloads."""

import json
from typing import Any

from schemas.interaction import Interaction
from streams.connectors.connector_contract import ConnectorKind, Draft, Headers, Instance, WebhookRequest
from tests.senders.sender import NOW

Line = tuple[Any, ...]


def drafts(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[Any]:
    """The reading of a payload by the instance `desk`."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    request = WebhookRequest("POST", Headers((headers or {}).items()), body, NOW)
    return list(kind.normaliser(Instance("desk", kind.id, **instance)).normalise(request))


def line_of(made: Any) -> Line:
    """An event as a tuple; what is no event as its reason.

    An interaction is type, conversation, author, visibility and what it says or sets; a signal is name, value, scale,
    conversation and text.
    """
    if not isinstance(made, Draft):
        return (type(made).__name__.lower(), made.reason)
    event = made.event
    if not isinstance(event, Interaction):
        return (event.name, event.value, event.scale, event.conversation_id, event.text)
    said = event.text or event.status or event.into or event.agent or event.team
    return (event.type, event.conversation_id, f"{event.author.kind}:{event.author.id}", event.visibility, said)


def lines(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[Line]:
    """A payload as its lines."""
    return [line_of(made) for made in drafts(kind, payload, headers, **instance)]
