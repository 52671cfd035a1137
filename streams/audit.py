"""The books of a deployment, partition by partition: is everything in the log accounted for, and in ClickHouse?

`careline doctor --audit` shows them. Three books are compared: the log itself (every record that lies before the place
up to which a partition has been judged), the ledger that the partition keeps in its state (committed in the same
transaction as its results), and ClickHouse. What retention has removed cannot be recounted; it is told, not guessed.

    applied + duplicate + late + rejected = accepted        for every partition
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from agents.conversation_agent import LEDGER_KEY
from agents.forgetting import forgotten_accounts
from schemas.account_state import AccountLedger, decode_account_state
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.conversation_state import PartitionLedger
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.topics import (
    ACCOUNT_STATE,
    CONVERSATION_STATE,
    ENRICHMENTS,
    INTERACTIONS,
    ISSUE_STATE,
    MENTIONS,
    REJECTED,
    SLA_EVENTS,
    TopicSpec,
)
from schemas.watch_state import IssueLedger
from streams.lane.changelog import from_value
from streams.lane.lane_effects import SOURCE
from streams.settings import Settings, split_address
from streams.sinks.clickhouse_connection import read_target
from streams.sinks.rows import TABLES
from streams.sinks.sql_client import SqlError, ask_table
from streams.topic_reader import StoredRecord, TopicReader, topic_reader


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One partition of one book.

    `accepted` are events in the log below the place that was judged, control records apart; `accounted` is what the
    ledger, or ClickHouse, says of them. `missing` and `surplus` are the difference. `note` says what could not be
    recounted.
    """

    book: str
    partition: int
    accepted: int
    accounted: int
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    waiting: int = 0
    """Records behind the place that was judged: not yet anybody's."""
    note: str = ""

    @property
    def missing(self) -> int:
        """Events of which nothing is known."""
        return max(0, self.accepted - self.accounted)

    @property
    def surplus(self) -> int:
        """Events that were counted more often than they came."""
        return max(0, self.accounted - self.accepted)

    @property
    def is_even(self) -> bool:
        """Whether the book is closed."""
        return self.missing == self.surplus == 0


_WITH_ROWS = (SLA_EVENTS, REJECTED)
"""Topics whose every record becomes a row that stays until its account is forgotten."""


class _OfAccount(msgspec.Struct):
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class _Span:
    """What the log holds of a partition below a place."""

    start: int
    events: int
    controls: int
    waiting: int
    forgotten: int
    """Events of whom a later record forgets: they were counted, and ClickHouse has deleted their rows."""


def audit(settings: Settings) -> Iterator[AuditLine]:
    """Every partition of every book, told as soon as it is counted. Reads whole topics: it takes a while.

    Raises:
        KafkaUnavailable, TopicAbsent: the log cannot be read.
        ChangelogDamaged: a ledger cannot be read.
    """
    with topic_reader(settings.kafka) as reader:
        yield from _of_conversations(reader, settings)
        ledgers = _account_ledgers(reader, settings)  # before the log is counted, which goes on meanwhile
        sla_events = _count(reader, settings, SLA_EVENTS, {})
        yield from _of_accounts(ledgers, sla_events)
        yield from _of_enrichments(reader, settings, ledgers)
        yield from _of_mentions(reader, settings)
        yield from _of_clickhouse(settings, SLA_EVENTS, sla_events)
        yield from _of_clickhouse(settings, REJECTED, _count(reader, settings, REJECTED, {}))


