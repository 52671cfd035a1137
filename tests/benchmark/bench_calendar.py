"""How many lookups a second one compiled calendar answers on one core, what it costs to compile and to keep.

`python -m tests.benchmark.bench_calendar`. Every answer is checked: open time against the sum over the calendar's
intervals, deadlines by asking for the open time back. Processor time, best of several rounds.
"""

import random
import sys
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import date
from itertools import starmap
from time import process_time

from agents.domain.calendar import Calendar, compile_calendars
from agents.domain.calendar_hours import CHUNK_US, hours_of
from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.interval_set import common
from schemas.policy import CalendarSpec, RegionHolidays, WallInterval

QUESTIONS = 20_000
ROUNDS = 15
LEAST_PER_SECOND = 250_000
"""Far below what any machine of today does; only an accident falls under it."""
FIRST: Instant = (date(2025, 11, 1).toordinal() - date(1970, 1, 1).toordinal()) * DAY_US
SPAN_US = 600 * DAY_US

Question = tuple[Instant, int]


def hours(*ends: tuple[int, int]) -> tuple[WallInterval, ...]:
    return tuple(WallInterval(opens * 3_600, closes * 3_600) for opens, closes in ends)


def declared() -> dict[str, CalendarSpec]:
    """Two teams with lunch breaks, holidays and clock changes, and the two combined."""
    return {
        "berlin": CalendarSpec(
            name="berlin",
            time_zone="Europe/Berlin",
            weekly=dict.fromkeys(range(1, 6), hours((9, 12), (13, 18))),
            region_holidays=(RegionHolidays("DE", "BE"),),
        ),
        "new-york": CalendarSpec(
            name="new-york",
            time_zone="America/New_York",
            weekly=dict.fromkeys(range(1, 6), hours((8, 12), (13, 18))),
            region_holidays=(RegionHolidays("US", "NY"),),
        ),
        "union": CalendarSpec(name="union", union=("berlin", "new-york")),
        "intersection": CalendarSpec(name="intersection", intersection=("berlin", "new-york")),
    }


def questions(longest_us: int) -> list[Question]:
    """Starts anywhere in two years, and amounts of time from then on."""
    chance = random.Random(7)
    return [(FIRST + chance.randrange(SPAN_US), chance.randrange(1, longest_us)) for _ in range(QUESTIONS)]


def per_second(ask: Callable[[Instant, int], int], asked: list[Question]) -> float:
    """Lookups a second, without what the loop itself costs."""
    best = empty = float("inf")
    for _ in range(ROUNDS):
        began = process_time()
        for _question in asked:
            pass
        empty = min(empty, process_time() - began)
        began = process_time()
        for start, other in asked:
            ask(start, other)
        best = min(best, process_time() - began)
    return len(asked) / (best - empty)


def check(name: str, calendar: Calendar, spans: list[Question], targets: list[Question]) -> None:
    """Compare a part of the answers with plain sums, and all deadlines with their own open time."""
    own = hours_of(declared())[name]
    chunks = range(FIRST // CHUNK_US, (FIRST + 3 * SPAN_US) // CHUNK_US)
    intervals = [interval for number in chunks for interval in own.chunk(number)]
    for start, end in spans[::50]:
        plain = sum(closes - opens for opens, closes in common(intervals, [(start, end)]))
        if calendar.open_between(start, end) != plain:
            raise RuntimeError(f"{name}: {start} to {end} is {plain} open microseconds")
    for start, open_us in targets:
        if calendar.open_between(start, calendar.after(start, open_us)) != open_us:
            raise RuntimeError(f"{name}: {open_us} from {start} is not where it should be")


def compiling_ms(specs: Mapping[str, CalendarSpec], name: str) -> float:
    """Milliseconds of one calendar from its specification to the first answer, when its holidays are known."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = process_time()
        compile_calendars(specs)[name].is_open(FIRST)
        best = min(best, process_time() - began)
    return best * 1_000


def kept_kib(specs: Mapping[str, CalendarSpec], name: str) -> float:
    """KiB that a compiled calendar, members included, keeps for each year that was asked for."""
    tracemalloc.start()
    calendar = compile_calendars(specs)[name]
    calendar.is_open(FIRST)
    before, _ = tracemalloc.get_traced_memory()
    calendar.is_open(FIRST + 4 * CHUNK_US)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / 1_024 / 4


def main() -> int:
    """Print a table; 1 when a calendar is absurdly slow."""
    specs = declared()
    compiled = compile_calendars(specs)
    short = [(start, start + length) for start, length in questions(4 * HOUR_US)]
    long = [(start, start + length) for start, length in questions(60 * DAY_US)]
    within, beyond = questions(2 * HOUR_US), questions(100 * HOUR_US)
    days = [(start, 1 + length % 5) for start, length in within]
    print(f"{'lookups/s':14} {'open_between':>21} {'after':>21} {'business_days':>14}")
    print(
        f"{'':14} {'< 4 h':>10} {'< 60 d':>10} {'< 2 h':>10} {'< 100 h':>10} {'1 to 5':>14} {'compile ms':>11}"
        f" {'KiB a year':>11}"
    )
    slowest = float("inf")
    for name in specs:
        calendar = compiled[name]
        check(name, calendar, short + long, within + beyond)
        speeds = list(
            starmap(
                per_second,
                ((calendar.open_between, short), (calendar.open_between, long), (calendar.after, within),
                 (calendar.after, beyond)),
            )
        )  # fmt: skip
        slowest = min(slowest, *speeds)
        figures = " ".join(f"{speed:>10,.0f}" for speed in speeds)
        in_days = per_second(calendar.after_business_days, days)
        print(
            f"{name:14} {figures} {in_days:>14,.0f} {compiling_ms(specs, name):>11.2f} {kept_kib(specs, name):>11.0f}"
        )
    return 1 if slowest < LEAST_PER_SECOND else 0


if __name__ == "__main__":
    sys.exit(main())
