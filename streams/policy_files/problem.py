"""What is wrong with a file, where, and the way out. All problems of a file are collected and told at once.

Every reader of this package takes a `Problems`; `streams.cli.policy_commands` prints them.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Place(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


_MOST_NAMED = 24
"""Choices that fit into a line or two."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake (`error`: the file is not used) or one doubt (`warning`: it is)."""

    file: str
    line: int | None
    column: int | None
    message: str
    suggestion: str | None = None
    severity: Literal["error", "warning"] = "error"

    def as_json(self) -> dict[str, str | int | None]:
        """The keys that `--json` prints."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "suggestion": self.suggestion,
        }

    def as_line(self) -> str:
        """`file:line:column: severity: message (way out)`, as editors and terminals link it."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        way_out = f" ({self.suggestion})" if self.suggestion else ""
        return f"{place}: {self.severity}: {self.message}{way_out}"


class Problems:
    """The problems of one file, as its readers find them."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Problem] = []

    def error(self, place: Place | None, message: str, suggestion: str | None = None) -> None:
        """The file cannot be used as it is. Suggest a way out: whoever wrote it wants to go on."""
        line, column = place or (None, None)
        self._found.append(Problem(self.file, line, column, message, suggestion, "error"))

    def warning(self, place: Place | None, message: str, suggestion: str | None = None) -> None:
        """The file can be used, and somebody should look at this."""
        line, column = place or (None, None)
        self._found.append(Problem(self.file, line, column, message, suggestion, "warning"))

    def take_over(self, others: "Problems") -> None:
        """Those of a file that this one names."""
        self._found += others._found  # noqa: SLF001 - of another one of us

    @property
    def errors(self) -> list[Problem]:
        """In the order of the file."""
        return [problem for problem in _in_file_order(self._found) if problem.severity == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """In the order of the file."""
        return [problem for problem in _in_file_order(self._found) if problem.severity == "warning"]


def _in_file_order(found: Iterable[Problem]) -> list[Problem]:
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda problem: (problem.line or 0, problem.column or 0))


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that somebody most likely meant, or null. Case, hyphens and blanks are no difference.

    Args:
        word: as written.
        known: the words that there are.
        cutoff: how alike two words must be, from 0 to 1 (`difflib`).
    """
    by_form = {_form(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_form(word), by_form, n=1, cutoff=cutoff)
    return by_form[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """A suggestion for a word that is not known: the nearest one, else `otherwise`, else the ones that there are."""
    candidates = list(known)
    near = nearest(word, candidates)
    if near is not None:
        return f"did you mean {near!r}?"
    if otherwise is not None:
        return otherwise
    if not candidates:
        return "there is none to choose from"
    more = f" and {len(candidates) - _MOST_NAMED} more" if len(candidates) > _MOST_NAMED else ""
    return f"one of: {', '.join(candidates[:_MOST_NAMED])}{more}"


def _form(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
