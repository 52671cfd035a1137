"""Rolling windows over decided outcomes, as sparse buckets of whole numbers.

`agents.domain.promise_windows` keeps one set of minute buckets and one of hour buckets per metric. The rule, exactly,
so that anybody can count again: bucket `n` of width `w` covers the instants `[n*w, (n+1)*w)`. It counts in a window of
length `W` at `as_of` iff its start lies after `floor(as_of / w) * w - W` and not after `as_of`: the running bucket and
the `W/w - 1` before it.
"""

from bisect import bisect_left
from typing import NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant
from schemas.account_state import OutcomeBuckets
from schemas.adherence import WindowName


class Window(NamedTuple):
    """A rolling window: how long it is, how wide its buckets are, and how many of them it spans."""

    name: WindowName
    length_us: int
    width_us: int
    buckets: int


# Minutes move an hour by 1.7 % and hours a week by 0.6 %: finer buckets would cost memory and show nothing more.
LAST_HOUR = Window("1h", HOUR_US, MINUTE_US, 60)
LAST_DAY = Window("24h", DAY_US, MINUTE_US, 24 * 60)
LAST_WEEK = Window("7d", 7 * DAY_US, HOUR_US, 7 * 24)
LAST_MONTH = Window("30d", 30 * DAY_US, HOUR_US, 30 * 24)
WINDOWS = (LAST_HOUR, LAST_DAY, LAST_WEEK, LAST_MONTH)


class Tally(NamedTuple):
    """What two windows over the same buckets hold: (met, breached) of the shorter, then of the longer one.

    `expires_at` is the first instant at which a bucket has left one of them; null when both are empty.
    """

    counts: tuple[int, int, int, int]
    expires_at: Instant | None


_NOTHING = Tally((0, 0, 0, 0), None)


def first_bucket(window: Window, as_of: Instant) -> int:
    """The number of the oldest bucket that counts at `as_of`."""
    return as_of // window.width_us - window.buckets + 1


def add(buckets: OutcomeBuckets, number: int, met: int, breached: int) -> None:
    """Add to a bucket; negative numbers take out again. A bucket that comes to nothing goes."""
    numbers = buckets.numbers
    if numbers and numbers[-1] == number:
        at = len(numbers) - 1
    else:
        at = bisect_left(numbers, number)
        if at == len(numbers) or numbers[at] != number:
            numbers.insert(at, number)
            buckets.met.insert(at, met)
            buckets.breached.insert(at, breached)
            return
    buckets.met[at] += met
    buckets.breached[at] += breached
    if not buckets.met[at] and not buckets.breached[at]:
        del numbers[at], buckets.met[at], buckets.breached[at]


def forget(buckets: OutcomeBuckets, before: int) -> None:
    """Drop the buckets that no window reaches any more."""
    numbers = buckets.numbers
    if numbers and numbers[0] < before:
        outside = bisect_left(numbers, before)
        del numbers[:outside], buckets.met[:outside], buckets.breached[:outside]


def tally(buckets: OutcomeBuckets, shorter: Window, longer: Window, as_of: Instant) -> Tally:
    """What two windows hold at an instant; what neither reaches any more is forgotten on the way.

    Less than nothing (an outcome taken out before it was put in) shows as nothing.
    """
    forget(buckets, first_bucket(longer, as_of))
    numbers = buckets.numbers
    if not numbers:
        return _NOTHING
    width_us = shorter.width_us
    met, breached = max(0, sum(buckets.met)), max(0, sum(buckets.breached))
    first = first_bucket(shorter, as_of)
    if numbers[0] >= first:
        return Tally((met, breached, met, breached), numbers[0] * width_us + shorter.length_us)
    expires_at = numbers[0] * width_us + longer.length_us
    start = bisect_left(numbers, first)
    if start == len(numbers):
        return Tally((0, 0, met, breached), expires_at)
    short_met, short_breached = max(0, sum(buckets.met[start:])), max(0, sum(buckets.breached[start:]))
    expires_at = min(expires_at, numbers[start] * width_us + shorter.length_us)
    return Tally((short_met, short_breached, met, breached), expires_at)
