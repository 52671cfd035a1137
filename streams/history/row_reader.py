"""From rows to what they say: a mapping, compiled for the columns of one file.

Pure and fast. Which events a row has follows from a few columns whose values repeat from row to row; so that is worked
out once for each combination of values and kept as a plan, and so is how its conversation stands. A further row costs
looking both up, and reading its time.
Rows come from `streams.history.row_files` and `csv_table`; `streams.history.conversations` has what they say next.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from streams.history.import_mapping import EventEntry, ImportMapping
from streams.history.row_columns import Columns, TextOf, id_of, text_of
from streams.history.row_events import EventBody, EventDraft, RowOfHistory, Standing, UnusableRow
from streams.history.row_times import TimeReader, UnreadableTime, time_reader
from streams.history.row_values import REMEMBERED, TIME_KEYS, UNSHARED, BodyReader, body_reader, standing_reader

EventsOfRow = tuple[datetime, tuple[EventDraft, ...] | EventBody]
EventPlan = Callable[[Any], EventsOfRow | None]
"""From a row to its earliest time and its events; null when it holds none."""

RowsByConversation = dict[str, list[RowOfHistory]]
Refusal = Callable[[int, UnusableRow], None]
"""Told of a row that cannot be used: its place among those given."""

_FEWEST_REPEATS = 2
"""Rows for each plan, below which plans are not worth their keeping."""


class RowReader:
    """Not shared between threads: it remembers what repeats."""

    def __init__(self, mapping: ImportMapping, columns: Columns) -> None:
        self._conversation = id_of(mapping.conversation, columns)
        self._standing = standing_reader(mapping, columns)
        self._standing_key = columns.key(_columns_of_standing(mapping))
        self._standings: dict[object, Standing] = {}
        times = _Times(mapping)
        self._entries = [_EntryReader(entry, mapping, columns, times) for entry in mapping.events]
        self._event_key = columns.key(_columns_of_events(mapping))
        self._plans: dict[object, EventPlan] = {}
        self._is_planning = True
        self._rows = 0
        """Rows since planning began anew."""
        self._may_change_account = any(entry.type in {"account_changed", None} for entry in mapping.events)
        self._may_merge = any(entry.type in {"merged", None} for entry in mapping.events)

    def read(self, rows: Sequence[Any], into: RowsByConversation, refuse: Refusal) -> tuple[int, int]:
        """Gather what rows say. A row is used whole or not at all.

        Returns:
            How many rows were used, and how many events they state.
        """
        plans, key, plan_of, conversation_of = self._plans, self._event_key, self._plan_of, self._conversation
        standings, standing_key, standing_of = self._standings, self._standing_key, self._standing_of
        used = stated = 0
        self._rows += len(rows)
        for place, values in enumerate(rows):
            try:
                found = (plans.get(key(values)) or plan_of(values))(values)
                if found is None:
                    continue
                conversation = conversation_of(values)
                if not conversation or conversation.isspace():
                    refuse(place, UnusableRow("no_conversation", "the row does not say which conversation it is of"))
                    continue
                at, events = found
                if self._may_merge:
                    _refuse_merged_into_itself(conversation, events)
                row = RowOfHistory(at, standings.get(standing_key(values)) or standing_of(values), events)
            except UnusableRow as error:
                refuse(place, error)
                continue
            except UnreadableTime as error:
                refuse(place, UnusableRow("unreadable_time", f"at: {error}"))
                continue
            if self._may_change_account:
                row = _described(row)
            if conversation in into:
                into[conversation].append(row)
            else:
                into[conversation] = [row]
            used += 1
            stated += 1 if type(events) is EventBody else len(events)  # type: ignore[arg-type]
        return used, stated

    def _plan_of(self, values: Any) -> EventPlan:  # noqa: ANN401 - a row of either format
        """The events of all rows that look like this one; remembered, if there is a trouble not."""
        if not self._is_planning:
            return self._events_by_themselves
        try:
            plan = _plan([step for entry in self._entries if (step := entry.step(values))])
        except UnusableRow:  # perhaps not of this row: it may have no event at all
            return self._events_by_themselves
        if len(self._plans) >= REMEMBERED:
            self._is_planning = self._rows >= _FEWEST_REPEATS * REMEMBERED
            self._plans.clear()
            self._rows = 0
        self._plans[self._event_key(values)] = plan
        return plan

    def _standing_of(self, values: Any) -> Standing:  # noqa: ANN401 - a row of either format
        """What a row says about its conversation; remembered."""
        standing = self._standing(values)
        if len(self._standings) >= REMEMBERED:
            self._standings.clear()
        self._standings[self._standing_key(values)] = standing
        return standing

    def _events_by_themselves(self, values: Any) -> EventsOfRow | None:  # noqa: ANN401 - a row of either format
        return _events_of([step for entry in self._entries if (step := entry.step_by_itself(values))], values)


def _columns_of_events(mapping: ImportMapping) -> list[str]:
    """The columns that say which events a row has, but not those of times and of free text."""
    uses = []
    for entry in mapping.events:
        uses += [condition.column for condition in entry.when]
        if not UNSHARED & entry.keys.keys():
            uses += [use for name, template in entry.keys.items() if name != "at" for use in template.columns]
    return list(dict.fromkeys(use.name for use in uses))


def _columns_of_standing(mapping: ImportMapping) -> list[str]:
    """The columns that say how a conversation stands."""
    templates = [*mapping.account_fields.values(), *mapping.conversation_fields.values()]
    if mapping.account is not None:
        templates.append(mapping.account)
    return list(dict.fromkeys(use.name for template in templates for use in template.columns))


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


def _plan(steps: Sequence[_Step]) -> EventPlan:
    if not steps:
        return lambda _values: None
    at, instant_of, body, _ = steps[0]
    if len(steps) > 1 or body is None:
        return lambda values: _events_of(steps, values)

    def one_event(values: Any) -> EventsOfRow | None:  # noqa: ANN401 - a row of either format
        text = at(values)
        return (instant_of(text), body) if text and not text.isspace() else None

    return one_event


def _events_of(steps: Sequence[_Step], values: Any) -> EventsOfRow | None:  # noqa: ANN401 - a row of either format
    drafts = []
    for at, instant_of, known_body, body_of in steps:
        text = at(values)
        if not text or text.isspace():
            continue
        body = known_body if known_body is not None else body_of(values)
        if body is not None:
            drafts.append(EventDraft(instant_of(text), body))
    if not drafts:
        return None
    if len(drafts) == 1:
        return drafts[0].at, drafts[0].body
    _refuse_repeated_ids(drafts)
    return min([draft.at for draft in drafts]), tuple(drafts)


def _described(row: RowOfHistory) -> RowOfHistory:
    """A row that says by an event that the customer changes describes the new one in its columns."""
    new = row.standing
    drafts = tuple(
        EventDraft(draft.at, replace(draft.body, tier=new.tier, segment=new.segment, contract=new.contract))
        if draft.body.type == "account_changed"
        else draft
        for draft in row.drafts
    )
    return RowOfHistory(row.at, new, drafts) if drafts != row.drafts else row


def _refuse_merged_into_itself(conversation: str, events: tuple[EventDraft, ...] | EventBody) -> None:
    bodies = (events,) if isinstance(events, EventBody) else [draft.body for draft in events]
    if any(body.into == conversation for body in bodies):
        raise UnusableRow("merged_into_itself", f"into: {conversation!r} is the conversation itself")


def _refuse_repeated_ids(drafts: Sequence[EventDraft]) -> None:
    ids = [draft.body.id for draft in drafts if draft.body.id is not None]
    if len(set(ids)) < len(ids):
        raise UnusableRow("repeated_id", f"two events of the row have the id {ids[0]!r}; put text around the column")
