"""The values of a row as what an event says and how a conversation stands, in the words of the mapping's keys.

Pure. `streams.history.row_reader` asks for readers, made once per file, and calls them for rows whose values it has not
seen together before.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from streams.history.due_metrics import DueMetrics
from streams.history.import_mapping import FLAGS, REQUIRED_WITH, VOCABULARIES, ImportMapping, TextTemplate
from streams.history.row_columns import Columns, TextOf, id_of, text_of, words_of
from streams.history.row_events import EventBody, Standing, UnusableRow
from streams.history.row_times import TimeReader, UnreadableTime

TIME_KEYS = ("due_at", "received_at")
SEVERAL_WORDS = frozenset({"tags"})
REMEMBERED = 16_384
"""How many distinct bodies and standings are shared between rows; beyond it sharing begins anew."""
UNSHARED = frozenset({"text", "id", *TIME_KEYS})
"""Keys that differ from row to row: bodies with one of these are not worth remembering."""

BodyReader = Callable[[Any], EventBody | None]


def body_reader(
    keys: dict[str, TextTemplate], mapping: ImportMapping, columns: Columns, times: Mapping[str, TimeReader]
) -> BodyReader:
    """From a row to an event body; equal bodies are one object, so that a million rows cost a few bodies."""
    names = tuple(keys)
    getters = [_value_reader(name, template, mapping, columns) for name, template in keys.items()]
    if all(template.is_constant for template in keys.values()):
        constant = _body(dict(zip(names, [get(None) for get in getters], strict=True)), times, mapping.due_metrics)
        return lambda _values: constant
    if UNSHARED & keys.keys():
        return _UnsharedBody(dict(zip(names, getters, strict=True)), times, mapping.due_metrics).read
    seen: dict[tuple[Any, ...], EventBody | None] = {}

    def shared(values: Any) -> EventBody | None:  # noqa: ANN401 - a row of either format
        found = tuple([get(values) for get in getters])
        if found not in seen:
            if len(seen) >= REMEMBERED:
                seen.clear()
            seen[found] = _body(dict(zip(names, found, strict=True)), times, mapping.due_metrics)
        return seen[found]

    return shared


_NAMES = frozenset({"into", "account"})
"""What names another conversation, or a customer."""


class _UnsharedBody:
    """Bodies of which a part differs from row to row: the rest is checked once, and then only that part is read."""

    def __init__(
        self, getters: Mapping[str, Callable[[Any], Any]], times: Mapping[str, TimeReader], due_metrics: DueMetrics
    ) -> None:
        self._getters = getters
        self._times = times
        self._due_metrics = due_metrics
        self._repeated = [get for name, get in getters.items() if name not in UNSHARED]
        self._own = [(name, get, times.get(name)) for name, get in getters.items() if name in UNSHARED]
        self._due_at = getters.get("due_at")
        self._seen: dict[tuple[Any, ...], EventBody] = {}

    def read(self, values: Any) -> EventBody | None:  # noqa: ANN401 - a row of either format
        if self._due_at is not None and not self._due_at(values).strip():
            return self._read_all(values)
        repeated = tuple([get(values) for get in self._repeated])
        like = self._seen.get(repeated)
        if like is not None:
            return replace(like, **{name: _own_value(get(values), name, time) for name, get, time in self._own})
        body = self._read_all(values)
        if body is not None:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen[repeated] = body
        return body

    def _read_all(self, values: Any) -> EventBody | None:  # noqa: ANN401 - a row of either format
        return _body({name: get(values) for name, get in self._getters.items()}, self._times, self._due_metrics)


def _own_value(text: str, name: str, time: TimeReader | None) -> str | datetime | None:
    if not text or text.isspace():
        return None
    return text if time is None else _time(time, name, text)


def _value_reader(name: str, template: TextTemplate, mapping: ImportMapping, columns: Columns) -> Callable[[Any], Any]:
    ours = {} if template.is_constant else mapping.value_map.get(name, {})
    if name in SEVERAL_WORDS:
        return words_of(template, columns, ours)
    text = id_of(template, columns) if name in _NAMES else text_of(template, columns)
    return _in_our_words(text, ours) if ours else text


def _in_our_words(text: TextOf, ours: dict[str, str]) -> TextOf:
    def translated(values: Any) -> str:  # noqa: ANN401 - a row of either format
        word = text(values)
        return ours.get(word, word)

    return translated


def _body(found: dict[str, Any], times: Mapping[str, TimeReader], due_metrics: DueMetrics) -> EventBody | None:
    """The body that the values of a row make; null when a due date is wanted and the row has none.

    Raises:
        UnusableRow: a value is missing, or is not what its key asks for.
    """
    values = {
        name: value for name, value in found.items() if value and not (isinstance(value, str) and value.isspace())
    }
    values.setdefault("type", "message")
    if values["type"] == "due_set" and "due_at" not in values:
        return None
    _check_words(values, due_metrics)
    for name, value in values.items():
        if name in TIME_KEYS:
            values[name] = _time(times[name], name, value)
        elif name in _CONVERSIONS:
            values[name] = _CONVERSIONS[name](name, value)
    if "from" in values:
        values["author"] = values.pop("from")
    return EventBody(**values)


def _check_words(values: dict[str, Any], due_metrics: DueMetrics) -> None:
    for name, vocabulary in VOCABULARIES.items():
        if name in values and values[name] not in vocabulary:
            raise UnusableRow("unknown_word", f"{name}: {values[name][:60]!r} is none of {', '.join(vocabulary)}")
    kind = values["type"]
    for name in REQUIRED_WITH.get(kind, ()):
        if name not in values:
            raise UnusableRow("missing_value", f"a {kind} needs `{name}`, and the row has none")
    if kind == "due_set" and not due_metrics.may_be(values["metric"]):
        known = ", ".join(due_metrics.known)
        raise UnusableRow("unknown_word", f"metric: {values['metric'][:60]!r} is none of {known}")


def _flag(name: str, text: str) -> bool:
    flag = FLAGS.get(text.strip().lower())
    if flag is None:
        raise UnusableRow("unreadable_flag", f"{name}: {text[:60]!r} is none of {', '.join(FLAGS)}")
    return flag


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number != number or number in {float("inf"), float("-inf")}:  # noqa: PLR0124 - only a NaN differs from itself
        raise UnusableRow("unreadable_number", f"{name}: {text[:60]!r} is not a number")
    return number


_CONVERSIONS: dict[str, Callable[[str, str], object]] = {
    "public": _flag,
    "automated": _flag,
    "score": _number,
    "scale": _number,
}


def standing_reader(mapping: ImportMapping, columns: Columns) -> Callable[[Any], Standing]:
    """From a row to what it says about its conversation; equal standings are one object."""
    templates = {**mapping.account_fields, **mapping.conversation_fields}
    names = ("account", *templates) if mapping.account else tuple(templates)
    getters = [_value_reader(name, template, mapping, columns) for name, template in templates.items()]
    if mapping.account:
        getters.insert(0, _value_reader("account", mapping.account, mapping, columns))
    seen: dict[tuple[Any, ...], Standing] = {}

    def standing(values: Any) -> Standing:  # noqa: ANN401 - a row of either format
        found = tuple([get(values) for get in getters])
        known = seen.get(found)
        if known is None:
            if len(seen) >= REMEMBERED:
                seen.clear()
            known = seen[found] = _standing(dict(zip(names, found, strict=True)))
        return known

    return standing


def _standing(found: dict[str, Any]) -> Standing:
    values = {
        name: value for name, value in found.items() if value and not (isinstance(value, str) and value.isspace())
    }
    status = values.get("status")
    if status is not None and status not in VOCABULARIES["status"]:
        raise UnusableRow("unknown_word", f"status: {status[:60]!r} is none of {', '.join(VOCABULARIES['status'])}")
    return Standing(**values)


def _time(read_time: TimeReader, key: str, text: str) -> datetime:
    try:
        return read_time(text)
    except UnreadableTime as error:
        raise UnusableRow("unreadable_time", f"{key}: {error}") from None
