"""`careline import`: history into Kafka, so that the workers judge it like everything else.

The rows come from `streams.history`; `streams.history.history_sender` sends them and closes the story.
"""

import json
import time
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.topics import ACCOUNTS
from streams.cli.history_files import instant_of, load_history, load_mapping, stop, tell, tell_rows
from streams.cli.import_redaction import redaction_for
from streams.cli.policy_run_command import FilesArgument, MappingOption, StrictOption
from streams.settings import Settings

if TYPE_CHECKING:
    from schemas.account_profile import AccountProfile
    from streams.connectors.redaction import Redaction
    from streams.history.conversations import History
    from streams.history.history_sender import SentHistory
    from streams.history.known_accounts import Lookup

_CONNECT_SECONDS = 5.0
_DIRECTORY_SECONDS = 15.0  # a million accounts, or a topic whose leader is just being elected
FAILED = 1
"""Exit status when Kafka is absent or refuses: the files are right, trying again may help."""

NowOption = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="INSTANT",
        help="Where the story ends: what is due before counts as broken. Default: the wall clock.",
    ),
]
KafkaOption = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Another Kafka than that of CARELINE_KAFKA.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Read and count everything, send nothing.")]
RedactOption = Annotated[
    str | None,
    typer.Option(
        "--redact",
        metavar="WHAT",
        help="text, addresses, both with a comma, or none. Default: the redact: of CARELINE_CONNECTORS.",
    ),
]
RedactKeyOption = Annotated[
    str | None,
    typer.Option("--redact-key", metavar="VAR", help="The environment variable with the key that hashes addresses."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as one object on standard output.")]


def import_history(
    context: typer.Context,
    mapping: MappingOption,
    files: FilesArgument,
    now: NowOption = None,
    strict: StrictOption = False,
    dry_run: DryRunOption = False,
    redact: RedactOption = None,
    redact_key: RedactKeyOption = None,
    kafka: KafkaOption = None,
    json_summary: JsonOption = False,
) -> None:
    """Bring a company's history into Kafka, the way of all live events.

    A mapping says how rows become events; tier, segment, contract and team
    come from the accounts topic where the rows are silent. All files together are one story
    on a clock of its own: its conversations are judged up to --now by the
    policies in force at the time of each event, then go over to the live
    clock. Importing the same files again changes nothing.

    Rows that cannot be used are counted by reason and listed with their row
    number in FILE.rejected.ndjson.

    With --redact, or where CARELINE_CONNECTORS names a file that redacts, text
    is dropped and addresses are hashed before Kafka sees them; thank-yous are
    not recognised then. With the same key history and live events meet.

    Example: careline import --mapping examples/helpdesk/mapping.yaml
    --now 2014-01-04T00:00:00Z helpdesk.csv

    Exit status: 0, 1 when Kafka is absent or refuses, or 2 when a file is
    wrong (every mistake with its place).
    """
    end = instant_of(now, "--now")
    settings = context.ensure_object(Settings)
    if kafka is not None:
        settings = replace(settings, kafka_servers=kafka)
    redaction = redaction_for(redact, redact_key, settings)
    read = load_mapping(mapping)
    clock = f"import:{_digest(files, read.source_text)}"
    history = load_history(read, files, strict=strict)
    begun = time.monotonic()
    sent = _count(history) if dry_run else _send(history, clock, end, settings, redaction)
    seconds = time.monotonic() - begun
    tell_rows(history, sent.conversations, sent.events)
    if dry_run:
        tell("nothing was sent (--dry-run)")
    else:
        tell(f"sent in {seconds:.1f} s, {sent.events / max(seconds, 1e-9):,.0f} events/s, on the clock {clock}")
    if json_summary:
        typer.echo(json.dumps(_summary(history, sent, clock, end, seconds)))


def _digest(files: list[Path], mapping_text: str) -> str:
    from streams.history.conversations import content_digest
    from streams.history.row_files import UnreadableFile
    from streams.policy_files.problem import Problem

    try:
        return content_digest(files, mapping_text)
    except UnreadableFile as error:
        stop([Problem(str(error.path), None, None, error.message, error.suggestion or None)])


def _send(history: "History", clock: str, end: datetime, settings: Settings, redaction: "Redaction") -> "SentHistory":
    from streams.cli.history_progress import counting
    from streams.connectors.redaction import redacted
    from streams.history.history_sender import ImportFailed, ImportTarget, send_history
    from streams.history.known_accounts import with_known_accounts
    from streams.kafka_admin import KafkaUnavailable

    target = ImportTarget(settings.kafka, settings.topic_prefix)
    try:
        known = with_known_accounts(history.conversations(clock, clock), _directory(settings))
        conversations = redacted(known, redaction)
        with counting("sending", history.counts.events) as progress:
            return send_history(conversations, clock, end, target, progress)
    except KafkaUnavailable as error:
        tell(str(error))
    except ImportFailed as error:
        tell(f"{error.message} ({error.suggestion})")
    raise typer.Exit(FAILED)


def _directory(settings: Settings) -> "Lookup":
    """The accounts as Kafka has them now.

    Raises:
        KafkaUnavailable: no broker answers.
        ImportFailed: there are no topics.
    """
    from streams.connectors.accounts_directory import AccountsDirectory
    from streams.connectors.accounts_follower import AccountsFollower
    from streams.history.history_sender import ImportFailed
    from streams.kafka_admin import describe_topics, wait_for_kafka

    way_out = "create the topics with `careline topics create`"
    wait_for_kafka(settings.kafka, timeout=_CONNECT_SECONDS)
    plans = describe_topics(settings.kafka, settings.topic_prefix, settings.partitions, settings.replication_factor)
    missing = [each.plan.name for each in plans if each.missing]
    if missing:
        raise ImportFailed(f"Kafka at {settings.kafka} has no topic {', '.join(missing)}", way_out)
    directory = AccountsDirectory()
    follower = AccountsFollower(settings.kafka, directory, settings.topic_prefix)
    follower.start()
    try:
        if not follower.wait_until_loaded(_DIRECTORY_SECONDS):
            topic = settings.topic(ACCOUNTS.name)
            raise ImportFailed(f"the topic {topic} cannot be read", "look into the log of the broker")
    finally:
        follower.close()

    def lookup(account: str) -> "AccountProfile | None":
        return directory.find((account,)).profile if ":" in account else directory.find((), account).profile

    return lookup


def _count(history: "History") -> "SentHistory":
    from streams.history.history_sender import SentHistory

    events = sum(len(events) for _, events in history.conversations("import"))
    return SentHistory(len(history), events, 0)


def _summary(history: "History", sent: "SentHistory", clock: str, end: datetime, seconds: float) -> dict[str, object]:
    from streams.policy_files.clock_columns import instant_text

    counts = history.counts
    return {
        "clock": clock,
        "now": instant_text(end),
        "rows": counts.rows,
        "used": counts.used,
        "without_event": counts.without_event,
        "rejected": dict(counts.rejected),
        **asdict(sent),
        "seconds": round(seconds, 3),
    }
