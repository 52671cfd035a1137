"""Read-only SQL over HTTP on loopback while the engine is embedded: only the sink's process may open it.

`POST /?format=JSON` with the statement as body; the answer is ClickHouse's own output. `sql_client` is the other end,
and curl will do. Writing is refused twice: by `sql_guard`, and by a connection whose settings are read-only for good.
"""

import ipaddress
import logging
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from typing_extensions import override

from streams.sinks.clickhouse_connection import ClickHouseTarget, open_clickhouse
from streams.sinks.sql_guard import SqlRefusedError, names_format, reading_statement

logger = logging.getLogger(__name__)

READ_ONLY_SETTINGS: Mapping[str, int | str] = {
    "max_execution_time": 30,  # seconds; a dashboard's patience
    "max_result_rows": 100_000,  # what a person or a chart can use; larger extracts belong to a server
    "result_overflow_mode": "throw",  # a cut result would look like a whole one
    "max_memory_usage": 2_000_000_000,  # bytes; the sink itself must live on
    "readonly": 1,  # last: nothing can be set after it
}
FORMATS = frozenset(
    {"JSON", "JSONCompact", "JSONEachRow", "TSV", "TabSeparatedWithNames", "CSVWithNames", "PrettyCompact"}
)
MOST_BODY_BYTES = 256 * 1024
IDLE_SECONDS = 10


class SqlAddressError(RuntimeError):
    """The service cannot listen at the address; the message names the cause and the way out."""


def open_read_only(target: ClickHouseTarget) -> Client:
    """A client that can only read, whatever it is asked."""
    client = open_clickhouse(target)
    for name, value in READ_ONLY_SETTINGS.items():
        client.command(f"SET {name} = {value!r}")
    return client


def explain_refusal(error: ClickHouseError) -> str:
    """What ClickHouse says, in one line and without its version."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "(TOO_MANY_ROWS_OR_BYTES)" in text:
        return f"the result has more than {READ_ONLY_SETTINGS['max_result_rows']:,} rows; add a LIMIT"
    if "(TIMEOUT_EXCEEDED)" in text:
        return f"the query took longer than {READ_ONLY_SETTINGS['max_execution_time']} s; narrow it down"
    if "(READONLY)" in text:
        return "only reading is allowed here"
    return text.removeprefix("Code: ").partition("DB::Exception: ")[2] or text


class SqlService:
    """A running service. `address` is the bound one, with the real port where 0 was asked for."""

    def __init__(self, target: ClickHouseTarget, host: str, port: int) -> None:
        """Open a connection of its own and listen.

        Raises:
            SqlAddressError: the address is not on this machine's loopback, or is taken.
        """
        if not _is_loopback(host):
            raise SqlAddressError(f"{host} is not loopback: SQL without a password is for this machine only")
        self._client = open_read_only(target)
        try:
            self._server = _Server((host, port), self._client)
        except OSError as error:
            self._client.close()
            raise SqlAddressError(
                f"the SQL address {host}:{port} cannot be used ({error.strerror}); "
                f"set CARELINE_SQL_ADDRESS to a free one (port 0: any)"
            ) from None
        self.address = f"{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="sql-service", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and let go of the engine."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], client: Client) -> None:
        self.client = client
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = IDLE_SECONDS
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """`/ping` says that the service is alive; a statement is never a link."""
        if self.path == "/ping":
            self._answer(HTTPStatus.OK, b"Ok.\n")
        else:
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, b"POST the statement as the body\n")

    def do_POST(self) -> None:
        """The statement is the body, the output format a parameter."""
        if not _is_loopback(_host_of(self.headers.get("Host", ""))):
            # A web page whose name was turned to 127.0.0.1 could otherwise read through the visitor's browser.
            self._answer(HTTPStatus.FORBIDDEN, b"ask by a loopback name\n")
            return
        try:
            sql, output = self._question()
            statement = reading_statement(sql)
            result = self.server.client.raw_query(statement, fmt=None if names_format(statement) else output)
        except (SqlRefusedError, UnicodeDecodeError) as refusal:
            self._answer(HTTPStatus.BAD_REQUEST, f"{refusal}\n".encode())
        except ClickHouseError as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{explain_refusal(error)}\n".encode())
        else:
            self._answer(HTTPStatus.OK, result)

    def _question(self) -> tuple[str, str]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BODY_BYTES:
            self.close_connection = True
            raise SqlRefusedError(f"the body needs a Content-Length of at most {MOST_BODY_BYTES}")
        output = parse_qs(urlsplit(self.path).query).get("format", ["TabSeparatedWithNames"])[0]
        body = self.rfile.read(int(length)).decode()
        if output not in FORMATS:
            raise SqlRefusedError(f"unknown format; one of {', '.join(sorted(FORMATS))}")
        return body, output

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)


def _host_of(header: str) -> str:
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header
    return host.strip("[]")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
