"""Care figures beyond one account, as parts that add up: what one partition has counted in one bucket of time.

`agents.account_agent` emits them: each partition of accounts its own part, the newest one in place of the older.
Whoever needs the whole adds the parts of all partitions and of as many buckets as a window holds: `careline care`, the
views of ClickHouse, any subscriber. `docs/care-metrics.md` says what the measures mean and which figures follow.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

RollupScope = Literal["company", "account", "channel", "team", "agent", "tier", "hours", "topic"]
"""`hours` are four hours of the day (UTC), as `08-12`; `topic` is the theme of issues, by its `topic_id`."""
Bucket = Literal["hour", "day", "month", "ever"]
"""Hours, days and months are those of UTC. `ever` holds how things stand: customers, revenue, onboarding."""


class Timings(Struct, frozen=True, gc=False):
    """Durations of one measure as a sketch: `counts[i]` of them lie in bin `bins[i]`.

    Bin 0 is up to 1 s; each further one ends at 51/49 of the one before, in whole microseconds (rounded down), so a
    percentile is right within 2 %.
    """

    measure: str
    bins: tuple[int, ...]
    counts: tuple[int, ...]


class Rollup(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one partition knows of one value of one scope in one bucket: whole numbers that may be added.

    It replaces what the partition said of the same bucket before. Where a correction comes before what it corrects (in
    the hour in which an import is handed over to the wall's clock) a count may be negative for a while; sums are right.
    """

    id: str
    partition: int
    scope: RollupScope
    bucket: Bucket
    begins_at: datetime
    """The first instant of the bucket; that of 1970 for `ever`."""
    as_of: datetime
    """How far the partition had come on the clock when it said so."""
    clock: str = "wall"
    scope_value: str | None = None
    """Null for the company."""
    counts: dict[str, int] = field(default_factory=dict)
    """By measure. Scores are sums of hundredths of 0..100, amounts of money are hundredths of a unit."""
    timings: tuple[Timings, ...] = ()