def _of_conversations(reader: TopicReader, settings: Settings) -> Iterator[AuditLine]:
    ledgers: dict[int, PartitionLedger] = {}
    for partition, state in _ledger_states(reader, settings, CONVERSATION_STATE):
        ledgers[partition] = msgspec.msgpack.decode(state, type=PartitionLedger)
    spans = _count(reader, settings, INTERACTIONS, {number: book.next_offset for number, book in ledgers.items()})
    for partition, span in sorted(spans.items()):
        book = ledgers.get(partition, PartitionLedger())
        counted = book.applied + book.duplicate + book.late + book.rejected
        gone = counted + book.controls - span.events - span.controls if span.start > 0 else 0
        note = f"{gone:,} records before offset {span.start:,} are gone by retention" if gone > 0 else ""
        yield AuditLine(
            "interactions",
            partition,
            accepted=span.events,
            accounted=counted if span.start == 0 else counted - max(0, gone),
            applied=book.applied,
            duplicate=book.duplicate,
            late=book.late,
            rejected=book.rejected,
            waiting=span.waiting,
            note=note,
        )


def _account_ledgers(reader: TopicReader, settings: Settings) -> dict[int, AccountLedger]:
    states = _ledger_states(reader, settings, ACCOUNT_STATE)
    return {partition: decode_account_state(AccountLedger, state) for partition, state in states}


def _of_accounts(ledgers: Mapping[int, AccountLedger], spans: Mapping[int, _Span]) -> Iterator[AuditLine]:
    for partition, span in sorted(spans.items()):
        book = ledgers.get(partition, AccountLedger())
        counted = book.sla_applied + book.sla_duplicate + book.sla_rejected
        behind = max(0, span.events - counted)
        yield AuditLine(
            "sla-events",
            partition,
            accepted=span.events,
            accounted=counted if span.start == 0 else min(counted, span.events),
            applied=book.sla_applied,
            duplicate=book.sla_duplicate,
            rejected=book.sla_rejected,
            note="" if span.start == 0 else f"only what lies behind offset {span.start:,} can be recounted",
            waiting=behind,
        )


def _of_enrichments(
    reader: TopicReader, settings: Settings, ledgers: Mapping[int, AccountLedger]
) -> Iterator[AuditLine]:
    judged = {number: book.enrichment_offsets.get(number, -1) + 1 for number, book in ledgers.items()}
    for partition, span in sorted(_count(reader, settings, ENRICHMENTS, judged or {-1: 0}).items()):
        book = ledgers.get(partition, AccountLedger())
        yield _line(
            "enrichments",
            partition,
            span,
            applied=book.enrichment_applied,
            duplicate=book.enrichment_duplicate,
            late=book.enrichment_late,
            rejected=book.enrichment_rejected,
        )


def _of_mentions(reader: TopicReader, settings: Settings) -> Iterator[AuditLine]:
    states = _ledger_states(reader, settings, ISSUE_STATE)
    ledgers = {partition: msgspec.msgpack.decode(state, type=IssueLedger) for partition, state in states}
    judged = {number: book.next_offset for number, book in ledgers.items()}
    for partition, span in sorted(_count(reader, settings, MENTIONS, judged or {-1: 0}).items()):
        book = ledgers.get(partition, IssueLedger())
        yield _line(
            "mentions",
            partition,
            span,
            applied=book.applied,
            duplicate=book.duplicate,
            late=book.late,
            rejected=book.rejected,
        )


def _line(book: str, partition: int, span: _Span, **counted: int) -> AuditLine:
    """A partition whose ledger tells of every event below the place that was judged."""
    accounted, note = sum(counted.values()), ""
    if span.start > 0:
        accounted, note = min(accounted, span.events), f"only what lies behind offset {span.start:,} can be recounted"
    return AuditLine(book, partition, span.events, accounted, waiting=span.waiting, note=note, **counted)


def _ledger_states(reader: TopicReader, settings: Settings, topic: TopicSpec) -> Iterator[tuple[int, bytes]]:
    for partition, record in reader.latest(settings.topic(topic.name), LEDGER_KEY.encode()).items():
        if record.value is not None:
            yield partition, from_value(record.value).state


