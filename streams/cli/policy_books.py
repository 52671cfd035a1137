"""Policy files as books that judge a file of history: what `careline policy explain` and `policy diff` share.

As for `careline policy run` each file judges the whole of history: `effective_from` says when a published version comes
into force, and asking what it would have said is asking about the time before too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agents.domain.policy_book import PolicyBook
from streams.cli.history_files import tell
from streams.policy_files.policy_reader import read_policy_file
from streams.policy_files.problem import Problem, Problems


class LoadedBooks(NamedTuple):
    """One book for each file, and what is wrong with any of them: then a book is empty."""

    books: list[PolicyBook]
    mistakes: list[Problem]
    clocks: frozenset[str] | None
    """The clocks that any of them declares; null where a file is wrong, so that this is not known."""


def load_books(paths: Sequence[Path]) -> LoadedBooks:
    """Read policy files. Warnings are told."""
    books: list[PolicyBook] = []
    mistakes: list[Problem] = []
    clocks: set[str] = set()
    for path in paths:
        problems = Problems(str(path))
        policy_file = read_policy_file(path, problems)
        mistakes += problems.errors
        books.append(PolicyBook() if policy_file is None else PolicyBook.of(policy_file))
        if policy_file is not None:
            clocks.update(policy_file.clocks)
            for warning in problems.warnings:
                tell(warning.as_line())
    return LoadedBooks(books, mistakes, None if mistakes else frozenset(clocks))
