"""What time the log has, as far as a worker can know: its own wall clock, put right by what records prove.

Brokers stamp every record of ours with the instant at which it was appended, and agents trust that alone. A worker
needs a clock between records, to see that a deadline has passed and to say when it noticed. Were that its own wall
clock, one that runs an hour fast would append ticks by the dozen each second that move nothing, and one that runs slow
would tell of breaches an hour late. A record proves two things: one that has been read was appended in the past, and
one that was appended later than it was sent has a stamp later than the time of sending.
"""

import threading
import time
from collections.abc import Callable

from agents.domain.instant import SECOND_US, Instant

STEP_US = SECOND_US
"""A wall clock that falls back by more than this against the steady one was set back."""


class LogClock:
    """A clock of one worker. Its methods may be called from any thread."""

    def __init__(self, wall: Callable[[], Instant], steady: Callable[[], float] = time.monotonic) -> None:
        """`wall` are microseconds, `steady` seconds that only go forward."""
        self._wall = wall
        self._steady = steady
        self._ahead_us = 0
        """How far the log is ahead of the wall clock."""
        self._told: tuple[Instant, float] | None = None
        self._lock = threading.Lock()

    def now(self) -> Instant:
        """The time, in microseconds. A wall clock that is set back does not set it back."""
        with self._lock:
            return self._now()

    def heard(self, appended_at: Instant) -> None:
        """A record was read that was appended at an instant: it is at least as late as that."""
        with self._lock:
            self._ahead_us += max(0, appended_at - self._now())
            self._told = None

    def appended(self, sent_at: Instant, appended_at: Instant) -> None:
        """A record was sent when it was `sent_at` here, and stamped: it was at most as late as the stamp."""
        with self._lock:
            self._ahead_us -= max(0, sent_at - appended_at)
            self._told = None

    def _now(self) -> Instant:
        steady, now = self._steady(), self._wall() + self._ahead_us
        if self._told is not None:
            told, at = self._told
            expected = told + round((steady - at) * SECOND_US)
            if now < expected - STEP_US:
                self._ahead_us += expected - now
                now = expected
        self._told = (now, steady)
        return now
