"""Makes the start-up archive that brings a broker's start from three seconds to one: once per user, in the background.

A throw-away broker is started and stopped at the lowest priority; its JVM writes down the classes it loaded (an AOT
cache from Java 25 on, an AppCDS archive before). Nothing depends on it: `launch_command` uses an archive when there is
one. Ending this process ends the work, and leaves neither a process nor half an archive.
"""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.embedded_kafka.broker_process import EmbeddedKafka
from streams.embedded_kafka.embedded_errors import EmbeddedKafkaError
from streams.embedded_kafka.guarded_jvm import GuardSettings
from streams.embedded_kafka.kafka_runtime import KafkaRuntime
from streams.embedded_kafka.launch_command import SMALL, JvmProfile, archive_path

# Lowest priority; and nothing of the throw-away broker is worth waiting for when its owner is gone.
GUARDING = GuardSettings(grace=0.5, niceness=19)
START_SECONDS = 300.0  # at the lowest priority on a busy machine
WRITE_SECONDS = 300.0
CANCEL_SECONDS = 0.2
KEPT_ARCHIVES = 4  # 45 to 60 MB each; a new Java or another profile needs one of its own


def build_archive(runtime: KafkaRuntime, profile: JvmProfile = SMALL) -> Path | None:
    """Make the archive unless it exists, and return its path; null when another process is making it.

    Raises:
        EmbeddedKafkaError: No broker could be started to learn from.
    """
    builder = ArchiveBuilder(runtime, profile)
    return builder.build()


class ArchiveBuilder:
    """Makes the archive in a thread of this process; as a context manager, for as long as the block lasts.

    Args:
        runtime: Where Java and the jars come from.
        profile: What the brokers will be started with; another profile needs another archive.
    """

    def __init__(self, runtime: KafkaRuntime, profile: JvmProfile = SMALL) -> None:
        """Nothing is started yet."""
        self._runtime = runtime
        self._profile = profile
        self._broker = EmbeddedKafka(runtime, profile=profile, guarding=GUARDING)
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-archive", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the background work; whether it is over."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Give up at once; returns when the throw-away broker is gone. An archive that is finished stays."""
        self._cancelled.set()
        self._broker.abandon()
        while self._thread.is_alive():
            # The thread may have been about to start its broker.
            self._thread.join(CANCEL_SECONDS)
            self._broker.abandon()

    def __enter__(self) -> Self:
        """Begin."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is not finished."""
        self.cancel()

    def build(self) -> Path | None:
        """Make the archive here and now; see `build_archive`."""
        archive = archive_path(self._runtime.install(), self._profile)
        if archive.exists():
            return archive
        with _alone(archive) as first:
            if not first:
                return None
            unfinished = archive.with_name(f"{archive.name}.unfinished")
            unfinished.unlink(missing_ok=True)
            try:
                self._broker.start(START_SECONDS, record=unfinished)
                self._broker.stop(WRITE_SECONDS)
                if self._cancelled.is_set() or not unfinished.exists():
                    return None
                unfinished.rename(archive)
            finally:
                unfinished.unlink(missing_ok=True)
        _remove_old(archive)
        return archive

    def _run(self) -> None:
        try:
            self.build()
        except (EmbeddedKafkaError, OSError):
            # The broker that matters runs already; the next start is as slow as this one was, and tries again.
            return


@contextmanager
def _alone(archive: Path) -> Iterator[bool]:
    with archive.with_name("archive.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _remove_old(newest: Path) -> None:
    archives = sorted(newest.parent.glob("kafka-java*"), key=lambda file: file.stat().st_mtime, reverse=True)
    for archive in archives[KEPT_ARCHIVES:]:
        archive.unlink(missing_ok=True)
