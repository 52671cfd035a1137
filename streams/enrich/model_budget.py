"""What may be spent on a model in a day, and what was: calls and tokens, on UTC days of the wall clock.

What was spent is written beside the offsets that it was spent on (`enrich_loop`), in their transaction: a process that
is restarted, or takes over a partition, knows it. Money is the one thing here that the wall clock decides about; what
came of it is an event, so a replay spends nothing.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_WRITTEN = re.compile(r"spent:(\d{1,9}):(\d{1,12}):(\d{1,15})")


class Spent(NamedTuple):
    """Calls and tokens of one day, numbered from 1970."""

    day: int = 0
    calls: int = 0
    tokens: int = 0

    def plus(self, other: "Spent") -> "Spent":
        """Both together, if they are of the same day; else those of the later one."""
        if self.day != other.day:
            return max(self, other)
        return Spent(self.day, self.calls + other.calls, self.tokens + other.tokens)

    def written(self) -> str:
        """As the metadata of an offset; empty where nothing was spent."""
        return f"spent:{self.day}:{self.calls}:{self.tokens}" if self.calls else ""


NOTHING = Spent()


def read_spent(metadata: str | None) -> Spent:
    """What was spent by the metadata of an offset; nothing where it says nothing of it."""
    match = _WRITTEN.fullmatch(metadata or "")
    return NOTHING if match is None else Spent(*map(int, match.groups()))


class DailyBudget:
    """Counts what is spent, and says when it is enough.

    Args:
        calls: a day.
        tokens: a day.
        today: the number of the day.
    """

    def __init__(self, calls: int, tokens: int, today: Callable[[], int]) -> None:
        self._calls = calls
        self._tokens = tokens
        self._today = today
        self._spent = NOTHING
        self._untold = NOTHING

    def allows(self) -> bool:
        """Whether one more call may be made. Its tokens are known afterwards: the last call may go a little beyond."""
        spent = self._spent if self._spent.day == self._today() else NOTHING
        return spent.calls < self._calls and spent.tokens < self._tokens

    def spend(self, tokens: int) -> None:
        """A call was made."""
        now = Spent(self._today(), 1, tokens)
        self._spent, self._untold = self._spent.plus(now), self._untold.plus(now)

    def begin(self, before: Iterable[Spent]) -> None:
        """Go on from what was written down; what is not yet written comes on top."""
        spent = self._untold
        for each in before:
            spent = spent.plus(each)
        self._spent = spent

    @property
    def untold(self) -> Spent:
        """What was spent since `told` was last called: to be written down now."""
        return self._untold

    def told(self) -> None:
        """It is written down."""
        self._untold = NOTHING
