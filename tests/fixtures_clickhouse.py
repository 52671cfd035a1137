"""The real ClickHouse engine for the tests, inside this process: one engine per session, a database for every test.

Loaded by `tests/conftest.py`. A process can hold one chDB engine only, so everything shares the one in memory; tests
that need an engine of their own start a process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from streams.sinks.clickhouse_connection import ClickHouseTarget, open_clickhouse
from streams.sinks.migrations_runner import apply_migrations, migrations_folder, read_migrations


@pytest.fixture(scope="session")
def clickhouse_engine() -> Iterator[Client]:
    """Keeps the engine in memory alive for the session: it forgets everything when its last client closes."""
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    with open_clickhouse(ClickHouseTarget("default", embedded=True)) as client:
        yield client


@pytest.fixture
def clickhouse_target(clickhouse_engine: Client) -> Iterator[ClickHouseTarget]:
    """An empty database that no other test uses."""
    with _a_database(clickhouse_engine) as target:
        yield target


@pytest.fixture
def empty_clickhouse(clickhouse_target: ClickHouseTarget) -> Iterator[Client]:
    """A client of the empty database."""
    with open_clickhouse(clickhouse_target) as client:
        yield client


@pytest.fixture
def clickhouse(empty_clickhouse: Client) -> Client:
    """A client of a database with all tables and views."""
    return _migrated(empty_clickhouse)


@pytest.fixture(scope="module")
def clickhouse_of_module(clickhouse_engine: Client) -> Iterator[Client]:
    """As `clickhouse`, one for all tests of a file: for those that only read what is put into it once."""
    with _a_database(clickhouse_engine) as target, open_clickhouse(target) as client:
        yield _migrated(client)


@contextmanager
def _a_database(engine: Client) -> Iterator[ClickHouseTarget]:
    target = ClickHouseTarget(f"t{uuid4().hex[:10]}", embedded=True)
    yield target
    engine.command(f"DROP DATABASE IF EXISTS {target.database} SYNC")


def _migrated(client: Client) -> Client:
    apply_migrations(client, read_migrations(migrations_folder()))
    return client
