"""`careline policy run`: what a policy says about a file of history, without a broker.

The rows come from `streams.history`, the policies from `streams.policy_files`, the verdicts from the engine that the
workers run (`agents.domain.verdict`).
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

from streams.cli.history_files import WRONG_FILE, instant_of, load_history, load_mapping, tell, tell_rows

if TYPE_CHECKING:
    from agents.domain.policy_book import PolicyBook
    from streams.history.conversations import History
    from streams.history.history_summary import VerdictSummary
    from streams.policy_files.problem import Problem

_SOURCE = "file"
_CONVERSATIONS_BETWEEN_REPORTS = 256
_MOST_TROUBLES = 5

PoliciesOption = Annotated[Path, typer.Option("--policies", metavar="POLICIES.yaml", help="The policies that judge.")]
MappingOption = Annotated[Path, typer.Option("--mapping", metavar="MAPPING.yaml", help="How rows become events.")]
NowOption = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="INSTANT",
        help="How far the clocks run after the last event, for example 2026-03-02T14:30:00Z. Default: the wall clock.",
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Stop at the first row that cannot be used, with exit status 2.")
]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV or NDJSON as the mapping says; plain, gzip or zip.")
]


def policy_run(
    policies: PoliciesOption,
    mapping: MappingOption,
    files: FilesArgument,
    now: NowOption = None,
    strict: StrictOption = False,
) -> None:
    """What would these policies have said about last year?

    Reads history from files, judges every conversation with the engine that
    the workers run, and prints one clock per line of JSON, open ones
    included. No Kafka is needed. A summary goes to standard error.

    Rows that cannot be used are counted by reason and listed with their row
    number in FILE.rejected.ndjson.

    Example: careline policy run --policies examples/helpdesk/policy.yaml
    --mapping examples/helpdesk/mapping.yaml helpdesk.csv

    Exit status: 0, or 2 when a file is wrong (every mistake with its place).
    """
    from agents.domain.instant import from_datetime

    end = instant_of(now, "--now")
    book, mistakes = _book(policies)
    read = load_mapping(mapping, mistakes)
    history = load_history(read, files, strict=strict)
    try:
        events, summary, troubles = _judge(history, book, from_datetime(end), sys.stdout.buffer)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`); nothing is left to be told to it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    tell_rows(history, len(history), events)
    for line in summary.lines():
        tell(line)
    _end_if_troubled(policies, troubles)


def _end_if_troubled(policies: Path, troubles: Sequence[str]) -> None:
    """A calendar that ran dry is a mistake of the policies: the other conversations have been judged all the same."""
    if not troubles:
        return
    for trouble in troubles[:_MOST_TROUBLES]:
        tell(f"{policies}: error: {trouble}")
    if len(troubles) > _MOST_TROUBLES:
        tell(f"and {len(troubles) - _MOST_TROUBLES} conversations more")
    raise typer.Exit(WRONG_FILE)


def _book(path: Path) -> "tuple[PolicyBook, Sequence[Problem]]":
    """The policies, and what is wrong with them: then the book is empty."""
    from agents.domain.policy_book import PolicyBook
    from streams.policy_files.policy_reader import read_policy_file
    from streams.policy_files.problem import Problems

    problems = Problems(str(path))
    policy_file = read_policy_file(path, problems)
    if policy_file is None:
        return PolicyBook(), problems.errors
    for warning in problems.warnings:
        tell(warning.as_line())
    return PolicyBook.of(policy_file), ()


def _judge(history: "History", book: "PolicyBook", now: int, out: BinaryIO) -> "tuple[int, VerdictSummary, list[str]]":
    from agents.domain.calendar import CalendarNeverOpens
    from agents.domain.verdict import judge_conversation
    from streams.cli.history_progress import counting
    from streams.history.history_summary import VerdictSummary
    from streams.policy_files.clock_columns import columns_of

    encode = msgspec.json.Encoder().encode
    summary = VerdictSummary()
    events = 0
    troubles: list[str] = []
    with counting("judging", len(history)) as progress:
        for place, (conversation, interactions) in enumerate(history.conversations(_SOURCE)):
            events += len(interactions)
            try:
                views = judge_conversation(book, interactions, now)
            except CalendarNeverOpens as error:
                troubles.append(f"conversation {conversation!r} cannot be judged: {error}")
                continue
            for view in views:
                summary.add(view)
                out.write(encode(columns_of(view)) + b"\n")
            if progress is not None and place % _CONVERSATIONS_BETWEEN_REPORTS == 0:
                progress(place)
    return events, summary, troubles
