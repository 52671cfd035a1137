"""The books of a deployment, partition by partition: is everything in the log accounted for, and in ClickHouse?

`careline doctor --audit` shows them. Three books are compared: the log itself (every record that lies before the place
up to which a partition has been judged: `audited_log`), the ledger that the partition keeps in its state (committed in
the same transaction as its results), and ClickHouse. What retention has removed cannot be recounted; it is told, not
guessed. Which topic and table is in which book, and which is in none and why, stands in `LEDGERS_OF`, `ROWS_OF` and
`NOT_RECOUNTED`.

    applied + duplicate + late + rejected = accepted        for every partition

Everybody goes on while the doctor reads. What workers and sink have not committed is waiting, not missing
(`group_offsets`); what they may have done between two questions is taken for done if it is in the book.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from agents.conversation_agent import LEDGER_KEY
from schemas.account_state import AccountLedger, decode_account_state
from schemas.conversation_state import PartitionLedger
from schemas.topics import (
    ACCOUNT_STATE,
    ACCOUNTS,
    ADHERENCE,
    ALERTS,
    CLOCKS,
    CONVERSATION_STATE,
    CURSORS,
    ENRICHMENTS,
    HEALTH,
    INTERACTIONS,
    ISSUE_STATE,
    ISSUES,
    MENTIONS,
    POLICIES,
    REJECTED,
    ROLLUPS,
    SIGNALS,
    SLA_EVENTS,
    TopicSpec,
)
from schemas.watch_state import IssueLedger
from streams.audited_log import RECORDS_WITH_ROWS, Place, Span, committed, count, judged
from streams.lane.changelog import from_value
from streams.settings import Settings, split_address
from streams.sinks.clickhouse_connection import read_target
from streams.sinks.rows import TABLES
from streams.sinks.sink_process import GROUP as SINK_GROUP
from streams.sinks.sql_client import SqlError, ask_table
from streams.topic_reader import TopicReader, topic_reader

LEDGERS_OF = (INTERACTIONS, SLA_EVENTS, SIGNALS, ENRICHMENTS, MENTIONS)
"""Topics of which every record is held against the ledger of whoever judges it."""

ROWS_OF = (SLA_EVENTS, REJECTED, ENRICHMENTS, ISSUES, ALERTS, ADHERENCE, ROLLUPS)
"""Topics of which every record, or the latest one of each key, is held against its row."""

NOT_RECOUNTED = {
    CLOCKS.name: "shows what the SLA events say, which are recounted; rows of ended clocks expire before their keys do",
    HEALTH.name: "keeps the latest score for ever, while the rows of scores expire",
    ACCOUNTS.name: "is what people have written into the directory; nobody judges it",
    CURSORS.name: "is the memory of those who fetch",
    POLICIES.name: "keeps published files to be read again; nobody judges them",
    CONVERSATION_STATE.name: "is the book itself",
    ACCOUNT_STATE.name: "is the book itself",
    ISSUE_STATE.name: "is the book itself",
}
"""Topics that are in no book, with the reason."""


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


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What a partition says of one topic: up to where it has judged, and how."""

    judged_below: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0


def audit(settings: Settings) -> Iterator[AuditLine]:
    """Every partition of every book, told as soon as it is counted. Reads whole topics: it takes a while.

    Raises:
        KafkaUnavailable, TopicAbsent: the log cannot be read.
        ChangelogDamaged: a ledger cannot be read.
    """
    with topic_reader(settings.kafka) as reader:
        yield from _of_conversations(reader, settings)
        yield from _of_accounts(reader, settings)
        ledgers = _account_ledgers(reader, settings)
        yield from _of_ledgers(reader, settings, SIGNALS, "signals", _of_signals(ledgers))
        yield from _of_ledgers(reader, settings, ENRICHMENTS, "enrichments", _of_enrichments(ledgers))
        yield from _of_ledgers(reader, settings, MENTIONS, "mentions", _of_mentions(reader, settings))
        for topic in ROWS_OF:
            yield from _of_clickhouse(reader, settings, topic)


