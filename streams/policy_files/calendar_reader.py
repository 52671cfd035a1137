"""The `calendars:` of a policy file: weekly hours, holidays, exceptions, breaks, unions and intersections.

Gives `schemas.policy.CalendarSpec`, everything resolved; `policy_reader` puts them into the policy file.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from zoneinfo import available_timezones

from agents.domain.calendar import Calendar, CalendarMistake, CalendarNeverOpens, compile_calendars
from schemas.policy import ALWAYS, CalendarSpec, WallInterval
from streams.policy_files.fields import date_of, fields_of, has_value, word_of, words_of
from streams.policy_files.holiday_reader import HolidayReader
from streams.policy_files.hours_reader import WEEKDAYS, hours_of, weekdays_of
from streams.policy_files.located_yaml import Entry, Items, Node, Table
from streams.policy_files.problem import Problems, did_you_mean

_OWN_HOURS = ("time_zone", "weekly", "holidays", "exceptions", "breaks")
_COMBINATIONS = ("union", "intersection")
_KEYS = (*_OWN_HOURS, *_COMBINATIONS)


class CalendarReader:
    """Reads calendars of one file. `folder` is where its iCal files are looked for; null when the text has no place."""

    def __init__(self, problems: Problems, folder: Path | None) -> None:
        self._problems = problems
        self._holidays = HolidayReader(problems, folder)

    def read(self, node: Node) -> dict[str, CalendarSpec]:
        """Every calendar of the section that could be read, by name."""
        if not isinstance(node, Table):
            self._problems.error(
                node.place,
                "calendars must be a table of names and calendars",
                "for example berlin: {time_zone: Europe/Berlin, …}",
            )
            return {}
        found: dict[str, CalendarSpec] = {}
        flawless: set[str] = set()
        for entry in node:
            mistakes = len(self._problems.errors)
            if entry.key.text == ALWAYS.name:
                self._problems.error(
                    entry.key.place, f"{ALWAYS.name!r} exists already: 24x7 in UTC", "choose another name"
                )
            elif (spec := self._calendar(entry)) is not None:
                found[entry.key.text] = spec
            if len(self._problems.errors) == mistakes:
                flawless.add(entry.key.text)
        self._check_together(found, flawless, node)
        return found

    def _calendar(self, entry: Entry) -> CalendarSpec | None:
        name, what = entry.key.text, f"calendar {entry.key.text!r}"
        fields = fields_of(entry.value, _KEYS, what, self._problems)
        if not fields:
            if isinstance(entry.value, Table) and not entry.value.entries:
                self._problems.error(entry.value.place, f"{what} is empty", "give it a time_zone and weekly hours")
            return None
        combined = [key for key in _COMBINATIONS if key in fields]
        if not combined:
            return self._own_hours(name, fields, entry)
        for key in [key for key in fields if key != combined[0]]:
            self._problems.error(
                fields[key].place,
                f"{what} is a {combined[0]} and cannot have {key!r} too",
                "name a calendar with hours of its own as a member",
            )
        listed = fields[combined[0]]
        if isinstance(listed, Items) and not listed.items:
            self._problems.error(listed.place, f"{combined[0]} is an empty list", "name the calendars it is made of")
            return None
        members = tuple(member.text for member in words_of(listed, combined[0], self._problems))
        if combined[0] == "union":
            return CalendarSpec(name=name, union=members)
        return CalendarSpec(name=name, intersection=members)

    def _own_hours(self, name: str, fields: Mapping[str, Node], entry: Entry) -> CalendarSpec:
        what = f"calendar {name!r}"
        if "time_zone" not in fields:
            self._problems.warning(
                entry.key.place, f"{what} has no time_zone, so its hours are UTC", "add `time_zone: UTC`"
            )
        dates, regions = self._holidays.read(fields["holidays"]) if "holidays" in fields else (frozenset(), ())
        return CalendarSpec(
            name=name,
            time_zone=self._time_zone(fields["time_zone"]) if "time_zone" in fields else "UTC",
            weekly=self._weekly(fields["weekly"]) if "weekly" in fields else {},
            holidays=dates,
            region_holidays=regions,
            exceptions=self._dated(fields["exceptions"], "exceptions") if "exceptions" in fields else {},
            breaks=self._dated(fields["breaks"], "breaks") if "breaks" in fields else {},
        )

    def _time_zone(self, node: Node) -> str:
        word = word_of(node, "time_zone", self._problems)
        if word is None:
            return "UTC"
        zones = available_timezones()
        if word.text in zones:
            return word.text
        suggestion = did_you_mean(word.text, zones, "use an IANA name such as Europe/Berlin")
        self._problems.error(word.place, f"there is no time zone {word.text!r}", suggestion)
        return "UTC"

    def _weekly(self, node: Node) -> dict[int, tuple[WallInterval, ...]]:
        found: dict[int, tuple[WallInterval, ...]] = {}
        if not isinstance(node, Table):
            self._problems.error(
                node.place, "weekly must be a table of weekdays and hours", "for example mon-fri: [09:00-17:00]"
            )
            return found
        for entry in node:
            days = weekdays_of(entry.key, self._problems)
            if twice := [day for day in days if day in found]:
                name = entry.key.text
                self._problems.error(
                    entry.key.place,
                    f"{name!r}: {WEEKDAYS[twice[0] - 1]} has hours already",
                    "name every weekday once; hours of single dates stand under `exceptions:`",
                )
            if has_value(entry, self._problems):
                hours = hours_of(entry.value, entry.key.text, self._problems)
                found.update(dict.fromkeys(days, hours))
        return found

    def _dated(self, node: Node, what: str) -> dict[date, tuple[WallInterval, ...]]:
        found: dict[date, tuple[WallInterval, ...]] = {}
        if not isinstance(node, Table):
            self._problems.error(
                node.place, f"{what} must be a table of dates and hours", "for example 2026-12-24: [09:00-12:00]"
            )
            return found
        for entry in node:
            day = date_of(entry.key, what, self._problems)
            if has_value(entry, self._problems):
                hours = hours_of(entry.value, f"{what} {entry.key.text}", self._problems)
                if day is not None:
                    found[day] = hours
        return found

    def _check_together(self, specs: dict[str, CalendarSpec], flawless: set[str], section: Table) -> None:
        """What only shows when all calendars are known: members, cycles, and whether each ever opens."""
        declared = {entry.key.text: entry for entry in section}
        self._check_members(specs, declared)
        whole = _with_readable_members(specs)
        calendars: dict[str, Calendar] = {}
        while not calendars:
            try:
                calendars = compile_calendars(whole)
            except CalendarMistake as mistake:
                self._problems.error(declared[mistake.calendar].key.place, str(mistake), "change or remove it")
                del whole[mistake.calendar]
                whole = _with_readable_members(whole)
        for name in whole:
            # A combination of calendars with mistakes in them may open once they are mended.
            if name not in flawless or not flawless.issuperset(
                {*specs[name].union, *specs[name].intersection} - {"always"}
            ):
                continue
            try:
                calendars[name].next_opening(0)
            except CalendarNeverOpens:
                message = f"calendar {name!r} never opens"
                self._problems.error(declared[name].key.place, message, "give it hours on some day")

    def _check_members(self, specs: Mapping[str, CalendarSpec], declared: Mapping[str, Entry]) -> None:
        known = dict.fromkeys([*declared, ALWAYS.name])
        for name in specs:
            value = declared[name].value
            written = (
                [entry.value for entry in value if entry.key.text in _COMBINATIONS] if isinstance(value, Table) else []
            )
            # What is wrong with the list itself has been said when it was read.
            for member in [word for node in written for word in words_of(node, name, Problems(""))]:
                if member.text not in known:
                    suggestion = did_you_mean(member.text, known)
                    self._problems.error(member.place, f"there is no calendar {member.text!r}", suggestion)


def _with_readable_members(specs: Mapping[str, CalendarSpec]) -> dict[str, CalendarSpec]:
    """The calendars that do not depend on one that could not be read."""
    whole = dict(specs)
    while missing := [
        name for name, spec in whole.items() if not {*spec.union, *spec.intersection} <= {*whole, ALWAYS.name}
    ]:
        for name in missing:
            del whole[name]
    return whole
