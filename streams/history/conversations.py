"""Files of history, gathered by conversation.

Exports are grouped by anything but time, so nothing can be said about a conversation before every row of every file
has been seen. What is kept of a row is small and shared (`row_events`): about 180 bytes with its part of the
conversation, five million rows to a gigabyte; texts come on top. `careline import` and `careline policy run` have the
conversations next.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from schemas.interaction import Interaction
from streams.history.conversation_history import HistoryTeller
from streams.history.import_mapping import ImportMapping
from streams.history.merge_groups import merge_groups
from streams.history.rejected_rows import RejectedRows
from streams.history.row_events import RowOfHistory
from streams.history.row_files import RowBatch, UnreadableFile, open_history
from streams.history.row_reader import Refusal, RowReader, RowsByConversation
from streams.history.row_source import RowSource

Gathered = tuple[str, list[RowOfHistory]]
"""A conversation and its rows, in file order."""

Progress = Callable[[int, int], None]
"""Told now and then: bytes read so far and rows so far, over all files."""


@dataclass(slots=True)
class HistoryCounts:
    """What became of the rows. `rows = used + without_event + rejected`."""

    rows: int = 0
    used: int = 0
    without_event: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    events: int = 0
    """Events that the rows state themselves; changes between rows come on top (`History.conversations`)."""
    rejected_files: list[Path] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)


class History:
    """All rows of the files, by conversation."""

    def __init__(self) -> None:
        self.counts = HistoryCounts()
        self.rows: RowsByConversation = {}
        self.may_merge = False
        """Whether the mapping knows of merges: only then is there a reason to look for them."""

    def __len__(self) -> int:
        """How many conversations there are."""
        return len(self.rows)

    def gathered(self) -> Iterator[Gathered]:
        """Every conversation with its rows in file order; the one that began first comes first."""
        beginnings = sorted((min([row.at for row in rows]), conversation) for conversation, rows in self.rows.items())
        for _at, conversation in beginnings:
            yield conversation, self.rows[conversation]

    def together(self) -> Iterator[tuple[Gathered, ...]]:
        """The same with those that are merged into each other at once, where the first of them stands.

        A survivor without a row of its own is among them.
        """
        groups = merge_groups(self.rows) if self.may_merge else {}
        done: set[str] = set()
        for conversation, rows in self.gathered():
            if conversation not in groups:
                yield ((conversation, rows),)
            elif conversation not in done:
                done |= groups[conversation]
                others = sorted(groups[conversation] - {conversation})
                yield ((conversation, rows), *((other, self.rows.get(other, [])) for other in others))

    def conversations(self, source: str, clock: str = "wall") -> Iterator[tuple[str, list[Interaction]]]:
        """Every conversation with its events in order; the one that began first comes first."""
        teller = HistoryTeller(source, clock)
        for conversation, rows in self.gathered():
            yield conversation, teller.interactions(conversation, rows)

    def told_together(self, source: str) -> Iterator[list[tuple[str, list[Interaction]]]]:
        """Every conversation with its events in order; those that are merged into each other at once."""
        teller = HistoryTeller(source)
        for group in self.together():
            yield [(conversation, teller.interactions(conversation, rows)) for conversation, rows in group]


def read_history(
    mapping: ImportMapping, paths: Sequence[Path], *, strict: bool = False, progress: Progress | None = None
) -> History:
    """Read files completely.

    Raises:
        UnreadableFile: a file cannot be read at all.
        ColumnTrouble: the mapping uses a column that a file does not have, or has twice.
        StrictStop: `strict`, and a row cannot be used.
    """
    history = History()
    history.may_merge = any(entry.type in {"merged", None} for entry in mapping.events)
    finished = 0
    for path in paths:
        with RejectedRows(path, strict=strict) as rejections, open_history(path) as (members, position):
            for member in members:
                rejections.member = member.name if member.name != path.name else None
                report = _reporter(progress, finished, position.bytes_read, history.counts)
                _read_member(mapping, RowSource(mapping, path, member), rejections, history, report)
        finished += path.stat().st_size
        _close_file(history.counts, rejections)
    if progress is not None:
        progress(finished, history.counts.rows)
    return history


def _reporter(
    progress: Progress | None, before: int, position: Callable[[], int], counts: HistoryCounts
) -> Callable[[], None] | None:
    if progress is None:
        return None
    return lambda: progress(before + position(), counts.rows)


def _close_file(counts: HistoryCounts, rejections: RejectedRows) -> None:
    counts.rejected.update(rejections.counts)
    counts.rows += rejections.counts.total()
    if rejections.unwritten is not None:
        counts.unwritten.append(rejections.unwritten)
    elif rejections.counts:
        counts.rejected_files.append(rejections.path)


def _read_member(
    mapping: ImportMapping,
    source: RowSource,
    rejections: RejectedRows,
    history: History,
    report: Callable[[], None] | None,
) -> None:
    counts, into = history.counts, history.rows
    with source.batches(rejections) as (batches, columns):
        read = RowReader(mapping, columns).read
        for batch in batches:
            rejected = rejections.counts.total()
            used, events = read(batch.values, into, _refusal(rejections, batch))
            rows = len(batch.values) - rejections.counts.total() + rejected
            counts.rows += rows
            counts.used += used
            counts.without_event += rows - used
            counts.events += events
            if report is not None:
                report()


def _refusal(rejections: RejectedRows, batch: RowBatch) -> Refusal:
    return lambda place, error: rejections.reject(batch.row(place), error.reason, error.detail)


def content_digest(paths: Sequence[Path], *texts: str) -> str:
    """Twelve hexadecimal digits that are the same for the same contents, whatever the names and the order of the files.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    digests = [_file_digest(path) for path in paths]
    digests.extend(blake2b(text.encode(), digest_size=16).digest() for text in texts)
    return blake2b(b"".join(sorted(digests)), digest_size=6).hexdigest()


def _file_digest(path: Path) -> bytes:
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from None
    return digest.digest()
