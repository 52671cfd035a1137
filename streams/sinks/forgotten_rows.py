"""Deletes what is forgotten: rows under a key that are older than the record which says so.

A tombstone in a result topic forgets its key, an `account_forgotten` among the SLA events its accounts. `sink_loop`
collects both, `clickhouse_writer` calls this behind the inserts of the same batch. The place in the log decides: what
an account begins anew afterwards stays, and a replay writes the old rows and deletes them again.

Every partition of interactions passes an `account_forgotten` on at its own time, and speaks for itself alone: another
one, which was faster, may tell of the new life already. Where rows say who told them, only its own go.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from streams.sinks.batch_intent import AnyBatch
from streams.sinks.rows import EPOCH_SHIFT, TABLES, Table

KEYS_PER_STATEMENT = 1_000
"""About 60 kB: ClickHouse parses 256 kB at most."""


class _Some(NamedTuple):
    """Keys of one statement: which rows are older than their forgetting, and what the placeholders stand for."""

    here: str
    values: dict[str, object]

    def older(self, key: str) -> str:
        """Whether a row is older than the forgetting of an expression."""
        return f"({key} IN %(keys)s AND version < transform({key}, %(keys)s, %(versions)s, toUInt64(0)))"


def delete_forgotten(client: Client, batch: AnyBatch) -> None:
    """Delete what the batch says is forgotten, and return when no query finds a row of it any more.

    ClickHouse removes the parts that held them from disk some minutes later (`old_parts_lifetime`).

    Raises:
        ClickHouseError: it did not; do it again.
    """
    table = batch.table
    for some in _statements(batch):
        for column in table.lists:
            gone = f"{some.older('each')} AND {some.here}"
            nobody_left = f"notEmpty({column}) AND arrayAll(each -> {gone}, {column})"
            _change(client, table, "DELETE", nobody_left, some.values)
            # Rows of others as well, which stay.
            left = f"arrayFilter(each -> NOT ({gone}), {column})"
            _change(client, table, f"UPDATE {column} = {left}", f"arrayExists(each -> {gone}, {column})", some.values)
        older = " OR ".join(some.older(key) for key in table.keys)
        _change(client, table, "DELETE", f"({older}) AND {some.here}", some.values)


def _change(client: Client, table: Table[Any], what: str, condition: str, values: Mapping[str, object]) -> None:
    # A mutation looks at every part, and most partitions have nothing of an account.
    if client.query(f"SELECT 1 FROM {table.name} WHERE {condition} LIMIT 1", dict(values)).result_rows:  # noqa: S608 - our own names
        statement = f"ALTER TABLE {table.name} {what} WHERE {condition} SETTINGS mutations_sync = 2"
        client.command(statement, dict(values))


def counting_statement(accounts: Iterable[str]) -> str:
    """SQL that tells how many rows of each table are of these accounts or list them, replaced ones apart."""
    names = ", ".join(_literal(account_id) for account_id in accounts)
    counts = (
        f"SELECT '{table.name}' AS name, count() AS rows FROM {table.name} FINAL "  # noqa: S608 - literals, and read-only
        f"WHERE {' OR '.join([*(f'{key} IN ({names})' for key in _account_keys(table)), *_listed(table, names)])}"
        for table in TABLES
    )
    return " UNION ALL ".join(counts)


def _account_keys(table: Table[Any]) -> tuple[str, ...]:
    return ("account_id",) if "account_id" in table.columns else table.keys


def _listed(table: Table[Any], names: str) -> list[str]:
    return [f"hasAny({column}, [{names}])" for column in table.lists]


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _statements(batch: AnyBatch) -> Iterator[_Some]:
    for told_by, versions in batch.forgotten.items():
        # Versions of different partitions of one life of a topic say nothing about each other.
        here = "topic_partition = %(partition)s"
        if told_by is not None:
            here += f" AND {batch.table.origin} = %(told_by)s"
        rest = iter(versions.items())
        while some := dict(islice(rest, KEYS_PER_STATEMENT)):
            values: dict[str, object] = {
                "keys": list(some),
                "versions": list(some.values()),
                "partition": batch.partition,
                "told_by": told_by,
                "epoch_began": batch.epoch << EPOCH_SHIFT,
            }
            yield _Some(f"({here} OR version < %(epoch_began)s)", values)
