"""What the log holds, partition by partition, below the place up to which a reader has come: for `streams.audit`.

Records are counted, or the keys of rows where a later record replaces the row of an earlier one. What is forgotten is
taken out again as the sink deletes it (`streams.sinks.forgotten_rows`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import msgspec

from agents.domain.family import is_word
from agents.forgetting import forgotten_accounts
from schemas.codec import ContractViolation, contract_in, decode
from schemas.control import Control
from schemas.interaction import Interaction
from schemas.rejection import Rejection
from schemas.sla_event import Cause
from schemas.topics import REJECTED, SIGNALS, SLA_EVENTS, TopicSpec
from streams.group_offsets import group_offsets
from streams.lane.lane_effects import SOURCE
from streams.settings import Settings
from streams.topic_reader import StoredRecord, TopicReader

RECORDS_WITH_ROWS = (SLA_EVENTS, REJECTED)
"""Topics whose every record becomes a row of its own."""


class Place(NamedTuple):
    """How far a reader has come for certain, and how far it may have."""

    surely: int
    perhaps: int


@dataclass(slots=True)
class Span:
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
    replaced: int = 0
    """Rows that a record has replaced to which the reader may not have come."""

    def accepted(self, accounted: int) -> int:
        """Events that the reader has come to: as many as it tells of, where that may be."""
        return min(max(accounted, self.events), self.events + self.under_way)

    def with_rows(self, stored: int) -> int:
        """Events whose rows must be there: as many as are stored, where that may be."""
        least = self.events - self.forgotten - self.forgotten_later - self.replaced
        return min(max(stored, least), self.most_rows)

    @property
    def most_rows(self) -> int:
        """How many rows there may be."""
        return self.events + self.under_way - self.forgotten


def judged(offsets: Mapping[int, int]) -> dict[int, Place]:
    """The places up to which ledgers say that they have judged, by partition."""
    return {number: Place(offset, offset) for number, offset in offsets.items()}


def committed(settings: Settings, group: str, topic: TopicSpec) -> dict[int, int]:
    """How far a group says that it has read a topic, by partition."""
    name = settings.topic(topic.name)
    offsets = group_offsets(settings.kafka, settings.topic(group)).offsets
    return {number: offset for (of_topic, number), offset in offsets.items() if of_topic == name}


def count(
    reader: TopicReader, settings: Settings, topic: TopicSpec, places: Mapping[int, Place], *, rows: bool = False
) -> dict[int, Span]:
    """Events and controls of each partition below a place; where none is known, all are waiting.

    Args:
        reader: of the topic.
        settings: of the deployment.
        topic: what is counted.
        places: how far somebody has read it, by partition.
        rows: whether rows are counted and not records: of those that replace each other one.
    """
    name = settings.topic(topic.name)
    counting = {number: _Counting(topic, places.get(number, Place(0, 0)), rows) for number in reader.partitions(name)}
    for record in reader.records(name):
        counting[record.partition].take(record)
    return {number: each.span for number, each in counting.items()}


@dataclass(slots=True)
class _Counting:
    """One partition while its log is read."""

    topic: TopicSpec
    place: Place
    rows: bool
    span: Span = field(default_factory=Span)
    _has_begun: bool = False
    _kept: dict["_Whose", set[object]] = field(default_factory=dict)
    """What has rows, by whose they are: a name that is the same for rows that replace each other."""
    _whose: dict[object, "_Whose"] = field(default_factory=dict)
    _replaced: set[object] = field(default_factory=set)

    def take(self, record: StoredRecord) -> None:
        """Count one record."""
        span = self.span
        if not self._has_begun:
            self._has_begun, span.start = True, record.offset
        forgetting = _forgotten_by(record) if self.rows else None
        if forgetting is not None:
            self._forget(record, forgetting)
        elif _is_control(self.topic, record):
            self._pass(record)
        elif self.rows:
            self._keep(record)
        else:
            self._add(record.offset)

    def _pass(self, record: StoredRecord) -> None:
        self.span.controls += record.offset < self.place.surely
        self.span.waiting += record.offset >= self.place.perhaps

    def _add(self, offset: int) -> None:
        span = self.span
        if offset < self.place.surely:
            span.events += 1
        elif offset < self.place.perhaps:
            span.under_way += 1
        else:
            span.waiting += 1

    def _keep(self, record: StoredRecord) -> None:
        row = _row_of(self.topic, record)
        if row not in self._whose:
            self._add(record.offset)
            if record.offset < self.place.perhaps:
                whose = self._whose[row] = _whose(self.topic, record)
                self._kept.setdefault(whose, set()).add(row)
        elif record.offset >= self.place.perhaps:
            self.span.waiting += 1
            self._replaced.add(row)
            self.span.replaced = len(self._replaced)

    def _forget(self, record: StoredRecord, forgetting: "_Whose") -> None:
        if self.topic is not SLA_EVENTS:
            forgetting = forgetting._replace(told_by=None)  # their rows do not say who told them
        gone = [row for whose in [*self._kept] if whose.is_gone_by(forgetting) for row in self._kept.pop(whose)]
        for row in gone:
            del self._whose[row]
            self._replaced.discard(row)
        self.span.replaced = len(self._replaced)
        if record.offset < self.place.surely:
            self.span.forgotten += len(gone)
        else:
            self.span.forgotten_later += len(gone)
        self._pass(record)


class _OfAccount(msgspec.Struct):
    account_id: str = ""


class _Named(msgspec.Struct):
    id: str


class _Said(msgspec.Struct, frozen=True):
    kind: str = ""
    source: str = ""
    via: str | None = None


class _Told(msgspec.Struct):
    cause: Cause


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


def _row_of(topic: TopicSpec, record: StoredRecord) -> object:
    """What is the same for records whose rows replace each other: the key, or the id where the topic is of facts."""
    if topic in RECORDS_WITH_ROWS:
        return record.offset
    if topic.retention_ms is None:
        return record.key
    named = _partly(record.value, _Named)
    return record.offset if named is None else named.id


def _whose(topic: TopicSpec, record: StoredRecord) -> _Whose:
    """As in the tables (`streams.sinks.rows`)."""
    key, value = (record.key or b"").decode("utf-8", "replace"), record.value or b""
    if topic is SLA_EVENTS:
        return _Whose(frozenset({key}), _teller(value))
    if topic.retention_ms is None:
        return _Whose(frozenset({key}))
    if topic is not REJECTED:
        return _Whose(frozenset({_account_inside(value)}) - {""})
    try:
        letter = decode(Rejection, record.value)
    except ContractViolation:
        return _Whose(frozenset())
    return _Whose(frozenset({(letter.key or b"").decode("utf-8", "replace"), _account_inside(letter.value or b"")}))


def _teller(value: bytes) -> int | None:
    told = _partly(value, _Told)
    return None if told is None else told.cause.partition


def _account_inside(value: bytes) -> str:
    inside = _partly(value, _OfAccount)
    return "" if inside is None else inside.account_id


Seen = TypeVar("Seen", bound=msgspec.Struct)


def _partly(value: bytes | None, seen: type[Seen]) -> Seen | None:
    """Of a record what is looked at, whatever its contract says of the rest; null where it cannot be read."""
    try:
        return msgspec.json.decode(value or b"", type=seen)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_control(topic: TopicSpec, record: StoredRecord) -> bool:
    """Whether nobody outside has said it.

    A control, what workers tell conversations (`agents.domain.merging`), or what an account tells its family.
    """
    said = _partly(record.value, _Said) if topic is SIGNALS else None
    if said is not None and is_word(said):
        return True
    try:
        contract = contract_in(record.headers, Interaction)
    except ContractViolation:
        return False  # an event of an unknown type is one all the same: it ends in the dead letters
    return contract is Control or (contract is Interaction and ("ce_source", SOURCE.encode()) in record.headers)
