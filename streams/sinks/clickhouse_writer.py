"""Writes a batch into ClickHouse: each of its inserts under a token, so that writing it again adds nothing.

Then what the batch says is forgotten is deleted (`forgotten_rows`), which doing again does no harm either.
`sink_loop` calls it and decides what to do when ClickHouse does not answer.
"""

import time
from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from clickhouse_connect.driver.insert import InsertContext

from streams.sinks.clickhouse_connection import (
    ClickHouseRefusedError,
    ClickHouseTarget,
    ClickHouseUnavailableError,
    open_clickhouse,
)
from streams.sinks.clickhouse_trouble import trouble_of
from streams.sinks.forgotten_rows import delete_forgotten
from streams.sinks.joined_batch import JoinedBatch
from streams.sinks.recorder import Recorder
from streams.sinks.rows import Row, Table

INSERT_SETTINGS: Mapping[str, Any] = {
    # The batch is large already; an asynchronous insert would be acknowledged or repeated on its own terms.
    "async_insert": 0,
    "insert_deduplicate": 1,
    # Without it a repeated batch would be added again to whatever a materialized view sums up.
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}


class InsertFailedError(RuntimeError):
    """ClickHouse did not take an insert; the message says why, in one line."""


class UnwritableBatchError(RuntimeError):
    """A batch cannot be written, however often it is tried; the message says why, in one line."""


class ClickHouseWriter:
    """One connection for writing. After a failure it is opened anew."""

    def __init__(self, target: ClickHouseTarget, recorder: Recorder) -> None:
        self._target = target
        self._recorder = recorder
        self._client: Client | None = None
        self._contexts: dict[str, InsertContext] = {}

    def write(self, batch: JoinedBatch) -> dict[str, int]:
        """Write all inserts of a batch; those that were written before are dropped by ClickHouse.

        Returns:
            Rows by table.

        Raises:
            InsertFailedError: an insert did not succeed or its fate is unknown; write the same batch again.
            ClickHouseRefusedError: ClickHouse does not let us; trying again would not change that.
            UnwritableBatchError: a row does not fit into its table.
        """
        try:
            for token, rows in batch.inserts():
                started = time.perf_counter()
                self._insert(batch.table, token, rows)
                self._recorder.sink_inserted(batch.table.name, len(rows), time.perf_counter() - started)
            for member in batch.members:
                if member.forgotten:
                    delete_forgotten(self._connected(), member)
        except (ClickHouseError, ClickHouseUnavailableError, OSError, TypeError, ValueError) as error:
            self.close()
            raise self._meant(error, batch) from None
        return {batch.table.name: batch.row_count}

    def _meant(self, error: Exception, batch: JoinedBatch) -> Exception:
        if isinstance(error, ClickHouseRefusedError):
            return error
        if isinstance(error, ClickHouseUnavailableError):
            return InsertFailedError(str(error))
        trouble = trouble_of(error, batch.table.name)
        if trouble.verdict == "refused":
            return ClickHouseRefusedError(f"{self._target} refuses: {trouble.told}.")
        if trouble.verdict == "bug":
            places = ", ".join(f"{each.topic}[{each.partition}]@{each.start}" for each in batch.members)
            return UnwritableBatchError(f"{places} cannot be written: {trouble.told}.")
        return InsertFailedError(trouble.told)

    def _insert(self, table: Table[Any], token: str, rows: list[Row]) -> None:
        client = self._connected()
        context = self._contexts.get(table.name)
        if context is None:
            context = client.create_insert_context(table.name, column_names=table.columns)
            self._contexts[table.name] = context
        context.settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        client.insert(context=context, data=rows)

    def _connected(self) -> Client:
        if self._client is None:
            self._client = open_clickhouse(self._target)
        return self._client

    def close(self) -> None:
        """Let go of the connection."""
        self._contexts.clear()
        if self._client is not None:
            self._client.close()
            self._client = None
