"""Brings the tables of ClickHouse up to date: numbered SQL files, each applied once, in order.

The files stand in `deploy/clickhouse` of the repository and travel in the wheel as `streams/sinks/migrations`. What
was applied stands in `schema_migrations` with a checksum, so that an edited old file is noticed. `careline migrate`
runs it, and `careline sink` before it begins. Statements are written so that a half-applied file can be applied again:
ClickHouse has no transactions for DDL.
"""

import hashlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from streams.sinks.clickhouse_trouble import trouble_of
from streams.sinks.sql_text import split_statements

FILE_NAME = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
LOCK_WAIT_SECONDS = 30.0
"""Two processes of one deployment start together; the second waits for the first, whose migrations take seconds."""
LOCK_STALE_AFTER = timedelta(minutes=10)
"""Nobody migrates for so long: whoever held the lock has died."""

_TABLE_EXISTS = 57  # ClickHouse: TABLE_ALREADY_EXISTS
_TRACKING_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt16,
    name       String,
    checksum   String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
"""

MigrationState = Literal["applied", "pending", "changed", "unknown"]


class MigrationError(RuntimeError):
    """The tables could not be brought up to date; the message names file, cause and way out."""


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, line ends normalised."""
        return hashlib.sha256(self.script.replace("\r\n", "\n").encode()).hexdigest()

    @property
    def label(self) -> str:
        """As the file is called, without its suffix."""
        return f"{self.number:04d}_{self.name}"


class MigrationStatus(NamedTuple):
    """How one migration stands. `changed`: applied with another text; `unknown`: applied by a newer Careline."""

    label: str
    state: MigrationState
    applied_at: datetime | None


def migrations_folder() -> Path:
    """Where the files are: in the installed package, else in the repository.

    Raises:
        MigrationError: in neither.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "migrations", here.parents[1] / "deploy" / "clickhouse"):
        if any(folder.glob("[0-9]*.sql")):
            return folder
    raise MigrationError("the migration files are missing from this installation; install Careline again")


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of a folder in order.

    Raises:
        MigrationError: a file is misnamed, or a number is missing or taken twice.
    """
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is called like 0004_what_it_does.sql")
        migrations.append(Migration(int(match["number"]), match["name"], path.read_text(encoding="utf-8")))
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationError(
                f"{migration.label}.sql: expected number {expected:04d} here; numbers have no gaps or doubles"
            )
    return migrations


def migration_status(client: Client, migrations: list[Migration]) -> list[MigrationStatus]:
    """How the database stands, compared with the files. Writes nothing."""
    applied = _applied(client)
    statuses = [
        MigrationStatus(migration.label, *_state(migration, applied.pop(migration.number, None)))
        for migration in migrations
    ]
    return statuses + [
        MigrationStatus(f"{number:04d}_{row[0]}", "unknown", row[2]) for number, row in sorted(applied.items())
    ]


def pending_status(migrations: list[Migration]) -> list[MigrationStatus]:
    """How migrations stand where there is no database yet."""
    return [MigrationStatus(migration.label, "pending", None) for migration in migrations]


def apply_migrations(
    client: Client, migrations: list[Migration], pause: Callable[[float], None] = time.sleep
) -> list[Migration]:
    """Apply what is pending, in order, under a lock. Returns what was applied now.

    Raises:
        MigrationError: an applied file has changed, a statement failed, or somebody else holds the lock.
        ClickHouseError: ClickHouse went away in the middle, or does not let us.
    """
    _refuse_changed(migration_status(client, migrations))
    if not _pending(client, migrations):
        return []
    client.command(_TRACKING_TABLE)
    with _lock(client, pause):
        pending = _pending(client, migrations)  # again: whoever held the lock before may have applied them
        for migration in pending:
            _apply(client, migration)
    return pending


def _state(migration: Migration, row: tuple[str, str, datetime] | None) -> tuple[MigrationState, datetime | None]:
    if row is None:
        return "pending", None
    return ("applied" if row[1] == migration.checksum else "changed"), row[2]


def _pending(client: Client, migrations: list[Migration]) -> list[Migration]:
    applied = _applied(client)
    return [migration for migration in migrations if migration.number not in applied]


def _applied(client: Client) -> dict[int, tuple[str, str, datetime]]:
    if not client.command("EXISTS TABLE schema_migrations"):
        return {}
    rows = client.query("SELECT number, name, checksum, applied_at FROM schema_migrations FINAL").result_rows
    return {number: (name, checksum, applied_at) for number, name, checksum, applied_at in rows}


def _refuse_changed(statuses: list[MigrationStatus]) -> None:
    changed = [status.label for status in statuses if status.state == "changed"]
    if changed:
        raise MigrationError(
            f"{', '.join(changed)}: applied before with another text; restore the file, put the change into a new one"
        )


def _apply(client: Client, migration: Migration) -> None:
    for position, statement in enumerate(split_statements(migration.script), start=1):
        try:
            client.command(statement)
        except DatabaseError as error:
            if not _is_final(error):
                raise
            raise MigrationError(
                f"{migration.label}.sql, statement {position}: {error}\n"
                f"Nothing after it was applied; correct the cause and run `careline migrate` again"
            ) from None
    client.insert(
        "schema_migrations",
        [[migration.number, migration.name, migration.checksum]],
        column_names=["number", "name", "checksum"],
        settings={"async_insert": 0},
    )


@contextmanager
def _lock(client: Client, pause: Callable[[float], None]) -> Iterator[None]:
    # CREATE TABLE without IF NOT EXISTS succeeds for exactly one of many: the only atomic step ClickHouse offers here.
    waited = 0.0
    while not _take_lock(client):
        _break_stale_lock(client)
        if waited >= LOCK_WAIT_SECONDS:
            raise MigrationError(
                f"{_lock_holder(client)} is migrating this database; wait for it, or, if it is dead, "
                f"DROP TABLE schema_migrations_lock"
            )
        pause(0.5)
        waited += 0.5
    try:
        yield
    finally:
        client.command("DROP TABLE IF EXISTS schema_migrations_lock SYNC")


def _take_lock(client: Client) -> bool:
    holder = f"process {os.getpid()} on {socket.gethostname()}"
    try:
        client.command(f"CREATE TABLE schema_migrations_lock (x UInt8) ENGINE = Memory COMMENT '{holder}'")
    except DatabaseError as error:
        if not _is_final(error):
            raise
        if error.code != _TABLE_EXISTS:
            raise MigrationError(f"the migration lock cannot be taken: {error}") from None
        return False
    return True


def _is_final(error: DatabaseError) -> bool:
    """Whether ClickHouse has judged the statement; an absent server and one that refuses us have not."""
    is_away = isinstance(error, OperationalError) and error.code is None
    return not is_away and trouble_of(error).verdict != "refused"


def _lock_holder(client: Client) -> str:
    sql = "SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'schema_migrations_lock'"
    return str(client.command(sql) or "somebody else")


def _break_stale_lock(client: Client) -> None:
    sql = (
        "SELECT metadata_modification_time FROM system.tables "
        "WHERE database = currentDatabase() AND name = 'schema_migrations_lock'"
    )
    rows = client.query(sql).result_rows
    if rows and datetime.now(UTC) - _aware(rows[0][0]) > LOCK_STALE_AFTER:
        client.command("DROP TABLE IF EXISTS schema_migrations_lock SYNC")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
