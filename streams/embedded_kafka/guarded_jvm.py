"""Starts a JVM behind `jvm_guard` and ends it: the owner's side of the pipe that keeps the JVM from being orphaned.

`broker_process` has one of these for each start of its broker.
"""

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from streams.embedded_kafka import jvm_guard

LOG_TAIL_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """How the JVM is treated.

    Attributes:
        grace: Seconds it has for an orderly end when its owner is suddenly gone. Kafka needs less than one; a machine
            under load may need several.
        niceness: Added to its nice value; 19 leaves it only what nobody else wants.
        remove_folder: Remove its folder when its owner is gone.
    """

    grace: float = 10.0
    niceness: int = 0
    remove_folder: bool = False


class GuardedJvm:
    """A running JVM that ends with this process.

    Args:
        command: The command line, with the absolute path of the executable.
        folder: Its working directory, which gets `broker.log`.
        settings: Grace, niceness, removal.
    """

    def __init__(self, command: list[str], folder: Path, settings: GuardSettings) -> None:
        """Start it."""
        self.log = folder / "broker.log"
        self._grace = settings.grace
        guard = [sys.executable, "-I", "-S", jvm_guard.__file__, str(settings.grace), str(settings.niceness)]
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [*guard, str(folder) if settings.remove_folder else "", *command],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # Ctrl-C in a terminal reaches every process in its foreground; this one is ended by us, in order.
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._guard.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status; null while it runs."""
        return self._guard.poll()

    def stop(self, patience: float) -> None:
        """Ask it to end, wait `patience` seconds for that, then end it the hard way; returns when it is gone."""
        pipe = self._guard.stdin
        if pipe is None or pipe.closed:
            return
        with contextlib.suppress(OSError):  # it ended by itself: nobody reads
            pipe.write(jvm_guard.PLEASE_END)
            pipe.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._guard.wait(patience)
        self.abandon()

    def abandon(self) -> None:
        """Do what the death of this process would do, and wait for its consequence."""
        if self._guard.stdin:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
        try:
            # The guard kills the JVM after the grace period; as long again is for a machine that is out of breath.
            self._guard.wait(2 * self._grace + 5)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def log_tail(self) -> str:
        """The last 2 kB that it said."""
        try:
            with self.log.open("rb") as text:
                text.seek(0, 2)
                text.seek(max(0, text.tell() - LOG_TAIL_BYTES))
                return text.read().decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return ""
