"""What a payload becomes, as one line of text for each event: tables of published payloads are read by eye."""

import json
from typing import Any

from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, Reading, WebhookRequest
from streams.connectors.connector_registry import known_connectors
from streams.connectors.event_check import flaw_in
from tests.senders.sender import NOW

NOBODY_KNOWN = AccountsDirectory()


def reading(connector: str, payload: Any, **instance: Any) -> Reading:
    """What a normaliser says of a body, or of an object that is sent as JSON."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    kind = known_connectors()[connector]
    normaliser = kind.normaliser(Instance(connector, connector, **instance))
    return normaliser.normalise(WebhookRequest("POST", Headers([]), body, NOW))


def lines(connector: str, payload: Any, **instance: Any) -> list[str]:
    """A line for each event (type, author, direction or visibility, conversation, account, text), or the reason."""
    return [_line(item) for item in reading(connector, payload, **instance)]


def _line(item: Any) -> str:
    if isinstance(item, Ignored):
        return f"ignored: {item.reason}"
    if not isinstance(item, Draft):
        return f"refused: {item.reason}"
    event: Any = stamp(item, NOBODY_KNOWN)
    if (flaw := flaw_in(event)) is not None:
        return f"refused: {flaw[0]}"
    assert event.conversation_id.startswith(f"{event.source}:")
    assert event.conversation_id != f"{event.source}:"
    where = event.conversation_id.partition(":")[2]
    whither = event.direction or ("-" if event.visibility == "public" else "internal")
    said = (event.type, f"{event.author.kind}:{event.author.id}", whither, where, event.account_hint)
    return " ".join(str(part) for part in said) + (f" | {event.text}" if event.text else "")


def mutilations(value: Any) -> list[Any]:
    """A payload with each of its parts, at any depth, missing or of another kind."""
    return [value, *_changed(value)]


def _changed(value: Any) -> list[Any]:
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    made: list[Any] = []
    for key, inside in items:
        others = [None, 7, -1e300, "", "\x00", [], {}, [inside], {"a": inside}, True, *_changed(inside)]
        made += [_with(value, key, other) for other in others]
        if isinstance(value, dict):
            made.append({name: kept for name, kept in value.items() if name != key})
    return made


def _with(value: Any, key: Any, other: Any) -> Any:
    copied = value.copy()
    copied[key] = other
    return copied
