"""Windows over decided outcomes: which buckets of time count at an instant, and how counts lie in one number.

`agents.domain.outcome_cells` keeps minute and hour buckets and asks here. The rule, exactly, so that anybody can count
again: bucket `n` of width `w` covers the instants `[n*w, (n+1)*w)`. It counts in a rolling window of length `W` at
`as_of` iff its start lies after `floor(as_of / w) * w - W` and not after `as_of`: the running bucket and the `W/w - 1`
before it. It counts in `month` iff it starts in the calendar month of `as_of` in UTC, and not after `as_of`.
"""

from array import array
from bisect import bisect_left
from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, from_datetime, to_datetime
from schemas.adherence import WINDOW_NAMES, WindowName

MINUTES_OF_HOUR = 60
MINUTES_OF_DAY = 24 * 60
HOURS_OF_WEEK = 7 * 24
HOURS_OF_30_DAYS = 30 * 24
HOURS_OF_LONGEST_MONTH = 31 * 24
MOST_DAYS = 92
"""Of an objective: a quarter. `careline policy check` refuses more; published before it did, it counts the last 92."""

LENGTH_US: dict[WindowName, int] = {"1h": HOUR_US, "24h": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US}

# Ten counts side by side in one integer, so that a sum over cells is one addition: met of each window, then breached.
LANE_BITS = 32
LANES = 2 * len(WINDOW_NAMES)
TALLY_BYTES = LANES * LANE_BITS // 8
IN_1H, IN_24H, IN_7D, IN_30D, IN_MONTH = (1 << LANE_BITS * index for index in range(len(WINDOW_NAMES)))
TO_BREACHED = LANE_BITS * len(WINDOW_NAMES)
"""By how far `breached` of a window lies beyond its `met`."""


class Reach(NamedTuple):
    """The oldest bucket that counts in each window: minutes for 1 h and 24 h, hours for the longer ones."""

    hour: int
    day: int
    week: int
    days30: int
    month: int
    month_ends_at: Instant

    @property
    def kept_hours(self) -> int:
        """The oldest hour that any window reaches."""
        return min(self.days30, self.month)

    def leaves_at(self, minute: int, spans: tuple[int, ...]) -> Instant:
        """When an outcome of this minute leaves the first window that it is in; `spans` are further ones, in hours."""
        hour = minute // 60
        if minute >= self.hour:
            leaves_at = (minute + MINUTES_OF_HOUR) * MINUTE_US
        elif minute >= self.day:
            leaves_at = (minute + MINUTES_OF_DAY) * MINUTE_US
        elif hour >= self.week:
            leaves_at = (hour + HOURS_OF_WEEK) * HOUR_US
        else:
            leaves_at = (hour + HOURS_OF_30_DAYS) * HOUR_US
        for span in spans:
            if hour >= self.week + HOURS_OF_WEEK - span:
                leaves_at = min(leaves_at, (hour + span) * HOUR_US)
        return min(leaves_at, self.month_ends_at) if hour >= self.month else leaves_at


def reach_at(as_of: Instant) -> Reach:
    """What the windows reach at an instant."""
    return _reach(as_of // MINUTE_US)


@lru_cache(maxsize=4096)
def _reach(minute: int) -> Reach:
    hour = minute // 60
    begins_at, ends_at = month_of(hour * HOUR_US)
    return Reach(
        minute - MINUTES_OF_HOUR + 1,
        minute - MINUTES_OF_DAY + 1,
        hour - HOURS_OF_WEEK + 1,
        hour - HOURS_OF_30_DAYS + 1,
        begins_at // HOUR_US,
        ends_at,
    )


@lru_cache(maxsize=1024)
def month_of(at: Instant) -> tuple[Instant, Instant]:
    """The first instant of the calendar month (UTC) that an instant lies in, and that of the next one."""
    moment = to_datetime(at)
    begin = from_datetime(datetime(moment.year, moment.month, 1, tzinfo=UTC))
    return begin, begin + monthrange(moment.year, moment.month)[1] * DAY_US


def windows_of(minute: int, reach: Reach) -> int:
    """A tally with a 1 in each window that an outcome of this minute counts in, as met."""
    hour = minute // 60
    found = 0
    if hour >= reach.week:
        found = IN_7D
        if minute >= reach.hour:
            found |= IN_1H | IN_24H
        elif minute >= reach.day:
            found |= IN_24H
    if hour >= reach.days30:
        found |= IN_30D
    if hour >= reach.month:
        found |= IN_MONTH
    return found


class Rolled(NamedTuple):
    """What one window loses on its way from one instant to another, and the oldest bucket that it holds then."""

    leaving: int
    oldest: int | None


def rolled(entries: "array[int]", since: int, until: int) -> Rolled:
    """Let a window whose oldest bucket was `since` begin at `until`.

    Entries are `number << 32 | met << 16 | breached`, ascending; what leaves is met and breached in the lanes of the
    first window.
    """
    at = bisect_left(entries, until << LANE_BITS)
    leaving = tallied(entries[bisect_left(entries, since << LANE_BITS, 0, at) : at]) if at and since < until else 0
    return Rolled(leaving, entries[at] >> LANE_BITS if at < len(entries) else None)


def tallied(entries: "array[int]") -> int:
    """Met and breached of some buckets, in the lanes of the first window."""
    met = breached = 0
    for entry in entries:
        met += entry >> 16 & 0xFFFF
        breached += entry & 0xFFFF
    return met | breached << TO_BREACHED
