"""Zendesk's schedules as calendars: weekly hours, holidays, time zone. Pure.

Source: Zendesk developer documentation, "Schedules": an interval counts minutes from Sunday 00:00; a holiday goes from
its first to its last day, both closed. `zendesk_policies` refers to them, `policy_text` writes them down.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from streams.backfill.rails_time_zones import iana_zone
from streams.connectors.payload_reading import Json, id_text, number, tables, text
from streams.policy_files.hours_reader import WEEKDAYS

DAY_MINUTES = 1440
WEEK_MINUTES = 7 * DAY_MINUTES
SUNDAY_FIRST = ("sun", *WEEKDAYS[:6])
LONGEST_HOLIDAY_DAYS = 366

Interval = tuple[int, int]
"""Minutes after midnight; the end may be 1440, which is 24:00."""


@dataclass(frozen=True, slots=True)
class CalendarDraft:
    """A calendar to be written down. `notes` say what is otherwise than at Zendesk; no `weekly`: it never opens."""

    name: str
    title: str
    time_zone: str
    weekly: Mapping[str, Sequence[Interval]]
    holidays: Mapping[date, str]
    notes: Sequence[str] = field(default=())


def calendars_of(schedules: Iterable[Json], holidays: Mapping[str, Iterable[Json]]) -> dict[str, CalendarDraft]:
    """The calendar of every schedule that is not deleted, by the schedule's id; `holidays` by that id as well."""
    found: dict[str, CalendarDraft] = {}
    taken = {"always"}
    for schedule in schedules:
        schedule_id = id_text(schedule, "id")
        if schedule_id is None or text(schedule, "deleted_at") is not None:
            continue
        title = text(schedule, "name") or f"schedule {schedule_id}"
        zone = text(schedule, "time_zone") or "UTC"
        known = iana_zone(zone)
        notes = () if known is not None else (f"its time zone {zone!r} is not known here: these hours are in UTC",)
        found[schedule_id] = CalendarDraft(
            name=unique_name(title, taken),
            title=title,
            time_zone=known or "UTC",
            weekly=weekly_hours(schedule),
            holidays=_days_off(holidays.get(schedule_id, ())),
            notes=notes,
        )
    return found


def weekly_hours(schedule: Json) -> dict[str, list[Interval]]:
    """The hours of each day that has some, in the order of the week; what touches is joined, midnight divides."""
    minutes: dict[str, list[Interval]] = {}
    for interval in tables(schedule, "intervals"):
        start, end = number(interval, "start_time"), number(interval, "end_time")
        if start is None or end is None:
            continue
        begin, close = max(0, int(start)), min(WEEK_MINUTES, int(end))
        while begin < close:
            day = begin // DAY_MINUTES
            midnight = (day + 1) * DAY_MINUTES
            until = min(close, midnight) - day * DAY_MINUTES
            minutes.setdefault(SUNDAY_FIRST[day], []).append((begin - day * DAY_MINUTES, until))
            begin = midnight
    return {day: _joined(minutes[day]) for day in WEEKDAYS if day in minutes}


def _joined(intervals: list[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for begin, end in sorted(intervals):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _days_off(holidays: Iterable[Json]) -> dict[date, str]:
    found: dict[date, str] = {}
    for holiday in holidays:
        try:
            first = date.fromisoformat((text(holiday, "start_date") or "")[:10])
            last = date.fromisoformat((text(holiday, "end_date") or text(holiday, "start_date") or "")[:10])
        except ValueError:
            continue
        for step in range(min((last - first).days + 1, LONGEST_HOLIDAY_DAYS)):
            found[first + timedelta(days=step)] = text(holiday, "name") or "holiday"
    return dict(sorted(found.items()))


def unique_name(title: str, taken: set[str]) -> str:
    """A name for policy files made of a title, another one for each; it is taken from then on."""
    base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] or "unnamed"
    name = next(
        each for each in (base, *(f"{base}-{count}" for count in range(2, len(taken) + 3))) if each not in taken
    )
    taken.add(name)
    return name
