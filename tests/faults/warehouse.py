"""A ClickHouse server that a test stops, slows down and breaks, and what its tables say beside the topics."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.topics import ADHERENCE, CLOCKS, HEALTH, SLA_EVENTS
from streams.sinks.clickhouse_connection import open_clickhouse, read_target
from tests.faults.house import House, wait_until
from tests.faults.tcp_proxy import TcpProxy
from tests.faults.verdicts import Figures, everything_in

TABLES = {"sla_events": SLA_EVENTS, "clocks": CLOCKS, "adherence": ADHERENCE, "health": HEALTH}
READ_ONLY = "read-only"
"""As `clickhouse_server` calls it."""


class Warehouse:
    """A ClickHouse server behind a way that can be spoilt."""

    def __init__(self, house: House, folder: Path) -> None:
        pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
        self._house = house
        self._folder = folder / "clickhouse"
        self.server, self.port = house.clickhouse(self._folder)
        self.proxy = TcpProxy("127.0.0.1", self.port)
        with open_clickhouse(read_target(self.url(self.port)), create_database=True):
            pass

    def url(self, port: int | None = None) -> str:
        """Through the proxy, unless a port is given."""
        return f"http://127.0.0.1:{port or self.proxy.port}/careline"

    def client(self) -> Client:
        """A connection past the proxy."""
        return open_clickhouse(read_target(self.url(self.port)))

    def close(self) -> None:
        """Close the way; the server ends with its house."""
        self.proxy.close()

    def stop(self) -> None:
        """The server is gone; its data stay."""
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(timeout=30)

    def start(self) -> None:
        """It is back, on the same port."""
        self.server, _ = self._house.clickhouse(self._folder, self.port)

    def ask(self, query: str) -> list[Any]:
        """Rows of an answer."""
        with self.client() as client:
            return list(client.query(query).result_rows)

    def change(self, *statements: str) -> None:
        """What somebody does to the tables by hand."""
        with self.client() as client:
            for statement in statements:
                client.command(statement)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Meanwhile our user may only read."""
        marker = self._folder.parent / READ_ONLY
        marker.touch()
        try:
            yield
        finally:
            marker.unlink()


def facts_in_kafka(house: House) -> dict[str, set[str]]:
    """The ids of what the result topics hold, by table."""
    return {
        table: {str(json.loads(value)["id"]) for _, value in everything_in(house, topic) if value and b'"id"' in value}
        for table, topic in TABLES.items()
    }


def compare_tables(house: House, warehouse: Warehouse, figures: Figures) -> None:
    """Every fact of the topics stands in its table once, also without FINAL: tokens, not merges, see to it."""
    facts = facts_in_kafka(house)["sla_events"]
    wait_until(
        lambda: warehouse.ask("SELECT uniqExact(id) FROM sla_events")[0][0] >= len(facts), "everything is in ClickHouse"
    )
    rows, distinct = warehouse.ask("SELECT count(), uniqExact(id) FROM sla_events")[0]
    figures.doubled += rows - distinct
    figures.lost += len(facts) - distinct
    clocks = facts_in_kafka(house)["clocks"]
    wait_until(lambda: warehouse.ask("SELECT uniqExact(id) FROM clocks")[0][0] >= len(clocks), "all clocks are there")
    missing = clocks - {row[0] for row in warehouse.ask("SELECT id FROM clocks FINAL")}
    figures.lost += len(missing)
