"""What a connector reads in a payload, without a server: as events, or as lines for tables that are read by eye."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.interaction import Interaction
from schemas.signal import Signal
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
from streams.connectors.connector_registry import BUILT_IN
from streams.connectors.event_check import flaw_in
from tests.senders.sender import NOW

KINDS = {kind.id: kind for kind in BUILT_IN}
NOBODY_KNOWN = AccountsDirectory()

Told = tuple[str, float | None, str | None]
Line = tuple[Any, ...]


def request_of(payload: Any, headers: dict[str, str] | None = None) -> WebhookRequest:
    """A request with this body, or with a JSON value as its body."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return WebhookRequest("POST", Headers((headers or {}).items()), body, NOW)


def reading_of(
    kind: ConnectorKind | str, payload: Any, headers: dict[str, str] | None = None, **instance: Any
) -> Reading:
    """What a payload means for an instance of this kind without any configuration but `instance`."""
    found = KINDS[kind] if isinstance(kind, str) else kind
    name = instance.pop("name", found.id)
    return found.normaliser(Instance(name, found.id, **instance)).normalise(request_of(payload, headers))


def published(shared: Path, path: str) -> bytes:
    """A published payload, read in place; the test is skipped where it is absent."""
    file = shared / "payloads" / path
    if not file.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    return file.read_bytes()


def seconds(text: str) -> float:
    """Seconds since 1970 of an instant in ISO 8601."""
    return datetime.fromisoformat(text).timestamp()


class PayloadReader:
    """Reads payloads with one kind of connector. `signals` and the like fail with what was read instead."""

    def __init__(self, kind: ConnectorKind) -> None:
        self._kind = kind

    def read(self, payload: Any, **instance: Any) -> Reading:
        """The reading."""
        return reading_of(self._kind, payload, **instance)

    def drafts(self, payload: Any, **instance: Any) -> list[Draft]:
        """The drafts, of a payload that means nothing else."""
        reading = self.read(payload, **instance)
        found = [item for item in reading if isinstance(item, Draft)]
        assert len(found) == len(reading), reading
        return found

    def signals(self, payload: Any, **instance: Any) -> list[Signal]:
        """The signals, with their accounts."""
        events = [stamp(draft, NOBODY_KNOWN) for draft in self.drafts(payload, **instance)]
        signals = [event for event in events if isinstance(event, Signal)]
        assert len(signals) == len(events), events
        return signals

    def told(self, payload: Any, **instance: Any) -> list[Told]:
        """Name, value and text of the signals."""
        return [(signal.name, signal.value, signal.text) for signal in self.signals(payload, **instance)]

    def interactions(self, payload: Any, **instance: Any) -> list[Interaction]:
        """The interactions, with their accounts."""
        events = [stamp(draft, NOBODY_KNOWN) for draft in self.drafts(payload, **instance)]
        interactions = [event for event in events if isinstance(event, Interaction)]
        assert len(interactions) == len(events), events
        return interactions

    def ignored(self, payload: Any, **instance: Any) -> str:
        """Why a payload means nothing."""
        (reading,) = self.read(payload, **instance)
        assert isinstance(reading, Ignored), reading
        return reading.reason

    def refused(self, payload: Any, **instance: Any) -> str:
        """Why a payload cannot be read."""
        (reading,) = self.read(payload, **instance)
        assert isinstance(reading, Refused), reading
        return f"{reading.reason}: {reading.detail}"


def table_of(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[str]:
    """Lines with type, author, visibility if internal, direction, channel, conversation, account, what is special."""
    return [_told(item) for item in reading_of(kind, payload, headers, **instance)]


def _told(item: Any) -> str:
    if not isinstance(item, Draft):
        return _reason(item)
    event = stamp(item, NOBODY_KNOWN)
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


def lines_of(kind: ConnectorKind | str, payload: Any, **instance: Any) -> list[str]:
    """Lines with type, author, direction or visibility, conversation, account and text, or the reason."""
    return [_line(item) for item in reading_of(kind, payload, **instance)]


def _line(item: Any) -> str:
    if not isinstance(item, Draft):
        return _reason(item)
    event: Any = stamp(item, NOBODY_KNOWN)
    if (flaw := flaw_in(event)) is not None:
        return f"refused: {flaw[0]}"
    where = event.conversation_id.removeprefix(f"{event.source}:")
    whither = event.direction or ("-" if event.visibility == "public" else "internal")
    said = (event.type, f"{event.author.kind}:{event.author.id}", whither, where, event.account_hint)
    return " ".join(str(part) for part in said) + (f" | {event.text}" if event.text else "")


def _reason(item: Ignored | Refused) -> str:
    return f"{type(item).__name__.lower()}: {item.reason}"


def drafts_of(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[Any]:
    """The reading of a payload by the instance `desk`."""
    return list(reading_of(kind, payload, headers, name="desk", **instance))


def tuples_of(kind: ConnectorKind, payload: Any, headers: dict[str, str] | None = None, **instance: Any) -> list[Line]:
    """The reading of a payload by the instance `desk`, as tuples."""
    return [tuple_of(made) for made in drafts_of(kind, payload, headers, **instance)]


def tuple_of(made: Any) -> Line:
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
