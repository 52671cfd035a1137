"""The free days of an iCalendar file (RFC 5545): its all-day events, those that recur included.

`holiday_reader` asks for them when a calendar says `{ical: holidays.ics}`. Events with a time of day are no holidays,
cancelled ones neither. One occurrence that was moved or cancelled (`RECURRENCE-ID`) is taken out of its series.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

LAST_YEAR = 2100
"""Until when recurring holidays are written out: policies are edited more often than that."""
_MOST_DAYS = 50_000
"""Days of one event; every day of two hundred years would be more, and no holiday."""
_ONE_DAY = timedelta(days=1)


class UnreadableHolidays(ValueError):  # noqa: N818 - what it is
    """The file is missing or is no iCalendar file; the message says which."""


def holidays_in(path: Path) -> frozenset[date]:
    """Every day that an all-day event of the file covers.

    Raises:
        UnreadableHolidays: the file cannot be read or holds no calendar.
    """
    try:
        from icalendar import Calendar  # noqa: PLC0415 - slow to load, and most policy files name no iCal file

        calendars = Calendar.from_ical(path.read_bytes(), multiple=True)
    except FileNotFoundError:
        raise UnreadableHolidays("there is no such file") from None
    except OSError as error:
        raise UnreadableHolidays(f"cannot be read: {error.strerror or error}") from None
    except (ValueError, IndexError, KeyError) as error:
        raise UnreadableHolidays(f"is not an iCalendar file: {error}") from None
    if not calendars:
        raise UnreadableHolidays("is not an iCalendar file: it is empty")
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    replaced = _replaced_days(events)
    days: set[date] = set()
    for event in events:
        try:
            found = list(islice(_days_of(event, replaced), _MOST_DAYS + 1))
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise UnreadableHolidays(f"the event {_name(event)} is impossible: {error}") from None
        if len(found) > _MOST_DAYS:
            raise UnreadableHolidays(f"the event {_name(event)} covers more than {_MOST_DAYS} days")
        days.update(found)
    return frozenset(days)


def _name(event: Any) -> str:  # noqa: ANN401 - a component of icalendar, which is not annotated
    return str(event.get("SUMMARY", "?"))


def _replaced_days(events: Iterable[Any]) -> dict[str, set[date]]:
    """By the UID of a series, the days that an event of their own stands for."""
    replaced: defaultdict[str, set[date]] = defaultdict(set)
    for event in events:
        moved = getattr(event.get("RECURRENCE-ID"), "dt", None)
        if isinstance(moved, date):
            replaced[str(event.get("UID"))].add(_as_date(moved))
    return replaced


def _days_of(event: Any, replaced: dict[str, set[date]]) -> Iterator[date]:  # noqa: ANN401 - as above
    start = _first_day(event)
    if start is None or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    length = _length(event, start)
    left_out = set(_dates_of(event, "EXDATE"))
    if "RECURRENCE-ID" not in event:
        left_out |= replaced.get(str(event.get("UID")), set())
    for first in _starts(event, start):
        if first not in left_out:
            for index in range(length):
                yield first + index * _ONE_DAY


def _first_day(event: Any) -> date | None:  # noqa: ANN401 - as above
    """The day on which an all-day event begins; null for one with a time of day."""
    value = getattr(event.get("DTSTART"), "dt", None)
    if isinstance(value, datetime):
        # Outlook writes all-day events from midnight to midnight and says so.
        is_all_day = str(event.get("X-MICROSOFT-CDO-ALLDAYEVENT", "")).upper() == "TRUE" and value.time() == time()
        return value.date() if is_all_day else None
    return value if isinstance(value, date) else None


def _as_date(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _length(event: Any, start: date) -> int:  # noqa: ANN401 - as above
    """Days covered: DTEND is the day after the last one; without it and without a duration it is one day."""
    end = getattr(event.get("DTEND"), "dt", None)
    if isinstance(end, date):
        return max(1, (_as_date(end) - start).days)
    duration = event.get("DURATION")
    return max(1, duration.dt.days) if duration is not None else 1


def _starts(event: Any, start: date) -> Iterator[date]:  # noqa: ANN401 - as above
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # noqa: PLC0415 - has none; slow, as above

    yield start
    yield from _dates_of(event, "RDATE")
    rules = event.get("RRULE")
    for rule in rules if isinstance(rules, list) else [rules] if rules is not None else []:
        # dateutil wants UNTIL of the same kind as the start: local, without a zone.
        text = rule.to_ical().decode().replace("Z", "")
        for moment in rrulestr(text, dtstart=datetime.combine(start, time())):
            if moment.year > LAST_YEAR:
                break
            yield moment.date()


def _dates_of(event: Any, name: str) -> Iterator[date]:  # noqa: ANN401 - as above
    """The dates of a list of some. Google and Outlook write those of all-day events with a time now and then."""
    fields = event.get(name, [])
    for field in fields if isinstance(fields, list) else [fields]:
        for value in field.dts:
            if isinstance(value.dt, date):
                yield _as_date(value.dt)
