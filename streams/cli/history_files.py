"""What `careline import` and `careline policy run` share: mapping and files from the command line, mistakes in words.

Commands print nothing of their own about a wrong file: they come here, and every mistake is told with its place before
the program ends with status 2.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import typer

from streams.cli.told_problems import print_json, problems_as_json
from streams.history.conversations import History, read_history
from streams.history.due_metrics import DueMetrics
from streams.history.history_summary import row_lines
from streams.history.import_mapping import ImportMapping
from streams.history.rejected_rows import StrictStop
from streams.history.row_files import UnreadableFile
from streams.history.row_source import ColumnTrouble
from streams.history.row_times import EARLIEST, LATEST
from streams.policy_files.mapping_reader import read_mapping
from streams.policy_files.problem import Problem, Problems, did_you_mean

WRONG_FILE = 2
"""Exit status for a wrong mapping, policy or history file, as for wrong options."""


def tell(line: str) -> None:
    """A line for people, on standard error."""
    typer.echo(line, err=True)


def stop(problems: Sequence[Problem], *, as_json: bool = False) -> NoReturn:
    """Tell what is wrong and end with status 2; with `as_json` also to programs, as `_tell_programs` does."""
    if as_json:
        _tell_programs(problems)
    for problem in problems:
        tell(problem.as_line())
    raise typer.Exit(WRONG_FILE)


def _tell_programs(problems: Sequence[Problem]) -> None:
    """What is wrong, on standard output, as `careline policy test --json` tells it."""
    print_json({"errors": problems_as_json(problems)})


def load_mapping(
    path: Path,
    found_before: Sequence[Problem] = (),
    clocks: frozenset[str] | None = None,
    *,
    as_json: bool = False,
) -> ImportMapping:
    """The mapping; warnings are told. `clocks` are those that the policies declare, null where none are at hand.

    Ends the program when the file is wrong, or when errors of other files have been found before: all are told at once.
    """
    problems = Problems(str(path))
    mapping = read_mapping(path, problems, DueMetrics(clocks))
    if mapping is None or found_before:
        stop([*found_before, *problems.errors], as_json=as_json)
    for warning in problems.warnings:
        tell(warning.as_line())
    return mapping


def load_history(mapping: ImportMapping, files: Sequence[Path], *, strict: bool, as_json: bool = False) -> History:
    """All rows of the files.

    Ends the program when one cannot be read, lacks a column, or (strict) has a row of no use.
    """
    from streams.cli.history_progress import reading

    with file_troubles_told(mapping.file, as_json=as_json), reading(files) as progress, _without_collection():
        return read_history(mapping, files, strict=strict, progress=progress)


@contextmanager
def file_troubles_told(mapping_file: str, *, as_json: bool = False) -> Iterator[None]:
    """What is wrong with files of rows, or with a mapping for them, is told, and the program ends with status 2."""
    try:
        yield
    except UnreadableFile as error:
        stop([Problem(str(error.path), None, None, error.message, error.suggestion or None)], as_json=as_json)
    except ColumnTrouble as error:
        problems = Problems(mapping_file)
        for use, message, choices in error.found:
            way_out = did_you_mean(use.name, choices) if choices else "give it a name of its own in the header"
            problems.error(use.place, message, way_out)
        stop(problems.errors, as_json=as_json)
    except StrictStop as error:
        way_out = "without --strict such rows are counted and listed in FILE.rejected.ndjson"
        if as_json:
            _tell_programs([Problem(error.file, error.line, None, error.because, way_out)])
        tell(f"{error} ({way_out})")
        raise typer.Exit(WRONG_FILE) from None


@contextmanager
def _without_collection() -> Iterator[None]:
    """Reading makes no cycles, so the collector would walk over all rows again and again and find nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what has been read stays to the end
        gc.enable()


def tell_rows(history: History, conversations: int, events: int) -> None:
    """What became of the rows."""
    for line in row_lines(history.counts, conversations, events):
        tell(line)


def instant_of(text: str | None, option: str) -> datetime:
    """The instant of an option in UTC, also without an offset; the wall clock where it is not given.

    Raises:
        typer.BadParameter: it is no ISO 8601 time, or none at which anything happens.
    """
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        instant = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not an instant such as 2026-03-02T14:30:00Z", param_hint=option
        ) from None
    if not EARLIEST <= instant < LATEST:
        raise typer.BadParameter(f"the year {instant.year} is impossible", param_hint=option)
    return instant
