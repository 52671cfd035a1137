"""A CSV table: RFC 4180 with everything that real exports do to it.

`streams.history.row_files` opens the file; this module knows delimiters, quotes and fields. A byte order mark is
skipped, the delimiter is comma, semicolon or tab, lines end as they like. A stray quote costs one row: where a row
spans lines and does not fit the header, its first line is rejected alone and reading goes on with the second.
"""

import csv
import io
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from typing import BinaryIO, Self

from streams.history.row_files import Rejections, Row, RowBatch

DELIMITERS = (",", ";", "\t")
LONGEST_FIELD = 1 << 20
"""Characters. The csv module's own 131,072 is too short for e-mail threads; without a bound a stray quote loads all."""

_BLOCK_LETTERS = 1 << 16
_LINE_ENDS = ("\n", "\r")


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

    def batches(self, rejections: Rejections) -> Iterator[RowBatch]:
        """Every row that has as many fields as the header; the others are rejected with their reason.

        Most rows come by the block. A block that holds anything but sound rows is read again row by row.
        """
        lines = self._lines
        number = 0
        while block := lines.block():
            before = lines.count - len(block)
            values, ends = self._sound_rows(block)
            lines.give_back(block[ends[-1] if ends else 0 :])
            if values:
                numbers = range(number + 1, number + 1 + len(values))
                yield RowBatch(numbers, [before + end + 1 for end in (0, *ends[:-1])], values)
                number += len(values)
            else:
                number = yield from self._row_by_row(number, rejections)

    def _sound_rows(self, block: list[str]) -> tuple[list[list[str]], Sequence[int]]:
        """The rows of a block, when all fit the header, and the line of the block that each ends with; else none.

        The last one is left out if it is not sure that it has ended.
        """
        text = "".join(block)
        if not text.isascii() and _has_surrogates(text):
            return [], ()
        try:
            values = list(csv.reader(block, delimiter=self._delimiter))
        except csv.Error:
            return [], ()
        if set(map(len, values)) != {len(self.header)}:
            return [], ()
        ends: Sequence[int] = range(1, len(block) + 1)
        if len(values) != len(block):
            reader = csv.reader(block, delimiter=self._delimiter)
            ends = [reader.line_num for _ in reader]
        if values[-1][-1].endswith(_LINE_ENDS) or ('"' in block[-1] and not block[-1].endswith(_LINE_ENDS)):
            return values[:-1], ends[:-1]
        return values, ends

    def _row_by_row(self, number: int, rejections: Rejections) -> Generator[RowBatch, None, int]:
        """Rows until all lines given back are used up; returns the number of the last row."""
        lines, width = self._lines, len(self.header)
        reader = csv.reader(lines, delimiter=self._delimiter)
        good: list[Row] = []
        while lines.has_some_again:
            lines.forget()
            try:
                values, trouble = next(reader), None
            except StopIteration:
                break
            except csv.Error as error:
                values, trouble = [], ("unreadable_csv", str(error))
            if trouble is None and (not values or (width > 1 and len(values) == 1 and not values[0].strip())):
                continue
            number += 1
            if trouble is None and len(values) == width and not lines.ended and not lines.undecodable:
                good.append(Row(number, lines.first, values))
                continue
            if good:
                yield RowBatch(*zip(*good, strict=True))
                good = []
            rejections.reject(Row(number, lines.first, values), *(trouble or self._what_is_wrong(values)))
            if trouble or len(values) != width or lines.ended:
                lines.resume_after_first()
                reader = csv.reader(lines, delimiter=self._delimiter)
        if good:
            yield RowBatch(*zip(*good, strict=True))
        return number

    def _what_is_wrong(self, values: list[str]) -> tuple[str, str]:
        if self._lines.ended:
            return "unclosed_quote", "a quote opens here and never closes"
        if len(values) != len(self.header):
            return "ragged", f"{len(values)} fields where the header has {len(self.header)}"
        return "not_utf8", "the row is not UTF-8"

    def _read_header(self, wanted: set[str]) -> tuple[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for delimiter in DELIMITERS:
            header = _first_row(csv.reader(self._lines, delimiter=delimiter))
            if self._lines.undecodable:
                raise UnicodeError("the header is not UTF-8")
            if wanted <= set(header):
                return delimiter, header
            found[delimiter] = header
            self._lines.rewind()
        _first_row(csv.reader(self._lines))
        return ",", found[","]


def _first_row(rows: Iterable[list[str]]) -> tuple[str, ...]:
    """The header: some programs write blank lines before it."""
    return tuple(next(filter(None, rows), ()))


class _Lines:
    """The lines of a text, one after the other, those of the row at hand kept so that reading can resume within it."""

    def __init__(self, stream: BinaryIO) -> None:
        # What is not UTF-8 becomes surrogates, which no UTF-8 text contains: so it is found again, row by row.
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._again: deque[str] = deque()
        self._kept: list[str] = []
        self.count = 0
        """Lines so far."""
        self.undecodable = False
        self.ended = False

    @property
    def first(self) -> int:
        """The line of the file on which the row at hand begins."""
        return self.count - len(self._kept) + 1 if self._kept else self.count

    @property
    def has_some_again(self) -> bool:
        """Whether lines that were given back are still to come."""
        return bool(self._again)

    def block(self) -> list[str]:
        """Many lines at once; none at the end."""
        lines = [*self._again, *self._text.readlines(_BLOCK_LETTERS)]
        self._again.clear()
        self.count += len(lines)
        return lines

    def give_back(self, block: list[str]) -> None:
        """Give the last lines of a block once more."""
        self._again.extend(block)
        self.count -= len(block)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline()
        if not line:
            self.ended = True
            raise StopIteration
        self.count += 1
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
        self.count -= len(again)
        del self._kept[start:]


def _has_surrogates(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False
