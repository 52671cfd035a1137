"""Formats of plain digits, taken apart into pieces that repeat: the day, the hour with its minute, and the rest.

`streams.history.row_times` reads a time as the sum of its pieces and remembers each of them, at a tenth of what
`strptime` takes. A format qualifies when its pieces have fixed places: year, month and day first, then perhaps hour (of
24, or of 12 with AM or PM), minute, second, and a fraction at the very end.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

_DIRECTIVE = re.compile("%(.)", re.DOTALL)
_SHAPES = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d\d)",
    "d": r"(?P<d>\d\d)",
    "H": r"(?P<H>[01]\d|2[0-3])",
    "I": "(?P<I>0[1-9]|1[0-2])",
    "M": r"(?P<M>[0-5]\d)",
    "S": r"(?P<S>[0-5]\d)",
    "p": "(?P<p>AM|PM|am|pm)",
    "f": r"(?P<f>\d{1,6})",
}
_WIDTHS = dict.fromkeys(_SHAPES, 2) | {"Y": 4}
_DATE = "Ymd"
_CLOCKS = frozenset({"", "H", "HM", "HMS", "HMSf", "IMp", "IMSp"})
"""What a format may have beside its date."""


class TimePieces(NamedTuple):
    """Where a text is cut, and what its pieces look like. A piece that looks otherwise is left to `strptime`."""

    after_day: int
    after_minute: int
    day: re.Pattern[str]
    minute: re.Pattern[str]
    rest: re.Pattern[str]


ISO_PIECES = TimePieces(
    10,
    16,
    re.compile("{Y}-{m}-{d}".format_map(_SHAPES), re.ASCII),
    re.compile("[T ]{H}:{M}".format_map(_SHAPES), re.ASCII),
    re.compile("(?::{S}(?:[.,]{f})?)?".format_map(_SHAPES), re.ASCII),
)
"""ISO 8601 as most files have it, without an offset."""


_NOTHING = re.compile("(?!)")
NO_PIECES = TimePieces(0, 0, _NOTHING, _NOTHING, _NOTHING)
"""For a format that does not qualify: no text fits."""


def pieces_of(time_format: str) -> TimePieces:
    """The pieces of a format of `strptime`; `NO_PIECES` where it does not qualify."""
    literals, directives = _DIRECTIVE.split(time_format)[::2], _DIRECTIVE.findall(time_format)
    clock = "".join(name for name in "HIMSfp" if name in directives)
    if clock not in _CLOCKS or sorted(directives[:3]) != sorted(_DATE) or sorted(directives[3:]) != sorted(clock):
        return NO_PIECES
    if "f" in directives and not time_format.endswith("%f"):
        return NO_PIECES
    cuts = [0]
    patterns = []
    for names, before, last in (
        (directives[:3], literals[:3], ""),
        (directives[3:5], literals[3:5], ""),
        (directives[5:], literals[5:], literals[-1]),
    ):
        patterns.append(re.compile(_pattern(names, before) + re.escape(last), re.ASCII))
        cuts.append(cuts[-1] + sum(map(len, before)) + sum(_WIDTHS[name] for name in names))
    return TimePieces(cuts[1], cuts[2], *patterns)


def _pattern(names: Sequence[str], before: Sequence[str]) -> str:
    return "".join(re.escape(text) + _SHAPES[name] for text, name in zip(before, names, strict=False))


def midnight_of(day: re.Match[str]) -> datetime:
    """The beginning of a day.

    Raises:
        ValueError: there is no such day.
    """
    return datetime(int(day["Y"]), int(day["m"]), int(day["d"]))  # noqa: DTZ001 - the zone is not known here


def time_since_midnight(piece: re.Match[str]) -> timedelta:
    """What a piece adds to the beginning of its day."""
    found = piece.groupdict("0")
    afternoon = 12 if found.get("p") in {"PM", "pm"} else 0
    return timedelta(
        hours=int(found.get("H", "0")) + int(found.get("I", "0")) % 12 + afternoon,
        minutes=int(found.get("M", "0")),
        seconds=int(found.get("S", "0")),
        microseconds=int(found.get("f", "0").ljust(6, "0")),
    )
