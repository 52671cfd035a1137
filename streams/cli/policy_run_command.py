"""`careline policy run`: what a policy says about a file of history, without a broker.

The rows come from `streams.history`, the policies from `streams.policy_files`, the verdicts from the engine that the
workers run (`agents.domain.verdict`).
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, ClassVar

import typer

from streams.cli.history_files import instant_of, load_history, load_mapping, tell, tell_rows
from streams.cli.plain_values import PlainCommand, Reader, count_of, path_of, paths_of

if TYPE_CHECKING:
    from schemas.policy import PolicyFile
    from streams.history.conversations import History
    from streams.history.history_summary import ChunkVerdict, VerdictSummary
    from streams.history.judging import Together
    from streams.policy_files.problem import Problem

FAILED = 1
"""Exit status when the files are right and something else was not."""
ROWS_WORTH_A_PROCESS = 10_000
"""Judging fewer rows takes no longer than starting a process for them."""
ROWS_TO_INHERIT = 250_000
"""Up to 50 megabytes, which each process may come to hold once more; sending them was a fifth of all processor time."""

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
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        metavar="N",
        help="How many processes may judge at a time. Default: one per core; small files need none of their own.",
    ),
]
FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV or NDJSON as the mapping says; plain, gzip or zip.")
]


class PolicyRunCommand(PlainCommand):
    """Reads the command line of `policy run`."""

    readers: ClassVar[Mapping[str, Reader]] = {
        "policies": path_of,
        "mapping": path_of,
        "files": paths_of,
        "now": str,
        "jobs": count_of,
    }


def policy_run(
    policies: PoliciesOption,
    mapping: MappingOption,
    files: FilesArgument,
    now: NowOption = None,
    strict: StrictOption = False,
    jobs: JobsOption = None,
) -> None:
    """What would these policies have said about last year?

    Reads history from files, judges every conversation with the engine that
    the workers run, and prints one clock per line of JSON, open ones
    included. No Kafka is needed. A summary goes to standard error.

    Rows that cannot be used are counted by reason and listed with their row
    number in FILE.rejected.ndjson.

    Example: careline policy run --policies examples/helpdesk/policy.yaml
    --mapping examples/helpdesk/mapping.yaml helpdesk.csv

    Exit status: 0, 2 when a file is wrong (every mistake with its place), or
    1 when a process that judged was killed.
    """
    from agents.domain.instant import from_datetime
    from streams.history.judging_processes import JudgingStopped, cores

    end = instant_of(now, "--now")
    policy_file, mistakes = _policies(policies)
    # Of policies that are wrong it is not known what they declare.
    read = load_mapping(mapping, mistakes, None if mistakes else frozenset(policy_file.clocks))
    history = load_history(read, files, strict=strict)
    verdicts = _Verdicts(policy_file, from_datetime(end), jobs or cores())
    try:
        total, summary = verdicts.print(history, sys.stdout.buffer)
        sys.stdout.flush()
    except OSError as error:
        tell(f"error: the clocks cannot be written: {error.strerror or error}")
        raise typer.Exit(FAILED) from None
    except JudgingStopped as stopped:
        tell(f"error: {stopped} (if memory ran out, try --jobs 1)")
        raise typer.Exit(FAILED) from None
    if total.after_now:
        tell(
            f"warning: {total.after_now:,} of {total.events:,} events lie after --now, {end:%Y-%m-%dT%H:%M:%SZ}, and "
            "count all the same: their conversations are judged as of the last event (name a later --now, or none)"
        )
    tell_rows(history, len(history), total.events)
    for line in summary.lines() if total.conversations else ():
        tell(line)


def _policies(path: Path) -> "tuple[PolicyFile, Sequence[Problem]]":
    """The policies, and what is wrong with them: then there are none."""
    from schemas.policy import PolicyFile
    from streams.policy_files.policy_reader import read_policy_file
    from streams.policy_files.problem import Problems

    problems = Problems(str(path))
    policy_file = read_policy_file(path, problems)
    if policy_file is None:
        return PolicyFile(version=""), problems.errors
    for warning in problems.warnings:
        tell(warning.as_line())
    return policy_file, ()


class _Verdicts:
    """The verdicts of policies on a history, from this process or, for a long one, from several."""

    def __init__(self, policies: "PolicyFile", now: int, jobs: int) -> None:
        self._policies = policies
        self._now = now
        self._jobs = jobs

    def print(self, history: "History", out: BinaryIO) -> "tuple[ChunkVerdict, VerdictSummary]":
        """Print every clock.

        Returns:
            How many conversations and events there were, and the summary.

        Raises:
            JudgingStopped: a process that judged has ended before its time.
        """
        from streams.cli.history_progress import counting
        from streams.history.history_summary import ChunkVerdict, VerdictSummary
        from streams.history.judging import chunks_of

        total, summary = ChunkVerdict(), VerdictSummary()
        jobs = min(self._jobs, history.counts.used // ROWS_WORTH_A_PROCESS)
        chunks: Iterable[list[Together]] = chunks_of(history.together())
        if jobs > 1 and history.counts.used <= ROWS_TO_INHERIT:
            chunks = list(chunks)
        with self._judging(jobs, chunks) as verdicts, counting("judging", len(history)) as progress:
            for verdict in verdicts:
                out.write(verdict.lines)
                summary.add(verdict)
                total.conversations += verdict.conversations
                total.events += verdict.events
                total.after_now += verdict.after_now
                if progress is not None:
                    progress(total.conversations)
        return total, summary

    @contextmanager
    def _judging(self, jobs: int, chunks: "Iterable[list[Together]]") -> "Iterator[Iterator[ChunkVerdict]]":
        from agents.domain.policy_book import PolicyBook
        from streams.history.judging import Judge
        from streams.history.judging_processes import judging_processes

        if jobs > 1:
            inherited = chunks if isinstance(chunks, list) else ()
            with judging_processes(self._policies, self._now, jobs, inherited=inherited) as judges:
                yield judges.verdicts(chunks)
        else:
            yield map(Judge(PolicyBook.of(self._policies), self._now).verdict, chunks)
