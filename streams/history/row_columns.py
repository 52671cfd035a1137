"""Templates of a mapping as functions of a row: compiled once per file, called for every row.

`streams.history.row_events` asks a `Columns` for what it needs; `streams.history.row_files` and `csv_table` deliver
the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

import msgspec

from streams.history.import_mapping import TextTemplate

TextOf = Callable[[Any], str]
"""From a row to a text; empty where the row says nothing."""

_json = msgspec.json.Encoder()


class Columns(Protocol):
    """How to find a column in the rows of one file."""

    def text(self, name: str) -> TextOf:
        """The column as text; empty where it is missing or null."""

    def key(self, names: Sequence[str]) -> Callable[[Any], object]:
        """Equal for rows that have the same values in these columns, and only for those."""

    def value(self, name: str) -> Callable[[Any], object]:
        """The column as it is: a text (CSV) or any JSON value; null where it is missing."""


class CsvColumns:
    """Columns by the header. Every column asked for must be in it."""

    def __init__(self, header: Sequence[str]) -> None:
        self._places = {name: place for place, name in enumerate(header)}

    def text(self, name: str) -> TextOf:
        """The field under the header `name`."""
        return itemgetter(self._places[name])

    def key(self, names: Sequence[str]) -> Callable[[Any], object]:
        """The fields under the headers."""
        return itemgetter(*(self._places[name] for name in names)) if names else lambda _row: ()

    def value(self, name: str) -> Callable[[Any], object]:
        """The field under the header `name`."""
        return itemgetter(self._places[name])


class JsonColumns:
    """Columns by path.

    `a.b` is the key `a.b` itself if there is one, else the key `b` of the object under `a`; `a.0` the first of a list.
    """

    def text(self, name: str) -> TextOf:
        """The value as text: numbers and booleans as JSON writes them, objects and lists as JSON."""
        find = self.value(name)

        def text(row: Any) -> str:  # noqa: ANN401 - any JSON
            value = find(row)
            return value if isinstance(value, str) else _as_text(value)

        return text

    def key(self, names: Sequence[str]) -> Callable[[Any], object]:
        """The values, those that are no texts as JSON: `1`, `true` and `"1"` differ."""
        finders = [self.value(name) for name in names]

        def key(row: Any) -> tuple[str | bytes, ...]:  # noqa: ANN401 - any JSON
            values = [find(row) for find in finders]
            return tuple([value if isinstance(value, str) else _json.encode(value) for value in values])

        return key

    def value(self, name: str) -> Callable[[Any], object]:
        """The JSON value, null where any step of the path leads nowhere."""
        steps = name.split(".")
        if len(steps) == 1:
            return lambda row: row.get(name)

        def find(row: Any) -> object:  # noqa: ANN401 - any JSON
            if name in row:
                return row[name]
            for step in steps:
                row = _step_into(row, step)
            return row

        return find


def _step_into(value: Any, step: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None


def _as_text(value: object) -> str:
    return "" if value is None else _json.encode(value).decode()


def text_of(template: TextTemplate, columns: Columns) -> TextOf:
    """A template as a function: empty when all of its columns are blank, else its text with the columns filled in."""
    if template.is_constant:
        constant = template.literals[0]
        return lambda _row: constant
    getters = [columns.text(use.name) for use in template.columns]
    if len(getters) == 1 and template.literals == ("", ""):
        return getters[0]
    literals = template.literals

    def text(row: Any) -> str:  # noqa: ANN401 - a row of either format
        values = [get(row) for get in getters]
        if not any(value.strip() for value in values):
            return ""
        return literals[0] + "".join(value + after for value, after in zip(values, literals[1:], strict=True))

    return text


def id_of(template: TextTemplate, columns: Columns) -> TextOf:
    """The same for what names something: blanks at the ends of a column are no part of the name."""
    return text_of(template, _Trimmed(columns))


class _Trimmed:
    """Columns as `Columns` has them, their texts without blanks at the ends."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self.key = columns.key
        self.value = columns.value

    def text(self, name: str) -> TextOf:
        """The column as text, trimmed."""
        get = self._columns.text(name)
        return lambda row: get(row).strip()


def words_of(template: TextTemplate, columns: Columns, ours: Mapping[str, str]) -> Callable[[Any], tuple[str, ...]]:
    """A template for several words (`tags`): a JSON list, or text with commas between. Each word becomes ours."""
    if len(template.columns) == 1 and template.literals == ("", ""):
        find = columns.value(template.columns[0].name)
    else:
        find = text_of(template, columns)

    def words(row: Any) -> tuple[str, ...]:  # noqa: ANN401 - a row of either format
        found = find(row)
        parts = [_word(part) for part in found] if isinstance(found, list) else _word(found).split(",")
        return tuple(dict.fromkeys(ours.get(part, part) for part in map(str.strip, parts) if part))

    return words


def _word(value: object) -> str:
    return value if isinstance(value, str) else _as_text(value)
