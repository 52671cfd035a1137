"""The books of a deployment, partition by partition: is everything in the log accounted for, and in ClickHouse?

`careline doctor --audit` shows them. Three books are compared: the log itself (every record that lies before the place
up to which a partition has been judged), the ledger that the partition keeps in its state (committed in the same
transaction as its results), and ClickHouse. What retention has removed cannot be recounted; it is told, not guessed.

    applied + duplicate + late + rejected = accepted        for every partition

Everybody goes on while the doctor reads. What workers and sink have not committed is waiting, not missing
(`group_offsets`); what they may have done between two questions is taken for done if it is in the book.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from agents.conversation_agent import LEDGER_KEY
from agents.forgetting import forgotten_accounts
from schemas.account_state import AccountLedger, decode_account_state
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.conversation_state import PartitionLedger
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.sla_event import Cause
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
from streams.group_offsets import group_offsets
from streams.lane.changelog import from_value
from streams.lane.lane_effects import SOURCE
from streams.settings import Settings, split_address
from streams.sinks.clickhouse_connection import read_target
from streams.sinks.rows import TABLES
from streams.sinks.sink_process import GROUP as SINK_GROUP
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
    """Records behind the place that was judged, or stored: not yet anybody's."""
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


class _Told(msgspec.Struct):
    cause: Cause


class _Place(NamedTuple):
    """How far a reader has come for certain, and how far it may have."""

    surely: int
    perhaps: int


@dataclass(slots=True)
class _Span:
    """What the log holds of a partition below a place."""

    start: int = 0
    events: int = 0
    controls: int = 0
    under_way: int = 0
    """Events that the reader may have come to."""
    waiting: int = 0
    forgotten: int = 0
    """Events of whom a later record forgets: they were counted, and ClickHouse has deleted their rows."""
    forgotten_later: int = 0
    """The same, by a record that the reader may not have come to."""

    def accepted(self, accounted: int) -> int:
        """Events that the reader has come to: as many as it tells of, where that may be."""
        return min(max(accounted, self.events), self.events + self.under_way)


def audit(settings: Settings) -> Iterator[AuditLine]:
    """Every partition of every book, told as soon as it is counted. Reads whole topics: it takes a while.

    Raises:
        KafkaUnavailable, TopicAbsent: the log cannot be read.
        ChangelogDamaged: a ledger cannot be read.
    """
    with topic_reader(settings.kafka) as reader:
        yield from _of_conversations(reader, settings)
        ledgers = yield from _of_accounts(reader, settings)
        yield from _of_enrichments(reader, settings, ledgers)
        yield from _of_mentions(reader, settings)
        yield from _of_clickhouse(reader, settings, SLA_EVENTS)
        yield from _of_clickhouse(reader, settings, REJECTED)


def _of_conversations(reader: TopicReader, settings: Settings) -> Iterator[AuditLine]:
    ledgers: dict[int, PartitionLedger] = {}
    for partition, state in _ledger_states(reader, settings, CONVERSATION_STATE):
        ledgers[partition] = msgspec.msgpack.decode(state, type=PartitionLedger)
    spans = _count(
        reader, settings, INTERACTIONS, _judged({number: each.next_offset for number, each in ledgers.items()})
    )
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


def _of_accounts(reader: TopicReader, settings: Settings) -> Generator[AuditLine, None, dict[int, AccountLedger]]:
    """The ledgers as well: they tell nothing of the places in this topic, which the group has committed with them."""
    before = _committed(settings, settings.group, SLA_EVENTS)
    ledgers = _account_ledgers(reader, settings)
    after = _committed(settings, settings.group, SLA_EVENTS)
    ends = reader.ends(settings.topic(SLA_EVENTS.name))
    places = {number: _Place(before.get(number, 0), after.get(number, end)) for number, end in ends.items()}
    for partition, span in sorted(_count(reader, settings, SLA_EVENTS, places).items()):
        book = ledgers.get(partition, AccountLedger())
        counted = book.sla_applied + book.sla_duplicate + book.sla_rejected
        accepted = span.accepted(counted)
        yield AuditLine(
            "sla-events",
            partition,
            accepted=accepted,
            accounted=counted if span.start == 0 else min(counted, accepted),
            applied=book.sla_applied,
            duplicate=book.sla_duplicate,
            rejected=book.sla_rejected,
            note="" if span.start == 0 else f"only what lies behind offset {span.start:,} can be recounted",
            waiting=span.waiting + span.events + span.under_way - accepted,
        )
    return ledgers


def _of_enrichments(
    reader: TopicReader, settings: Settings, ledgers: Mapping[int, AccountLedger]
) -> Iterator[AuditLine]:
    judged = {number: book.enrichment_offsets.get(number, -1) + 1 for number, book in ledgers.items()}
    for partition, span in sorted(_count(reader, settings, ENRICHMENTS, _judged(judged)).items()):
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
    for partition, span in sorted(_count(reader, settings, MENTIONS, _judged(judged)).items()):
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


def _judged(offsets: Mapping[int, int]) -> dict[int, _Place]:
    return {number: _Place(offset, offset) for number, offset in offsets.items()}


