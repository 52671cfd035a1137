"""From rows to what was observed of accounts: values of signals, and perhaps who has left.

Reads all rows of the files by a `SnapshotMapping`. A row without an account or with a time that cannot be read is
rejected as a whole, as rows of events are (`streams.history`); a value that cannot be read is a missing one, and
counted by signal. `careline health run` and `streams.backtest` have the
snapshots next.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from agents.domain.health_profile import HealthFile, SignalRule
from agents.domain.health_verdict import Account
from agents.domain.instant import Instant, from_datetime
from agents.domain.normalisation import MILLION, Tiers
from agents.domain.signal_reading import Observation
from streams.health_files.exact_numbers import millionths_in
from streams.health_files.snapshot_mapping import LABEL, PARENT, SnapshotMapping
from streams.history.rejected_rows import RejectedRows
from streams.history.row_columns import Columns, TextOf, text_of
from streams.history.row_files import RowBatch, open_history
from streams.history.row_source import RowSource
from streams.history.row_times import UnreadableTime, time_reader

POSITIVE = frozenset({"1", "true", "yes", "y", "churned"})
"""Labels of those who have left, in any case; a full stop at the end is passed over, `1.0` is 1."""
NEGATIVE = frozenset({"0", "false", "no", "n", "stayed", "retained", "active"})
"""Labels that surely mean that somebody has stayed. Other words mean it too, and are told."""
NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""How files say that they do not know."""
_FLAGS = {"true": MILLION, "yes": MILLION, "false": 0, "no": 0}
_REMEMBERED = 16_384
"""How many texts keep their value, for each signal."""


class Snapshot(NamedTuple):
    """What one row says. `label` is null where the row does not say whether somebody has left."""

    account: Account
    at: Instant
    values: dict[str, int | str]
    label: bool | None


@dataclass(slots=True)
class SnapshotCounts:
    """What became of the rows and of their values."""

    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, Counter[str]] = field(default_factory=dict)
    """By signal, the texts that are no value of it."""
    odd_labels: Counter[str] = field(default_factory=Counter)
    missing_labels: int = 0
    rejected_files: list[Path] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Snapshots:
    """All rows of the files, in file order."""

    undated_at: Instant = 0
    counts: SnapshotCounts = field(default_factory=SnapshotCounts)
    rows: list[Snapshot] = field(default_factory=list)


def read_snapshots(
    mapping: SnapshotMapping,
    profiles: HealthFile,
    paths: Sequence[Path],
    *,
    strict: bool = False,
    undated_at: Instant = 0,
) -> Snapshots:
    """Read files completely.

    Args:
        mapping: for the rows.
        profiles: for what the signals are.
        paths: of the files.
        strict: whether the first row that cannot be used ends it.
        undated_at: when everything happened where the mapping has no `at`.

    Raises:
        UnreadableFile: a file cannot be read at all.
        ColumnTrouble: the mapping uses a column that a file does not have, or has twice.
        StrictStop: `strict`, and a row cannot be used.
    """
    found = Snapshots(undated_at)
    counts = found.counts
    for path in paths:
        with RejectedRows(path, strict=strict) as rejections, open_history(path) as (members, _):
            for member in members:
                rejections.member = member.name if member.name != path.name else None
                with RowSource(mapping, path, member).batches(rejections) as (batches, columns):
                    _read_batches(batches, _RowReader(mapping, profiles, columns, found), rejections, found.rows)
        counts.rejected.update(rejections.counts)
        if rejections.unwritten is not None:
            counts.unwritten.append(rejections.unwritten)
        elif rejections.counts:
            counts.rejected_files.append(rejections.path)
    counts.rows = len(found.rows) + counts.rejected.total()
    return found


def _read_batches(
    batches: Iterator[RowBatch], reader: "_RowReader", rejections: RejectedRows, into: list[Snapshot]
) -> None:
    for batch in batches:
        for place, values in enumerate(batch.values):
            try:
                into.append(reader.read(values))
            except _Unusable as error:
                rejections.reject(batch.row(place), error.reason, str(error))


