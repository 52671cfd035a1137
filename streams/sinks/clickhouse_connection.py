"""A ClickHouse to talk to, from one URL: a server, or the same engine inside this process (chDB).

`http(s)://user:password@host:port/database` is a server; `chdb://` the embedded engine in the data folder, `chdb:///folder`
in a folder of its own, `chdb://memory` without any. `migrations_runner`, `sink_loop` and `sql_service` have the client
next. A password is in the URL and nowhere else: neither in a log nor in an error.
"""

import fcntl
import os
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from typing_extensions import override

from streams.sinks.clickhouse_trouble import trouble_of

DEFAULT_DATABASE = "careline"
CONNECT_SECONDS = 5
"""An absent server is noticed within this; the sink then waits with back-off."""
ANSWER_SECONDS = 60
"""One insert or query may take this long; beyond it the server counts as absent."""


class ClickHouseUnavailableError(RuntimeError):
    """ClickHouse cannot be opened; the message names the cause and the way out."""


class ClickHouseRefusedError(ClickHouseUnavailableError):
    """ClickHouse answers and does not let us; waiting would not change that."""


class ClickHouseTarget(NamedTuple):
    """Where ClickHouse is. For the embedded engine `folder` is its place (null: in memory) and the host is empty."""

    database: str
    embedded: bool
    folder: Path | None = None
    host: str = ""
    port: int = 8123
    secure: bool = False
    user: str = "default"
    password: str = ""

    @override
    def __str__(self) -> str:
        """As it may be shown: without the password."""
        if self.embedded:
            return f"the embedded ClickHouse in {self.folder or 'memory'}"
        return f"ClickHouse at {'https' if self.secure else 'http'}://{self.host}:{self.port}/{self.database}"

    @override
    def __repr__(self) -> str:
        return f"ClickHouseTarget({self})"


def read_target(url: str, data_dir: Path | None = None) -> ClickHouseTarget:
    """What a URL says. `data_dir` is where a plain `chdb://` keeps its data; without it the engine is in memory.

    Raises:
        ClickHouseUnavailableError: the URL cannot be read.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ClickHouseUnavailableError(_unreadable()) from None
    if parts.scheme == "chdb":
        database = parse_qs(parts.query).get("database", [DEFAULT_DATABASE])[0]
        return ClickHouseTarget(database, embedded=True, folder=_folder(parts.netloc, unquote(parts.path), data_dir))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ClickHouseUnavailableError(_unreadable())
    secure = parts.scheme == "https"
    return ClickHouseTarget(
        database=unquote(parts.path.strip("/")) or DEFAULT_DATABASE,
        embedded=False,
        host=parts.hostname,
        port=port or (8443 if secure else 8123),
        secure=secure,
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
    )


def _folder(netloc: str, path: str, data_dir: Path | None) -> Path | None:
    if netloc == "memory":
        return None
    if netloc or path.strip("/"):
        return Path(netloc + path)
    return None if data_dir is None else data_dir / "clickhouse"


def _unreadable() -> str:
    return (
        "CARELINE_CLICKHOUSE cannot be read; write http://user:password@host:8123/database for a server, "
        "or chdb:// for the embedded engine"
    )


def has_data(target: ClickHouseTarget) -> bool:
    """Whether there can be anything to look at: opening an embedded engine where none is would make one."""
    folder = target.folder
    return folder is None or (folder.is_dir() and any(folder.iterdir()))


def open_clickhouse(target: ClickHouseTarget, *, create_database: bool = False) -> Client:
    """A client whose instants are aware. `create_database` makes the database where it is missing.

    A client is for one thread at a time; threads open their own.

    Raises:
        ClickHouseRefusedError: a server answers and refuses.
        ClickHouseUnavailableError: no server answers, or the embedded engine is open elsewhere.
    """
    try:
        return _open_embedded(target) if target.embedded else _open_server(target, create_database=create_database)
    except (ClickHouseError, OSError) as error:
        trouble = trouble_of(error)
        if trouble.verdict == "refused":
            raise ClickHouseRefusedError(f"{target} refuses: {trouble.told}.") from None
        raise ClickHouseUnavailableError(f"{target} does not answer: {_cause(error)}") from None


def _open_server(target: ClickHouseTarget, *, create_database: bool) -> Client:
    if create_database:
        with _server_client(target, database="__default__") as client:
            client.command(f"CREATE DATABASE IF NOT EXISTS {quoted(target.database)}")
    return _server_client(target, target.database)


def _server_client(target: ClickHouseTarget, database: str) -> Client:
    return clickhouse_connect.get_client(
        host=target.host,
        port=target.port,
        secure=target.secure,
        username=target.user,
        password=target.password,
        database=database,
        connect_timeout=CONNECT_SECONDS,
        send_receive_timeout=ANSWER_SECONDS,
        tz_mode="aware",
        autogenerate_session_id=False,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ClickHouseUnavailableError(
            f"the folder {folder} of the embedded ClickHouse cannot be made: {error.strerror or error}; "
            "name one that can be written to in CARELINE_CLICKHOUSE (chdb:///FOLDER) or CARELINE_DATA_DIR"
        ) from None


def _open_embedded(target: ClickHouseTarget) -> Client:
    options: dict[str, Any] = {"tz_mode": "aware"}
    if target.folder is not None:
        _make_folder(target.folder)
        _refuse_if_open_elsewhere(target.folder)
        options["path"] = str(target.folder)
    try:
        client = clickhouse_connect.get_client(interface="chdb", **options)
    except ImportError:
        raise ClickHouseUnavailableError(
            "the embedded ClickHouse (chDB) is not installed; install careline[embedded], "
            "or set CARELINE_CLICKHOUSE to a server"
        ) from None
    client.command(f"CREATE DATABASE IF NOT EXISTS {quoted(target.database)}")
    client.database = target.database
    return client


def _refuse_if_open_elsewhere(folder: Path) -> None:
    # The engine locks its status file too, but says so on stderr and in words of its own. A lock of this process (the
    # engine is already open here) belongs to another open file, so it has to be told apart by the process id inside.
    status = folder / "status"
    if not status.exists():
        return
    with status.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(file.read(400))
        else:
            return
    if owner != str(os.getpid()):
        raise ClickHouseUnavailableError(
            f"the embedded ClickHouse in {folder} is open in process {owner}, and only one process may open it at "
            f"a time; ask that one (careline sql), stop it, or set CARELINE_CLICKHOUSE to a server"
        )


def _owner(status: bytes) -> str:
    for line in status.decode(errors="replace").splitlines():
        if line.startswith("PID:"):
            return line.removeprefix("PID:").strip()
    return "?"


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _cause(error: Exception) -> str:
    text = str(error).strip()
    # The HTTP library wraps what the system said in its own names of connections and pools.
    system = re.search(r"\[Errno -?\d+\] ([^\"')]+)", text)
    if system is not None:
        return system[1]
    return text.splitlines()[0][:300] if text else type(error).__name__
