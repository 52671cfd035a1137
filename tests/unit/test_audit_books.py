"""Which books `careline doctor --audit` has: every topic and table is in one, or excused by name with a reason."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from agents.account_agent import LEDGER_KEY
from agents.domain import family
from schemas.account_state import AccountLedger, encode_account_state
from schemas.adherence import AdherenceReport
from schemas.alert import Alert
from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.enrichment import Enrichment
from schemas.issue import Issue
from schemas.signal import Signal
from schemas.topics import ACCOUNT_STATE, ADHERENCE, ALERTS, ENRICHMENTS, ISSUES, SIGNALS, TOPICS, TopicSpec
from streams import audit as audited
from streams import audited_log
from streams.audit import LEDGERS_OF, NOT_RECOUNTED, ROWS_OF, AuditLine, audit
from streams.group_offsets import Standing
from streams.lane.changelog import to_value
from streams.lane.partition_states import Remembered
from streams.settings import Settings
from streams.sinks.rows import TABLES
from streams.topic_reader import StoredRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOT_ROWS_OF_RESULTS = {"topic_epochs": "counts the lives of topics for the sink itself"}


def test_every_topic_is_in_a_book_or_excused() -> None:
    """Whoever adds a topic says which book it is in, or why in none."""
    in_books = {topic.name for topic in (*LEDGERS_OF, *ROWS_OF)}

    assert in_books | NOT_RECOUNTED.keys() == {topic.name for topic in TOPICS}
    assert not in_books & NOT_RECOUNTED.keys()
    assert all(len(reason.split()) > 3 for reason in NOT_RECOUNTED.values())


def test_every_table_is_in_a_book_or_excused(project_root: Path) -> None:
    """Every table of the migrations, also one that nobody has told the sink of."""
    migrations = [path.read_text() for path in (project_root / "deploy/clickhouse").glob("*.sql")]
    made = {name for text in migrations for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", text)}
    topics = {table.name: table.topic for table in TABLES}

    assert made == topics.keys() | NOT_ROWS_OF_RESULTS.keys()
    assert {name for name, topic in topics.items() if topic not in ROWS_OF} == {
        name for name, topic in topics.items() if topic.name in NOT_RECOUNTED
    }


@dataclass
class House:
    """One topic of one partition with records (key, contract or null for a tombstone), and what is said of it."""

    topic: TopicSpec
    log: tuple[tuple[str, Struct | None], ...] = ()
    ledger: AccountLedger | None = None
    stored: int = 0
    sink: int | None = None
    grown: tuple[tuple[str, Struct | None], ...] = ()
    """What comes in while the doctor reads."""

    def partitions(self, _topic: str) -> list[int]:
        return [0]

    def ends(self, topic: str) -> Mapping[int, int]:
        return {0: len(self.log) if topic == self.topic.name else 0}

    def records(self, topic: str) -> Iterator[StoredRecord]:
        for offset, (key, event) in enumerate((*self.log, *self.grown) if topic == self.topic.name else ()):
            headers = () if event is None else tuple(headers_of(event, "test", str(offset), NOW))
            yield StoredRecord(0, offset, 0, key.encode(), None if event is None else encode(event), headers)

    def latest(self, topic: str, _key: bytes) -> Mapping[int, StoredRecord]:
        if topic != ACCOUNT_STATE.name or self.ledger is None:
            return {}
        state = to_value(Remembered(encode_account_state(self.ledger), None))
        return {0: StoredRecord(0, 0, 0, LEDGER_KEY.encode(), state, ())}

    def audit(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, AuditLine]:
        @contextmanager
        def reader(_kafka: object) -> Iterator[Any]:
            yield self

        def committed(_kafka: object, _group: str) -> Standing:
            return Standing(1, {} if self.sink is None else {(self.topic.name, 0): self.sink}, {})

        def rows(*asked: Any) -> SimpleNamespace:
            (table,) = (each for each in TABLES if f"FROM {each.name} WHERE" in asked[-1])
            return SimpleNamespace(rows=[("0", str(self.stored))] if table.topic is self.topic else [])

        monkeypatch.setattr(audited_log, "group_offsets", committed)
        monkeypatch.setattr(audited, "topic_reader", reader)
        monkeypatch.setattr(audited, "ask_table", rows)
        return {line.book: line for line in audit(Settings())}


def test_every_book_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {table.topic: table.name for table in TABLES}

    assert [*House(SIGNALS).audit(monkeypatch)] == [
        *(topic.name.removeprefix("careline.").removesuffix(".v1") for topic in LEDGERS_OF),
        *(f"ClickHouse {tables[topic]}" for topic in ROWS_OF),
    ]


def said(number: int, account: str = "a", **more: Any) -> tuple[str, Signal]:
    signal = Signal(id=f"s{number}", source="test", account_id=account, occurred_at=NOW, kind="usage", name="logins")
    return account, msgspec.structs.replace(signal, **more)


WORD = said(9, kind="child", source=family.SOURCE, name="c")
TICK = ("", Control(id="t", kind="tick", as_of=NOW))


@pytest.mark.parametrize(
    ("counted", "missing", "surplus"), [((2, 1, 0, 0), 0, 0), ((1, 0, 1, 0), 1, 0), ((2, 1, 0, 1), 0, 1)]
)
def test_signals_are_held_against_their_ledger(
    monkeypatch: pytest.MonkeyPatch, counted: tuple[int, int, int, int], missing: int, surplus: int
) -> None:
    """Ticks, and what accounts tell each other, are in no books; what was not judged is waiting."""
    applied, duplicate, late, rejected = counted
    ledger = AccountLedger(signal_offsets={0: 4}, applied=applied, duplicate=duplicate, late=late, rejected=rejected)
    house = House(SIGNALS, (said(1), WORD, TICK, said(2), said(1), said(3)), ledger)

    line = house.audit(monkeypatch)["signals"]

    assert (line.accepted, line.missing, line.surplus, line.waiting) == (3, missing, surplus, 1)


def judged(number: int, account: str = "a") -> tuple[str, Enrichment]:
    at: dict[str, Any] = {"occurred_at": NOW, "scorer": "rules", "scorer_version": "1"}
    return account, Enrichment(id=f"e{number}", interaction_id="i", conversation_id="c", account_id=account, **at)


def alerted(number: int, account: str = "a") -> tuple[str, Alert]:
    what: dict[str, Any] = {"key": "k", "name": "n", "state": "firing", "severity": "info", "summary": "s"}
    return account or "issue", Alert(id=f"l{number}", account_id=account, occurred_at=NOW, **what)


def noticed(number: int, account: str | None = None) -> tuple[str, Issue]:
    what: dict[str, Any] = {
        "kind": "issue_surge",
        "status": "opened",
        "name": "n",
        "opened_at": NOW,
        "as_of": NOW,
        "began_at": NOW,
    }
    return f"i{number}", Issue(id=f"i{number}@1", issue_id=f"i{number}", account_id=account, **what)


def reported(number: int, metric: str = "m") -> tuple[str, AdherenceReport]:
    report = AdherenceReport(id=f"r{number}", account_id="a", metric=metric, as_of=NOW, standings=())
    return f"a/{metric}", report


FORGET = ("", Control(id="f", kind="account_forgotten", as_of=NOW, account_id="a", relayed_from=1, relays=2))
CASES: dict[str, tuple[House, int, int]] = {
    "all are there": (House(ENRICHMENTS, (judged(1), judged(2)), stored=2), 0, 0),
    "one is not": (House(ENRICHMENTS, (judged(1), judged(2)), stored=1, sink=2), 1, 0),
    "judged twice is one row": (House(ENRICHMENTS, (judged(1), judged(1)), stored=1, sink=2), 0, 0),
    "and not two": (House(ENRICHMENTS, (judged(1), judged(1)), stored=2, sink=2), 0, 1),
    "forgotten": (House(ENRICHMENTS, (judged(1), judged(2, "b"), FORGET), stored=1, sink=3), 0, 0),
    "forgotten and told again": (House(ENRICHMENTS, (judged(1), FORGET, judged(1)), stored=1, sink=3), 0, 0),
    "forgotten but there": (House(ENRICHMENTS, (judged(1), FORGET), stored=1, sink=2), 0, 1),
    "an alert is missing": (House(ALERTS, (alerted(1), alerted(2, "")), stored=1, sink=2), 1, 0),
    "alerts forgotten": (House(ALERTS, (alerted(1), alerted(2, ""), ("a", None)), stored=1, sink=3), 0, 0),
    "an issue is missing": (House(ISSUES, (noticed(1), noticed(2, "a")), stored=1, sink=2), 1, 0),
    "a silence forgotten": (House(ISSUES, (noticed(1), noticed(2, "a"), FORGET), stored=1, sink=3), 0, 0),
    "the latest of each key": (House(ADHERENCE, (reported(1), reported(2), reported(3, "n")), stored=2, sink=3), 0, 0),
    "a key is missing": (House(ADHERENCE, (reported(1), reported(2, "n")), stored=1, sink=2), 1, 0),
    "a key is taken back": (House(ADHERENCE, (reported(1), ("a/m", None)), stored=0, sink=2), 0, 0),
    "replaced while it is asked": (House(ADHERENCE, (reported(1),), stored=0, sink=1, grown=(reported(2),)), 0, 0),
}


@pytest.mark.parametrize(("house", "missing", "surplus"), CASES.values(), ids=CASES)
def test_rows_are_held_against_the_log(
    monkeypatch: pytest.MonkeyPatch, house: House, missing: int, surplus: int
) -> None:
    table = next(each.name for each in TABLES if each.topic is house.topic)

    line = house.audit(monkeypatch)[f"ClickHouse {table}"]

    assert (line.missing, line.surplus) == (missing, surplus), line
