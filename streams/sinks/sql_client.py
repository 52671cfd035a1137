"""Asks ClickHouse, wherever it is: a server, the engine inside a running sink, or a data folder that nobody has open.

`careline sql` has the answer next.
"""

import http.client
from typing import Any, NamedTuple

import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.sinks.clickhouse_connection import ClickHouseTarget, ClickHouseUnavailableError, open_clickhouse
from streams.sinks.sql_guard import SqlRefusedError, names_format, reading_statement
from streams.sinks.sql_service import READ_ONLY_SETTINGS, explain_refusal, open_read_only

ANSWER_SECONDS = 40
"""A little longer than the query may take."""


class ResultTable(NamedTuple):
    """An answer as rows; `types` are ClickHouse's names of them, `answered_by` is who gave it, in words."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    answered_by: str = ""


class _Answer(NamedTuple):
    body: bytes
    answered_by: str


class SqlError(RuntimeError):
    """The question has no answer; the message says why and what to do."""


def ask(target: ClickHouseTarget, sql_address: tuple[str, int], sql: str, output: str) -> bytes:
    """The answer to one reading statement, in one of ClickHouse's formats.

    Raises:
        SqlError: the statement is refused or fails, or nobody can be asked.
    """
    return _answer(target, sql_address, sql, output).body


def _answer(target: ClickHouseTarget, sql_address: tuple[str, int], sql: str, output: str) -> _Answer:
    try:
        statement = reading_statement(sql)
        output_format = None if names_format(statement) else output
        if not target.embedded:
            return _Answer(_ask_server(target, statement, output_format), str(target))
        return _ask_sink(target, sql_address, statement, output)
    except ClickHouseError as error:
        raise SqlError(explain_refusal(error)) from None
    except (SqlRefusedError, ClickHouseUnavailableError) as error:
        raise SqlError(str(error)) from None


def ask_table(target: ClickHouseTarget, sql_address: tuple[str, int], sql: str) -> ResultTable:
    """The answer as a table.

    Raises:
        SqlError: as `ask`; also when the statement names a format of its own.
    """
    if names_format(sql):
        raise SqlError("leave out FORMAT to see a table")
    body, answered_by = _answer(target, sql_address, sql, "JSONCompact")
    answer = msgspec.json.decode(body)
    columns = [column["name"] for column in answer["meta"]]
    return ResultTable(columns, [column["type"] for column in answer["meta"]], answer["data"], answered_by)


def _ask_server(target: ClickHouseTarget, statement: str, output: str | None) -> bytes:
    with open_clickhouse(target) as client:
        limits = {name: value for name, value in READ_ONLY_SETTINGS.items() if name != "readonly"}
        # A user who may only read cannot change any setting; everybody else is made one who may only read.
        settings = {} if str(client.command("SELECT getSetting('readonly')")) == "1" else {**limits, "readonly": 2}
        return client.raw_query(statement, fmt=output, settings=settings)


def _ask_sink(target: ClickHouseTarget, address: tuple[str, int], statement: str, output: str) -> _Answer:
    connection = http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)
    try:
        connection.request("POST", f"/?format={output}", body=statement.encode())
        response = connection.getresponse()
        body = response.read()
    except ConnectionRefusedError:
        return _Answer(_ask_folder(target, address, statement, output), str(target))
    except (OSError, http.client.HTTPException) as error:
        raise SqlError(f"the sink at {address[0]}:{address[1]} does not answer: {error}") from None
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise SqlError(body.decode(errors="replace").strip())
    return _Answer(body, f"the sink at {address[0]}:{address[1]}")


def _ask_folder(target: ClickHouseTarget, address: tuple[str, int], statement: str, output: str) -> bytes:
    if target.folder is None or not target.folder.is_dir():
        raise SqlError(
            f"no sink answers at {address[0]}:{address[1]}, and there is no data in {target.folder or 'memory'}; start "
            f"`careline sink` or `careline demo`, or set CARELINE_SQL_ADDRESS or CARELINE_CLICKHOUSE"
        )
    with open_read_only(target) as client:
        return client.raw_query(statement, fmt=None if names_format(statement) else output)
