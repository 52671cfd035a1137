"""What `careline doctor --audit` calls missing while everybody goes on: nothing that is only behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from agents.account_agent import LEDGER_KEY
from schemas.account_state import AccountLedger, encode_account_state
from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import ACCOUNT_STATE, SLA_EVENTS
from streams import audit as audited
from streams import audited_log
from streams.audit import AuditLine, audit
from streams.group_offsets import Standing
from streams.lane.changelog import to_value
from streams.lane.partition_states import Remembered
from streams.settings import Settings
from streams.topic_reader import StoredRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FORGET = Control(id="f", kind="account_forgotten", as_of=NOW, account_id="a", relays=2)


def told(number: int, partition: int = 0) -> SlaEvent:
    return SlaEvent(f"e{number}", "met", "c", "a", NOW, Cause(partition, number), "test")


@dataclass
class House:
    """A log of one partition, and what is said of it by a ledger, the groups and ClickHouse."""

    log: tuple[SlaEvent | Control, ...]
    counted: int = 0
    stored: int = 0
    worker: tuple[int | None, int | None] = (None, None)
    """What the workers have committed before and after the ledger is read."""
    sink: int | None = None

    def partitions(self, _topic: str) -> list[int]:
        return [0]

    def ends(self, topic: str) -> Mapping[int, int]:
        return {0: len(list(self.records(topic)))}

    def records(self, topic: str) -> Iterator[StoredRecord]:
        for offset, event in enumerate(self.log if topic == SLA_EVENTS.name else ()):
            headers = tuple(headers_of(event, "test", event.id, NOW))
            yield StoredRecord(0, offset, 0, getattr(event, "account_id", "").encode(), encode(event), headers)

    def latest(self, topic: str, _key: bytes) -> Mapping[int, StoredRecord]:
        if topic != ACCOUNT_STATE.name:
            return {}
        state = to_value(Remembered(encode_account_state(AccountLedger(sla_applied=self.counted)), None))
        return {0: StoredRecord(0, 0, 0, LEDGER_KEY.encode(), state, ())}

    def audit(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, AuditLine]:
        answers = iter(self.worker)

        def committed(_kafka: object, group: str) -> Standing:
            offset = self.sink if group.endswith("sink") else next(answers)
            return Standing(1, {} if offset is None else {(SLA_EVENTS.name, 0): offset}, {})

        @contextmanager
        def reader(_kafka: object) -> Iterator[Any]:
            yield self

        monkeypatch.setattr(audited_log, "group_offsets", committed)
        monkeypatch.setattr(audited, "topic_reader", reader)
        rows = SimpleNamespace(rows=[("0", str(self.stored))])
        monkeypatch.setattr(audited, "ask_table", lambda *asked: rows if "sla_events" in asked[-1] else EMPTY)
        return {line.book: line for line in audit(Settings())}


EMPTY = SimpleNamespace(rows=[])
EVENTS = tuple(map(told, range(5)))


@pytest.mark.parametrize(
    ("counted", "worker", "missing", "waiting"),
    [
        (2, (2, 2), 0, 3),
        (3, (2, 4), 0, 2),  # it goes on while it is asked
        (1, (2, 4), 1, 3),
        (0, (None, None), 0, 5),  # nobody has begun
        (5, (None, None), 0, 0),  # what the group has committed has expired since
    ],
)
def test_what_a_worker_has_not_committed_is_waiting(
    monkeypatch: pytest.MonkeyPatch, counted: int, worker: tuple[int | None, int | None], missing: int, waiting: int
) -> None:
    line = House(EVENTS, counted=counted, worker=worker).audit(monkeypatch)["sla-events"]

    assert (line.missing, line.surplus, line.waiting) == (missing, 0, waiting)


@pytest.mark.parametrize(
    ("stored", "sink", "missing", "waiting"), [(3, 3, 0, 2), (2, 3, 1, 2), (0, None, 0, 5), (5, 5, 0, 0), (4, 5, 1, 0)]
)
def test_what_the_sink_has_not_committed_is_waiting(
    monkeypatch: pytest.MonkeyPatch, stored: int, sink: int | None, missing: int, waiting: int
) -> None:
    line = House(EVENTS, stored=stored, sink=sink).audit(monkeypatch)["ClickHouse sla_events"]

    assert (line.missing, line.surplus, line.waiting) == (missing, 0, waiting)


@pytest.mark.parametrize(("stored", "sink", "missing"), [(2, 5, 0), (1, 5, 1), (1, 3, 0), (2, 3, 0), (0, 3, 1)])
def test_a_forgetting_deletes_what_its_partition_told_and_may_be_under_way(
    monkeypatch: pytest.MonkeyPatch, stored: int, sink: int, missing: int
) -> None:
    """Two of the first partition, one of the second, whose row alone stays until that one passes it on too."""
    log = (told(0), told(1), told(2, partition=1), msgspec.structs.replace(FORGET, relayed_from=0), told(4))
    house = replace(House(log), stored=stored, sink=sink)

    assert house.audit(monkeypatch)["ClickHouse sla_events"].missing == missing
