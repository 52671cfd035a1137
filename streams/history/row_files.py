"""Rows out of files as companies have them: CSV or NDJSON, plain, gzip or zip, told apart by their content.

Nothing but the row at hand is kept in memory. A row that cannot be read is handed to `Rejections` with its reason, and
reading goes on with the next one; a file that cannot be read at all is an `UnreadableFile`.
`streams.history.row_events` has the rows next.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import msgspec

_ROWS_AT_ONCE = 512
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_WIDE_TEXT = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 18

RowFormat = Literal["csv", "ndjson"]


class UnreadableFile(Exception):  # noqa: N818 - what it is, in the words of the message
    """A file of history that cannot be read at all: the cause, and the way out."""

    def __init__(self, path: Path, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.suggestion = suggestion


class Row(NamedTuple):
    """A row as read. `number` counts the rows of data from 1, `line` the lines of the file (of its header, too)."""

    number: int
    line: int
    values: Any
    """Fields in the order of the header (CSV), or an object (NDJSON)."""


class RowBatch(NamedTuple):
    """Rows that follow each other. Reading hands over many at once, because handing over costs as much as reading."""

    numbers: Sequence[int]
    lines: Sequence[int]
    values: Sequence[Any]

    def row(self, place: int) -> Row:
        """One of them."""
        return Row(self.numbers[place], self.lines[place], self.values[place])


class Rejections(Protocol):
    """Takes the rows that cannot be used."""

    def reject(self, row: Row, reason: str, detail: str) -> None:
        """Count and write down a row; `reason` is a stable code, `detail` a sentence."""


class Member(NamedTuple):
    """One table of rows: the file itself, or one file inside a zip archive."""

    name: str
    stream: BinaryIO


class Position:
    """How far into a file reading has come, in bytes of the file as it lies on disk."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def bytes_read(self) -> int:
        """Bytes so far; 0 where it cannot be told (a pipe)."""
        try:
            return self._raw.tell()
        except (OSError, ValueError):
            return 0


@contextmanager
def open_history(path: Path) -> Iterator[tuple[Iterator[Member], Position]]:
    """The tables of a file, unpacked, and how far reading has come.

    Raises:
        UnreadableFile: missing, a folder, not permitted, damaged or encrypted, or text that is not UTF-8 throughout.
    """
    try:
        with io.BufferedReader(path.open("rb", buffering=0), _BUFFER_BYTES) as raw:
            yield _members(path, raw), Position(raw)
    except FileNotFoundError:
        raise UnreadableFile(path, "no such file") from None
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnreadableFile(path, f"the archive is damaged: {error}", "fetch or pack it again") from None
    except OSError as error:
        raise UnreadableFile(path, error.strerror or str(error)) from None


def _members(path: Path, raw: "io.BufferedReader[Any]") -> Iterator[Member]:
    start = raw.peek(4)[:4]
    if start[:2] in _WIDE_TEXT:
        raise UnreadableFile(path, f"the text is {_WIDE_TEXT[start[:2]]}", "save it as UTF-8")
    if start in _ZIP_MAGIC:
        yield from _zip_members(path, raw)
    elif start[:2] == _GZIP_MAGIC:
        yield Member(path.name, _buffered(gzip.GzipFile(fileobj=raw)))
    else:
        yield Member(path.name, raw)


def _zip_members(path: Path, raw: BinaryIO) -> Iterator[Member]:
    with zipfile.ZipFile(raw) as archive:
        for entry in archive.infolist():
            if entry.is_dir() or entry.filename.startswith("__MACOSX/"):
                continue
            try:
                stream = archive.open(entry)
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or packed in an unknown way
                raise UnreadableFile(path, f"{entry.filename}: {error}", "pack it again without a password") from None
            with stream:
                yield Member(entry.filename, _buffered(stream))


def _buffered(stream: Any) -> BinaryIO:  # noqa: ANN401 - anything that `read`s
    return io.BufferedReader(stream, _BUFFER_BYTES)


def ndjson_rows(stream: BinaryIO, rejections: Rejections) -> Iterator[RowBatch]:
    """One object per line; blank lines count for nothing."""
    number = 0
    numbers, lines, rows = list[int](), list[int](), list[Any]()
    for line, content in enumerate(stream, start=1):
        text = content.removeprefix(_BOM) if line == 1 else content
        if not text.strip():
            continue
        number += 1
        found = _object_in(text)
        if isinstance(found, dict):
            numbers.append(number)
            lines.append(line)
            rows.append(found)
        if not isinstance(found, dict) or len(rows) >= _ROWS_AT_ONCE:
            yield RowBatch(numbers, lines, rows)
            numbers, lines, rows = [], [], []
        if not isinstance(found, dict):
            rejections.reject(Row(number, line, {}), *found)
    yield RowBatch(numbers, lines, rows)


_decode = msgspec.json.Decoder().decode


def _object_in(text: bytes) -> dict[str, Any] | tuple[str, str]:
    """The object of a line, or why there is none: a code and a sentence."""
    try:
        found = _decode(text)
    except UnicodeDecodeError as error:
        return "not_utf8", str(error)
    except (msgspec.DecodeError, RecursionError) as error:
        return "not_json", str(error)
    return found if isinstance(found, dict) else ("not_an_object", "the line is JSON, but no object")
