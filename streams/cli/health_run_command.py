"""`careline health run`: how healthy accounts are by a profile file, from a file of signals.

No broker is needed: the rows come from `streams.health_files.snapshot_rows`, the scores from the engine that the
account agent runs, followed through time by `agents.domain.health_story`.
"""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.admin_options import say_table
from streams.cli.health_history import FilesArgument, MappingOption, ProfileOption, StrictOption

if TYPE_CHECKING:
    from agents.domain.health_verdict import HealthBook, Verdict
    from agents.domain.instant import Instant
    from streams.health_files.snapshot_rows import Snapshots

NowOption = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="INSTANT",
        help="When to score, for example 2026-03-02T14:30:00Z; what was observed later is not known yet. Default: "
        "the wall clock.",
    ),
]


def health_run(
    profile: ProfileOption,
    mapping: MappingOption,
    files: FilesArgument,
    now: NowOption = None,
    strict: StrictOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one account per line of JSON.")] = False,
) -> None:
    """How healthy is each account?

    Reads what was observed from files and scores every account with the
    engine of the account agent. A table for people begins with the least
    healthy; with --json there is one account per line, in the order of their
    first rows. A summary goes to standard error.

    Example: careline health run --profile examples/health/support.yaml
    --mapping examples/health/accounts.mapping.yaml examples/health/accounts.csv

    Exit status: 0, or 2 when a file is wrong (every mistake with its place).
    """
    from agents.domain.health_verdict import HealthBook
    from streams.cli.health_history import load_snapshots, tell_snapshots

    instant = now_of(now)
    profiles, read, snapshots = load_snapshots(
        profile, mapping, files, strict=strict, as_json=as_json, undated_at=instant
    )
    verdicts = _verdicts(HealthBook(profiles), snapshots, instant)
    if as_json:
        _print_lines(verdicts, profiles.version)
    else:
        _print_table(list(verdicts))
    sys.stdout.flush()
    tell_snapshots(snapshots.counts, read, profiles)


def now_of(now: str | None) -> "Instant":
    """The instant of `--now`; the wall clock where it is not given."""
    from agents.domain.instant import from_datetime
    from streams.cli.history_files import instant_of

    return from_datetime(instant_of(now, "--now"))


def _verdicts(book: "HealthBook", snapshots: "Snapshots", now: "Instant") -> "Iterator[Verdict]":
    from streams.health_files.family_scores import FamilyScores
    from streams.health_files.snapshot_rows import observed_by_account

    family = FamilyScores(book, observed_by_account(snapshots.rows), now)
    for account in family.known:
        yield family.verdict(account)


def _print_lines(verdicts: "Iterator[Verdict]", version: str) -> None:
    from streams.health_files.verdict_columns import columns_of

    for verdict in verdicts:
        print(json.dumps(columns_of(verdict, version), ensure_ascii=False))


def _print_table(verdicts: "list[Verdict]") -> None:
    """The least healthy first; of whom nothing is known comes last."""
    ordered = sorted(verdicts, key=lambda verdict: (verdict.score is None, verdict.score or 0))
    rows = []
    for verdict in ordered:
        score = "-" if verdict.score is None else f"{verdict.score / 100:.2f}"
        plays = ", ".join(play.id for play in verdict.plays)
        coverage = f"{verdict.coverage / 100:.0f} %"
        rows.append(
            [verdict.account, score, verdict.band or "-", coverage, verdict.profile or "-", _costs_most(verdict), plays]
        )
    say_table(("account", "score", "band", "coverage", "profile", "costs most", "next"), rows)


def _costs_most(verdict: "Verdict") -> str:
    """What takes most from the 100 that are possible."""
    costs = [(part.weight - part.points, part.signal or part.component) for part in verdict.parts if part.signal]
    costs += [(-part.points, f"{part.component}: {part.because}") for part in verdict.parts if part.points < 0]
    most, name = max(costs, default=(0, ""))
    return f"{name} (-{most / 100:.2f})" if most > 0 else ""
