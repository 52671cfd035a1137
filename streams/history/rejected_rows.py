"""Rows that cannot be used: counted by reason, and written beside their file so that a person can mend them.

`streams.history.row_files`, `csv_table` and `conversations` report here; the summaries of `careline import` and
`careline policy run` read the counts.
"""

from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from streams.history.row_files import Row

SUFFIX = ".rejected.ndjson"


class StrictStop(Exception):  # noqa: N818 - what it is: the first bad row ends a strict run
    """A row could not be used, and the run was asked to be strict. `file` and `line` are where, `because` is why."""

    def __init__(self, file: str, row: int, line: int, because: str) -> None:
        super().__init__(f"{file}, row {row} (line {line}): {because}")
        self.file, self.line, self.because = file, line, because


class RejectedRows:
    """The rejected rows of one file, in `FILE.rejected.ndjson`: lines of `row`, `line`, `reason` and `detail`.

    `row` counts rows of data from 1, `line` lines of the file. For archives with several files `member` names the one.
    A list of an earlier run is removed when there is nothing to list. Where the folder cannot be written to, the rows
    are still counted, and `unwritten` says why.
    """

    def __init__(self, path: Path, *, strict: bool = False) -> None:
        self.path = Path(f"{path}{SUFFIX}")  # not with_name: `.` and `/` have no name
        self.counts: Counter[str] = Counter()
        self.member: str | None = None
        self.unwritten: str | None = None
        self._of = path
        self._strict = strict
        self._out: IO[bytes] | None = None

    def reject(self, row: Row, reason: str, detail: str) -> None:
        """Count and write down a row.

        Raises:
            StrictStop: the run is strict.
        """
        if self._strict:
            where = f"{self._of}, {self.member}" if self.member else str(self._of)
            raise StrictStop(where, row.number, row.line, f"{reason}: {detail}")
        self.counts[reason] += 1
        entry = {"row": row.number, "line": row.line, "reason": reason, "detail": detail}
        if self.member:
            entry["member"] = self.member
        self._write(msgspec.json.encode(entry) + b"\n")

    def _write(self, line: bytes) -> None:
        if self.unwritten is not None:
            return
        if not self._of.is_file():
            self.unwritten = f"{self._of} is a pipe, there is no place beside it"
            return
        try:
            if self._out is None:
                self._out = self.path.open("wb")
            self._out.write(line)
        except OSError as error:
            self.unwritten = f"{self.path}: {error.strerror or error}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._out is not None:
                self._out.close()
            elif kind is None and self.path.is_file():
                self.path.unlink()
        except OSError as failure:
            self.unwritten = f"{self.path}: {failure.strerror or failure}"
