"""One event of a policy test: the keys that import mappings use too, here with their values written out.

Used by `case_reader`; gives the drafts that `streams.history.conversation_history` turns into interactions, so that ids
and defaults are the same in tests and imports.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.history.import_mapping import ACCOUNT_FIELDS, ALLOWED_WITH, EVENT_KEYS, REQUIRED_WITH, VOCABULARIES
from streams.history.row_events import EventBody, EventDraft
from streams.policy_files.condition_reader import check_priority
from streams.policy_files.fields import (
    choice_of,
    fields_of,
    flag_of,
    instant_of,
    number_of,
    required,
    word_of,
    words_of,
)
from streams.policy_files.located_yaml import Items, Node, Table, Text
from streams.policy_files.problem import Problems


def event_of(node: Node, metrics: Sequence[str], problems: Problems) -> EventDraft | None:
    """An event, or null with what is wrong among the problems. `metrics` are those that a due date can be set for."""
    errors_before = len(problems.errors)
    fields = fields_of(node, EVENT_KEYS, "an event", problems)
    kind = choice_of(fields["type"], VOCABULARIES["type"], "type", problems) if "type" in fields else "message"
    if not isinstance(node, Table):
        return None
    what = "an event" if kind is None else f"an event of type {kind!r}"
    required(fields, node, ("at", *REQUIRED_WITH.get(kind or "", ())), what, problems)
    at = instant_of(fields["at"], "at", problems) if "at" in fields else None
    values: dict[str, Any] = {"type": kind}
    for key, value in fields.items():
        if kind is not None and kind not in ALLOWED_WITH.get(key, (kind,)):
            owners = " or ".join(ALLOWED_WITH[key])
            problems.warning(
                value.place, f"{key!r} says nothing about a {kind} and is ignored", f"it goes with {owners}"
            )
        elif key == "account":
            values.update(account_of(value, "account", problems))
        elif key not in {"at", "type"}:
            values["author" if key == "from" else key] = _value(key, value, metrics, problems)
    if kind is None or at is None or len(problems.errors) > errors_before:
        return None
    return EventDraft(at, EventBody(**values))


def account_of(node: Node, name: str, problems: Problems) -> dict[str, str]:
    """An account: its id alone, or a table of `id`, `tier`, `segment` and `contract`. The id comes under `name`."""
    if isinstance(node, Text):
        word = word_of(node, "account", problems)
        return {} if word is None else {name: word.text}
    fields = fields_of(node, ("id", *ACCOUNT_FIELDS), "account", problems)
    words: Mapping[str, Text | None] = {key: word_of(value, key, problems) for key, value in fields.items()}
    return {name if key == "id" else key: word.text for key, word in words.items() if word is not None}


def _value(key: str, node: Node, metrics: Sequence[str], problems: Problems) -> object:
    read = _READERS.get(key)
    if read is not None:
        return read(node, key, problems)
    if key == "metric" or key in VOCABULARIES:
        return choice_of(node, metrics if key == "metric" else VOCABULARIES[key], key, problems)
    if key == "text" and isinstance(node, Text):
        return node.text
    word = word_of(node, key, problems)
    if word is not None and key == "priority":
        check_priority(word, problems)
    return None if word is None else word.text


def tags_of(node: Node, key: str, problems: Problems) -> tuple[str, ...]:
    """Tags; an empty list means that there are none."""
    if isinstance(node, Items) and not node.items:
        return ()
    return tuple(word.text for word in words_of(node, key, problems))


_READERS: dict[str, Callable[[Node, str, Problems], object]] = {
    "public": flag_of,
    "automated": flag_of,
    "score": number_of,
    "scale": number_of,
    "received_at": instant_of,
    "due_at": instant_of,
    "tags": tags_of,
}
