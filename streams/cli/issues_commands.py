"""`careline issues`: what many customers suddenly wrote about, and who has stopped writing, in files of history.

The messages come from `streams.history.message_watch`, the judgement from `agents.domain.topic_surge` and
`agents.domain.silent_accounts`; `docs/issues.md` explains it.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.history_files import load_history, load_mapping, tell
from streams.cli.policy_run_command import FAILED

if TYPE_CHECKING:
    from schemas.issue_state import CustomerMessage, SurgeState

issues_app = typer.Typer(
    name="issues",
    help="Issues: what many customers suddenly write about, and who has stopped writing.",
    no_args_is_help=True,
)
_HOURS_OF_TABLE = "%Y-%m-%d %H:%M"
_WIDEST_TOPIC = 40

_Mapping = Annotated[
    Path,
    typer.Option("--mapping", metavar="MAPPING.yaml", help="How rows become messages: an import mapping with `text`."),
]
_Files = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="CSV or NDJSON as the mapping says; plain, gzip or zip.")
]
_Accounts = Annotated[int, typer.Option("--accounts", min=2, help="At least so many accounts must write about it.")]
_Growth = Annotated[
    float, typer.Option("--growth", min=1.1, help="At least so many times more messages than expected.")
]
_Clarity = Annotated[
    float,
    typer.Option(
        "--clarity",
        min=1.0,
        help="How sure to be: 7 is one false alarm in ten months, whatever the desk's size. Less tells sooner.",
    ),
]
_Rest = Annotated[
    float,
    typer.Option(
        "--rest-hours", min=0.1, max=8_760.0, help="A surge is over after so long without a further rise: up to a year."
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Only the lines of JSON, nothing beside them.")]
_Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first row that cannot be used, with exit status 2.")
]


@issues_app.command("run")
def issues_run(
    mapping: _Mapping,
    files: _Files,
    accounts: _Accounts = 4,
    growth: _Growth = 3.0,
    clarity: _Clarity = 7.0,
    rest_hours: _Rest = 24.0,
    as_json: _Json = False,
    strict: _Strict = False,
) -> None:
    """Which themes did many customers suddenly write about?

    Reads the messages of files in the order of their time, as if they came
    in now, and prints one surge per line of JSON: when it was noticed, its
    words, how much it grew, the accounts and the first messages. A table
    goes to standard error.

    Example: careline issues run --mapping examples/messages/mapping.yaml
    examples/messages/messages.csv

    Exit status: 0, or 2 when a file is wrong (every mistake with its place).
    """
    from agents.domain.instant import HOUR_US
    from agents.domain.topic_surge import Sensitivity
    from streams.cli.history_progress import counting
    from streams.history.message_watch import doubts_about, surge_line, surges_in

    wanted = Sensitivity(accounts=accounts, growth=growth, clarity=clarity, rest_us=round(rest_hours * HOUR_US))
    messages = _messages(mapping, files, strict=strict, is_quiet=as_json)
    with counting("watching", len(messages)) as progress:
        surges = surges_in(messages, wanted, progress)
    _print(map(surge_line, surges))
    for doubt in doubts_about(messages, wanted):
        tell(f"careline issues run: warning: {doubt}")
    if not as_json:
        _tell_surges(surges)


@issues_app.command("silent")
def issues_silent(mapping: _Mapping, files: _Files, as_json: _Json = False, strict: _Strict = False) -> None:
    """Which customers used to write, and have stopped?

    Every account is compared with its own rhythm, on a clock that hardly
    moves when all customers are quiet. Prints one silence per line of JSON:
    when it was noticed, the account, when it last wrote, and how many
    contacts should have come since.

    Example: careline issues silent --mapping examples/messages/mapping.yaml
    examples/messages/messages.csv

    Exit status: 0, or 2 when a file is wrong (every mistake with its place).
    """
    from streams.cli.history_progress import counting
    from streams.history.message_watch import silence_line, silences_in

    messages = _messages(mapping, files, strict=strict, is_quiet=as_json)
    with counting("watching", len(messages)) as progress:
        silences = silences_in(messages, progress)
    _print(map(silence_line, silences))
    if not as_json:
        tell(f"{len(silences):,} silences")


@issues_app.command("sentiment")
def issues_sentiment(mapping: _Mapping, files: _Files, as_json: _Json = False, strict: _Strict = False) -> None:
    """How did customers feel when they wrote?

    Prints one message per line of JSON: its language, how it feels from -1
    (furious) to 1 (delighted), the words that decided it, and who judged.
    Judged offline by rules.

    Example: careline issues sentiment --mapping
    examples/messages/mapping.yaml examples/messages/messages.csv

    Exit status: 0, or 2 when a file is wrong (every mistake with its place).
    """
    from agents.domain.rule_sentiment import RuleSentiment
    from streams.history.message_watch import mood_line

    scorer = RuleSentiment()
    _print(mood_line(message, scorer) for message in _messages(mapping, files, strict=strict, is_quiet=as_json))


def _messages(mapping: Path, files: Sequence[Path], *, strict: bool, is_quiet: bool) -> "list[CustomerMessage]":
    from streams.history.history_summary import row_lines
    from streams.history.message_watch import messages_of

    history = load_history(load_mapping(mapping, as_json=is_quiet), files, strict=strict, as_json=is_quiet)
    messages = messages_of(history)
    if not messages and history.counts.used:
        tell(f"{mapping}: warning: no message of a customer has a text: give an event `from: customer` and `text`")
    if not is_quiet or history.counts.rejected:  # that rows are missing is no decoration
        for line in row_lines(history.counts, len(history), history.counts.events):
            tell(line)
    if not is_quiet:
        accounts = len({message.account for message in messages})
        tell(f"{len(messages):,} messages of customers from {accounts:,} accounts")
    return messages


def _print(lines: Iterable[bytes]) -> None:
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.flush()
    except OSError as error:
        tell(f"error: the lines cannot be written: {error.strerror or error}")
        raise typer.Exit(FAILED) from None


def _tell_surges(surges: "Sequence[SurgeState]") -> None:
    from agents.domain.instant import to_datetime

    tell(f"{len(surges):,} surges")
    if surges:
        tell(f"{'noticed (UTC)':<17} {'topic':<{_WIDEST_TOPIC}} {'growth':>9} {'accounts':>8}")
    for surge in surges:
        at = to_datetime(surge.raised_at).strftime(_HOURS_OF_TABLE)
        topic = surge.topic if len(surge.topic) <= _WIDEST_TOPIC else surge.topic[: _WIDEST_TOPIC - 1] + "…"
        tell(f"{at:<17} {topic:<{_WIDEST_TOPIC}} {surge.growth:>8.1f}x {len(surge.accounts):>8,}")
