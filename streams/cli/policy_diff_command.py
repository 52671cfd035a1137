"""`careline policy diff`: what would change under another policy, judged on history before anybody publishes it.

The rows come from `streams.history`, the verdicts from the engine that the workers run (`agents.domain.verdict`), once
under each file; `streams.history.policy_difference` compares them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.admin_options import say, say_table
from streams.cli.history_files import instant_of, load_history, load_mapping, tell_rows
from streams.cli.policy_run_command import MappingOption, NowOption, StrictOption

if TYPE_CHECKING:
    from agents.domain.policy_book import PolicyBook
    from streams.history.conversations import History
    from streams.history.policy_difference import ChangedClock, Pair, PolicyDifference, Tally

DIFFERENT = 1
_SOURCE = "file"
_CONVERSATIONS_BETWEEN_REPORTS = 256
_MOST_ROWS = 20


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", show_default=False, help="The policy file to compare with.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", show_default=False, help="The policy file to be tried.")],
    mapping: MappingOption,
    events: Annotated[
        list[Path],
        typer.Option(
            "--events", metavar="FILE", help="History: CSV or NDJSON, plain, gzip or zip. May be given several times."
        ),
    ],
    now: NowOption = None,
    strict: StrictOption = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 when anything differs.")] = False,
    everything: Annotated[bool, typer.Option("--all", help=f"Print all rows, not {_MOST_ROWS} of each table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """What would change under another policy?

    Judges the same history under both files, each as if it had always been
    in force, and prints adherence under the one and the other, for each
    account and metric, and the clocks whose outcome changes, the one whose
    deadline moves furthest first. No Kafka is needed.

    Adherence is met / (met + breached) of what is decided; answered late is
    breached; a clock that is still open is in neither.

    Example: careline policy diff examples/helpdesk/policy.yaml stricter.yaml
    --mapping examples/helpdesk/mapping.yaml --events helpdesk.csv

    Exit status: 0, whether or not anything differs; 1 with --exit-code when
    an outcome or a due date does; 2 when a file is wrong.
    """
    from agents.domain.instant import from_datetime
    from streams.cli.policy_books import load_books

    end = instant_of(now, "--now")
    books, mistakes, clocks = load_books([old, new])
    history = load_history(load_mapping(mapping, mistakes, clocks), events, strict=strict)
    found, count = _judge(history, books, from_datetime(end))
    tell_rows(history, len(history), count)
    if as_json:
        names = {"old": str(old), "new": str(new)}
        print(json.dumps(_as_json(found, names, end), ensure_ascii=False, indent=2))
    else:
        _say(found, None if everything else _MOST_ROWS)
    if exit_code and found.differs:
        raise typer.Exit(DIFFERENT)


def _judge(history: "History", books: "Sequence[PolicyBook]", now: int) -> "tuple[PolicyDifference, int]":
    """Every conversation under both policies."""
    from agents.domain.verdict import judge_together
    from streams.cli.history_progress import counting
    from streams.history.policy_difference import PolicyDifference

    found = PolicyDifference()
    conversations = events = 0
    with counting("judging twice", len(history)) as progress:
        for place, told in enumerate(history.told_together(_SOURCE)):
            conversations += len(told)
            events += sum(len(interactions) for _, interactions in told)
            before, after = (dict(judge_together(book, told, now)) for book in books)
            for conversation, views in before.items():
                found.add(conversation, views, after[conversation])
            if progress is not None and place % _CONVERSATIONS_BETWEEN_REPORTS == 0:
                progress(conversations)
    return found, events


# for people


def _say(found: "PolicyDifference", most: int | None) -> None:
    metrics = list(found.metrics())
    if not metrics:
        say("no clocks: neither policy applies to these conversations")
        return
    header = ("old met", "breached", "adherence", "new met", "breached", "adherence", "moves by")
    say_table(("metric", *header), [(metric, *_pair_cells(pair)) for metric, pair in metrics])
    moved = [(account, metric, pair) for account, metric, pair in found.adherence() if pair.old != pair.new]
    if moved:
        say("")
        rows = [(account or "unknown", metric, *_pair_cells(pair)) for account, metric, pair in moved[:most]]
        say_table(("account", "metric", *header), rows)
        _say_left_out(len(moved) - len(rows), "accounts and metrics")
    changed = found.changed()
    if changed:
        say("")
        rows = [_changed_cells(clock) for clock in changed[:most]]
        say_table(
            ("conversation", "account", "clock", "old outcome", "new outcome", "old due", "new due", "moves by"), rows
        )
        _say_left_out(len(changed) - len(rows), "clocks")
    say("")
    say(
        f"{len(changed):,} clocks change their outcome, {found.due_moved:,} more are due at another time"
        if found.differs
        else "no difference: every clock has the same outcome and the same due date"
    )


def _say_left_out(number: int, what: str) -> None:
    if number > 0:
        say(f"... and {number:,} {what} more (--all, --json)")


def _pair_cells(pair: "Pair") -> tuple[str, ...]:
    old, new = pair.old, pair.new
    known = old.ratio is not None and new.ratio is not None
    return (
        f"{old.met:,}",
        f"{old.breached:,}",
        _percent(old.ratio),
        f"{new.met:,}",
        f"{new.breached:,}",
        _percent(new.ratio),
        f"{100 * pair.shift:+.1f} points" if known else "-",
    )


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def _changed_cells(clock: "ChangedClock") -> tuple[str, ...]:
    moved = clock.due_moved_seconds
    return (
        clock.conversation,
        clock.account or "unknown",
        f"{clock.metric} {clock.instance}",
        clock.old.outcome if clock.old is not None else "no clock",
        clock.new.outcome if clock.new is not None else "no clock",
        _instant(clock.old.due_at if clock.old is not None else None) or "-",
        _instant(clock.new.due_at if clock.new is not None else None) or "-",
        "-" if moved is None else f"{moved / 3600:+,.2f} h",
    )


# for machines


def _as_json(found: "PolicyDifference", files: dict[str, str], now: datetime) -> dict[str, Any]:
    return {
        **files,
        "now": _instant(now),
        "conversations": found.conversations,
        "differs": found.differs,
        "due_moved": found.due_moved,
        "metrics": [{"metric": metric, **_pair_json(pair)} for metric, pair in found.metrics()],
        "adherence": [
            {"account": account, "metric": metric, **_pair_json(pair)} for account, metric, pair in found.adherence()
        ],
        "changed": [_changed_json(clock) for clock in found.changed()],
    }


def _pair_json(pair: "Pair") -> dict[str, Any]:
    return {"old": _tally_json(pair.old), "new": _tally_json(pair.new)}


def _tally_json(tally: "Tally") -> dict[str, Any]:
    return {"met": tally.met, "breached": tally.breached, "ratio": tally.ratio}


def _changed_json(clock: "ChangedClock") -> dict[str, Any]:
    old, new = clock.old, clock.new
    return {
        "conversation": clock.conversation,
        "account": clock.account,
        "metric": clock.metric,
        "instance": clock.instance,
        "old_outcome": None if old is None else old.outcome,
        "new_outcome": None if new is None else new.outcome,
        "old_due_at": None if old is None else _instant(old.due_at),
        "new_due_at": None if new is None else _instant(new.due_at),
        "due_moved_seconds": clock.due_moved_seconds,
    }


def _instant(moment: datetime | None) -> str | None:
    from streams.policy_files.clock_columns import instant_text

    return None if moment is None else instant_text(moment)
