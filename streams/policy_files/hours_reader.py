"""Opening hours and the days they hold for: `09:00-12:00`, `22:00-06:00`, `mon-thu`.

Used by `calendar_reader` for weekly hours, exceptions and breaks.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from schemas.policy import WallInterval
from streams.policy_files.fields import word_of
from streams.policy_files.located_yaml import Items, Node, Text
from streams.policy_files.problem import Place, Problems, did_you_mean

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_SECONDS = 86_400

_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_WAY_OUT = "write it as 09:00-17:00"


def weekdays_of(word: Text, problems: Problems) -> tuple[int, ...]:
    """ISO weekdays (1 Monday .. 7 Sunday) of `mon`, `mon-thu` or, over the end of the week, `sat-mon`."""
    names = word.text.split("-")
    for name in names:
        if name not in WEEKDAYS:
            suggestion = did_you_mean(name[:3], WEEKDAYS)
            problems.error(word.place, f"{name!r} is not a weekday", suggestion)
            return ()
    if len(names) > 2:
        problems.error(word.place, f"{word.text!r} is not a range of weekdays", "write it as mon-fri")
        return ()
    first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
    return tuple((first + step) % 7 + 1 for step in range((last - first) % 7 + 1))


def hours_of(node: Node, what: str, problems: Problems) -> tuple[WallInterval, ...]:
    """The intervals of one day, in order; an empty list means closed. Hours that overlap are doubted and count once."""
    items = node.items if isinstance(node, Items) else (node,)
    found = sorted(_located_intervals(items, what, problems))
    for (before, _), (after, place) in pairwise(found):
        if after.opens_seconds < before.closes_seconds:
            problems.warning(place, f"{what}: hours overlap and count once", "let one begin where the other ends")
    return tuple(interval for interval, _ in found)


def _located_intervals(items: tuple[Node, ...], what: str, problems: Problems) -> Iterator[tuple[WallInterval, Place]]:
    for item in items:
        word = word_of(item, what, problems)
        if word is not None and (interval := _interval(word, what, problems)) is not None:
            yield interval, word.place


def _interval(word: Text, what: str, problems: Problems) -> WallInterval | None:
    ends = [end.strip() for end in word.text.split("-")]
    if len(ends) != 2:
        problems.error(word.place, f"{what}: {word.text!r} is not an interval", _WAY_OUT)
        return None
    opens = _seconds(ends[0], word, what, problems)
    closes = None if opens is None else _seconds(ends[1], word, what, problems)
    if opens is None or closes is None:
        return None
    if opens == DAY_SECONDS:
        problems.error(word.place, f"{what}: nothing opens at 24:00", "00:00 of the following day is meant")
        return None
    if opens == closes:
        problems.error(word.place, f"{what}: {word.text!r} opens and closes at once", "a whole day is 00:00-24:00")
        return None
    return WallInterval(opens, closes if closes > opens else closes + DAY_SECONDS)


def _seconds(text: str, word: Text, what: str, problems: Problems) -> int | None:
    match = _TIME.fullmatch(text)
    if match is None:
        problems.error(word.place, f"{what}: {text!r} is not a time of day", _WAY_OUT)
        return None
    hour, minute, second = (int(part or 0) for part in match.groups())
    seconds = hour * 3_600 + minute * 60 + second
    if minute > 59 or second > 59 or seconds > DAY_SECONDS:
        problems.error(word.place, f"{what}: {text!r} is an impossible time", "a day lasts from 00:00 to 24:00")
        return None
    return seconds
