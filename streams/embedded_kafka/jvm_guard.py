"""Runs a JVM and sees to it that it never outlives its owner, however the owner ends.

A program of its own: `broker_process` starts it as `python -I -S jvm_guard.py GRACE NICENESS FOLDER COMMAND...` and
holds the other end of its standard input. That pipe closes when the owner closes it, exits, crashes or is killed with
SIGKILL; the operating system sees to that on Linux and macOS alike. Then the guard asks the JVM to end (SIGTERM), waits
GRACE seconds, ends it (SIGKILL), removes FOLDER unless that is empty, and leaves with the JVM's exit status. A byte in
the pipe asks the JVM to end and lets it take its time, as long as the owner lives. A JVM that ends by itself leaves its
folder behind, for the owner to read the log. The JVM's process id stands in `broker.pid` of the working directory.

Why a process between: `PR_SET_PDEATHSIG` exists on Linux only and fires when the *thread* that forked ends, which would
end a broker started from a worker thread. The guard has one thread, so it may use it for the one case that is left: a
guard that is itself killed with SIGKILL takes the JVM with it, on Linux.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
import time

PLEASE_END = b"e"
PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 1.0  # a forked child of the owner may hold the pipe open, so the guard also looks who its parent is
SIGNALLED = 128  # what a shell adds to the number of the signal that ended a program
NOT_STARTED = 127


class Guard:
    """One JVM in a process group of its own, and the two ways to learn that it has to end."""

    def __init__(self, grace: float, niceness: int, command: list[str]) -> None:
        """Start the JVM."""
        self._grace = grace
        self._owner = os.getppid()
        self._status: int | None = None
        self._told_to_end = False
        self.ended_on_request = False
        self._wake, wake_end = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_end_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._child = _start(command, niceness)
        with contextlib.suppress(OSError), open("broker.pid", "w", encoding="ascii") as file:  # noqa: PTH123 - no imports
            file.write(f"{self._child}\n")

    def _on_end_signal(self, *_: object) -> None:
        self._told_to_end = True

    def run(self) -> int:
        """Wait until the JVM has ended, by itself or because the owner is gone; its exit status."""
        while not self._has_ended():
            if self._owner_is_gone(LOOK_SECONDS):
                self._end()
        # Java makes a start-up archive in a second JVM; nothing of the group may stay.
        self._signal_group(signal.SIGKILL)
        return self._status if self._status is not None else NOT_STARTED

    def _owner_is_gone(self, seconds: float) -> bool:
        readable, _, _ = select.select([sys.stdin.fileno(), self._wake], [], [], seconds)
        self._drain_wakes()
        closed = False
        if sys.stdin.fileno() in readable:
            closed = not os.read(sys.stdin.fileno(), 1024)
            if not closed:
                self._signal_group(signal.SIGTERM)
        return closed or self._told_to_end or os.getppid() != self._owner

    def _end(self) -> None:
        self.ended_on_request = True
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while not self._has_ended():
            left = deadline - time.monotonic()
            if left <= 0:
                self._signal_group(signal.SIGKILL)
            select.select([self._wake], [], [], max(0.05, min(left, LOOK_SECONDS)))
            self._drain_wakes()

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 1024):
                pass

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, number)

    def _has_ended(self) -> bool:
        if self._status is None:
            ended, status = os.waitpid(self._child, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                self._status = SIGNALLED - code if code < 0 else code
        return self._status is not None


def _start(command: list[str], niceness: int) -> int:
    """Fork and execute; safe here because the guard has a single thread."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    guard = os.getpid()
    child = os.fork()
    if child:
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        return child
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        os.nice(niceness)
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() == guard:
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.execv(command[0], command)  # noqa: S606 - a shell is what must not be between
    finally:
        os._exit(NOT_STARTED)


def main(arguments: list[str]) -> int:
    """Run the guard with the arguments of its command line, without the program's name."""
    grace, niceness, folder, *command = arguments
    guard = Guard(float(grace), int(niceness), command)
    status = guard.run()
    if folder and guard.ended_on_request:
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
