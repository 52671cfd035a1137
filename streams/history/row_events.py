"""What a row says: whose conversation it is, how that conversation stands, and which events the mapping finds in it.

Pure and fast: `RowReader` compiles a mapping for the columns of one file into closures. Rows come from
`streams.history.row_files`; `streams.history.conversations` gathers the facts by conversation, `conversation_history`
turns them into interactions.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from schemas.interaction import AuthorKind, InteractionType, Status, SurveyKind
from streams.history.import_mapping import (
    FLAGS,
    REQUIRED_WITH,
    VOCABULARIES,
    EventEntry,
    ImportMapping,
    TextTemplate,
)
from streams.history.row_columns import Columns, TextOf, text_of, words_of
from streams.history.row_times import TimeReader, UnreadableTime, time_reader

RowReason = Literal[
    "no_conversation",
    "unreadable_time",
    "unreadable_number",
    "unreadable_flag",
    "unknown_word",
    "missing_value",
    "repeated_id",
]

_TIME_KEYS = ("due_at", "received_at")
SEVERAL_WORDS = frozenset({"tags"})
_REMEMBERED = 16_384
"""How many distinct bodies and standings are shared between rows; beyond it sharing begins anew."""
_UNSHARED = frozenset({"text", "id", "received_at", "due_at"})
"""Keys that differ from row to row: bodies with one of these are not worth remembering."""


class UnusableRow(ValueError):  # noqa: N818 - what it is
    """The row cannot be used as the mapping wants it. `reason` is a stable code, `detail` says what is wrong."""

    def __init__(self, reason: RowReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class EventBody(Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """An event without its time and place, in the keys that mappings and policy tests use.

    Fields are only ever appended: the id of an event is computed from its JSON, among others.
    """

    type: InteractionType
    author: AuthorKind = "system"
    public: bool = True
    automated: bool = False
    text: str | None = None
    status: Status | None = None
    priority: str | None = None
    tags: tuple[str, ...] | None = None
    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    metric: str | None = None
    due_at: datetime | None = None
    into: str | None = None
    kind: SurveyKind | None = None
    score: float | None = None
    scale: float | None = None
    account: str | None = None
    received_at: datetime | None = None
    id: str | None = None
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None


class EventDraft(Struct, frozen=True, gc=False):
    """An event of a row: when, and what. `repeat` tells equal changes of one instant apart."""

    at: datetime
    body: EventBody
    repeat: int = 0


class Standing(Struct, frozen=True, gc=False):
    """What a row says about its conversation and its customer; null or empty where it says nothing."""

    account: str | None = None
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None
    channel: str | None = None
    priority: str | None = None
    inbox: str | None = None
    team: str | None = None
    agent: str | None = None
    type: str | None = None
    tags: tuple[str, ...] | None = None
    language: str | None = None
    status: Status | None = None


class RowFacts(Struct, frozen=True, gc=False):
    """Everything that is kept of a row. `drafts` are in the order of the mapping's entries."""

    conversation: str
    standing: Standing
    drafts: tuple[EventDraft, ...]


class RowReader:
    """A mapping, compiled for the columns of one file. Not shared between threads: it remembers what repeats."""

    def __init__(self, mapping: ImportMapping, columns: Columns) -> None:
        self._conversation = text_of(mapping.conversation, columns)
        self._standing = _standing_reader(mapping, columns)
        times = _Times(mapping)
        self._entries = _Entries(mapping, columns, times)
        self._may_change_account = any(entry.type in {"account_changed", None} for entry in mapping.events)

    def read(self, values: Any) -> RowFacts | None:  # noqa: ANN401 - a row of either format
        """The facts of a row; null when it holds no event.

        Raises:
            UnusableRow: no conversation, or a value that cannot be what the mapping takes it for. A row is used whole
                or not at all.
        """
        entries = self._entries.that_may_match(values)
        drafts = tuple([draft for entry in entries if (draft := entry.read(values)) is not None])
        if not drafts:
            return None
        conversation = self._conversation(values)
        if not conversation or conversation.isspace():
            raise UnusableRow("no_conversation", "the row does not say which conversation it belongs to")
        if len(drafts) > 1:
            _refuse_repeated_ids(drafts)
        standing = self._standing(values)
        if self._may_change_account:
            drafts = tuple([_with_account_fields(draft, standing) for draft in drafts])
        return RowFacts(conversation, standing, drafts)


def _with_account_fields(draft: EventDraft, standing: Standing) -> EventDraft:
    """A row that says by an event that the customer changes describes the new one in its columns."""
    body = draft.body
    if body.type != "account_changed":
        return draft
    described = replace(body, tier=standing.tier, segment=standing.segment, contract=standing.contract)
    return EventDraft(draft.at, described)


def _refuse_repeated_ids(drafts: tuple[EventDraft, ...]) -> None:
    ids = [draft.body.id for draft in drafts if draft.body.id is not None]
    if len(set(ids)) < len(ids):
        raise UnusableRow("repeated_id", f"two events of the row have the id {ids[0]!r}; put text around the column")


class _Times:
    """How the times of the rows are read, and those that stand in the mapping itself: always as ISO 8601."""

    def __init__(self, mapping: ImportMapping) -> None:
        self._of_rows = time_reader(mapping.time_zone, mapping.time_format)
        self._of_mapping = time_reader(mapping.time_zone, None)

    def reader(self, template: TextTemplate) -> TimeReader:
        """The one that fits a template."""
        return self._of_mapping if template.is_constant else self._of_rows


