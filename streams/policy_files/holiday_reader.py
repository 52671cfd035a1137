"""The `holidays:` of a calendar: dates, regions of the `holidays` package, and iCalendar files.

Used by `calendar_reader`. Regions stay names, their days are looked up year by year; iCalendar files are resolved into
dates, because the policy travels without them.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from schemas.policy import RegionHolidays
from streams.policy_files.fields import date_of, fields_of, items_of, required, word_of
from streams.policy_files.ical_holidays import UnreadableHolidays, holidays_in
from streams.policy_files.located_yaml import Node, Text
from streams.policy_files.problem import Problems, did_you_mean


class HolidayReader:
    """Reads holidays of one file. `folder` is where its iCal files are looked for; null when the text has no place."""

    def __init__(self, problems: Problems, folder: Path | None) -> None:
        self._problems = problems
        self._folder = folder

    def read(self, node: Node) -> tuple[frozenset[date], tuple[RegionHolidays, ...]]:
        """Dates, and regions that have some."""
        dates: set[date] = set()
        regions: list[RegionHolidays] = []
        for item in items_of(node, "holidays", self._problems):
            if isinstance(item, Text):
                word = word_of(item, "holidays", self._problems)
                day = date_of(word, "holidays", self._problems) if word is not None else None
                dates.update([day] if day is not None else [])
                continue
            fields = fields_of(item, ("country", "subdivision", "ical"), "holidays", self._problems)
            if "ical" in fields:
                self._tell_of_both(fields)
                dates |= self._ical(fields["ical"])
            elif "subdivision" in fields and "country" not in fields:
                message = "holidays: a subdivision without its country names no region"
                way_out = "add the country, for example {country: DE, subdivision: BE}"
                self._problems.error(fields["subdivision"].place, message, way_out)
            elif required(fields, item, ("country",), "holidays", self._problems):
                region = self._region(fields)
                regions.extend([region] if region is not None else [])
        return frozenset(dates), tuple(regions)

    def _tell_of_both(self, fields: Mapping[str, Node]) -> None:
        region = [key for key in fields if key != "ical"]
        if region:
            message = f"holidays: one item names an ical file and a {' and a '.join(region)}, which are two sources"
            way_out = "write two items, for example `- {country: DE}` and `- {ical: holidays.ics}`; both count"
            self._problems.error(fields[region[0]].place, message, way_out)

    def _region(self, fields: Mapping[str, Node]) -> RegionHolidays | None:
        country = word_of(fields["country"], "country", self._problems)
        if country is None:
            return None
        from holidays import list_supported_countries  # noqa: PLC0415 - slow to load, and many calendars name no country

        known = list_supported_countries(include_aliases=True)
        if country.text not in known:
            suggestion = did_you_mean(country.text, known, "use an ISO 3166 code such as DE")
            self._problems.error(country.place, f"the holidays of {country.text!r} are not known", suggestion)
            return None
        if "subdivision" not in fields:
            return RegionHolidays(country.text)
        subdivision = word_of(fields["subdivision"], "subdivision", self._problems)
        if subdivision is None:
            return None
        if subdivision.text not in known[country.text]:
            message = f"{country.text} has no subdivision {subdivision.text!r} with holidays of its own"
            self._problems.error(subdivision.place, message, did_you_mean(subdivision.text, known[country.text]))
            return None
        return RegionHolidays(country.text, subdivision.text)

    def _ical(self, node: Node) -> frozenset[date]:
        word = word_of(node, "ical", self._problems)
        if word is None:
            return frozenset()
        if self._folder is None:
            self._problems.error(
                word.place, "an ical file can only be read beside a policy file", "write its dates out"
            )
            return frozenset()
        try:
            found = holidays_in(self._folder / word.text)
        except UnreadableHolidays as error:
            self._problems.error(word.place, f"{word.text}: {error}", "the path is relative to this file")
            return frozenset()
        if not found:
            message = f"{word.text} has no all-day event, so no holidays"
            self._problems.warning(word.place, message, "export whole days, not events with a time")
        return found
