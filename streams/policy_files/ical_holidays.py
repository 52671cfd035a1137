"""The free days of an iCalendar file (RFC 5545): its all-day events, those that recur included.

`holiday_reader` asks for them when a calendar says `{ical: holidays.ics}`. Events with a time of day are no holidays,
cancelled ones neither.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # has none
from icalendar import Calendar

LAST_YEAR = 2100
"""Until when recurring holidays are written out: policies are edited more often than that."""
_MOST_DAYS = 50_000
_ONE_DAY = timedelta(days=1)


class UnreadableHolidays(ValueError):  # noqa: N818 - what it is
    """The file is missing or is no iCalendar file; the message says which."""


def holidays_in(path: Path) -> frozenset[date]:
    """Every day that an all-day event of the file covers.

    Raises:
        UnreadableHolidays: the file cannot be read or holds no calendar.
    """
    try:
        calendar = Calendar.from_ical(path.read_bytes())
    except FileNotFoundError:
        raise UnreadableHolidays("there is no such file") from None
    except OSError as error:
        raise UnreadableHolidays(f"cannot be read: {error.strerror or error}") from None
    except (ValueError, IndexError, KeyError) as error:
        raise UnreadableHolidays(f"is not an iCalendar file: {error}") from None
    days: set[date] = set()
    for event in calendar.walk("VEVENT"):
        try:
            days.update(islice(_days_of(event), _MOST_DAYS))
        except (ValueError, TypeError, OverflowError) as error:
            raise UnreadableHolidays(f"the event {event.get('SUMMARY', '?')!s} is impossible: {error}") from None
    return frozenset(days)


def _days_of(event: Any) -> Iterator[date]:  # noqa: ANN401 - a component of icalendar, which is not annotated
    start = _date(event.get("DTSTART"))
    if start is None or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    length = _length(event, start)
    for first in _starts(event, start):
        for index in range(length):
            yield first + index * _ONE_DAY


def _date(field: Any) -> date | None:  # noqa: ANN401 - as above
    """The date of a field that has no time of day."""
    value = getattr(field, "dt", None)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _length(event: Any, start: date) -> int:  # noqa: ANN401 - as above
    """Days covered: DTEND is the day after the last one; without it and without a duration it is one day."""
    end = _date(event.get("DTEND"))
    if end is not None:
        return max(1, (end - start).days)
    duration = event.get("DURATION")
    return max(1, duration.dt.days) if duration is not None else 1


def _starts(event: Any, start: date) -> Iterator[date]:  # noqa: ANN401 - as above
    left_out = set(_dates_of(event, "EXDATE"))
    yield from (day for day in [start, *_dates_of(event, "RDATE")] if day not in left_out)
    rules = event.get("RRULE")
    for rule in rules if isinstance(rules, list) else [rules] if rules is not None else []:
        # dateutil wants UNTIL of the same kind as the start: local, without a zone.
        text = rule.to_ical().decode().replace("Z", "")
        begin = datetime.combine(start, time())
        for moment in rrulestr(text, dtstart=begin):
            if moment.year > LAST_YEAR:
                break
            if moment.date() not in left_out:
                yield moment.date()


def _dates_of(event: Any, name: str) -> Iterator[date]:  # noqa: ANN401 - as above
    fields = event.get(name, [])
    for field in fields if isinstance(fields, list) else [fields]:
        for value in field.dts:
            if (day := _date(value)) is not None:
                yield day
