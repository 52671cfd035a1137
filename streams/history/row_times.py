"""The times of a foreign file as instants: ISO 8601 or another format, with an offset or in a zone of the mapping.

Used by `streams.history.row_events`. A local time that a clock change skips moves forward by the gap, one that occurs
twice is the first of the two, as everywhere in Careline (`docs/sla-semantics.md`); PEP 495 calls that `fold=0`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

TimeReader = Callable[[str], datetime]

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these a time is a placeholder (year 1, year 9999) or a mistake, never when something happened."""

REMEMBERED = 65_536
"""How many distinct texts keep their instant: files are grouped by case or day, so equal texts stand close together."""

_DIGITS = {
    "Y": r"(\d{4})",
    "m": r"(\d\d)",
    "d": r"(\d\d)",
    "H": r"(\d\d)",
    "M": r"(\d\d)",
    "S": r"(\d\d)",
    "f": r"(\d{1,6})",
}
_ISO_SHAPED = frozenset({"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"})
_DIRECTIVE = re.compile("%(.)", re.DOTALL)


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
    read = datetime.fromisoformat if time_format is None else _format_reader(time_format)
    seen: dict[str, datetime] = {}

    def instant(text: str) -> datetime:
        at = seen.get(text)
        if at is None:
            at = _instant(read, text.strip(), zone)
            if len(seen) >= REMEMBERED:
                seen.clear()
            seen[text] = at
        return at

    return instant


def _instant(read: TimeReader, text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = read(text)
        at = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableTime(f"{text[:60]!r} is not a time in the format of the mapping") from None
    if not EARLIEST <= at < LATEST:
        raise UnreadableTime(f"{text[:60]!r} lies outside the years {EARLIEST.year} to {LATEST.year - 1}")
    return at


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


def _format_reader(time_format: str) -> TimeReader:
    """`strptime`, with a detour: formats of plain numbers are read by a pattern, at a sixth of the price."""

    def by_strptime(text: str) -> datetime:
        return datetime.strptime(text, time_format)  # noqa: DTZ007 - the zone follows in `_instant`

    directives = _DIRECTIVE.findall(time_format)
    if not {"Y", "m", "d"} <= set(directives) <= set(_DIGITS) or len(set(directives)) < len(directives):
        return by_strptime
    literals = _DIRECTIVE.split(time_format)[::2]
    pattern = re.compile(
        re.escape(literals[0])
        + "".join(_DIGITS[name] + re.escape(text) for name, text in zip(directives, literals[1:], strict=True)),
        re.ASCII,
    )
    if time_format in _ISO_SHAPED:
        # The pattern has checked the shape; the library's own reader is three times as fast as taking it apart here.
        return lambda text: datetime.fromisoformat(text) if pattern.fullmatch(text) else by_strptime(text)
    order = [directives.index(name) if name in directives else None for name in "YmdHMSf"]

    def by_pattern(text: str) -> datetime:
        match = pattern.fullmatch(text)
        if match is None:  # what `strptime` allows beyond it, such as days of one digit
            return by_strptime(text)
        numbers = match.groups()
        year, month, day, hour, minute, second, fraction = ["0" if i is None else numbers[i] for i in order]
        return datetime(  # noqa: DTZ001 - the zone follows in `_instant`
            int(year), int(month), int(day), int(hour), int(minute), int(second), int(fraction.ljust(6, "0"))
        )

    return by_pattern
