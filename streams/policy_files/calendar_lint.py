"""Calendars that say something which changes nothing: dead exceptions and breaks, holidays of the past, odd members.

Used by `policy_lint`; what makes a calendar impossible is told as an error by `calendar_reader`.
"""

from collections.abc import Iterator
from datetime import date

import msgspec

from agents.domain.calendar import compile_calendars
from agents.domain.calendar_hours import days_of_region, instant_of_wall_time, zone_of
from schemas.policy import ALWAYS, CalendarSpec, PolicyFile, WallInterval
from streams.policy_files.doubt import Doubt, Path
from streams.policy_files.hours_reader import DAY_SECONDS, WEEKDAYS


def calendar_doubts(policy_file: PolicyFile, today: date) -> Iterator[Doubt]:
    """Everything doubtful about the calendars of a file.

    Args:
        policy_file: a file without errors.
        today: holidays before this date lie in the past.
    """
    used = {policy.calendar for policy in policy_file.policies}
    used |= {target.calendar or "" for policy in policy_file.policies for target in policy.targets.values()}
    used |= {member for spec in policy_file.calendars.values() for member in (*spec.union, *spec.intersection)}
    for name, spec in policy_file.calendars.items():
        path: Path = ("calendars", name)
        if name not in used:
            yield Doubt(path, f"no policy uses the calendar {name!r}", "name it in a policy, or remove it")
        if spec.union or spec.intersection:
            yield from _members(path, spec)
        else:
            yield from _old_holidays(path, spec, today)
            yield from _dead_exceptions((*path, "exceptions"), spec)
            yield from _dead_breaks((*path, "breaks"), spec)
            yield from _nights_into_hours((*path, "weekly"), spec)


def _members(path: Path, spec: CalendarSpec) -> Iterator[Doubt]:
    kind = "union" if spec.union else "intersection"
    members = spec.union or spec.intersection
    here = (*path, kind)
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        yield Doubt(here, f"{kind}: {twice[0]!r} is named twice and counts once", "name every member once")
    elif len(members) == 1:
        yield Doubt(here, f"a {kind} of one calendar is that calendar", f"use {members[0]!r} itself, or add a member")
    elif ALWAYS.name in members and spec.union:
        yield Doubt(here, "a union with 'always' is always open", "use 'always' itself, or take it out")
    elif ALWAYS.name in members:
        yield Doubt(here, "'always' takes nothing out of an intersection", "take it out")


def _old_holidays(path: Path, spec: CalendarSpec, today: date) -> Iterator[Doubt]:
    if spec.holidays and not spec.region_holidays and max(spec.holidays) < today:
        last = max(spec.holidays)
        message = f"all holidays of the calendar {spec.name!r} lie in the past: the last one is {last}"
        yield Doubt((*path, "holidays"), message, "add those to come, or name a country: {country: DE}")


def _dead_exceptions(path: Path, spec: CalendarSpec) -> Iterator[Doubt]:
    for day, hours in spec.exceptions.items():
        if day in spec.holidays or any(day in days_of_region(region, day.year) for region in spec.region_holidays):
            so = "so these hours never count" if hours else "so it is closed already"
            message = f"exceptions {day} changes nothing: the day is a holiday, {so}"
            way_out = "take the day out of the holidays" if hours and day in spec.holidays else "remove it"
            yield Doubt((*path, str(day)), message, way_out)


def _dead_breaks(path: Path, spec: CalendarSpec) -> Iterator[Doubt]:
    if not spec.breaks:
        return
    unbroken = compile_calendars({spec.name: msgspec.structs.replace(spec, breaks={})})[spec.name]
    zone = zone_of(spec.name, spec.time_zone)
    for day, breaks in spec.breaks.items():
        for one in breaks:
            ends = (instant_of_wall_time(day, seconds, zone) for seconds in (one.opens_seconds, one.closes_seconds))
            if unbroken.open_between(*ends) == 0:
                message = f"breaks {day}: {_shown(one)} changes nothing, as nothing is open then"
                yield Doubt((*path, str(day)), message, "remove it, or compare it with the hours of that date")


def _nights_into_hours(path: Path, spec: CalendarSpec) -> Iterator[Doubt]:
    """Hours that go on after midnight and meet those of the next day."""
    for weekday, hours in spec.weekly.items():
        following = weekday % 7 + 1
        until = max((interval.closes_seconds for interval in hours), default=0) - DAY_SECONDS
        if any(interval.opens_seconds < until for interval in spec.weekly.get(following, ())):
            names = (WEEKDAYS[weekday - 1], WEEKDAYS[following - 1])
            message = f"the hours of {names[0]} go on into those of {names[1]}; where they overlap they count once"
            yield Doubt(path, message, f"let {names[0]} end where {names[1]} begins")


def _shown(interval: WallInterval) -> str:
    def time(seconds: int) -> str:
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"

    closes = interval.closes_seconds
    return f"{time(interval.opens_seconds)}-{time(closes if closes <= DAY_SECONDS else closes - DAY_SECONDS)}"
