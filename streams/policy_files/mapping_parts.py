"""What mappings have in common: the format of the rows, how times are written, texts with columns in them.

`mapping_reader` reads the mapping of a history of events in these, `streams.health_files.snapshot_mapping` that of a
history of signals.
"""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from streams.history.import_mapping import TextTemplate
from streams.history.row_times import check_time_format
from streams.policy_files.fields import choice_of, word_of
from streams.policy_files.located_yaml import Node, Table, Text
from streams.policy_files.mapping_templates import template_in
from streams.policy_files.problem import Problems, did_you_mean

FORMATS = ("csv", "ndjson")


def format_of(node: Node | None, problems: Problems) -> Literal["csv", "ndjson"] | None:
    """What the files are."""
    word = None if node is None else choice_of(node, FORMATS, "`format`", problems)
    return None if word is None else "csv" if word == "csv" else "ndjson"


def zone_of(node: Node | None, problems: Problems) -> ZoneInfo:
    """Where times without an offset are local."""
    word = None if node is None else word_of(node, "`time_zone`", problems)
    if word is None:
        return ZoneInfo("UTC")
    name = word.text
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        suggestion = did_you_mean(name, available_timezones(), "use an IANA name such as America/New_York")
        problems.error(word.place, f"{name!r} is not a time zone", suggestion)
        return ZoneInfo("UTC")


def time_format_of(node: Node | None, problems: Problems) -> str | None:
    """How times are written; null for ISO 8601."""
    word = None if node is None else word_of(node, "`time_format`", problems)
    if word is None:
        return None
    trouble = check_time_format(word.text)
    if trouble is not None:
        problems.error(word.place, f"{word.text!r} is not a time format: {trouble}", 'for example "%Y-%m-%d %H:%M:%S"')
    return word.text


def template_of(node: Node | None, name: str, problems: Problems) -> TextTemplate | None:
    """A text with columns in it."""
    if node is None:
        return None
    if isinstance(node, Table):
        problems.error(node.place, f"`{name}` must be a text", _if_unquoted(node))
        return None
    word = word_of(node, f"`{name}`", problems)
    return None if word is None else template_in(word.text, node.place, problems)


def plain_of(node: Node, what: str, problems: Problems) -> str | None:
    """A scalar that may be empty."""
    if isinstance(node, Text):
        return "" if node.is_null else node.text
    problems.error(node.place, f"{what} must be a single value", _if_unquoted(node))
    return None


def entries_of(node: Node, what: str, problems: Problems) -> list[tuple[Text, Node]]:
    """The keys of a table with their values."""
    if isinstance(node, Table):
        return [(entry.key, entry.value) for entry in node]
    problems.error(node.place, f"{what} must be a table of keys and values", "write `key: value`")
    return []


def _if_unquoted(node: Node) -> str:
    """`{column}` without quotes is a table to YAML."""
    if isinstance(node, Table) and len(node.entries) == 1:
        entry = node.entries[0]
        if isinstance(entry.value, Text) and entry.value.is_null:
            return f'with quotes: "{{{entry.key.text}}}"'
    return 'for example "{column}"'
