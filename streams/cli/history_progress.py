"""Progress of commands that read and send history.

On a terminal only, and on standard error, so that pipes stay clean; where nobody watches, nothing is even loaded.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def reading(files: Sequence[Path]) -> Iterator[Callable[[int, int], None] | None]:
    """A bar over the bytes of the files, with the rate of rows; nothing at all where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from streams.cli.history_bars import bar_of_bytes

    with bar_of_bytes("reading", sum(path.stat().st_size for path in files if path.is_file())) as progress:
        yield progress


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], None] | None]:
    """A bar over a number of things, with their rate; nothing at all where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from streams.cli.history_bars import bar_of_things

    with bar_of_things(what, total) as progress:
        yield progress
