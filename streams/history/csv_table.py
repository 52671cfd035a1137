"""A CSV table: RFC 4180 with everything that real exports do to it.

`streams.history.row_files` opens the file; this module knows delimiters, quotes and fields. A byte order mark is
skipped, the delimiter is comma, semicolon or tab, lines end as they like. A stray quote costs one row: where a row
spans lines and does not fit the header, its first line is rejected alone and reading goes on with the second.
"""

import csv
import io
from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import BinaryIO, Self

from streams.history.row_files import Rejections, Row

DELIMITERS = (",", ";", "\t")
LONGEST_FIELD = 1 << 20
"""Characters. The csv module's own 131,072 is too short for e-mail threads; without a bound a stray quote loads all."""


class CsvTable:
    """The header (empty for an empty file), then the rows. On leaving, the stream stays open for who opened it."""

    def __init__(self, stream: BinaryIO, wanted: Collection[str]) -> None:
        """Read the header.

        Args:
            stream: UTF-8, at its beginning.
            wanted: columns that the mapping uses. The delimiter is the first under which the header has them all, else
                the comma.

        Raises:
            UnicodeError: the header is not UTF-8.
        """
        csv.field_size_limit(LONGEST_FIELD)
        self._lines = _Lines(stream)
        try:
            self._delimiter, self.header = self._read_header(set(wanted))
        except UnicodeError:
            self._lines.detach()
            raise
        self.repeated = {name for name, count in Counter(self.header).items() if count > 1}
        """Names that occur more than once, so that nobody can say which column is meant."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._lines.detach()

    def rows(self, rejections: Rejections) -> Iterator[Row]:
        """Every row that has as many fields as the header; the others are rejected with their reason."""
        lines, width = self._lines, len(self.header)
        reader = csv.reader(lines, delimiter=self._delimiter)
        number = 0
        while True:
            lines.forget()
            try:
                values = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                lines.resume_after_first()
                rejections.reject(Row(number, lines.first, ()), "unreadable_csv", str(error))
                continue
            if not values or (width > 1 and len(values) == 1 and not values[0].strip()):
                continue
            number += 1
            if len(values) == width and not lines.ended and not lines.undecodable:
                yield Row(number, lines.first, values)
            else:
                rejections.reject(Row(number, lines.first, values), *self._what_is_wrong(values))
                if len(values) != width or lines.ended:
                    lines.resume_after_first()
                    reader = csv.reader(lines, delimiter=self._delimiter)

    def _what_is_wrong(self, values: list[str]) -> tuple[str, str]:
        if self._lines.ended:
            return "unclosed_quote", "a quote opens here and never closes"
        if len(values) != len(self.header):
            return "ragged", f"{len(values)} fields where the header has {len(self.header)}"
        return "not_utf8", "the row is not UTF-8"

    def _read_header(self, wanted: set[str]) -> tuple[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for delimiter in DELIMITERS:
            header = tuple(next(csv.reader(self._lines, delimiter=delimiter), ()))
            if self._lines.undecodable:
                raise UnicodeError("the header is not UTF-8")
            if wanted <= set(header):
                return delimiter, header
            found[delimiter] = header
            self._lines.rewind()
        next(csv.reader(self._lines), ())
        return ",", found[","]


class _Lines:
    """The lines of a text, one after the other, those of the row at hand kept so that reading can resume within it."""

    def __init__(self, stream: BinaryIO) -> None:
        # What is not UTF-8 becomes surrogates, which no UTF-8 text contains: so it is found again, row by row.
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._again: deque[str] = deque()
        self._kept: list[str] = []
        self._count = 0
        self.undecodable = False
        self.ended = False

    @property
    def first(self) -> int:
        """The line of the file on which the row at hand begins."""
        return self._count - len(self._kept) + 1 if self._kept else self._count

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline()
        if not line:
            self.ended = True
            raise StopIteration
        self._count += 1
        self._kept.append(line)
        if not line.isascii() and not self.undecodable:
            self.undecodable = _has_surrogates(line)
        return line

    def detach(self) -> None:
        """Leave the stream open for whoever opened it."""
        self._text.detach()

    def forget(self) -> None:
        """A new row begins with the next line."""
        self._kept.clear()
        self.undecodable = self.ended = False

    def rewind(self) -> None:
        """Give the lines of the row at hand once more."""
        self._give_again(0)

    def resume_after_first(self) -> None:
        """Give all lines of the row at hand but its first once more."""
        self._give_again(1)

    def _give_again(self, start: int) -> None:
        again = self._kept[start:]
        self._again.extendleft(reversed(again))
        self._count -= len(again)
        del self._kept[start:]


def _has_surrogates(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False
