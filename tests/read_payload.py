"""What a connector reads in a payload, without a server: for tests of normalisers."""

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
from tests.senders.sender import NOW

Told = tuple[str, float | None, str | None]


class PayloadReader:
    """Reads payloads with one kind of connector. `signals` and the like fail with what was read instead."""

    def __init__(self, kind: ConnectorKind) -> None:
        self._kind = kind

    def read(self, payload: Any, **instance: Any) -> Reading:
        """The reading of a body, or of something that is JSON."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        name = instance.pop("name", self._kind.id)
        normaliser = self._kind.normaliser(Instance(name, self._kind.id, **instance))
        return normaliser.normalise(WebhookRequest("POST", Headers([]), body, NOW))

    def drafts(self, payload: Any, **instance: Any) -> list[Draft]:
        """The drafts, of a payload that means nothing else."""
        reading = self.read(payload, **instance)
        found = [item for item in reading if isinstance(item, Draft)]
        assert len(found) == len(reading), reading
        return found

    def signals(self, payload: Any, **instance: Any) -> list[Signal]:
        """The signals, with their accounts."""
        events = [stamp(draft, AccountsDirectory()) for draft in self.drafts(payload, **instance)]
        signals = [event for event in events if isinstance(event, Signal)]
        assert len(signals) == len(events), events
        return signals

    def told(self, payload: Any, **instance: Any) -> list[Told]:
        """Name, value and text of the signals."""
        return [(signal.name, signal.value, signal.text) for signal in self.signals(payload, **instance)]

    def interactions(self, payload: Any, **instance: Any) -> list[Interaction]:
        """The interactions, with their accounts."""
        events = [stamp(draft, AccountsDirectory()) for draft in self.drafts(payload, **instance)]
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


def published(shared: Path, path: str) -> bytes:
    """A published payload; the test is skipped where it is not at hand."""
    file = shared / "payloads" / path
    if not file.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    return file.read_bytes()


def seconds(text: str) -> float:
    """Seconds since 1970 of an instant in ISO 8601."""
    return datetime.fromisoformat(text).timestamp()
