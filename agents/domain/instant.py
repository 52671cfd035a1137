"""Instants in the domain: whole microseconds since 1970-01-01T00:00:00Z.

Integers compare, subtract and bisect fast and never lose a digit; contracts carry aware datetimes. Names ending in
`_at` hold an `Instant` inside `agents.domain`; durations are `_us` inside calculations and `_seconds` at the edges.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

Instant = int
"""Microseconds since the epoch, UTC."""

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_EXACT_US = 2**52
"""Up to here (the years 1828 to 2112) a float of seconds is nearer to its microsecond than to any other."""


def from_datetime(moment: datetime) -> Instant:
    """An aware datetime as an instant, exact to the microsecond for the years 1700 to 2240.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return round(moment.timestamp() * 1e6)


@lru_cache(maxsize=16_384)
def to_datetime(at: Instant) -> datetime:
    """An instant as an aware datetime in UTC. Remembered, because a clock says its few instants in every event."""
    if -_EXACT_US < at < _EXACT_US:
        return datetime.fromtimestamp(at / SECOND_US, UTC)  # in half of the time of adding a timedelta
    return _EPOCH + timedelta(microseconds=at)


def optional_datetime(at: Instant | None) -> datetime | None:
    """Like `to_datetime`, and nothing stays nothing."""
    return None if at is None else to_datetime(at)


def to_seconds(duration_us: int) -> float:
    """Microseconds as seconds; whole seconds become whole numbers."""
    seconds, rest = divmod(duration_us, SECOND_US)
    return seconds if rest == 0 else duration_us / SECOND_US