class _Unusable(ValueError):  # noqa: N818 - what it is
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _RowReader:
    """The rows of one file. Values repeat from row to row, so each text is read once for each signal."""

    def __init__(self, mapping: SnapshotMapping, profiles: HealthFile, columns: Columns, found: Snapshots) -> None:
        self._mapping = mapping
        self._counts = found.counts
        self._undated_at = found.undated_at
        self._account = self._text("account", columns)
        names = [*mapping.account_fields, *([PARENT] if mapping.parent is not None else [])]
        self._fields = {name: self._text(name, columns) for name in names}
        self._at = text_of(mapping.at, columns) if mapping.at is not None else None
        self._time = time_reader(mapping.time_zone, mapping.time_format)
        self._label = self._text(LABEL, columns) if mapping.label is not None else None
        self._signals = [
            (name, self._text(name, columns), _ValueReader(profiles.signals[name])) for name in mapping.signals
        ]

    def read(self, row: Any) -> Snapshot:  # noqa: ANN401 - a row of either format
        """What a row says.

        Raises:
            _Unusable: it says not of whom, or not when.
        """
        account = self._account(row).strip()
        if not account:
            raise _Unusable("no_account", "the row does not say which account it is of")
        at = self._instant(self._at(row)) if self._at is not None else self._undated_at
        fields: dict[str, str | None] = {"account": account}
        for name, text in self._fields.items():
            fields[name] = text(row).strip() or None
        return Snapshot(Account(account, fields), at, dict(self._values(row)), self._labelled(row))

    def _values(self, row: Any) -> Iterator[tuple[str, int | str]]:  # noqa: ANN401 - a row of either format
        for name, text_in, value_of in self._signals:
            text = text_in(row)
            value = value_of[text]
            if value is not None:
                yield name, value
            elif text.strip().lower() not in NOTHING:
                self._counts.unreadable.setdefault(name, Counter())[text.strip()[:40]] += 1

    def _instant(self, text: str) -> Instant:
        if not text.strip():
            raise _Unusable("missing_time", "the row does not say when")
        try:
            return from_datetime(self._time(text))
        except UnreadableTime as error:
            raise _Unusable("unreadable_time", f"at: {error}") from None

    def _labelled(self, row: Any) -> bool | None:  # noqa: ANN401 - a row of either format
        if self._label is None:
            return None
        word = self._label(row).strip().rstrip(".").lower()
        if word in NOTHING:
            self._counts.missing_labels += 1
            return None
        number = millionths_in(word)
        if word in POSITIVE or number == MILLION:
            return True
        if word not in NEGATIVE and number != 0:
            self._counts.odd_labels[word[:40]] += 1
        return False

    def _text(self, name: str, columns: Columns) -> TextOf:
        """The text of a field, in our words."""
        mapping = self._mapping
        single = {"account": mapping.account, PARENT: mapping.parent, LABEL: mapping.label}
        templates = {**single, **mapping.account_fields, **mapping.signals}
        template = templates[name]
        read: Callable[[Any], str] = text_of(template, columns) if template is not None else lambda _row: ""
        ours = mapping.value_map.get("account" if name == PARENT else name)
        if not ours:
            return read

        def translated(row: Any) -> str:  # noqa: ANN401 - a row of either format
            text = read(row)
            return ours.get(text, ours.get(text.strip(), text))

        return translated


class _ValueReader(dict[str, int | str | None]):
    """Texts and their values for one signal; null for no value. Remembers what it has read."""

    def __init__(self, rule: SignalRule) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, text: str) -> int | str | None:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[text] = self._value(text.strip())
        return value

    def _value(self, text: str) -> int | str | None:
        normalise = self._rule.normalise
        if isinstance(normalise, Tiers):
            return text if normalise.of(text) is not None else None
        lowered = text.lower()
        if lowered in NOTHING:
            return None
        number = millionths_in(text)
        if number is None:
            number = _FLAGS.get(lowered)
        return text if number is None and normalise is None else number


def observed_by_account(rows: Sequence[Snapshot]) -> dict[str, tuple[Account, dict[str, list[Observation]]]]:
    """What was observed of each account, in the order of their first rows; its fields are those of its newest row."""
    found: dict[str, tuple[Account, dict[str, list[Observation]]]] = {}
    newest: dict[str, Instant] = {}
    for row in rows:
        name = row.account.id
        known = found.setdefault(name, (row.account, {}))
        if row.at >= newest.setdefault(name, row.at):
            newest[name] = row.at
            found[name] = (row.account, known[1])
        for signal, value in row.values.items():
            known[1].setdefault(signal, []).append(Observation(row.at, value))
    return found
