"""Read-only SQL beside the embedded engine: answers questions, refuses whatever writes, reaches out or never ends."""

import http.client
import json
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from streams.sinks.clickhouse_connection import ClickHouseTarget
from streams.sinks.sql_client import SqlError, ask, ask_table
from streams.sinks.sql_service import SqlAddressError, SqlService

pytestmark = pytest.mark.integration


@pytest.fixture
def service(clickhouse: Client, clickhouse_target: ClickHouseTarget) -> Iterator[SqlService]:
    with SqlService(clickhouse_target, "127.0.0.1", 0) as running:
        yield running


def address_of(service: SqlService) -> tuple[str, int]:
    host, _, port = service.address.rpartition(":")
    return host, int(port)


def test_answers_as_a_table_and_in_formats(service: SqlService, clickhouse_target: ClickHouseTarget) -> None:
    address = address_of(service)
    result = ask_table(clickhouse_target, address, "SELECT number AS n, toString(n) AS t, NULL AS x FROM numbers(2);")
    assert (result.columns, result.types[:2]) == (["n", "t", "x"], ["UInt64", "String"])
    assert result.rows == [[0, "0", None], [1, "1", None]]
    assert ask(clickhouse_target, address, "SELECT 1 AS a FORMAT CSVWithNames", "JSON") == b'"a"\n1\n'
    assert ask(clickhouse_target, address, "SELECT 1 AS a", "TabSeparatedWithNames") == b"a\n1\n"
    assert ["clocks"] in ask_table(clickhouse_target, address, "SHOW TABLES").rows


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO alerts (id) VALUES ('x')",
        "DROP TABLE alerts",
        "ALTER TABLE alerts DELETE WHERE 1",
        "WITH 1 AS x INSERT INTO alerts (id) SELECT toString(x)",
        "SELECT 1; DROP TABLE alerts",
        "SELECT 1 INTO OUTFILE 'stolen.txt'",
        "SELECT 1 /* */ into -- \n outfile 'stolen.txt'",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "DESCRIBE TABLE file('/etc/passwd', 'CSV')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
        "SELECT * FROM alerts SETTINGS readonly = 0",
        "SET readonly = 0",
        "USE system",
        "KILL QUERY WHERE 1",
        "SYSTEM SHUTDOWN",
        "",
        "-- nothing",
    ],
)
def test_only_reading_is_allowed(service: SqlService, clickhouse_target: ClickHouseTarget, statement: str) -> None:
    with pytest.raises(SqlError) as refused:
        ask(clickhouse_target, address_of(service), statement, "JSON")
    assert "\n" not in str(refused.value)
    assert ask(clickhouse_target, address_of(service), "SELECT count() FROM alerts", "TSV") == b"0\n"


def test_too_many_rows_are_refused_rather_than_cut(service: SqlService, clickhouse_target: ClickHouseTarget) -> None:
    with pytest.raises(SqlError, match="more than 100,000 rows; add a LIMIT"):
        ask(clickhouse_target, address_of(service), "SELECT * FROM numbers(100001)", "TSV")


def test_mistakes_are_told_without_a_trace(service: SqlService, clickhouse_target: ClickHouseTarget) -> None:
    with pytest.raises(SqlError, match=r"^Unknown table expression identifier 'nowhere'[^\n]*UNKNOWN_TABLE"):
        ask(clickhouse_target, address_of(service), "SELECT * FROM nowhere", "TSV")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/ping", {}, 200),
        ("GET", "/?query=SELECT+1", {}, 405),
        ("POST", "/", {"Host": "evil.example"}, 403),
        ("POST", "/", {"Content-Length": "99999999"}, 400),
        ("POST", "/?format=Native", {}, 400),
        ("POST", "/?format=JSON", {"Host": "localhost:8124"}, 200),
    ],
)
def test_http_edges(service: SqlService, method: str, path: str, headers: dict[str, str], status: int) -> None:
    connection = http.client.HTTPConnection(*address_of(service), timeout=10)
    try:
        connection.request(method, path, body=b"SELECT 1 AS a" if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert response.status == status, body
    if path.endswith("JSON"):
        assert json.loads(body)["data"] == [{"a": 1}]


def test_listens_on_loopback_only_and_says_when_the_port_is_taken(
    service: SqlService, clickhouse_target: ClickHouseTarget
) -> None:
    with pytest.raises(SqlAddressError, match="is not loopback"):
        SqlService(clickhouse_target, "0.0.0.0", 0)
    with pytest.raises(SqlAddressError, match="CARELINE_SQL_ADDRESS"):
        SqlService(clickhouse_target, *address_of(service))


def test_nobody_to_ask_is_explained(clickhouse_target: ClickHouseTarget) -> None:
    with pytest.raises(SqlError, match=r"no sink answers at 127\.0\.0\.1:1, and there is no data in memory"):
        ask(clickhouse_target, ("127.0.0.1", 1), "SELECT 1", "TSV")
