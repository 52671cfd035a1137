"""Sets of half-open time intervals as sorted lists: merge, cut, common part.

`agents.domain.calendar_hours` makes them from what a calendar says about each day; `agents.domain.calendar` compiles
them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter

from agents.domain.instant import Instant

Interval = tuple[Instant, Instant]
"""Half-open: `[opens, closes)`. The first instant belongs to it, the last does not."""


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """The same time as sorted intervals that neither overlap nor touch; empty and inverted ones are dropped."""
    result: list[Interval] = []
    for opens, closes in sorted(intervals):
        if closes <= opens:
            continue
        if result and opens <= result[-1][1]:
            if closes > result[-1][1]:
                result[-1] = (result[-1][0], closes)
        else:
            result.append((opens, closes))
    return result


def common(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """The time that is in both. Both arguments are as `merged` returns them, and so is the result."""
    result: list[Interval] = []
    first, second = 0, 0
    while first < len(left) and second < len(right):
        opens = max(left[first][0], right[second][0])
        closes = min(left[first][1], right[second][1])
        if opens < closes:
            result.append((opens, closes))
        if left[first][1] < right[second][1]:
            first += 1
        else:
            second += 1
    return result


def within(intervals: Sequence[Interval], start: Instant, end: Instant) -> list[Interval]:
    """The time that is in `[start, end)`. The argument is as `merged` returns it, and so is the result."""
    first = bisect_right(intervals, start, key=itemgetter(1))
    result = list(intervals[first : bisect_left(intervals, end, key=itemgetter(0))])
    if result:
        result[0] = (max(start, result[0][0]), result[0][1])
        result[-1] = (result[-1][0], min(end, result[-1][1]))
    return result


def without(intervals: Sequence[Interval], removed: Sequence[Interval]) -> list[Interval]:
    """The time that is in `intervals` and not in `removed`. Both are as `merged` returns them, and so is the result."""
    result: list[Interval] = []
    index = 0
    for opens, closes in intervals:
        rest = opens
        while index < len(removed) and removed[index][1] <= rest:
            index += 1
        following = index
        while following < len(removed) and removed[following][0] < closes:
            if rest < removed[following][0]:
                result.append((rest, removed[following][0]))
            rest = removed[following][1]
            following += 1
        if rest < closes:
            result.append((rest, closes))
    return result
