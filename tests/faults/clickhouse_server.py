"""A ClickHouse server for tests: the real engine (chDB) behind the real HTTP protocol as clickhouse-connect speaks it.

`python -m tests.faults.clickhouse_server FOLDER PORT` serves until it is told to stop. Queries come in the body or the
parameter `query`, settings as other parameters, inserts as a body in the named format, compressed as
`Content-Encoding` says. Errors are what ClickHouse's are: a status, `X-ClickHouse-Exception-Code`, a text.
"""

import re
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import chdb
from typing_extensions import override

TRANSPORT = {
    "query", "database", "session_id", "session_timeout", "session_check", "query_id", "quota_key", "compress",
    "decompress", "wait_end_of_query", "client_protocol_version", "role", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "enable_http_compression", "buffer_size", "user", "password",
}  # fmt: skip
"""Parameters that are not settings of the engine."""
BOUND = "param_"
"""Before the name of a bound parameter of a query."""
_INSERT = re.compile(r"^\s*INSERT\s+INTO\s", re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
_SETTINGS = re.compile(r"\bSETTINGS\b", re.IGNORECASE)
_CODE = re.compile(r"Code: (\d+)")


class Engine:
    """One chDB engine; one query at a time."""

    def __init__(self, folder: Path) -> None:
        self._connection = chdb.connect(str(folder))  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()
        self._folder = folder

    def run(self, query: str, data: bytes, parameters: dict[str, str]) -> tuple[bytes, str]:
        """The answer and its format."""
        with self._lock:
            self._connection.query(f"USE `{parameters.get('database') or 'default'}`")
            self._answer(*_answered(self.engine, query, data, parameters))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"X-ClickHouse-Timezone": "UTC", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test reads what went wrong in the answers."""


def main(folder: str, port: str) -> None:
    """Serve."""
    Handler.engine = Engine(Path(folder))
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    sys.stdout.write(f"listening on {server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
