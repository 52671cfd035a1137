"""Decided outcomes of one metric by what they were about: a cell for each combination of labels.

Each outcome lies in exactly one cell, so the values of any scope sum to the account's figure by construction, and what
is taken out again leaves every scope that it was put into. `agents.domain.promise_windows` puts in and takes out;
`agents.domain.account_news` reads the cells.

What is bounded: `MOST_CELLS` combinations, further ones share one that has the label `(other)` in every scope. A
cell holds at most a bucket for each minute of a day and each hour of a month. Where the newest `REMEMBERED_OUTCOMES`
were put in is remembered by clock; an older one that is taken out is looked for under the labels that the event has
now, then anywhere, so the account's figure is right even then.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from struct import Struct as Layout
from typing import NamedTuple
from zlib import crc32

from agents.domain.instant import HOUR_US, MINUTE_US, Instant
from agents.domain.rolling_window import (
    HOURS_OF_30_DAYS,
    HOURS_OF_WEEK,
    IN_1H,
    IN_7D,
    IN_24H,
    IN_30D,
    IN_MONTH,
    LANE_BITS,
    MINUTES_OF_DAY,
    MINUTES_OF_HOUR,
    TALLY_BYTES,
    TO_BREACHED,
    Reach,
    reach_at,
    rolled,
    tallied,
    windows_of,
)
from schemas.account_state import Labels, MetricState, OutcomeBuckets
from schemas.adherence import BEYOND, SCOPES

MOST_CELLS = 64
"""Four channels by four priorities by four teams; the account's record stays under 700 kB for each metric even if every
minute of the day has an outcome in every cell."""

REMEMBERED_OUTCOMES = 1_000
"""Six kilobytes. Late events come within days, and fewer outcomes than this fall into them for all but the largest
accounts."""

COLLECTIVE: Labels = (BEYOND,) * len(SCOPES)  # type: ignore[assignment]  # as many as there are scopes
NEVER = (1 << 63) - 1
_MET = 1 << 16
_BREACHED = 1
_FULL = 0xFFFF
_REMEMBERED = Layout("<IH")


class Buckets(NamedTuple):
    """The outcomes of one cell by minute of the last day and by hour, in entries `number << 32 | met << 16 | breached`.

    They ascend and none is empty.
    """

    minutes: "array[int]"
    hours: "array[int]"


class OutcomeCells:
    """Changes the `CellsState` of one metric. Made once per account and batch, and only where something changes."""

    __slots__ = ("_expiries", "_opened", "_placed", "_reach", "_spans", "_stale", "_state", "tallies")

    def __init__(self, metric: MetricState, as_of: Instant, spans: tuple[int, ...] = ()) -> None:
        """Open the cells.

        Args:
            metric: Whose they are.
            as_of: Where one without outcomes begins to count.
            spans: Further windows in hours that somebody asks `decided_in` about.
        """
        state = self._state = metric.cells
        if not state.counted_at:
            state.counted_at = as_of
        self._reach: Reach = reach_at(state.counted_at)
        self._spans = spans
        counts = state.counts
        self.tallies = [
            int.from_bytes(counts[at : at + TALLY_BYTES], "little") for at in range(0, len(counts), TALLY_BYTES)
        ]
        """What the windows of each cell hold, see `rolling_window`."""
        self._expiries = array("q", state.expiries)
        self._opened: dict[int, Buckets] = {}
        self._stale: set[int] = set()
        """Cells out of which something was taken, so that the next may leave later than `_expiries` says."""
        self._placed: bytearray | None = None
        if metric.minutes.numbers or metric.hours.numbers:
            self._take_over(metric)

    @property
    def labels(self) -> list[Labels | None]:
        """What each place is about; null where it is free."""
        return self._state.labels

    def ask_about(self, spans: tuple[int, ...]) -> None:
        """Take other further windows: what is kept, and when it leaves, follows them from now on."""
        if spans != self._spans:
            self._spans = spans
            self._stale.update(range(len(self._state.labels)))

    def place_of(self, labels: Labels) -> int:
        """The place of a combination of labels, made if there is none."""
        state = self._state
        if labels in state.labels:
            return state.labels.index(labels)
        if labels != COLLECTIVE and len(state.labels) - state.labels.count(None) >= MOST_CELLS:
            return self.place_of(COLLECTIVE)
        if None in state.labels:
            place = state.labels.index(None)
            state.labels[place] = labels
            return place
        state.labels.append(labels)
        state.minutes.append(b"")
        state.hours.append(b"")
        self.tallies.append(0)
        self._expiries.append(NEVER)
        return len(state.labels) - 1

    # outcomes

    def put_in(self, clock_id: str, place: int, at: Instant, *, met: bool) -> None:
        """Count an outcome at an instant; one that no window reaches is not counted."""
        minute = at // MINUTE_US
        if minute // 60 < self._first_hour():
            return
        if self._placed is None:
            self._placed = bytearray(self._state.placed)
        self._placed += _REMEMBERED.pack(_digest(clock_id), place)
        if len(self._placed) > REMEMBERED_OUTCOMES * _REMEMBERED.size:
            del self._placed[: REMEMBERED_OUTCOMES // 2 * _REMEMBERED.size]
        minutes, hours = self._buckets_of(place)
        change = _MET if met else _BREACHED
        _add(hours, minute // 60, change)
        if minute >= self._reach.day:
            _add(minutes, minute, change)
        windows = windows_of(minute, self._reach)
        self.tallies[place] += windows if met else windows << TO_BREACHED
        leaves_at = self._reach.leaves_at(minute, self._spans)
        self._expiries[place] = min(self._expiries[place], leaves_at)

    def take_out(self, clock_id: str, labels: Labels, at: Instant, *, met: bool) -> None:
        """Take an outcome out of the cell that it was put into; one that was not put in changes nothing."""
        minute = at // MINUTE_US
        hour = minute // 60
        if hour < self._first_hour():
            return
        change = _MET if met else _BREACHED
        for place in self._candidates(clock_id, labels):
            minutes, hours = self._buckets_of(place)
            if _subtract(hours, hour, change):
                if minute >= self._reach.day:
                    _subtract(minutes, minute, change)
                windows = windows_of(minute, self._reach)
                self.tallies[place] -= windows if met else windows << TO_BREACHED
                self._stale.add(place)
                return

    def _candidates(self, clock_id: str, labels: Labels) -> Iterator[int]:
        digest, labels_of = _digest(clock_id), self._state.labels
        placed = self._state.placed if self._placed is None else self._placed
        for known, place in reversed(list(_REMEMBERED.iter_unpack(placed))):
            if known == digest and place < len(labels_of):
                yield place
                break
        if labels in labels_of:
            yield labels_of.index(labels)
        yield from range(len(labels_of))

    # time

    def bring_to(self, as_of: Instant) -> None:
        """Let what no longer counts at an instant leave the windows."""
        state = self._state
        after = reach_at(as_of)
        before, self._reach, state.counted_at = self._reach, after, as_of
        for place, expires_at in enumerate(self._expiries):
            if expires_at <= as_of or place in self._stale:
                self._expiries[place] = self._roll(place, self._buckets_of(place), before)
        self._stale.clear()

    def _roll(self, place: int, buckets: Buckets, before: Reach) -> Instant:
        """Take out of one cell what no longer counts; the first instant at which more will leave."""
        minutes, hours = buckets
        reach, tally = self._reach, self.tallies[place]
        expires_at = NEVER
        if minutes:
            for window, since, until, length in (
                (IN_1H, before.hour, reach.hour, MINUTES_OF_HOUR),
                (IN_24H, before.day, reach.day, MINUTES_OF_DAY),
            ):
                leaving, oldest = rolled(minutes, since, until)
                tally -= window * leaving
                if oldest is not None:
                    expires_at = min(expires_at, (oldest + length) * MINUTE_US)
            if minutes[0] >> 32 < reach.day:
                del minutes[: bisect_left(minutes, reach.day << 32)]
        if hours:
            for window, since, until, length in (
                (IN_7D, before.week, reach.week, HOURS_OF_WEEK),
                (IN_30D, before.days30, reach.days30, HOURS_OF_30_DAYS),
                *[(0, 0, self.first_of_span(span), span) for span in self._spans],
            ):
                leaving, oldest = rolled(hours, since, until)
                tally -= window * leaving
                if oldest is not None:
                    expires_at = min(expires_at, (oldest + length) * HOUR_US)
            tally -= IN_MONTH * rolled(hours, before.month, reach.month).leaving
            if hours[-1] >> 32 >= reach.month:
                expires_at = min(expires_at, reach.month_ends_at)
            first = self._first_hour()
            if hours[0] >> 32 < first:
                del hours[: bisect_left(hours, first << 32)]
        self.tallies[place] = tally
        return expires_at

    def first_of_span(self, hours: int) -> int:
        """The oldest hour that counts in a rolling window of so many hours."""
        return self._reach.week + HOURS_OF_WEEK - hours

    def _first_hour(self) -> int:
        kept = self._reach.kept_hours
        return min(kept, self.first_of_span(max(self._spans))) if self._spans else kept

    def expires_at(self) -> Instant | None:
        """The first instant at which the tallies are others, though nothing happens. Ask after `bring_to`."""
        soonest = min(self._expiries, default=NEVER)
        return None if soonest == NEVER else soonest

    def decided_in(self, span: int, places: list[int]) -> tuple[int, int]:
        """Met and breached of some cells in a rolling window of so many hours."""
        first = self.first_of_span(span) << 32
        buckets = [self._buckets_of(place).hours for place in places]
        total = sum(tallied(hours[bisect_left(hours, first) :]) for hours in buckets)
        return total & 0xFFFFFFFF, total >> TO_BREACHED

    # memory

    def save(self, in_use: set[int]) -> None:
        """Write back what has changed. Places that count nothing and are not in use become free."""
        state = self._state
        for place, (minutes, hours) in self._opened.items():
            state.minutes[place], state.hours[place] = minutes.tobytes(), hours.tobytes()
        for place, hours_now in enumerate(state.hours):
            if not hours_now and place not in in_use:
                state.labels[place] = None
        while state.labels and state.labels[-1] is None:
            for column in (state.labels, state.minutes, state.hours, self.tallies, self._expiries):
                column.pop()
        state.counts = b"".join([tally.to_bytes(TALLY_BYTES, "little") for tally in self.tallies])
        state.expiries = self._expiries.tobytes()
        if self._placed is not None:
            state.placed = bytes(self._placed)
        if not state.labels:
            state.placed = b""

    def _buckets_of(self, place: int) -> Buckets:
        buckets = self._opened.get(place)
        if buckets is None:
            state = self._state
            buckets = self._opened[place] = Buckets(array("Q", state.minutes[place]), array("Q", state.hours[place]))
        return buckets

    def _take_over(self, metric: MetricState) -> None:
        """Outcomes remembered before there were cells have no labels: hours of the month, minutes of the last day."""
        place = self.place_of(COLLECTIVE)
        minutes, hours = self._buckets_of(place)
        for old, entries in ((metric.hours, hours), (metric.minutes, minutes)):
            for number, met, breached in zip(old.numbers, old.met, old.breached, strict=True):
                for change, times in ((_MET, met), (_BREACHED, breached)):
                    for _ in range(max(0, times)):
                        _add(entries, number, change)
        reach = self._reach
        month, week = (reach.days30, reach.week)
        windows = (
            (minutes, reach.hour, 0),
            (minutes, reach.day, 1),
            (hours, week, 2),
            (hours, month, 3),
            (hours, reach.month, 4),
        )
        for entries, first, lane in windows:
            self.tallies[place] += tallied(entries[bisect_left(entries, first << 32) :]) << LANE_BITS * lane
        self._stale.add(place)
        metric.hours, metric.minutes = OutcomeBuckets(), OutcomeBuckets()


def _digest(clock_id: str) -> int:
    """Four bytes: that another one of a thousand clocks is alike happens to one in four million of those looked for."""
    return crc32(clock_id.encode())


def _add(entries: "array[int]", number: int, change: int) -> None:
    """Add one outcome to a bucket. A full one (65,535) is followed by another of the same number."""
    shift = 16 if change == _MET else 0
    at = len(entries) - 1
    if at < 0 or entries[at] >> 32 != number:
        at = bisect_right(entries, number << 32 | 0xFFFFFFFF) - 1
    if at >= 0 and entries[at] >> 32 == number and (entries[at] >> shift) & _FULL < _FULL:
        entries[at] += change
    else:
        entries.insert(at + 1, number << 32 | change)


def _subtract(entries: "array[int]", number: int, change: int) -> bool:
    """Take one outcome out of a bucket; false when it holds none."""
    shift = 16 if change == _MET else 0
    at = bisect_left(entries, number << 32)
    while at < len(entries) and entries[at] >> 32 == number:
        if (entries[at] >> shift) & _FULL:
            entries[at] -= change
            if not entries[at] & 0xFFFFFFFF:
                del entries[at]
            return True
        at += 1
    return False
