"""From rows to what they say: a mapping, compiled for the columns of one file.

Pure and fast. What a row means follows from its conversation, its times, and the values of a few columns that repeat
from row to row; so the meaning of those is worked out once and kept as a plan, and a further row costs looking it up.
Rows come from `streams.history.row_files` and `csv_table`; `streams.history.conversations` has what they say next.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from msgspec.structs import replace

from streams.history.import_mapping import EventEntry, ImportMapping
from streams.history.row_columns import Columns, TextOf, text_of
from streams.history.row_events import EventBody, EventDraft, RowOfHistory, Standing, UnusableRow
from streams.history.row_times import TimeReader, UnreadableTime, time_reader
from streams.history.row_values import REMEMBERED, TIME_KEYS, UNSHARED, BodyReader, body_reader, standing_reader

RowPlan = Callable[[Any], RowOfHistory | None]
"""From a row to what it says; null when it holds no event."""

RowsByConversation = dict[str, list[RowOfHistory]]
Refusal = Callable[[int, UnusableRow], None]
"""Told of a row that cannot be used: its place among those given."""

_FEWEST_REPEATS = 2
"""Rows for each plan, below which plans are not worth their keeping."""


class RowReader:
    """Not shared between threads: it remembers what repeats."""

    def __init__(self, mapping: ImportMapping, columns: Columns) -> None:
        self._conversation = text_of(mapping.conversation, columns)
        self._standing = standing_reader(mapping, columns)
        times = _Times(mapping)
        self._entries = [_EntryReader(entry, mapping, columns, times) for entry in mapping.events]
        self._key = columns.key(_columns_that_repeat(mapping))
        self._plans: dict[object, RowPlan] = {}
        self._is_planning = True
        self._rows = 0
        """Rows since planning began anew."""

    def read(self, rows: Sequence[Any], into: RowsByConversation, refuse: Refusal) -> tuple[int, int]:
        """Gather what rows say. A row is used whole or not at all.

        Returns:
            How many rows were used, and how many events they state.
        """
        plans, key, conversation_of, plan_of = self._plans, self._key, self._conversation, self._plan_of
        used = events = 0
        self._rows += len(rows)
        for place, values in enumerate(rows):
            try:
                row = (plans.get(key(values)) or plan_of(values))(values)
                if row is None:
                    continue
                conversation = conversation_of(values)
                if not conversation or conversation.isspace():
                    raise UnusableRow("no_conversation", "the row does not say which conversation it belongs to")
            except UnusableRow as error:
                refuse(place, error)
                continue
            except UnreadableTime as error:
                refuse(place, UnusableRow("unreadable_time", f"at: {error}"))
                continue
            if conversation in into:
                into[conversation].append(row)
            else:
                into[conversation] = [row]
            used += 1
            events += 1 if type(row.events) is EventBody else len(row.events)  # type: ignore[arg-type]
        return used, events

    def _plan_of(self, values: Any) -> RowPlan:  # noqa: ANN401 - a row of either format
        """What rows with the same values in the columns that repeat say; remembered, if there is a trouble not."""
        if not self._is_planning:
            return self._row_by_its_own
        try:
            plan = _plan([step for entry in self._entries if (step := entry.step(values))], self._standing(values))
        except UnusableRow:  # perhaps not of this row: it may have no event at all
            return self._row_by_its_own
        if len(self._plans) >= REMEMBERED:
            self._is_planning = self._rows >= _FEWEST_REPEATS * REMEMBERED
            self._plans.clear()
            self._rows = 0
        self._plans[self._key(values)] = plan
        return plan

    def _row_by_its_own(self, values: Any) -> RowOfHistory | None:  # noqa: ANN401 - a row of either format
        steps = [step for entry in self._entries if (step := entry.step_by_itself(values))]
        return _row_of(steps, self._standing, values)


def _columns_that_repeat(mapping: ImportMapping) -> list[str]:
    """All columns but those of times, of free text and of the conversation itself."""
    templates = [*mapping.account_fields.values(), *mapping.conversation_fields.values()]
    if mapping.account is not None:
        templates.append(mapping.account)
    conditions = []
    for entry in mapping.events:
        conditions += [condition.column for condition in entry.when]
        if not UNSHARED & entry.keys.keys():
            templates += [template for name, template in entry.keys.items() if name != "at"]
    uses = chain(conditions, *(template.columns for template in templates))
    return list(dict.fromkeys(use.name for use in uses))


class _Times:
    """How the times of the rows are read, and those that stand in the mapping itself: always as ISO 8601."""

    def __init__(self, mapping: ImportMapping) -> None:
        self._of_rows = time_reader(mapping.time_zone, mapping.time_format)
        self._of_mapping = time_reader(mapping.time_zone, None)

    def reader(self, *, constant: bool) -> TimeReader:
        """The one that fits a template."""
        return self._of_mapping if constant else self._of_rows


class _Step(NamedTuple):
    """An event that a row has if it says when. Without a body, the body is read from the row as well."""

    at: TextOf
    instant_of: TimeReader
    body: EventBody | None
    body_of: BodyReader


class _EntryReader:
    """One entry under `events`."""

    def __init__(self, entry: EventEntry, mapping: ImportMapping, columns: Columns, times: _Times) -> None:
        self._when = [(columns.text(condition.column.name), condition.any_of) for condition in entry.when]
        keys = {name: template for name, template in entry.keys.items() if name != "at"}
        readers = {name: times.reader(constant=keys[name].is_constant) for name in TIME_KEYS if name in keys}
        self._repeats = not UNSHARED & keys.keys()
        self._by_itself = _Step(
            text_of(entry.keys["at"], columns),
            times.reader(constant=entry.keys["at"].is_constant),
            None,
            body_reader(keys, mapping, columns, readers),
        )

    def step_by_itself(self, values: Any) -> _Step | None:  # noqa: ANN401 - a row of either format
        """Null when the entry is not about such a row."""
        for column, any_of in self._when:
            if column(values) not in any_of:
                return None
        return self._by_itself

    def step(self, values: Any) -> _Step | None:  # noqa: ANN401 - a row of either format
        """The same for all rows that look like this one, with the body if that is the same, too.

        Raises:
            UnusableRow: it cannot be.
        """
        step = self.step_by_itself(values)
        if step is None or not self._repeats:
            return step
        body = step.body_of(values)
        return None if body is None else step._replace(body=body)


def _plan(steps: Sequence[_Step], standing: Standing) -> RowPlan:
    if not steps:
        return lambda _values: None
    step = steps[0]
    if len(steps) > 1 or step.body is None:
        return lambda values: _row_of(steps, lambda _values: standing, values)
    at, instant_of, body = step.at, step.instant_of, _described(step.body, standing)

    def row_of_one_event(values: Any) -> RowOfHistory | None:  # noqa: ANN401 - a row of either format
        text = at(values)
        return RowOfHistory(instant_of(text), standing, body) if text and not text.isspace() else None

    return row_of_one_event


def _row_of(
    steps: Sequence[_Step],
    standing_of: Callable[[Any], Standing],
    values: Any,  # noqa: ANN401 - a row of either format
) -> RowOfHistory | None:
    found = []
    for at, instant_of, known_body, body_of in steps:
        text = at(values)
        if not text or text.isspace():
            continue
        body = known_body if known_body is not None else body_of(values)
        if body is not None:
            found.append((instant_of(text), body))
    if not found:
        return None
    standing = standing_of(values)
    if len(found) == 1:
        return RowOfHistory(found[0][0], standing, _described(found[0][1], standing))
    drafts = tuple([EventDraft(at, _described(body, standing)) for at, body in found])
    _refuse_repeated_ids(drafts)
    return RowOfHistory(min([draft.at for draft in drafts]), standing, drafts)


def _described(body: EventBody, standing: Standing) -> EventBody:
    """A row that says by an event that the customer changes describes the new one in its columns."""
    if body.type != "account_changed":
        return body
    return replace(body, tier=standing.tier, segment=standing.segment, contract=standing.contract)


def _refuse_repeated_ids(drafts: tuple[EventDraft, ...]) -> None:
    ids = [draft.body.id for draft in drafts if draft.body.id is not None]
    if len(set(ids)) < len(ids):
        raise UnusableRow("repeated_id", f"two events of the row have the id {ids[0]!r}; put text around the column")
