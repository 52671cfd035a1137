"""A reader that has seen enough (`| head`) ends every command quietly, whatever it prints with.

Left alone, Typer ends with status 1, Rich as well, and Python at its exit with 120 and a message. `command_line` puts
these pipes in place before a command runs, so no command has to think of it.
"""

import io
import os
import stat
import sys
from collections.abc import Callable
from typing import IO, Any, NoReturn, TextIO

from typing_extensions import Buffer, override


def end_quietly_when_nobody_reads() -> None:
    """Put standard output and standard error on pipes that say nothing when they are closed at the other end.

    Without a reader of its output a command has nothing to do any more: it ends with status 0, after its own cleaning
    up. Without one of its messages it goes on.
    """
    sys.stdout, sys.stderr = _quiet(sys.stdout, _leave), _quiet(sys.stderr, _go_on)


def forget_the_rest(stream: IO[Any] | io.RawIOBase) -> None:
    """What is still buffered, and whatever comes, goes nowhere."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)


class _QuietPipe(io.FileIO):
    """The writing end of a pipe, which turns into nothing when its reader goes."""

    def __init__(self, descriptor: int, nobody_reads: Callable[[], None]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._nobody_reads = nobody_reads

    @override
    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            forget_the_rest(self)
            self._nobody_reads()
            return memoryview(data).nbytes


def _quiet(stream: TextIO, nobody_reads: Callable[[], None]) -> TextIO:
    """The stream on such a pipe; itself where it is none, as a console or a file is."""
    if not isinstance(stream, io.TextIOWrapper) or not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_QuietPipe(stream.fileno(), nobody_reads)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _leave() -> NoReturn:
    sys.exit(0)


def _go_on() -> None:
    """Messages are for whoever reads them."""
