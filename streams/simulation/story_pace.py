"""How far the story may go: story time follows the wall clock, so many times faster. Time is an argument.

`company_runner` asks before every step.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from agents.domain.instant import SECOND_US, Instant

LONGEST_STEP_SECONDS = 0.5
"""A machine that slept, or a Kafka that was away, does not make the company live through it in one instant: beyond this
the story waits as well."""


@dataclass(slots=True)
class StoryPace:
    """The frontier of a story: everything up to it may happen.

    Args:
        starts_at: Where the story begins.
        warp: Seconds of the story in one second here.
        steady_seconds: A clock that only goes forward.
    """

    starts_at: Instant
    warp: float
    steady_seconds: Callable[[], float]
    frontier_at: Instant = field(init=False)
    _asked_at: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.frontier_at = self.starts_at

    def advance(self) -> Instant:
        """Move the frontier by the time since the last call, and return it. The first call starts the clock."""
        now = self.steady_seconds()
        if self._asked_at is not None:
            step = min(now - self._asked_at, LONGEST_STEP_SECONDS)
            self.frontier_at += round(step * self.warp * SECOND_US)
        self._asked_at = now
        return self.frontier_at
