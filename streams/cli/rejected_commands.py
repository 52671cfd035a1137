"""`careline rejected list | show | redrive`: what could not be understood, why, and a second chance for it.

Exit status 0: done · 1: Kafka is absent, there is no such dead letter, or some could not be sent again · 2: the
command line is wrong. The work is done in `streams.dead_letters`.
"""

import json
from base64 import b64encode
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from streams.cli.admin_options import (
    FAILED,
    WRONG_USE,
    JsonOption,
    KafkaOption,
    say,
    say_table,
    settings_of,
    stop,
    tell,
)

if TYPE_CHECKING:
    from schemas.rejection import Origin, Rejection
    from streams.dead_letters import Redriven
    from streams.settings import Settings

rejected_app = typer.Typer(
    name="rejected", help="Dead letters: what could not be understood, why, and sending it again.", no_args_is_help=True
)

_Reason = Annotated[str | None, typer.Option("--reason", help="Only those with this reason, for example not_json.")]


@rejected_app.command("list")
def list_rejected(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show so many, the newest first.")] = 20,
    reason: _Reason = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was rejected: when, why, where it came from, and its id for `show` and `redrive`."""
    found = _read(settings_of(context, kafka), reason)
    shown = found[:limit]
    if as_json:
        print(json.dumps([_as_json(one) for one in shown], ensure_ascii=False))
        return
    if not found:
        say("no dead letters" if reason is None else f"no dead letters with the reason {reason}")
        return
    rows = [
        (
            f"{one.rejected_at:%Y-%m-%d %H:%M:%S}",
            one.reason,
            _printable(one.id),
            _one_line(_text(one.key)),
            _one_line(_printable(one.detail)),
        )
        for one in shown
    ]
    say_table(("rejected at (UTC)", "reason", "id", "key", "detail"), rows)
    counted = ", ".join(f"{count} {name}" for name, count in Counter(one.reason for one in found).most_common())
    say(f"{len(found)} dead letters: {counted}; shown: {len(shown)}")


@rejected_app.command("show")
def show(
    context: typer.Context,
    rejection_id: Annotated[str, typer.Argument(metavar="ID", help="As `careline rejected list` prints it.")],
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one dead letter whole: headers, key and value, as text where it is UTF-8 and else as hex."""
    (found,) = _chosen(_read(settings_of(context, kafka), None), [rejection_id])
    if as_json:
        print(json.dumps(_as_json(found) | _bytes_as_json(found), ensure_ascii=False))
        return
    for name, value in (
        ("id", found.id),
        ("rejected at", found.rejected_at.isoformat()),
        ("reason", found.reason),
        ("detail", _printable(found.detail)),
        ("origin", _origin(found.origin)),
        *((f"header {name}", _text(value)) for name, value in found.headers),
        ("key", _text(found.key)),
        ("value", _text(found.value)),
    ):
        say(f"{name:<12} {value}")


@rejected_app.command("redrive")
def redrive(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All of a reason; needs --reason.")] = False,
    reason: _Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters again to where they came from: the same bytes, key and headers, to the same partition.

    For when the cause is mended, for instance by a new release. Nothing leaves the log of dead letters; a copy carries
    the header careline-redriven-of. Doing it twice does no harm: events have ids, and the second one is a duplicate.
    What fails again is a dead letter again; --all then takes the new one only.

    Example: careline rejected redrive --all --reason calculation_failed --dry-run
    """
    from streams import dead_letters
    from streams.kafka_admin import KafkaUnavailable

    _check_reason(reason)
    if bool(ids) == every or (every and reason is None):
        raise stop("careline rejected redrive: give ids, or --all with --reason REASON", WRONG_USE)
    settings = settings_of(context, kafka)
    found = _read(settings, None if every else reason)
    if every:
        chosen = [one for one in dead_letters.latest_failures(found) if one.reason == reason]
    else:
        chosen = _chosen(found, ids or [])
    if dry_run:
        left = [(one, why) for one in chosen if (why := dead_letters.why_not(one)) is not None]
        outcome = dead_letters.Redriven([one for one in chosen if dead_letters.why_not(one) is None], left)
    else:
        try:
            outcome = dead_letters.redrive(settings, reversed(chosen))
        except KafkaUnavailable as error:
            raise stop(f"careline rejected: {error} Sending them again is harmless.") from None
    _report(outcome, dry_run=dry_run, as_json=as_json)
    if outcome.left:
        raise typer.Exit(FAILED)


def _report(outcome: "Redriven", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        left = [{"id": one.id, "because": because} for one, because in outcome.left]
        print(json.dumps({"sent": [one.id for one in outcome.sent], "left": left, "dry_run": dry_run}))
        return
    for one in outcome.sent:
        say(f"{one.id} -> {one.origin.topic}")
    for one, because in outcome.left:
        tell(f"{one.id}: cannot be sent again: {because}", style="yellow")
    say(f"{len(outcome.sent)} {'would be sent' if dry_run else 'sent'} again, {len(outcome.left)} left")


def _read(settings: "Settings", reason: str | None) -> list["Rejection"]:
    """The dead letters, newest first."""
    from streams.dead_letters import read_rejections
    from streams.kafka_admin import KafkaUnavailable
    from streams.topic_reader import TopicAbsent

    _check_reason(reason)
    try:
        found = [one for one in read_rejections(settings) if reason in {None, one.reason}]
    except (KafkaUnavailable, TopicAbsent) as error:
        raise stop(f"careline rejected: {error}") from None
    return sorted(found, key=lambda one: one.rejected_at.timestamp(), reverse=True)


def _check_reason(reason: str | None) -> None:
    from schemas.rejection import RejectionReason
    from streams.policy_files.problem import did_you_mean

    reasons = get_args(RejectionReason)
    if reason is not None and reason not in reasons:
        raise stop(f"careline rejected: {reason!r} is no reason ({did_you_mean(reason, reasons)})", WRONG_USE)


def _chosen(found: list["Rejection"], ids: list[str]) -> list["Rejection"]:
    by_id = {one.id: one for one in found}
    missing = [one for one in ids if one not in by_id]
    if missing:
        raise stop(f"careline rejected: no dead letter {', '.join(missing)}; `careline rejected list` shows the ids")
    return [by_id[one] for one in dict.fromkeys(ids)]


def _origin(origin: "Origin") -> str:
    if origin.connector is not None:
        return f"a request to the connector {origin.connector}"
    return f"{origin.topic} partition {origin.partition} offset {origin.offset}"


def _text(data: bytes | None) -> str:
    if data is None:
        return "(none)"
    try:
        return _printable(data.decode())
    except UnicodeDecodeError:
        return f"hex {data.hex(' ')}"


def _printable(text: str) -> str:
    """What a stranger sent must not steer the terminal."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else f"\\u{ord(sign):04x}" for sign in text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _as_json(one: "Rejection") -> dict[str, Any]:
    from streams.dead_letters import redriven_of

    return {
        "id": one.id,
        "rejected_at": one.rejected_at.isoformat().replace("+00:00", "Z"),
        "reason": one.reason,
        "detail": one.detail,
        "topic": one.origin.topic,
        "partition": one.origin.partition,
        "offset": one.origin.offset,
        "connector": one.origin.connector,
        "key": None if one.key is None else _text(one.key),
        "redriven_of": redriven_of(one),
    }


def _bytes_as_json(one: "Rejection") -> dict[str, Any]:
    return {
        "headers": [[name, _text(value)] for name, value in one.headers],
        "value": None if one.value is None else _text(one.value),
        "value_base64": None if one.value is None else b64encode(one.value).decode(),
    }
