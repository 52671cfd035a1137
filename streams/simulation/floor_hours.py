"""When the simulated company works and when its customers write, in the story's own time.

Two sites, Berlin and New York, on weekdays from 8 to 18. `story` asks how busy it is, `conversation_script` when the
next person is there to answer.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agents.domain.instant import HOUR_US, SECOND_US, Instant, from_datetime, to_datetime

OPENS_HOUR, CLOSES_HOUR = 8, 18
FIRST_WEEKEND_DAY = 5

BUSY = {8: 1.5, 9: 1.6, 10: 1.3, 11: 1.1, 12: 0.7, 13: 0.9, 14: 1.1, 15: 1.1, 16: 0.9, 17: 0.7}
"""New conversations by the customer's local hour, around 1: the night's worries arrive in the morning."""

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")

QUIET = 0.08
"""The same outside working hours: people write at night and at weekends, though few do."""


@dataclass(frozen=True, slots=True)
class Site:
    """A place with people: its time zone, and its share of the customers."""

    region: str
    zone: ZoneInfo
    share: float


@dataclass(slots=True)
class FloorHours:
    """The hours of all sites. Remembers what it has worked out, hour by hour: a story asks the same again and again."""

    sites: tuple[Site, ...] = field(
        default_factory=lambda: (
            Site("emea", BERLIN, 2 / 3),
            Site("americas", NEW_YORK, 1 / 3),
        )
    )
    _busy: dict[int, float] = field(default_factory=dict)
    _staffed: dict[int, bool] = field(default_factory=dict)

    def busy(self, at: Instant) -> float:
        """How many conversations begin now, relative to an average working hour."""
        hour = at // HOUR_US
        known = self._busy.get(hour)
        if known is None:
            known = self._busy[hour] = sum(site.share * _busy_at(_local(site, hour)) for site in self.sites)
        return known

    def staffed(self, at: Instant) -> bool:
        """Whether anybody is there to answer."""
        hour = at // HOUR_US
        known = self._staffed.get(hour)
        if known is None:
            known = self._staffed[hour] = any(_is_working_hour(_local(site, hour)) for site in self.sites)
        return known

    def after_working(self, at: Instant, seconds: float) -> Instant:
        """The instant at which so many seconds of work have passed; nights and weekends do not count."""
        left_us = round(seconds * SECOND_US)
        while True:
            hour_ends_at = (at // HOUR_US + 1) * HOUR_US
            if self.staffed(at):
                if at + left_us < hour_ends_at:
                    return at + left_us
                left_us -= hour_ends_at - at
            at = hour_ends_at


def working_morning(after: Instant, zone: ZoneInfo) -> Instant:
    """The first opening of a working day at or after an instant."""
    day = to_datetime(after).astimezone(zone).date()
    while True:
        opens = datetime(day.year, day.month, day.day, OPENS_HOUR, tzinfo=zone)
        if day.weekday() < FIRST_WEEKEND_DAY and from_datetime(opens) >= after:
            return from_datetime(opens)
        day += timedelta(days=1)


def _local(site: Site, hour: int) -> datetime:
    return to_datetime(hour * HOUR_US).astimezone(site.zone)


def _is_working_hour(local: datetime) -> bool:
    return local.weekday() < FIRST_WEEKEND_DAY and OPENS_HOUR <= local.hour < CLOSES_HOUR


def _busy_at(local: datetime) -> float:
    return BUSY.get(local.hour, QUIET) if local.weekday() < FIRST_WEEKEND_DAY else QUIET
