"""What a payload becomes, as one line for each event: so that a test reads like a table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Headers,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.event_check import flaw_in
from tests.senders.sender import NOW

EMPTY = AccountsDirectory()


def published_payload(shared: Path, name: str) -> Any:
    """A published payload, read in place; the test is skipped where it is absent."""
    path = shared / "payloads" / name
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    return json.loads(path.read_bytes())


def reading_of(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> Reading:
    """What a payload means for an instance of this kind without any configuration but `instance`."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    request = WebhookRequest("POST", Headers((headers or {}).items()), body, NOW)
    return kind.normaliser(Instance(kind.id, kind.id, **instance)).normalise(request)


def told(item: Draft | Ignored | Refused) -> str:
    """One line: type, author, visibility if internal, direction, channel, conversation, account, what is special."""
    if isinstance(item, Ignored):
        return f"ignored: {item.reason}"
    if isinstance(item, Refused):
        return f"refused: {item.reason}"
    event = stamp(item, EMPTY)
    if not isinstance(event, Interaction):
        return f"signal {event.kind} {event.name}={event.value} {event.account_id}"
    own = {
        "status_changed": event.status,
        "priority_changed": event.priority,
        "assigned": event.agent or event.team,
        "merged": event.into,
    }.get(event.type, event.text)
    who = event.author.kind + (f"({event.author.id})" if event.author.id else "")
    words = [event.type, who, event.visibility if event.visibility == "internal" else "", event.direction or ""]
    where = [event.channel, event.conversation_id, event.account_hint or "-", f"[{event.automated}]"]
    told_words = [*words, *(where if event.automated else where[:3]), repr(own)]
    return " ".join(word for word in told_words if word)


def table_of(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[str]:
    """The lines of a payload."""
    return [told(item) for item in reading_of(kind, payload, headers, **instance)]


def assert_whole(reading: Reading) -> None:
    """No interaction lacks its conversation, its author or anything else that an event needs."""
    for item in reading:
        if isinstance(item, Draft):
            event = stamp(item, EMPTY)
            flaw = flaw_in(event)
            assert flaw is None or flaw[0] in {"impossible_time", "contract_violation", "missing_key"}, flaw
            if isinstance(event, Interaction):
                assert event.conversation_id.partition(":")[2]
                assert event.author.kind in {"customer", "agent", "bot", "system"}
        else:
            assert isinstance(item, Ignored | Refused)


STRANGERS: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1e308,
    "",
    "\x00",
    "teleported",
    "9" * 600,
    [],
    [[]],
    {},
    {"a": None},
)
"""What stands in a payload where something else should."""


def mutilations(payload: Any) -> Iterator[bytes]:
    """A payload with each of its values dropped or exchanged, and cut off at many places."""
    whole = json.dumps(payload).encode()
    yield from (whole[: len(whole) * part // 40] for part in range(40))
    yield whole.replace(b"a", b"\xff", 1)
    for path in _paths(payload):
        yield json.dumps(_changed(payload, path, _DROPPED)).encode()
        for stranger in STRANGERS:
            yield json.dumps(_changed(payload, path, stranger)).encode()


_DROPPED = object()


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield before
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from _paths(each, (*before, key))


def _changed(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return None if by is _DROPPED else by
    first, *rest = path
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key != first or rest or by is not _DROPPED}
        return kept | ({first: _changed(value[first], tuple(rest), by)} if rest or by is not _DROPPED else {})
    copy = list(value)
    if not rest and by is _DROPPED:
        del copy[first]
    else:
        copy[first] = _changed(copy[first], tuple(rest), by)
    return copy
