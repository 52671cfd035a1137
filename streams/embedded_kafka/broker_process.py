"""A real Apache Kafka broker as a child of this process, for one machine: demonstrations and tests.

    with EmbeddedKafka(runtime) as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)

Java and the jars come from `kafka_runtime`, the configuration from `broker_config`; `jvm_guard` ends the JVM when this
process is gone. Clients have `bootstrap` next. For anything that matters, use a cluster of several machines instead.
"""

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.embedded_kafka import jvm_guard
from streams.embedded_kafka.broker_config import (
    BOOTSTRAP_CHECKPOINT,
    BrokerNode,
    cluster_id_of,
    meta_properties,
    new_kafka_id,
    server_properties,
)
from streams.embedded_kafka.broker_probe import answers_as, find_free_port, require_free
from streams.embedded_kafka.embedded_errors import (
    BrokerStartError,
    FolderInUseError,
    NoSpaceError,
    PortTakenError,
)
from streams.embedded_kafka.jar_store import FetchProgress
from streams.embedded_kafka.kafka_runtime import KafkaInstallation, KafkaRuntime
from streams.embedded_kafka.launch_command import SMALL, JvmProfile, java_command

START_SECONDS = 90.0  # 5 s on an idle machine; a loaded two-core machine has been seen to need 40 s
POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0
LOST_RACES = 3  # how often a free port that somebody else took meanwhile is replaced
LOG_TAIL_BYTES = 2_000