def _count(reader: TopicReader, settings: Settings, topic: TopicSpec, until: Mapping[int, int]) -> dict[int, _Span]:
    """Events and controls of each partition below a place (default: its end)."""
    name = settings.topic(topic.name)
    ends = reader.ends(name)
    starts, events, controls, waiting, forgotten = (dict.fromkeys(ends, 0) for _ in range(5))
    kept: dict[int, Counter[tuple[str, ...]]] = {number: Counter() for number in ends}
    has_rows = topic in _WITH_ROWS
    seen: set[int] = set()
    for record in reader.records(name):
        number = record.partition
        if number not in seen:
            seen.add(number)
            starts[number] = record.offset
        if record.offset >= until.get(number, ends[number] if not until else 0):
            waiting[number] += 1
        elif has_rows and (keys := _forgotten_by(record)) is not None:
            controls[number] += 1
            gone = [whose for whose in kept[number] if not keys.isdisjoint(whose)]
            forgotten[number] += sum(kept[number].pop(whose) for whose in gone)
        elif _is_control(record.headers):
            controls[number] += 1
        else:
            events[number] += 1
            if has_rows:
                kept[number][_whose(topic, record)] += 1
    return {
        number: _Span(starts[number], events[number], controls[number], waiting[number], forgotten[number])
        for number in ends
    }


def _forgotten_by(record: StoredRecord) -> frozenset[str] | None:
    """The keys whose rows the sink deletes because of a record; null where it deletes none."""
    if record.value is None:
        return frozenset() if record.key is None else frozenset({record.key.decode("utf-8", "replace")})
    try:
        if contract_in(record.headers, Interaction) is not Control:
            return None
        control = decode(Control, record.value)
        return frozenset(forgotten_accounts(control)) if control.kind == "account_forgotten" else None
    except ContractViolation:
        return None


def _whose(topic: TopicSpec, record: StoredRecord) -> tuple[str, ...]:
    """The keys under which the row of a record is deleted, as in the tables (`streams.sinks.rows`)."""
    if topic is not REJECTED:
        return ((record.key or b"").decode("utf-8", "replace"),)
    try:
        letter = decode(Rejection, record.value)
    except ContractViolation:
        return ()
    return (letter.key or b"").decode("utf-8", "replace"), _account_inside(letter.value or b"")


def _account_inside(value: bytes) -> str:
    try:
        return msgspec.json.decode(value, type=_OfAccount).account_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _is_control(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Whether nobody outside has said it: a control, or what workers tell conversations (`agents.domain.merging`)."""
    try:
        contract = contract_in(headers, Interaction)
    except ContractViolation:
        return False  # an event of an unknown type is one all the same: it ends in the dead letters
    return contract is Control or (contract is Interaction and ("ce_source", SOURCE.encode()) in headers)


def _of_clickhouse(settings: Settings, topic: TopicSpec, spans: Mapping[int, _Span]) -> Iterator[AuditLine]:
    """A topic whose every record becomes a row that stays; of others only the latest value per key does."""
    table = next(each.name for each in TABLES if each.topic is topic)
    try:
        rows = ask_table(
            read_target(settings.clickhouse_url, settings.data_dir),
            split_address(settings.sql_address),
            f"SELECT topic_partition, uniqExact(topic_offset) FROM {table} "  # noqa: S608 - a name of ours
            "GROUP BY topic_partition ORDER BY topic_partition",
        ).rows
    except SqlError as error:
        yield AuditLine(f"ClickHouse {table}", -1, 0, 0, note=f"cannot be asked: {error}")
        return
    found = {int(row[0]): int(row[1]) for row in rows}
    for partition, span in sorted(spans.items()):
        stored, events = found.get(partition, 0), span.events - span.forgotten
        notes = [f"{span.forgotten:,} of forgotten accounts are deleted"] if span.forgotten else []
        notes += ["rows outlive the topic: only a lack can be told"] if span.start > 0 else []
        accounted = stored if span.start == 0 else min(stored, events)
        yield AuditLine(f"ClickHouse {table}", partition, events, accounted, note="; ".join(notes))
