"""A ClickHouse server for tests: the real engine (chDB) behind the real HTTP protocol as clickhouse-connect speaks it.

`python -m tests.faults.clickhouse_server FOLDER PORT` serves until it is told to stop. Queries come in the body or the
parameter `query`, settings as other parameters, inserts as a body in the named format, compressed as
`Content-Encoding` says. Errors are what ClickHouse's are: a status, `X-ClickHouse-Exception-Code`, a text.
While a file `read-only` lies beside the folder, inserts are those of a user who may only read.
"""

import re
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]
import zstandard
from typing_extensions import override

TRANSPORT = {
    "query", "database", "session_id", "session_timeout", "session_check", "query_id", "quota_key", "compress",
    "decompress", "wait_end_of_query", "client_protocol_version", "role", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "enable_http_compression", "buffer_size", "user", "password",
}  # fmt: skip
"""Parameters that are not settings of the engine."""
BOUND = "param_"
"""Before the name of a bound parameter of a query."""
READ_ONLY = "read-only"
"""Beside the engine's folder: a file that makes every user one who may only read."""
_INSERT = re.compile(r"^\s*INSERT\s+INTO\s", re.IGNORECASE)
_INSERT_WITH_ROWS = re.compile(rb"(\s*INSERT\s+INTO\s[^\0]*?\bFORMAT\s+\w+)[ \t]*\n", re.IGNORECASE)
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
            settings = {n: v for n, v in parameters.items() if n not in TRANSPORT and not n.startswith(BOUND)}
            bound = {n.removeprefix(BOUND): v for n, v in parameters.items() if n.startswith(BOUND)}
            if _INSERT.match(query) and data:
                return self._insert(query, data, settings), ""
            found = _FORMAT.search(query)
            shape = found[1] if found else "TabSeparated"
            sql = _FORMAT.sub("", query) if found else query
            clause = _clause(settings)
            if clause and re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) and not _SETTINGS.search(sql):
                sql = f"{sql} SETTINGS {clause}"
            return self._connection.query(sql, shape, params=bound).bytes() or b"", shape

    def _insert(self, query: str, data: bytes, settings: dict[str, str]) -> bytes:
        found = _FORMAT.search(query)
        shape = found[1] if found else "Native"
        into = _FORMAT.sub("", query)
        is_read_only = (self._folder.parent / READ_ONLY).exists()
        clause = _clause({**settings, "readonly": "1"} if is_read_only else settings)
        with tempfile.NamedTemporaryFile(dir=self._folder.parent, suffix=".block") as file:
            file.write(data)
            file.flush()
            tail = f" SETTINGS {clause}" if clause else ""
            self._connection.query(f"{into} FROM INFILE '{file.name}'{tail} FORMAT {shape}")
        return b""


def _clause(settings: dict[str, str]) -> str:
    return ", ".join(f"{name} = '{value}'" for name, value in settings.items())


def _query_and_data(query: str, body: bytes) -> tuple[str, bytes]:
    """The query, and the rows of an insert: in the body, or behind the line that ends with its format."""
    if query:
        return query, body
    inserted = _INSERT_WITH_ROWS.match(body)
    if inserted is None:
        return body.decode(), b""
    return inserted[1].decode(), body[inserted.end() :]


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body; a client may have packed each block by itself, so frames that follow each other are one stream."""
    match encoding:
        case "lz4":
            frames = _frames(body, lz4.frame.LZ4FrameDecompressor)
        case "zstd":
            frames = _frames(body, zstandard.ZstdDecompressor().decompressobj)
        case "gzip" | "deflate":
            frames = _frames(body, lambda: zlib.decompressobj(47))
        case _:
            return body
    return b"".join(frames)


def _frames(packed: bytes, unpacker: Callable[[], Any]) -> Iterator[bytes]:
    while packed:
        one = unpacker()
        yield one.decompress(packed)
        packed = one.unused_data or b""


def _answered(engine: Engine, query: str, data: bytes, parameters: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    try:
        answer, shape = engine.run(query, data, parameters)
    except RuntimeError as error:
        code = _CODE.search(str(error))
        return 500, str(error).encode(), {"X-ClickHouse-Exception-Code": code[1] if code else "1000"}
    return 200, answer, {"X-ClickHouse-Format": shape} if shape else {}


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        try:
            body = _unpacked(self._body(), self.headers.get("Content-Encoding", ""))
        except RuntimeError as error:
            self._answer(400, f"Code: 432. DB::Exception: {error}".encode(), {"X-ClickHouse-Exception-Code": "432"})
            return
        if urlsplit(self.path).path == "/ping":
            self._answer(200, b"Ok.\n", {})
            return
        query, data = _query_and_data(parameters.get("query", ""), body)
        self._answer(*_answered(self.engine, query, data, parameters))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(whole)

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
