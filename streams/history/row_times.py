"""The times of a foreign file as instants: ISO 8601 or another format, with an offset or in a zone of the mapping.

Used by `streams.history.row_events`. A local time that a clock change skips moves forward by the gap, one that occurs
twice is the first of the two, as everywhere in Careline (`docs/sla.md`); PEP 495 calls that `fold=0`.

Every format has a slow way, the library's own reader. Most have a quick one that agrees with it: the text is cut into
pieces (`streams.history.time_formats`) that repeat and are remembered, and the instant is their sum.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.history.time_formats import ISO_PIECES, midnight_of, pieces_of, time_since_midnight

TimeReader = Callable[[str], datetime]

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these a time is a placeholder (year 1, year 9999) or a mistake, never when something happened."""

REMEMBERED = 16_384
"""How many distinct texts keep their instant: files are grouped by case or day, so equal texts stand close together."""

_DIRECTIVE = re.compile("%(.)", re.DOTALL)
_END_OF_DAY = re.compile(r"(?P<before>[^T ]*[T ])24(?P<after>(?::?00){0,2}(?:[.,]0+)?(?:Z|[+-][\d:]+)?)")
_AROUND_A_DAY = (timedelta(hours=-3), timedelta(hours=27))
"""Where the offset is the same at both, it is the same on all of the day between: no zone has ever changed its offset
and changed it back within two days (tzdata 2025)."""
_QUICK_YEARS = range(1901, 2199)
"""Well within `EARLIEST` and `LATEST`, whatever the offset."""


class UnreadableTime(ValueError):  # noqa: N818 - what it is, in the words of the rejected row
    """The text is no time in the format that the mapping announces, or no time at which anything can have happened."""


def time_reader(zone: ZoneInfo, time_format: str | None) -> TimeReader:
    """A function from a text that is not blank to an instant in UTC, exact to the microsecond.

    Args:
        zone: where times without an offset are local.
        time_format: directives of `strptime`; null means ISO 8601.

    Returns:
        A function that raises `UnreadableTime`. It remembers what it has read, up to `REMEMBERED` texts.
    """
    return _RememberedTimes(zone, time_format).__getitem__


class _RememberedTimes(dict[str, datetime]):
    """Texts and their instants. A text that is not there yet is read when it is asked for."""

    def __init__(self, zone: ZoneInfo, time_format: str | None) -> None:
        super().__init__()
        self._zone = zone
        self._read = _iso_time if time_format is None else _strptime_reader(time_format)
        pieces = ISO_PIECES if time_format is None else pieces_of(time_format)
        self._after_day, self._after_minute = pieces.after_day, pieces.after_minute
        self._days = _Days(pieces.day, zone)
        self._minutes, self._rests = _TimesOfDay(pieces.minute), _TimesOfDay(pieces.rest)

    def __missing__(self, text: str) -> datetime:
        stripped = text.strip()
        after_day, after_minute = self._after_day, self._after_minute
        if (
            (day := self._days[stripped[:after_day]]) is None
            or (minute := self._minutes[stripped[after_day:after_minute]]) is None
            or (rest := self._rests[stripped[after_minute:]]) is None
        ):
            at = self._slowly(stripped)
        else:
            at = day + minute + rest
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = at
        return at

    def _slowly(self, text: str) -> datetime:
        try:
            moment = self._read(text)
            at = (moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise UnreadableTime(f"{text[:60]!r} is not a time in the format of the mapping") from None
        if not EARLIEST <= at < LATEST:
            raise UnreadableTime(f"{text[:60]!r} lies outside the years {EARLIEST.year} to {LATEST.year - 1}")
        return at


class _Days(dict[str, datetime | None]):
    """Days as written, with their beginning in UTC; null unless the offset of the zone is the same on all of that day.

    A clock change is left to the slow way, and so is what is no day.
    """

    def __init__(self, pattern: re.Pattern[str], zone: ZoneInfo) -> None:
        super().__init__()
        self._pattern = pattern
        self._zone = zone

    def __missing__(self, text: str) -> datetime | None:
        if len(self) >= REMEMBERED:
            self.clear()
        match = self._pattern.fullmatch(text)
        try:
            self[text] = None if match is None else self._beginning(midnight_of(match))
        except (ValueError, OverflowError):
            self[text] = None
        return self[text]

    def _beginning(self, midnight: datetime) -> datetime | None:
        zone = self._zone
        offsets = {zone.utcoffset(midnight + away) for away in _AROUND_A_DAY}
        if len(offsets) > 1 or midnight.year not in _QUICK_YEARS:
            return None
        return midnight.replace(tzinfo=zone).astimezone(UTC)


class _TimesOfDay(dict[str, timedelta | None]):
    """Pieces of times as written, with what they add to their day; null for what is none."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        super().__init__()
        self._pattern = pattern

    def __missing__(self, text: str) -> timedelta | None:
        if len(self) >= REMEMBERED:
            self.clear()
        match = self._pattern.fullmatch(text)
        self[text] = None if match is None else time_since_midnight(match)
        return self[text]


def check_time_format(time_format: str) -> str | None:
    """Why a format cannot serve, or null. It serves when a time written with it is read back with its date."""
    if "Z" in _DIRECTIVE.findall(time_format):
        return "%Z knows the zones of this machine only; use %z for offsets, or write the zone's name as it stands"
    moment = datetime(2021, 11, 23, 12, 34, 56, tzinfo=UTC)
    written = moment.strftime(time_format)
    try:
        back = datetime.strptime(written, time_format)  # noqa: DTZ007 - only the date is looked at
    except (ValueError, re.error) as error:
        return str(error)
    return None if back.date() == moment.date() else "it does not say year, month and day"


def _strptime_reader(time_format: str) -> TimeReader:
    return lambda text: datetime.strptime(text, time_format)  # noqa: DTZ007 - the zone follows in `_instant`


def _iso_time(text: str) -> datetime:
    """ISO 8601, with midnight also as the end of a day (24:00), which Python reads from version 3.13 on."""
    match = _END_OF_DAY.fullmatch(text)
    if match is None:
        return datetime.fromisoformat(text)
    return datetime.fromisoformat(f"{match['before']}00{match['after']}") + timedelta(days=1)
