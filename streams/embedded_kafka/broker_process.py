"""A real Apache Kafka broker as a child of this process, for one machine: demonstrations and tests.

    with EmbeddedKafka(runtime) as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)

Java and the jars come from `kafka_runtime`, the configuration from `broker_config`; `guarded_jvm` ends the broker when
this process is gone. Clients have `bootstrap` next. For anything that matters, use a cluster of several machines.
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

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
    EmbeddedKafkaError,
    FolderInUseError,
    NoSpaceError,
    PortTakenError,
)
from streams.embedded_kafka.guarded_jvm import GuardedJvm, GuardSettings
from streams.embedded_kafka.jar_store import FetchProgress
from streams.embedded_kafka.kafka_runtime import KafkaInstallation, KafkaRuntime
from streams.embedded_kafka.launch_command import SMALL, JvmProfile, archive_path, java_command

START_SECONDS = 90.0  # 5 s on an idle machine; a loaded two-core machine has been seen to need 40 s
STOP_SECONDS = 15.0  # 0.4 s on an idle machine
POLL_SECONDS = 0.05
LOST_RACES = 3  # how often a free port that somebody else took meanwhile is replaced


class EmbeddedKafka:
    """One broker with its own data folder.

    Args:
        runtime: Where Java and the jars come from.
        folder: Keeps the data, for the next start as well; null for a temporary folder that is removed at the end, even
            when this process is killed.
        port: Port for clients on loopback; 0 for a free one.
        profile: Memory and compiler of the JVM.
        on_progress: Told about jars that have to be fetched.
        guarding: How the JVM is treated; whether its folder is removed follows from `folder`.
    """

    def __init__(
        self,
        runtime: KafkaRuntime,
        folder: Path | None = None,
        port: int = 0,
        *,
        profile: JvmProfile = SMALL,
        on_progress: Callable[[FetchProgress], None] | None = None,
        guarding: GuardSettings | None = None,
    ) -> None:
        """Nothing is started yet."""
        self.profile = profile
        self.runtime = runtime
        self._kept_folder = folder
        self._wanted_port = port
        self._on_progress = on_progress
        self._guarding = replace(guarding or GuardSettings(), remove_folder=folder is None)
        self._jvm: GuardedJvm | None = None
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
        return self._jvm is not None and self._jvm.running

    @property
    def folder(self) -> Path | None:
        """Where its data and `broker.log` are; null before the first start."""
        return self._folder

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
        installation = self.runtime.install(self._on_progress)
        archive = archive_path(installation, self.profile)
        for attempt in range(LOST_RACES):
            last = attempt + 1 == LOST_RACES
            try:
                self._start_once(installation, timeout, record)
            except PortTakenError:
                if self._wanted_port or last:
                    raise
            except BrokerStartError:
                # A damaged archive can end a JVM. It is only there to save time, so the next attempt goes without.
                if record or last or not archive.exists():
                    raise
                archive.unlink(missing_ok=True)
            else:
                break
        return self

    def stop(self, patience: float = STOP_SECONDS) -> None:
        """End the broker and wait until it is gone; a stopped one is left alone.

        After `patience` seconds, and a grace period, a broker that does not end is killed; its data survive that.
        """
        if self._jvm:
            self._jvm.stop(patience)
        self._remove_temporary_folder()

    def abandon(self) -> None:
        """End the broker as the death of this process would, with no more time than the grace period.

        May be called while another thread is in `start` or `stop`, which then end early.
        """
        if self._jvm:
            self._jvm.abandon()
        self._remove_temporary_folder()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _start_once(self, installation: KafkaInstallation, timeout: float, record: Path | None) -> None:
        if self._wanted_port:
            require_free(self._wanted_port)
        node = BrokerNode(1, self._wanted_port or find_free_port(), find_free_port())
        folder = self._prepare_folder()
        config = folder / "server.properties"
        try:
            cluster_id = _format_data(folder / "data", node.node_id)
            config.write_text(server_properties(node, (node,), folder / "data"), encoding="utf-8")
            self._jvm = GuardedJvm(
                java_command(installation, self.profile, config, record=record), folder, self._guarding
            )
            self._node = node
            _wait_until_ready(self._jvm, node.port, cluster_id, timeout)
        except BaseException:  # an interrupted start must not leave a broker either
            self.stop()
            raise

    def _prepare_folder(self) -> Path:
        try:
            if self._kept_folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="careline-kafka-"))
            else:
                self._folder = self._kept_folder.absolute()
            (self._folder / "data").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NoSpaceError(
                f"Kafka's data cannot be kept in {error.filename}: {error.strerror}",
                "Free some space, or name a folder that can be written (--data DIR)",
            ) from error
        return self._folder

    def _remove_temporary_folder(self) -> None:
        if self._kept_folder is None and self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


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


def _wait_until_ready(jvm: GuardedJvm, port: int, cluster_id: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not answers_as(port, cluster_id):
        if not jvm.running:
            raise start_error(jvm.log, jvm.log_tail(), f"Kafka ended while starting (exit status {jvm.status})")
        if time.monotonic() > deadline:
            raise start_error(jvm.log, jvm.log_tail(), f"Kafka did not answer within {timeout:.0f} s")
        time.sleep(POLL_SECONDS)


def start_error(log: Path, tail: str, what: str) -> EmbeddedKafkaError:
    """The error that fits what the broker said at its end.

    Args:
        log: Its log file, for the message.
        tail: The end of that file.
        what: What was seen from outside.
    """
    if "Address already in use" in tail:
        return PortTakenError("Another program took Kafka's port while it started", "Try again, or choose a port")
    if "Failed to acquire lock" in tail:
        return FolderInUseError(f"Another Kafka works in {log.parent}", "Stop it, or name another folder (--data DIR)")
    if os.strerror(errno.ENOSPC) in tail:
        return NoSpaceError("The disk is full: Kafka could not write its data", "Free some space, or use another disk")
    return BrokerStartError(
        f"{what}. Its last words, from {log}:\n{tail}\n",
        "If the data folder may be damaged, remove it or name another; otherwise use a Kafka that runs (--kafka)",
    )
