"""Deletes what is forgotten: rows under a key that are older than the record which says so.

A tombstone in a result topic forgets its key, an `account_forgotten` among the SLA events its accounts. `sink_loop`
collects both, `clickhouse_writer` calls this behind the inserts of the same batch. The place in the log decides: what
an account begins anew afterwards stays, and a replay writes the old rows and deletes them again.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from clickhouse_connect.driver.client import Client

from streams.sinks.batch_intent import AnyBatch
from streams.sinks.rows import EPOCH_SHIFT, TABLES, Table

KEYS_PER_STATEMENT = 1_000
"""About 60 kB: ClickHouse parses 256 kB at most."""


def delete_forgotten(client: Client, batch: AnyBatch) -> None:
    """Delete what the batch says is forgotten, and return when no query finds a row of it any more.

    ClickHouse removes the parts that held them from disk some minutes later (`old_parts_lifetime`).

    Raises:
        ClickHouseError: it did not; do it again.
    """
    for column in batch.table.lists:
        _take_out(client, batch, column)
    for condition, values in _conditions(batch):
        table = batch.table.name
        # A mutation looks at every part, and most partitions have nothing of an account.
        if client.query(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1", values).result_rows:  # noqa: S608 - our own names
            client.command(f"ALTER TABLE {table} DELETE WHERE {condition} SETTINGS mutations_sync = 2", values)


def _take_out(client: Client, batch: AnyBatch, column: str) -> None:
    """Take what is forgotten out of lists that have other keys as well, in all rows that are there."""
    keys = list(batch.forgotten)
    for begin in range(0, len(keys), KEYS_PER_STATEMENT):
        values = {"keys": keys[begin : begin + KEYS_PER_STATEMENT]}
        table, condition = batch.table.name, f"hasAny({column}, %(keys)s)"
        if client.query(f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1", values).result_rows:  # noqa: S608 - our own names
            left = f"arrayFilter(each -> NOT has(%(keys)s, each), {column})"
            client.command(
                f"ALTER TABLE {table} UPDATE {column} = {left} WHERE {condition} SETTINGS mutations_sync = 2", values
            )


def counting_statement(accounts: Iterable[str]) -> str:
    """SQL that tells how many rows of each table are of these accounts, without those that were replaced."""
    names = ", ".join(_literal(account_id) for account_id in accounts)
    counts = (
        f"SELECT '{table.name}' AS name, count() AS rows FROM {table.name} FINAL "  # noqa: S608 - literals, and read-only
        f"WHERE {' OR '.join(f'{key} IN ({names})' for key in _account_keys(table))}"
        for table in TABLES
    )
    return " UNION ALL ".join(counts)


def _account_keys(table: Table[Any]) -> tuple[str, ...]:
    return ("account_id",) if "account_id" in table.columns else table.keys


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _conditions(batch: AnyBatch) -> Iterator[tuple[str, dict[str, object]]]:
    keys = list(batch.forgotten)
    for begin in range(0, len(keys), KEYS_PER_STATEMENT):
        some = keys[begin : begin + KEYS_PER_STATEMENT]
        values: dict[str, object] = {
            "keys": some,
            "versions": [batch.forgotten[key] for key in some],
            "partition": batch.partition,
            "epoch_began": batch.epoch << EPOCH_SHIFT,
        }
        older = " OR ".join(
            f"({key} IN %(keys)s AND version < transform({key}, %(keys)s, %(versions)s, toUInt64(0)))"
            for key in batch.table.keys
        )
        # Versions of different partitions of one life of a topic say nothing about each other.
        yield f"({older}) AND (topic_partition = %(partition)s OR version < %(epoch_began)s)", values
