"""One program of the demo: started with its own log, asked to end, and gone when this process is gone, however it ends.

Between stands the guard of the embedded Kafka (`streams.embedded_kafka.jvm_guard`), which holds for any program: it
sees the pipe to this process close, even after kill -9, and ends its child. `demo_parts` says what is started.
"""

import contextlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from streams.embedded_kafka import jvm_guard

GRACE_SECONDS = 8.0
"""What a program has for an orderly end once this process is suddenly gone. A worker or a sink needs about one."""
TAIL_BYTES = 3_000


class GuardedChild:
    """A running program.

    Args:
        name: As people read it.
        arguments: Of `python`, for example `-m streams work`.
        folder: Its working directory, with `output` (what it prints) and `log` (what it reports).
        environment: All of its environment variables.
        remove: A folder that the guard removes when this process is suddenly gone; null for none.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        folder: Path,
        environment: Mapping[str, str],
        remove: Path | None = None,
    ) -> None:
        """Start it."""
        self.name = name
        self.log = folder / "log"
        self.output = folder / "output"
        self.is_ending = False
        folder.mkdir(parents=True, exist_ok=True)
        guard = [sys.executable, "-I", "-S", jvm_guard.__file__, str(GRACE_SECONDS), "0", str(remove or "")]
        with self.log.open("wb") as log, self.output.open("wb") as output:
            self._guard = subprocess.Popen(
                [*guard, sys.executable, *arguments],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=log,
                # Ctrl-C in a terminal reaches every process in its foreground; this one is ended by us, in order.
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """The exit status; null while it runs."""
        return self._guard.poll()

    def ask_to_end(self) -> None:
        """Send it SIGTERM; returns at once."""
        self.is_ending = True
        pipe = self._guard.stdin
        if pipe is not None and not pipe.closed:
            with contextlib.suppress(OSError):  # it has ended by itself: nobody reads
                pipe.write(jvm_guard.PLEASE_END)
                pipe.flush()

    def end(self, patience: float) -> bool:
        """Ask it to end and wait; after `patience` seconds it is ended the hard way. Whether it ended by itself."""
        self.ask_to_end()
        try:
            self._guard.wait(patience)
        except subprocess.TimeoutExpired:
            self._close_pipe()
            self._guard.wait(GRACE_SECONDS + 10)
            return False
        self._close_pipe()
        return True

    def _close_pipe(self) -> None:
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()

    def last_words(self) -> str:
        """The end of its log."""
        return tail_of(self.log)


def tail_of(log: Path) -> str:
    """The last 3 kB of a file, empty when there is none."""
    try:
        with log.open("rb") as text:
            text.seek(0, 2)
            text.seek(max(0, text.tell() - TAIL_BYTES))
            return text.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
