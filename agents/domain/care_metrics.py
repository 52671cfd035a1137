"""The care figures: parts of partitions merged, and every figure made of the sums by one formula.

`docs/care-metrics.md` lists the formulas with their units and populations, and counts examples by hand. A figure
without a population is null, never 0 and never 100 %. `streams.care_parts` reads the parts from the topic;
`agents.domain.four_cs` makes scores of the figures.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, get_args

from agents.domain.instant import DAY_US, HOUR_US, Instant, from_datetime
from agents.domain.percentile_sketch import quantile
from agents.domain.revenue_retention import month_begins_at, month_number
from schemas.rollup import Rollup, RollupScope

Window = Literal["24h", "7d", "30d", "90d", "month", "last_month"]
"""Whole buckets of UTC: the running hour and the 23 before it, the running day and the 6, 29 or 89 before it, the
running calendar month, the one before. An account has the months only."""

WINDOWS: tuple[Window, ...] = get_args(Window)
_DAYS = {"7d": 7, "30d": 30, "90d": 90}

LEAST_CASES = 10
"""Of fewer cases nobody can tell skill from luck: a figure of an agent or a team is null below, and no channel, team or
part of the day is compared with others."""

_NEED_CASES: frozenset[RollupScope] = frozenset({"agent", "team"})

_MEAN_MONTH_US = DAY_US * 365.2425 / 12
_MARK_OF_CES = 6
"""CES runs from 1 to 7."""


class Sums(NamedTuple):
    """Parts added up: counts by measure, and sketches by measure."""

    counts: dict[str, int]
    timings: dict[str, dict[int, int]]

    def of(self, measure: str) -> int:
        """A count; 0 where nobody counted."""
        return self.counts.get(measure, 0)

    def starting(self, prefix: str) -> int:
        """The sum of the counts whose measures begin like this."""
        return sum(count for measure, count in self.counts.items() if measure.startswith(prefix))


def merge(parts: Iterable[Rollup]) -> Sums:
    """Add parts up: of partitions, of buckets, of values; in any order and any grouping."""
    counts: dict[str, int] = {}
    timings: dict[str, dict[int, int]] = {}
    for part in parts:
        for measure, count in part.counts.items():
            counts[measure] = counts.get(measure, 0) + count
        for timing in part.timings:
            bins = timings.setdefault(timing.measure, {})
            for number, count in zip(timing.bins, timing.counts, strict=True):
                bins[number] = bins.get(number, 0) + count
    return Sums(counts, timings)


def holds(window: Window, part: Rollup, as_of: Instant) -> bool:
    """Whether a bucket lies in a window at an instant."""
    at = from_datetime(part.begins_at)
    if window == "24h":
        return part.bucket == "hour" and 0 <= as_of // HOUR_US - at // HOUR_US < 24
    if window in _DAYS:
        return part.bucket == "day" and 0 <= as_of // DAY_US - at // DAY_US < _DAYS[window]
    wanted = month_number(as_of) - (window == "last_month")
    return part.bucket == ("month" if part.scope == "account" else "day") and month_number(at) == wanted


def least_of(scope: RollupScope) -> int:
    """The least population of which a figure of a scope has a value."""
    return LEAST_CASES if scope in _NEED_CASES else 1


class Figure(NamedTuple):
    """One figure: null where its population is nothing. `population` is how many cases it is made of."""

    name: str
    value: float | None
    unit: str
    population: int


class Care(NamedTuple):
    """What the figures of one value of one scope are made of.

    A window, how things stand, and how customers and revenue have changed since the beginning of months.
    """

    window: Sums
    ever: Sums
    months: dict[int, Sums]
    as_of: Instant


def care_of(parts: Iterable[Rollup], window: Window, as_of: Instant) -> Care:
    """Sort the newest parts of one value of one scope on one clock."""
    own = list(parts)
    months: dict[int, list[Rollup]] = {}
    for part in own:
        if part.bucket == "month":
            months.setdefault(month_number(from_datetime(part.begins_at)), []).append(part)
    return Care(
        window=merge(part for part in own if holds(window, part, as_of)),
        ever=merge(part for part in own if part.bucket == "ever"),
        months={month: merge(found) for month, found in months.items()},
        as_of=as_of,
    )


def figures_of(care: Care, least: int = 1) -> list[Figure]:
    """All figures, those below a least population without a value."""
    found = [*_times(care), *_ratios(care), *_standing(care), *_issues(care)]
    return [each if each.population >= least else each._replace(value=None) for each in found]


def _ratio(name: str, part: int, whole: int, unit: str = "ratio") -> Figure:
    return Figure(name, part / whole if whole > 0 else None, unit, max(0, whole))


def _times(care: Care) -> Iterator[Figure]:
    names = (
        ("first_response", "first_response"),
        ("first_response_wall", "first_response/wall"),
        ("next_response", "next_response"),
        ("resolution", "first_resolution"),
        ("resolution_wall", "first_resolution/wall"),
        ("feedback_closing_wall", "follow_up/wall"),
        ("time_to_first_value_wall", "time_to_first_value/wall"),
    )
    for name, measure in names:
        sketch = {number: count for number, count in care.window.timings.get(measure, {}).items() if count > 0}
        population = sum(sketch.values())
        for suffix, permille in (("median", 500), ("p90", 900), ("p99", 990)):
            yield Figure(f"{name}_{suffix}_seconds", quantile(sketch, permille), "seconds", population)


def _ratios(care: Care) -> Iterator[Figure]:
    of, window = care.window.of, care.window
    met = window.starting("met/")
    yield _ratio("adherence_ratio", met, met + window.starting("breached/"))
    yield _ratio("first_contact_resolution_ratio", of("solved_at_first_contact"), of("first_resolutions"))
    yield _ratio("reopen_ratio", of("reopened"), of("resolutions"))
    begun = of("begun_by_customer") + of("begun_by_us")
    yield _ratio("proactive_ratio", of("begun_by_us"), begun)
    reactive = Figure("reactive_per_proactive", None, "conversations per conversation", begun)
    ours = of("begun_by_us")
    yield reactive._replace(value=of("begun_by_customer") / ours) if ours > 0 else reactive
    yield _ratio("forced_switch_ratio", of("forced_switches"), of("begun_by_customer"))
    yield _ratio("feedback_closed_ratio", of("feedback_closed"), of("feedback_opened"))
    yield _ratio("csat_ratio", of("csat_satisfied"), of("csat"))
    yield _ratio("csat_after_hard_cases_ratio", of("csat_hard_satisfied"), of("csat_hard"))
    yield _ratio("csat_mean", of("csat_score"), of("csat") * 100, "0 to 100")._replace(population=of("csat"))
    nps = _ratio("nps", 100 * (of("nps_promoters") - of("nps_detractors")), of("nps"), "-100 to 100")
    yield nps
    ces = _ratio("ces_mean", of("ces_score"), of("ces") * 10_000, "1 to 7")._replace(population=of("ces"))
    yield ces if ces.value is None else ces._replace(value=1 + _MARK_OF_CES * ces.value)
    mood = _ratio("sentiment_mean", of("sentiment_score"), of("sentiment") * 10_000, "-1 to 1")
    mood = mood._replace(population=of("sentiment"))
    yield mood if mood.value is None else mood._replace(value=2 * mood.value - 1)
    yield _ratio("advocacy_index", 100 * of("advocacy"), care.ever.of("customers"), "acts per 100 customers")


def _standing(care: Care) -> Iterator[Figure]:
    ever = care.ever
    customers = ever.of("customers")
    progress = _ratio("onboarding_progress_ratio", ever.of("onboarding_progress"), ever.of("onboarding") * 10_000)
    yield progress._replace(population=ever.of("onboarding"))
    yield Figure("customers", customers if care.ever.counts else None, "customers", customers)
    lost_share = None
    for months in (1, 12):
        month = month_number(care.as_of) - months
        then = care.months.get(month, Sums({}, {}))
        before = customers + then.of("customers_then")
        logo = _ratio(f"logo_retention_{months}m_ratio", customers + then.of("customers_kept"), before)
        yield logo
        lost_share = None if logo.value is None else 1 - logo.value
        for currency in _currencies(care):
            yield from _revenue_retention(care, then, months, currency, before)
    elapsed = (care.as_of - month_begins_at(month_number(care.as_of) - 12)) / _MEAN_MONTH_US
    for currency in _currencies(care):
        revenue = ever.of(f"revenue/{currency}") / 100
        name = f"customer_lifetime_value{_suffix(currency)}"
        value = revenue / customers * elapsed / lost_share if customers > 0 and lost_share else None
        yield Figure(f"monthly_revenue{_suffix(currency)}", revenue, currency or "currency", customers)
        yield Figure(name, value, currency or "currency", customers)


def _revenue_retention(care: Care, then: Sums, months: int, currency: str, customers: int) -> Iterator[Figure]:
    revenue = care.ever.of(f"revenue/{currency}")
    before = revenue + then.of(f"revenue_then/{currency}")
    for name, measure in (("gross", "revenue_kept"), ("net", "revenue_grown")):
        kept = revenue + then.of(f"{measure}/{currency}")
        figure = _ratio(f"{name}_revenue_retention_{months}m{_suffix(currency)}_ratio", kept, before)
        yield figure._replace(population=customers if before > 0 else 0)


def _issues(care: Care) -> Iterator[Figure]:
    """Of topics."""
    for measure, unit in (
        ("mentions", "messages"),
        ("issue_accounts", "accounts"),
        ("issues_opened", "issues"),
        ("issues_closed", "issues"),
    ):
        count = care.window.of(measure)
        yield Figure(measure, count or None, unit, count)


def _currencies(care: Care) -> list[str]:
    measures = {*care.ever.counts, *(measure for sums in care.months.values() for measure in sums.counts)}
    return sorted({measure.partition("/")[2] for measure in measures if measure.startswith("revenue")})


def _suffix(currency: str) -> str:
    return f"_{currency}" if currency else ""
