"""Values out of a located tree: tables with known keys, words, choices, numbers, dates and instants.

Each function gives the value, or null after saying what is wrong; so a reader goes on and finds the next mistake too.
`calendar_reader`, `policy_reader` and the reader of policy tests are written in these.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from streams.policy_files.located_yaml import Entry, Items, Node, Table, Text
from streams.policy_files.problem import Problems, did_you_mean, nearest

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Beyond these a year is mistyped."""

_YEARS = f"years from {EARLIEST.year} to {LATEST.year - 1} are possible"
_MOST_KEYS = 8
INSTANT_EXAMPLE = "write it with its offset, for example 2026-03-02T14:30:00Z"
_KIND_NAMES: dict[type[Node], str] = {Text: "a word", Items: "a list", Table: "a table"}


def fields_of(node: Node, known: Sequence[str], what: str, problems: Problems) -> dict[str, Node]:
    """The entries of a table by key. Unknown keys, missing values and anything that is no table are errors."""
    if not isinstance(node, Table):
        problems.error(
            node.place,
            f"{what} must be a table of keys and values, not {_shown(node)}",
            f"its keys: {', '.join(known[:_MOST_KEYS])}",
        )
        return {}
    found: dict[str, Node] = {}
    for entry in node:
        if entry.key.text not in known:
            suggestion = did_you_mean(entry.key.text, known)
            problems.error(entry.key.place, f"unknown key {entry.key.text!r} in {what}", suggestion)
        elif has_value(entry, problems):
            found[entry.key.text] = entry.value
    return found


def has_value(entry: Entry, problems: Problems) -> bool:
    """Whether there is a value at all; nothing after the colon is an error."""
    if isinstance(entry.value, Text) and entry.value.is_null:
        problems.error(entry.key.place, f"{entry.key.text!r} has no value", "give it one or leave the key out")
        return False
    return True


def required(found: Mapping[str, Node], table: Node, keys: Sequence[str], what: str, problems: Problems) -> bool:
    """Whether all these keys are there. The beginning of the table is blamed for those that are not."""
    told = [entry.key.text for entry in table if entry.key.text not in found] if isinstance(table, Table) else keys
    for key in keys:
        # A mistyped key has been told already, with the one that is missing as the suggestion.
        if key not in found and nearest(key, told) is None:
            problems.error(table.place, f"{what} has no {key!r}", f"add `{key}:`")
    return all(key in found for key in keys)


def items_of(node: Node, what: str, problems: Problems) -> tuple[Node, ...]:
    """The items of a list."""
    if isinstance(node, Items):
        return node.items
    problems.error(node.place, f"{what} must be a list, not {_shown(node)}", "put it into [ ] or behind a dash")
    return ()


def word_of(node: Node, what: str, problems: Problems) -> Text | None:
    """One scalar that is not empty."""
    if not isinstance(node, Text):
        problems.error(node.place, f"{what} must be a single value, not {_shown(node)}", "write one word or number")
        return None
    if node.is_null or not node.text.strip():
        problems.error(node.place, f"{what} is empty", "give it a value or leave it out")
        return None
    return node


def words_of(node: Node, what: str, problems: Problems) -> tuple[Text, ...]:
    """One scalar or a list of some: a list means any of them."""
    if not isinstance(node, Items):
        word = word_of(node, what, problems)
        return () if word is None else (word,)
    if not node.items:
        problems.error(node.place, f"{what} is an empty list, which nothing can equal", "leave the key out")
    return tuple(word for item in node.items if (word := word_of(item, what, problems)) is not None)


def choice_of(node: Node, choices: Sequence[str], what: str, problems: Problems) -> str | None:
    """One of a closed list of words."""
    word = word_of(node, what, problems)
    if word is None:
        return None
    if word.text not in choices:
        problems.error(word.place, f"{what} cannot be {word.text!r}", did_you_mean(word.text, choices))
        return None
    return word.text


def flag_of(node: Node, what: str, problems: Problems) -> bool | None:
    """`true` or `false`, in any of the spellings of YAML 1.2."""
    if isinstance(node, Text) and node.text in {"True", "TRUE", "False", "FALSE"}:
        return node.text.lower() == "true"
    choice = choice_of(node, ("true", "false"), what, problems)
    return None if choice is None else choice == "true"


def number_of(node: Node, what: str, problems: Problems) -> float | None:
    """A finite number; whole ones come as `int`."""
    word = word_of(node, what, problems)
    if word is None:
        return None
    number = number_in(word.text)
    if number is None:
        problems.error(
            word.place, f"{what} must be a number, not {word.text!r}", "write digits only, for example 5 or 0.5"
        )
    return number


def number_in(text: str) -> float | None:
    """The number that a text is in JSON's notation, or null."""
    if not text or text.strip("+-0123456789.eE") or not text[-1].isdigit():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) != float("inf") else None


def date_of(word: Text, what: str, problems: Problems) -> date | None:
    """A date such as `2026-12-25`."""
    try:
        day = datetime.strptime(word.text, "%Y-%m-%d").date()  # noqa: DTZ007 - a date of the calendar's own zone
    except ValueError:
        problems.error(word.place, f"{what}: {word.text!r} is not a date", "write it as 2026-12-25")
        return None
    if not EARLIEST.date() <= day < LATEST.date():
        problems.error(word.place, f"{what}: the year {day.year} is impossible", _YEARS)
        return None
    return day


def instant_of(node: Node, what: str, problems: Problems) -> datetime | None:
    """An instant with its offset, in UTC."""
    word = word_of(node, what, problems)
    if word is None:
        return None
    try:
        moment = datetime.fromisoformat(word.text)
    except ValueError:
        problems.error(word.place, f"{what}: {word.text!r} is not an instant", INSTANT_EXAMPLE)
        return None
    if moment.tzinfo is None:
        problems.error(word.place, f"{what}: {word.text!r} has no offset", INSTANT_EXAMPLE)
        return None
    if not EARLIEST.year < moment.year < LATEST.year:
        problems.error(word.place, f"{what}: the year {moment.year} is impossible", _YEARS)
        return None
    return moment.astimezone(UTC)


def _shown(node: Node) -> str:
    if isinstance(node, Text):
        return "nothing" if node.is_null else repr(node.text[:40])
    return _KIND_NAMES[type(node)]
