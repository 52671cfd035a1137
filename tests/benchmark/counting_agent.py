"""The job of `stock_faust` on our own path: the same count and last status per conversation, without the engine.

So the two are compared at equal work, and what the path costs can be told from what the engine costs. Ours does one
thing more: every event has a result, which becomes visible together with the state and the offsets.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from agents.domain.instant import Instant, to_datetime
from agents.ports import LEDGER_PREFIX, Effects, Record, States
from schemas.codec import encode
from schemas.conversation_state import PartitionLedger
from schemas.signal import Signal
from schemas.topics import CLOCKS

LEDGER_KEY = f"{LEDGER_PREFIX}counted"


class Counted(Struct):
    """How many events a conversation had, and its last status."""

    events: int = 0
    status: str | None = None


class _Event(Struct):
    id: str
    occurred_at: datetime | None = None
    conversation_id: str = "control"
    status: str | None = None


_events = msgspec.json.Decoder(_Event)
_states = msgspec.json.Decoder(Counted)
_ledgers = msgspec.json.Decoder(PartitionLedger)


class CountingAgent:
    """Implements `agents.ports.Agent`."""

    def __init__(self, states: States, effects: Effects) -> None:
        self._states = states
        self._effects = effects
        remembered = states.get(LEDGER_KEY)
        self.ledger = PartitionLedger() if remembered is None else _ledgers.decode(remembered)

    def process(self, records: Sequence[Record], observed_at: Instant) -> None:
        """Count, and tell each count."""
        touched: dict[str, Counted] = {}
        for record in records:
            if record.offset < self.ledger.next_offset or record.value is None:
                continue
            event = _events.decode(record.value)
            key = event.conversation_id
            counted = touched.get(key)
            if counted is None:
                remembered = self._states.get(key)
                counted = touched[key] = Counted() if remembered is None else _states.decode(remembered)
            counted.events += 1
            counted.status = event.status
            self._effects.emit(CLOCKS, key, _told(event, counted, observed_at))
            self.ledger.applied += 1
            self.ledger.next_offset = record.offset + 1
        for key, counted in touched.items():
            self._states.put(key, encode(counted))
        self._states.put(LEDGER_KEY, encode(self.ledger))


def _told(event: _Event, counted: Counted, observed_at: Instant) -> Signal:
    return Signal(
        id=f"{event.id}/counted",
        source="bench",
        account_id=event.conversation_id,
        occurred_at=event.occurred_at or to_datetime(observed_at),
        kind="usage",
        name="events",
        value=counted.events,
        text=counted.status,
    )
