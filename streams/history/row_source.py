"""The rows of a table as a mapping wants them: CSV with the columns that it uses, or NDJSON.

`streams.history.conversations` reads events out of the rows, `streams.health_files.snapshot_rows` signals.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from streams.history.csv_table import CsvTable
from streams.history.import_mapping import ColumnUse
from streams.history.rejected_rows import RejectedRows
from streams.history.row_columns import Columns, CsvColumns, JsonColumns
from streams.history.row_files import Member, RowBatch, UnreadableFile, ndjson_rows


class RowMapping(Protocol):
    """What a mapping says about rows, whatever it makes of them."""

    @property
    def format(self) -> Literal["csv", "ndjson"]:
        """The format of the files."""

    def column_uses(self) -> Sequence[ColumnUse]:
        """Every mention of a column."""


class ColumnTrouble(Exception):  # noqa: N818 - what it is
    """The mapping and the header of a file do not fit together; `found` has every place."""

    def __init__(self, found: list[tuple[ColumnUse, str, tuple[str, ...]]]) -> None:
        super().__init__(f"{len(found)} columns of the mapping do not fit the file")
        self.found = found
        """Where the mapping uses a column, what is wrong with it, and the columns to choose from."""


@dataclass(frozen=True, slots=True)
class RowSource:
    """The rows of one table of a file."""

    mapping: RowMapping
    path: Path
    member: Member

    @contextmanager
    def batches(self, rejections: RejectedRows) -> Iterator[tuple[Iterator[RowBatch], Columns]]:
        """The rows, and how to find columns in them."""
        if self.mapping.format == "ndjson":
            yield ndjson_rows(self.member.stream, rejections), JsonColumns()
            return
        uses = self.mapping.column_uses()
        try:
            table = CsvTable(self.member.stream, {use.name for use in uses})
        except UnicodeError as error:
            raise UnreadableFile(self.path, str(error), "save it as UTF-8") from None
        with table:
            if not table.header:
                raise UnreadableFile(self.path, "the file is empty", "a CSV file begins with the names of its columns")
            _check_columns(uses, table, f"{self.path}")
            yield table.batches(rejections), CsvColumns(table.header)


def _check_columns(uses: Sequence[ColumnUse], table: CsvTable, name: str) -> None:
    known = tuple(dict.fromkeys(table.header))
    found: list[tuple[ColumnUse, str, tuple[str, ...]]] = []
    for use in uses:
        if use.name in table.repeated:
            found.append(
                (use, f"{name} has the column {use.name!r} more than once, so it is not clear which is meant", ())
            )
        elif use.name not in known:
            found.append((use, f"{name} has no column {use.name!r}", known))
    if found:
        raise ColumnTrouble(found)