class _EntryReader:
    """One entry under `events`."""

    def __init__(self, entry: EventEntry, mapping: ImportMapping, columns: Columns, times: _Times) -> None:
        self._when = [(columns.text(condition.column.name), condition.any_of) for condition in entry.when]
        self._at = text_of(entry.keys["at"], columns)
        self._read_time = times.reader(entry.keys["at"])
        keys = {name: template for name, template in entry.keys.items() if name != "at"}
        readers = {name: times.reader(template) for name, template in keys.items() if name in _TIME_KEYS}
        self._body = _body_reader(keys, mapping, columns, readers)

    def read(self, values: Any) -> EventDraft | None:  # noqa: ANN401 - a row of either format
        for column, any_of in self._when:
            if column(values) not in any_of:
                return None
        text = self._at(values)
        if not text or text.isspace():
            return None
        body = self._body(values)
        if body is None:
            return None
        return EventDraft(_time(self._read_time, "at", text), body)


def _time(read_time: TimeReader, key: str, text: str) -> datetime:
    try:
        return read_time(text)
    except UnreadableTime as error:
        raise UnusableRow("unreadable_time", f"{key}: {error}") from None


class _Entries:
    """All entries, found by the value of the column that most of their conditions ask for: often none but one fits."""

    def __init__(self, mapping: ImportMapping, columns: Columns, times: _Times) -> None:
        asked = Counter(condition.column.name for entry in mapping.events for condition in entry.when)
        (name, _count), *_ = asked.most_common(1) or [("", 0)]
        readers = [_EntryReader(entry, mapping, columns, times) for entry in mapping.events]
        wanted = [_values_of(entry, name) for entry in mapping.events]
        self._column = columns.text(name) if asked else None
        self._otherwise = [reader for reader, values in zip(readers, wanted, strict=True) if values is None]
        self._by_value = {
            value: [reader for reader, values in zip(readers, wanted, strict=True) if values is None or value in values]
            for value in frozenset().union(*(values for values in wanted if values is not None))
        }

    def that_may_match(self, values: Any) -> "list[_EntryReader]":  # noqa: ANN401 - a row of either format
        """The entries whose conditions may hold, in the order of the mapping."""
        if self._column is None:
            return self._otherwise
        return self._by_value.get(self._column(values), self._otherwise)


def _values_of(entry: EventEntry, column: str) -> frozenset[str] | None:
    """The values that an entry asks of a column; null when it does not ask for it."""
    return next((condition.any_of for condition in entry.when if condition.column.name == column), None)


BodyReader = Callable[[Any], EventBody | None]


def _body_reader(
    keys: dict[str, TextTemplate], mapping: ImportMapping, columns: Columns, times: Mapping[str, TimeReader]
) -> BodyReader:
    """From a row to an event body; equal bodies are one object, so that a million rows cost a few bodies."""
    names = tuple(keys)
    getters = [_value_reader(name, template, mapping, columns) for name, template in keys.items()]
    if all(template.is_constant for template in keys.values()):
        constant = _body(dict(zip(names, [get(None) for get in getters], strict=True)), times)
        return lambda _values: constant
    if _UNSHARED & keys.keys():
        return lambda values: _body(dict(zip(names, [get(values) for get in getters], strict=True)), times)
    seen: dict[tuple[Any, ...], EventBody | None] = {}

    def shared(values: Any) -> EventBody | None:  # noqa: ANN401 - a row of either format
        found = tuple([get(values) for get in getters])
        if found not in seen:
            if len(seen) >= _REMEMBERED:
                seen.clear()
            seen[found] = _body(dict(zip(names, found, strict=True)), times)
        return seen[found]

    return shared


def _value_reader(name: str, template: TextTemplate, mapping: ImportMapping, columns: Columns) -> Callable[[Any], Any]:
    ours = {} if template.is_constant else mapping.value_map.get(name, {})
    if name in SEVERAL_WORDS:
        return words_of(template, columns, ours)
    text = text_of(template, columns)
    return _in_our_words(text, ours) if ours else text


def _in_our_words(text: TextOf, ours: dict[str, str]) -> TextOf:
    def translated(values: Any) -> str:  # noqa: ANN401 - a row of either format
        word = text(values)
        return ours.get(word, word)

    return translated


def _body(found: dict[str, Any], times: Mapping[str, TimeReader]) -> EventBody | None:
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
    _check_words(values)
    for name, value in values.items():
        if name in _TIME_KEYS:
            values[name] = _time(times[name], name, value)
        elif name in _CONVERSIONS:
            values[name] = _CONVERSIONS[name](name, value)
    if "from" in values:
        values["author"] = values.pop("from")
    return EventBody(**values)


def _check_words(values: dict[str, Any]) -> None:
    for name, vocabulary in VOCABULARIES.items():
        if name in values and values[name] not in vocabulary:
            raise UnusableRow("unknown_word", f"{name}: {values[name][:60]!r} is none of {', '.join(vocabulary)}")
    kind = values["type"]
    for name in REQUIRED_WITH.get(kind, ()):
        if name not in values:
            raise UnusableRow("missing_value", f"a {kind} needs `{name}`, and the row has none")


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


def _standing_reader(mapping: ImportMapping, columns: Columns) -> Callable[[Any], Standing]:
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
            if len(seen) >= _REMEMBERED:
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
