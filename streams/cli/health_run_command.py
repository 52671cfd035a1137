"""`careline health run` and `explain`: how healthy accounts are by a profile file, from a file of signals.

No broker is needed: the rows come from `streams.health_files.snapshot_rows`, the scores from the engine that the
account agent runs, followed through time by `agents.domain.health_story`.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.health_history import FilesArgument, MappingOption, ProfileOption, StrictOption

if TYPE_CHECKING:
    from agents.domain.health_verdict import HealthBook, Verdict
    from agents.domain.instant import Instant
    from streams.health_files.snapshot_rows import Snapshots

_UNKNOWN = 1
_MOST_NAMES = 10_000
"""Among more accounts than this none is looked for that is written alike."""
_NowOption = Annotated[
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
    now: _NowOption = None,
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

    instant = _instant(now)
    profiles, read, snapshots = load_snapshots(
        profile, mapping, files, strict=strict, as_json=as_json, undated_at=instant
    )
    verdicts = _verdicts(HealthBook(profiles), snapshots, instant)
    try:
        if as_json:
            _print_lines(verdicts, profiles.version)
        else:
            _print_table(list(verdicts))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`); nothing is left to be told to it at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    tell_snapshots(snapshots.counts, read, profiles)


def health_explain(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id.", show_default=False)],
    profile: ProfileOption,
    mapping: MappingOption,
    files: FilesArgument,
    now: _NowOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Why is this account as healthy as it is?

    Tells the score and all of its parts, which add up to it to the last
    digit, what holds it up or down, what to do next, and every change so far
    with its cause.

    Example: careline health explain acme --profile examples/health/support.yaml
    --mapping examples/health/accounts.mapping.yaml examples/health/accounts.csv

    Exit status: 0; 1 when the account is not known; 2 when a file is wrong.
    """
    from agents.domain.health_story import standing, story
    from agents.domain.health_verdict import HealthBook
    from streams.cli.health_history import load_snapshots
    from streams.cli.history_files import tell
    from streams.cli.told_problems import print_json
    from streams.health_files.snapshot_rows import observed_by_account
    from streams.health_files.verdict_columns import changes_of, columns_of
    from streams.policy_files.problem import did_you_mean

    instant = _instant(now)
    profiles, _, snapshots = load_snapshots(profile, mapping, files, strict=False, as_json=as_json, undated_at=instant)
    known = observed_by_account(snapshots.rows)
    if account not in known:
        names = known if len(known) <= _MOST_NAMES else ()
        hint = did_you_mean(account, names, "ids are those that the mapping makes")
        tell(f"careline health explain: no account {account!r} among {len(known):,} of these files ({hint})")
        raise typer.Exit(_UNKNOWN)
    book, (who, observed) = HealthBook(profiles), known[account]
    verdict = standing(book, who, observed, instant)
    told = list(story(book, who, observed, instant))
    if as_json:
        print_json(columns_of(verdict, profiles.version) | {"changes": changes_of(told)})
    else:
        for line in _explained(verdict, told, profiles.version):
            print(line)


def _instant(now: str | None) -> "Instant":
    from agents.domain.instant import from_datetime
    from streams.cli.history_files import instant_of

    return from_datetime(instant_of(now, "--now"))


def _verdicts(book: "HealthBook", snapshots: "Snapshots", now: "Instant") -> "Iterator[Verdict]":
    from agents.domain.health_story import standing
    from streams.health_files.snapshot_rows import observed_by_account

    for account, observed in observed_by_account(snapshots.rows).values():
        yield standing(book, account, observed, now)


def _print_lines(verdicts: "Iterator[Verdict]", version: str) -> None:
    from streams.health_files.verdict_columns import columns_of

    for verdict in verdicts:
        print(json.dumps(columns_of(verdict, version), ensure_ascii=False))


def _print_table(verdicts: "list[Verdict]") -> None:
    """The least healthy first; of whom nothing is known comes last."""
    ordered = sorted(verdicts, key=lambda verdict: (verdict.score is None, verdict.score or 0))
    rows = [["account", "score", "band", "coverage", "profile", "costs most", "next"]]
    for verdict in ordered:
        score = "-" if verdict.score is None else f"{verdict.score / 100:.2f}"
        plays = ", ".join(play.id for play in verdict.plays)
        coverage = f"{verdict.coverage / 100:.0f} %"
        rows.append(
            [verdict.account, score, verdict.band or "-", coverage, verdict.profile or "-", _costs_most(verdict), plays]
        )
    for line in in_columns(rows):
        print(line)


def _costs_most(verdict: "Verdict") -> str:
    """What takes most from the 100 that are possible."""
    costs = [(part.weight - part.points, part.signal or part.component) for part in verdict.parts if part.signal]
    costs += [(-part.points, f"{part.component}: {part.because}") for part in verdict.parts if part.points < 0]
    most, name = max(costs, default=(0, ""))
    return f"{name} (-{most / 100:.2f})" if most > 0 else ""


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells in columns as wide as they need to be and never cut off."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _explained(verdict: "Verdict", told: "Sequence[Verdict]", version: str) -> Iterator[str]:
    from streams.health_files.verdict_columns import changes_of, columns_of

    found = columns_of(verdict, version)
    score = "no score" if found["score"] is None else f"{found['score']:.2f}, {found['band']}"
    yield f"{found['account']}: {score}, as of {found['as_of']}"
    yield f"by profile {found['profile']} of version {version}; {found['coverage']:.0%} of the weight has data"
    yield found["reason"]
    if found["contributions"]:
        rows = [["part", "value", "sub-score", "weight", "points", "change", "observed"]]
        for part in found["contributions"]:
            name = (
                f"{part['component']}/{part['signal']}" if part["signal"] else f"{part['component']}: {part['because']}"
            )
            cells = (part["value"], part["sub_score"], f"{part['weight']:.2%}", f"{part['points']:.2f}")
            change = "" if part["change"] is None else f"{part['change']:+.2f}"
            rows.append(
                [name, *("-" if cell is None else str(cell) for cell in cells), change, part["observed_at"] or ""]
            )
        rows.append(["together", "", "", "", f"{found['score']:.2f}", "", ""])
        yield ""
        yield from in_columns(rows)
    if found["plays"]:
        yield ""
        for play in found["plays"]:
            owner = f" [{play['owner']}]" if play["owner"] else ""
            yield f"next: {play['action']}{owner} ({play['reason']})"
    yield ""
    for found_then in changes_of(told):
        yield f"{found_then['at']}  {found_then['reason']}"