class EmbeddedKafka:
    """One broker with its own data folder.

    Args:
        runtime: Where Java and the jars come from.
        folder: Keeps the data, for the next start as well; null for a temporary folder that is removed at the end, even
            when this process is killed.
        port: Port for clients on loopback; 0 for a free one.
        profile: Memory and compiler of the JVM.
        on_progress: Told about jars that have to be fetched.
    """

    def __init__(
        self,
        runtime: KafkaRuntime,
        folder: Path | None = None,
        port: int = 0,
        *,
        profile: JvmProfile = SMALL,
        on_progress: Callable[[FetchProgress], None] | None = None,
    ) -> None:
        """Nothing is started yet."""
        self._runtime = runtime
        self._kept_folder = folder
        self._wanted_port = port
        self._profile = profile
        self._on_progress = on_progress
        self._guard: subprocess.Popen[bytes] | None = None
        self._node: BrokerNode | None = None
        self._folder: Path | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; only after `start`."""
        if self._node is None:
            raise BrokerStartError("The embedded Kafka has not been started", "Call start() first")
        return self._node.bootstrap

    @property
    def running(self) -> bool:
        """Whether the broker's process is alive."""
        return self._guard is not None and self._guard.poll() is None

    @property
    def log(self) -> Path | None:
        """The broker's log file; null before the first start."""
        return self._folder / "broker.log" if self._folder else None

    def start(self, timeout: float = START_SECONDS, *, record: Path | None = None) -> Self:
        """Start the broker and return when it answers; a running one is left alone.

        Args:
            timeout: Seconds for the broker to answer, fetching jars not counted.
            record: Make a start-up archive here when the broker stops (see `aot_cache`).

        Raises:
            EmbeddedKafkaError: One of its kinds says what is missing and what to do.
        """
        if self.running:
            return self
        installation = self._runtime.install(self._on_progress)
        for race in range(LOST_RACES):
            try:
                self._start_once(installation, timeout, record)
            except PortTakenError:
                if self._wanted_port or race + 1 == LOST_RACES:
                    raise
            else:
                return self
        return self

    def stop(self, timeout: float = GRACE_SECONDS) -> None:
        """End the broker and wait until it is gone; a stopped one is left alone.

        Kafka writes its logs out within a second. After `timeout` seconds beyond the grace period of the guard, the
        broker is ended the hard way.
        """
        guard, self._guard = self._guard, None
        if guard is None:
            return
        if guard.stdin:
            with contextlib.suppress(OSError):
                guard.stdin.close()
        try:
            guard.wait(GRACE_SECONDS + timeout)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
        if self._kept_folder is None and self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _start_once(self, installation: KafkaInstallation, timeout: float, record: Path | None) -> None:
        node = BrokerNode(1, self._wanted_port or find_free_port(), find_free_port())
        require_free(node.port)
        folder = self._prepare_folder()
        cluster_id = _format_data(folder / "data", node.node_id)
        config = folder / "server.properties"
        config.write_text(server_properties(node, (node,), folder / "data"), encoding="utf-8")
        command = java_command(installation, self._profile, config, record=record)
        self._node = node
        self._guard = _launch(command, folder, removed=self._kept_folder is None)
        try:
            self._wait_until_ready(self._guard, node.port, cluster_id, timeout)
        except BaseException:
            self.stop()
            raise

    def _prepare_folder(self) -> Path:
        try:
            if self._kept_folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="careline-kafka-"))
            else:
                self._folder = self._kept_folder.absolute()
                self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / "data").mkdir(exist_ok=True)
        except OSError as error:
            raise NoSpaceError(
                f"Kafka's data cannot be kept in {error.filename}: {error.strerror}",
                "Free some space, or name a folder that can be written (--data DIR)",
            ) from error
        return self._folder

    def _wait_until_ready(self, guard: subprocess.Popen[bytes], port: int, cluster_id: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not answers_as(port, cluster_id):
            if guard.poll() is not None:
                raise _start_error(self.log, f"Kafka ended while starting (exit status {guard.returncode})")
            if time.monotonic() > deadline:
                raise _start_error(self.log, f"Kafka did not answer within {timeout:.0f} s")
            time.sleep(POLL_SECONDS)


def _format_data(data: Path, node_id: int) -> str:
    """Mark an empty data folder as one of a new cluster; the cluster id, new or found."""
    meta = data / "meta.properties"
    if meta.exists():
        known = cluster_id_of(meta.read_text(encoding="utf-8"))
        if known:
            return known
        raise BrokerStartError(f"{meta} names no cluster", f"Remove {data} to start afresh, or name another folder")
    cluster_id = new_kafka_id()
    (data / "bootstrap.checkpoint").write_bytes(BOOTSTRAP_CHECKPOINT)
    # Renamed into place last, so that a folder with this file is complete.
    unfinished = meta.with_suffix(".unfinished")
    unfinished.write_text(meta_properties(cluster_id, node_id), encoding="utf-8")
    unfinished.rename(meta)
    return cluster_id


def _launch(command: list[str], folder: Path, *, removed: bool, niceness: int = 0) -> subprocess.Popen[bytes]:
    guard = [sys.executable, "-I", "-S", jvm_guard.__file__, str(GRACE_SECONDS), str(niceness)]
    with (folder / "broker.log").open("ab") as log:
        return subprocess.Popen(
            [*guard, str(folder) if removed else "", *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            # Ctrl-C in a terminal reaches every process of the foreground; the broker is stopped by us, in order.
            start_new_session=True,
        )


def _start_error(log: Path | None, what: str) -> BrokerStartError | PortTakenError | FolderInUseError | NoSpaceError:
    """The error that fits what the log says at its end."""
    tail = _tail(log)
    if "Address already in use" in tail:
        return PortTakenError("Another program took Kafka's port while it started", "Try again, or choose a port")
    if "Failed to acquire lock" in tail:
        where = log.parent if log else "the data folder"
        return FolderInUseError(f"Another Kafka works in {where}", "Stop it, or name another folder")
    if os.strerror(errno.ENOSPC) in tail:
        return NoSpaceError("The disk is full: Kafka could not write its data", "Free some space, or use another disk")
    return BrokerStartError(f"{what}. The end of {log}:\n{tail}", "Remove the data folder if it may be damaged")


def _tail(log: Path | None) -> str:
    if log is None:
        return ""
    try:
        with log.open("rb") as text:
            text.seek(0, 2)
            text.seek(max(0, text.tell() - LOG_TAIL_BYTES))
            return text.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