def _committed(settings: Settings, group: str, topic: TopicSpec) -> dict[int, int]:
    """How far a group says that it has read a topic, by partition."""
    name = settings.topic(topic.name)
    _, offsets = group_offsets(settings.kafka, settings.topic(group))
    return {number: offset for (of_topic, number), offset in offsets.items() if of_topic == name}


def _count(reader: TopicReader, settings: Settings, topic: TopicSpec, places: Mapping[int, _Place]) -> dict[int, _Span]:
    """Events and controls of each partition below a place; where none is known, all are waiting."""
    name = settings.topic(topic.name)
    spans = {number: _Span() for number in reader.partitions(name)}
    kept: dict[int, Counter[_Whose]] = {number: Counter() for number in spans}
    has_rows = topic in _WITH_ROWS
    seen: set[int] = set()
    for record in reader.records(name):
        number, span = record.partition, spans[record.partition]
        surely, perhaps = places.get(number, (0, 0))
        if number not in seen:
            seen.add(number)
            span.start = record.offset
        if has_rows and (forgetting := _forgotten_by(record)) is not None:
            gone = sum(kept[number].pop(whose) for whose in [*kept[number]] if whose.is_gone_by(forgetting))
            if record.offset < surely:
                span.forgotten += gone
            else:
                span.forgotten_later += gone
            span.controls += record.offset < surely
            span.waiting += record.offset >= perhaps
        elif _is_control(record.headers):
            span.controls += record.offset < surely
            span.waiting += record.offset >= perhaps
        elif record.offset < surely:
            span.events += 1
            if has_rows:
                kept[number][_whose(topic, record)] += 1
        elif record.offset < perhaps:
            span.under_way += 1
        else:
            span.waiting += 1
    return spans


class _Whose(NamedTuple):
    """Under which keys the row of a record is deleted, or which keys a record deletes, of what a partition has told.

    Null for the partition: of whichever.
    """

    keys: frozenset[str]
    told_by: int | None = None

    def is_gone_by(self, forgetting: "_Whose") -> bool:
        """Whether the sink deletes it then (`streams.sinks.forgotten_rows`)."""
        return not self.keys.isdisjoint(forgetting.keys) and forgetting.told_by in {None, self.told_by}


def _forgotten_by(record: StoredRecord) -> _Whose | None:
    """The keys whose rows the sink deletes because of a record; null where it deletes none."""
    if record.value is None:
        return _Whose(frozenset() if record.key is None else frozenset({record.key.decode("utf-8", "replace")}))
    try:
        if contract_in(record.headers, Interaction) is not Control:
            return None
        control = decode(Control, record.value)
        if control.kind != "account_forgotten":
            return None
        return _Whose(frozenset(forgotten_accounts(control)), control.relayed_from)
    except ContractViolation:
        return None


def _whose(topic: TopicSpec, record: StoredRecord) -> _Whose:
    """As in the tables (`streams.sinks.rows`)."""
    if topic is not REJECTED:
        return _Whose(frozenset({(record.key or b"").decode("utf-8", "replace")}), _teller(record.value or b""))
    try:
        letter = decode(Rejection, record.value)
    except ContractViolation:
        return _Whose(frozenset())
    return _Whose(frozenset({(letter.key or b"").decode("utf-8", "replace"), _account_inside(letter.value or b"")}))


def _teller(value: bytes) -> int | None:
    try:
        return msgspec.json.decode(value, type=_Told).cause.partition
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


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


def _of_clickhouse(reader: TopicReader, settings: Settings, topic: TopicSpec) -> Iterator[AuditLine]:
    """A topic whose every record becomes a row that stays; of others only the latest value per key does."""
    table = next(each.name for each in TABLES if each.topic is topic)
    ends = reader.ends(settings.topic(topic.name))
    written = _committed(settings, SINK_GROUP, topic)
    places = {number: _Place(written.get(number, 0), written.get(number, end)) for number, end in ends.items()}
    # Rows first: what is forgotten or written while the log is read is behind the place then.
    below = " OR ".join(
        f"topic_partition = {number} AND topic_offset < {place.perhaps}" for number, place in places.items()
    )
    try:
        rows = ask_table(
            read_target(settings.clickhouse_url, settings.data_dir),
            split_address(settings.sql_address),
            f"SELECT topic_partition, uniqExact(topic_offset) FROM {table} WHERE {below} "  # noqa: S608 - names of ours
            "GROUP BY topic_partition ORDER BY topic_partition",
        ).rows
    except SqlError as error:
        yield AuditLine(f"ClickHouse {table}", -1, 0, 0, note=f"cannot be asked: {error}")
        return
    found = {int(row[0]): int(row[1]) for row in rows}
    for partition, span in sorted(_count(reader, settings, topic, places).items()):
        stored = found.get(partition, 0)
        most = span.events + span.under_way - span.forgotten
        accepted = min(max(stored, span.events - span.forgotten - span.forgotten_later), most)
        notes = [f"{span.forgotten:,} of forgotten accounts are deleted"] if span.forgotten else []
        notes += ["rows outlive the topic: only a lack can be told"] if span.start > 0 else []
        accounted = stored if span.start == 0 else min(stored, accepted)
        waiting = span.waiting + (span.under_way and most - accepted)
        yield AuditLine(f"ClickHouse {table}", partition, accepted, accounted, waiting=waiting, note="; ".join(notes))
