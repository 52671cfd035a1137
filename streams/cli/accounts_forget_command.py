"""`careline accounts forget`: the right to be forgotten, carried out through the log.

Exit status 0: asked for, and done unless it says otherwise · 1: Kafka is absent or does not take it, or nobody
confirmed · 2: the command line is wrong, and nothing was changed. `docs/privacy.md` says what remains.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streams.cli.accounts_commands import asked, known_accounts, written
from streams.cli.admin_options import WRONG_USE, JsonOption, KafkaOption, say, say_table, settings_of, stop, tell

if TYPE_CHECKING:
    from streams.account_removal import Remainder
    from streams.connectors.accounts_topic import AccountsWriter
    from streams.settings import Settings

LOOK_EVERY_SECONDS = 0.5

_WHO_DOES_IT = (
    "`careline work`, `careline enrich` and `careline sink` do it as soon as they run: "
    "the rows in enrichments and issues go when enrich has passed it on"
)


def forget(
    context: typer.Context,
    account_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what there is of it, and change nothing.")] = False,
    wait_seconds: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait until its rows are gone.")
    ] = 60,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget an account: its conversations, clocks, reports, health, alerts and rows, and its entry in the directory.

    Workers, `careline enrich` (which passes it on to enrichments, mentions and issues) and the sink do it at the same
    place in the log, also those that start later. What happened to the account before and is told again stays away;
    what happens afterwards begins anew. Doing it again does no harm.

    Example: careline accounts forget acme --dry-run
    """
    from streams.account_removal import BelongsElsewhere, names_of, remainders

    settings = settings_of(context, kafka)
    if not account_id or account_id.startswith("\0"):
        raise stop("an account has an id", WRONG_USE)
    known = known_accounts(settings)
    try:
        names = names_of(account_id, known)
    except BelongsElsewhere as error:
        raise stop(str(error), WRONG_USE) from None
    told: dict[str, Any] = {"account_id": account_id, "also_known_as": list(names[1:]), "dry_run": dry_run}
    told |= {"in_directory": account_id in known} | _found(settings, names)
    if not dry_run:
        _confirm(told, yes=yes, as_json=as_json)
        written(settings, lambda writer: _write(writer, names, in_directory=account_id in known))
        told["rows_left"] = _wait(settings, names, wait_seconds)
    remaining = remainders(datetime.now(UTC))
    if as_json:
        told["remains"] = [
            {"where": each.where, "what": each.what, "until": each.until and each.until.isoformat()}
            for each in remaining
        ]
        print(json.dumps(told, ensure_ascii=False))
        return
    _say(told, remaining)


def _found(settings: "Settings", names: Sequence[str]) -> dict[str, Any]:
    from streams.account_removal import found_in_kafka

    in_kafka = asked(lambda: found_in_kafka(settings.kafka, settings.topic_prefix, names))
    return in_kafka | {"rows": _rows(settings, names)}


def _rows(settings: "Settings", names: Sequence[str]) -> dict[str, int] | None:
    """Rows by table; null where nobody can be asked."""
    from streams.account_removal import rows_of
    from streams.settings import split_address
    from streams.sinks.clickhouse_connection import ClickHouseUnavailableError, read_target
    from streams.sinks.sql_client import SqlError

    try:
        target = read_target(settings.clickhouse_url, settings.data_dir)
        return rows_of(target, split_address(settings.sql_address), names)
    except (SqlError, ClickHouseUnavailableError):
        return None


def _confirm(told: dict[str, Any], *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise stop("say --yes to forget it, or --dry-run to see what there is of it", WRONG_USE)
    tell(_summary(told))
    if not typer.confirm(f"Forget {told['account_id']} for good?", err=True):
        raise stop("nothing was changed")


def _write(writer: "AccountsWriter", names: Sequence[str], *, in_directory: bool) -> None:
    if in_directory:
        # First, so that what comes in from here on is no longer given to it.
        writer.drop(names[0])
        writer.flush()
    writer.forget(names)


def _wait(settings: "Settings", names: Sequence[str], seconds: float) -> dict[str, int] | None:
    until = time.monotonic() + seconds
    while True:
        rows = _rows(settings, names)
        if rows is None or not any(rows.values()) or time.monotonic() >= until:
            return rows
        time.sleep(LOOK_EVERY_SECONDS)


def _summary(told: dict[str, Any]) -> str:
    names = "".join(f", also known as {name}" for name in told["also_known_as"])
    rows = "ClickHouse cannot be asked" if told["rows"] is None else f"{sum(told['rows'].values())} rows in ClickHouse"
    return (
        f"{told['account_id']}{names}: {told['conversations']} conversations, {told['clocks']} clocks, "
        f"{told['reports']} reports, {rows}, {'in' if told['in_directory'] else 'not in'} the directory"
    )


def how_it_stands(rows_left: Mapping[str, int] | None) -> str:
    """What a person is told of the rows that are left by table (null: nobody can be asked), and who deletes them."""
    if rows_left is None:
        return f"asked for; ClickHouse cannot be asked. {_WHO_DOES_IT}"
    if not any(rows_left.values()):
        return "forgotten: no row of it is left in ClickHouse"
    tables = ", ".join(f"{count} in {name}" for name, count in rows_left.items() if count)
    return f"asked for, and not yet done: {tables}. {_WHO_DOES_IT}"


def _say(told: dict[str, Any], remaining: "Sequence[Remainder]") -> None:
    say(_summary(told))
    if not told["dry_run"]:
        say(how_it_stands(told["rows_left"]))
    say("What remains, and until when:" if not told["dry_run"] else "What would remain, and until when:")
    rows = [[each.where, f"{each.until:%Y-%m-%d}" if each.until else "you decide", each.what] for each in remaining]
    say_table(["where", "until", "what"], rows)