def _of_conversations(reader: TopicReader, settings: Settings) -> Iterator[AuditLine]:
    ledgers: dict[int, PartitionLedger] = {}
    for partition, state in _ledger_states(reader, settings, CONVERSATION_STATE):
        ledgers[partition] = msgspec.msgpack.decode(state, type=PartitionLedger)
    spans = count(
        reader, settings, INTERACTIONS, judged({number: each.next_offset for number, each in ledgers.items()})
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


def _of_accounts(reader: TopicReader, settings: Settings) -> Iterator[AuditLine]:
    """The ledgers tell nothing of the places in this topic; the group has committed them in the same transaction."""
    before = committed(settings, settings.group, SLA_EVENTS)
    ledgers = _account_ledgers(reader, settings)
    after = committed(settings, settings.group, SLA_EVENTS)
    ends = reader.ends(settings.topic(SLA_EVENTS.name))
    places = {number: Place(before.get(number, 0), after.get(number, end)) for number, end in ends.items()}
    for partition, span in sorted(count(reader, settings, SLA_EVENTS, places).items()):
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


def _of_signals(ledgers: Mapping[int, AccountLedger]) -> dict[int, _Ledger]:
    return {
        number: _Ledger(book.signal_offsets.get(number, -1) + 1, book.applied, book.duplicate, book.late, book.rejected)
        for number, book in ledgers.items()
    }


def _of_enrichments(ledgers: Mapping[int, AccountLedger]) -> dict[int, _Ledger]:
    return {
        number: _Ledger(
            book.enrichment_offsets.get(number, -1) + 1,
            book.enrichment_applied,
            book.enrichment_duplicate,
            book.enrichment_late,
            book.enrichment_rejected,
        )
        for number, book in ledgers.items()
    }


def _of_mentions(reader: TopicReader, settings: Settings) -> dict[int, _Ledger]:
    found = {}
    for partition, state in _ledger_states(reader, settings, ISSUE_STATE):
        book = msgspec.msgpack.decode(state, type=IssueLedger)
        found[partition] = _Ledger(book.next_offset, book.applied, book.duplicate, book.late, book.rejected)
    return found


def _of_ledgers(
    reader: TopicReader, settings: Settings, topic: TopicSpec, book: str, ledgers: Mapping[int, _Ledger]
) -> Iterator[AuditLine]:
    """A topic whose ledgers tell of every event below the place that was judged."""
    places = judged({number: each.judged_below for number, each in ledgers.items()})
    for partition, span in sorted(count(reader, settings, topic, places).items()):
        told = ledgers.get(partition, _Ledger())
        accounted, note = told.applied + told.duplicate + told.late + told.rejected, ""
        if span.start > 0:
            accounted = min(accounted, span.events)
            note = f"only what lies behind offset {span.start:,} can be recounted"
        yield AuditLine(
            book,
            partition,
            accepted=span.events,
            accounted=accounted,
            applied=told.applied,
            duplicate=told.duplicate,
            late=told.late,
            rejected=told.rejected,
            waiting=span.waiting,
            note=note,
        )


def _ledger_states(reader: TopicReader, settings: Settings, topic: TopicSpec) -> Iterator[tuple[int, bytes]]:
    for partition, record in reader.latest(settings.topic(topic.name), LEDGER_KEY.encode()).items():
        if record.value is not None:
            yield partition, from_value(record.value).state


def _of_clickhouse(reader: TopicReader, settings: Settings, topic: TopicSpec) -> Iterator[AuditLine]:
    """A topic whose every record becomes a row, or the latest one of each key: until its account is forgotten."""
    table = next(each for each in TABLES if each.topic is topic)
    ends = reader.ends(settings.topic(topic.name))
    written = committed(settings, SINK_GROUP, topic)
    places = {number: Place(written.get(number, 0), written.get(number, end)) for number, end in ends.items()}
    # Rows first: what is forgotten or written while the log is read is behind the place then.
    below = " OR ".join(
        f"topic_partition = {number} AND topic_offset < {place.perhaps}" for number, place in places.items()
    )
    what = "topic_offset" if topic in RECORDS_WITH_ROWS else table.keys[0] if topic.retention_ms is None else "id"
    try:
        rows = ask_table(
            read_target(settings.clickhouse_url, settings.data_dir),
            split_address(settings.sql_address),
            f"SELECT topic_partition, uniqExact({what}) FROM {table.name} WHERE {below} "  # noqa: S608 - names of ours
            "GROUP BY topic_partition ORDER BY topic_partition",
        ).rows
    except SqlError as error:
        yield AuditLine(f"ClickHouse {table.name}", -1, 0, 0, note=f"cannot be asked: {error}")
        return
    found = {int(row[0]): int(row[1]) for row in rows}
    for partition, span in sorted(count(reader, settings, topic, places, rows=True).items()):
        yield _of_rows(f"ClickHouse {table.name}", partition, span, found.get(partition, 0), topic)


def _of_rows(book: str, partition: int, span: Span, stored: int, topic: TopicSpec) -> AuditLine:
    accepted = span.with_rows(stored)
    notes = [f"{span.forgotten:,} of forgotten accounts are deleted"] if span.forgotten else []
    notes += ["rows outlive the topic: only a lack can be told"] if span.start > 0 else []
    # Of a compacted topic the log may hold only what has replaced the record of a row.
    is_whole = span.start == 0 and topic.retention_ms is not None
    return AuditLine(
        book,
        partition,
        accepted,
        stored if is_whole else min(stored, accepted),
        waiting=span.waiting + (span.under_way and span.most_rows - accepted),
        note="; ".join(notes),
    )
