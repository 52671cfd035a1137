"""The file of policy tests from YAML to cases that can be run (`docs/policy-format.md`, section 2).

`policy_cases` runs them. Every mistake of the test file and of the policy file that it names is told at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

from schemas.interaction import Interaction
from schemas.policy import METRICS, PolicyFile
from schemas.sla_event import Outcome
from streams.history.conversation_history import RowOfHistory, interactions_of
from streams.history.import_mapping import CONVERSATION_FIELDS, VOCABULARIES
from streams.history.row_events import EventDraft, Standing
from streams.policy_files.case_file import cases_in, named_or_inline
from streams.policy_files.clock_columns import COLUMNS, INSTANT_COLUMNS, NUMBER_COLUMNS
from streams.policy_files.condition_reader import check_priority
from streams.policy_files.event_reader import account_of, event_of, tags_of
from streams.policy_files.fields import (
    choice_of,
    fields_of,
    instant_of,
    items_of,
    number_in,
    number_of,
    required,
    word_of,
)
from streams.policy_files.located_yaml import Entry, Items, Node, Table, Text
from streams.policy_files.policy_reader import read_policy_file, read_policy_node
from streams.policy_files.problem import Problems

_FILE_KEYS = ("policies", "inline", "tests")
_CASE_KEYS = ("name", "account", "conversation", "events", "now", "expect")
_CONVERSATION_KEYS = ("id", *CONVERSATION_FIELDS, "tag")
"""`tag` is what conditions call it, `tags` what events call it: both are understood."""
_ALIASES = {"tag": "tags"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one clock should look like: typed values to compare, and the entry as written."""

    metric: str
    instance: int
    values: Mapping[str, str | float | datetime | None]
    written: Any


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One test: what happened, until when, and what should have come of it."""

    file: str
    name: str
    policies: PolicyFile
    interactions: Sequence[Interaction]
    now: datetime | None
    expected: Sequence[Expectation]


def read_cases(path: Path) -> tuple[list[PolicyCase], list[Problems]]:
    """The cases of a test file, and the problems of all files that were read for it. With errors there are no cases."""
    problems = Problems(str(path))
    return cases_in(path, _CaseFile(problems, path.parent), problems)


class _CaseFile:
    """One test file. `others` are the problems of the policy file that it names."""

    def __init__(self, problems: Problems, folder: Path) -> None:
        self._problems = problems
        self._folder = folder
        self._metrics: tuple[str, ...] = METRICS
        self.others: list[Problems] = []

    def read(self, root: Node) -> list[PolicyCase]:
        fields = fields_of(root, _FILE_KEYS, "a file of policy tests", self._problems)
        policies = self._policies(fields, root)
        if policies is not None:
            self._metrics = (*METRICS, *policies.clocks)
        if not required(fields, root, ("tests",), "a file of policy tests", self._problems):
            return []
        found = enumerate(items_of(fields["tests"], "tests", self._problems), start=1)
        return [self._case(item, number, policies or PolicyFile(version="")) for number, item in found]

    def _policies(self, fields: Mapping[str, Node], root: Node) -> PolicyFile | None:
        return named_or_inline(
            "policy",
            "policies",
            fields,
            root,
            self._problems,
            folder=self._folder,
            others=self.others,
            read_node=lambda node: read_policy_node(node, self._problems, self._folder),
            read_path=read_policy_file,
        )

    def _case(self, node: Node, number: int, policies: PolicyFile) -> PolicyCase:
        fields = fields_of(node, _CASE_KEYS, f"test {number}", self._problems)
        word = word_of(fields["name"], "name", self._problems) if "name" in fields else None
        name = word.text if word is not None else f"test {number}"
        if isinstance(node, Table):
            required(fields, node, ("events",), name, self._problems)
        events = items_of(fields["events"], "events", self._problems) if "events" in fields else ()
        drafts = [event_of(event, self._metrics, self._problems) for event in events]
        standing = self._standing(fields)
        conversation = standing.pop("id", None) or name
        for event, draft in zip(events, drafts, strict=True):
            if draft is not None and draft.body.into == conversation:
                message = f"{name}: a conversation cannot be merged into itself"
                self._problems.error(event.place, message, "`into` names the surviving conversation, another one")
        happened = [draft for draft in drafts if draft is not None]
        now = instant_of(fields["now"], "now", self._problems) if "now" in fields else None
        later = sum(draft.at > now for draft in happened) if now is not None else 0
        if later:
            message = f"{name}: {later} of {len(happened)} events lie after `now`, and count all the same"
            self._problems.warning(fields["now"].place, message, "name an instant at or after the last event")
        expected = items_of(fields["expect"], "expect", self._problems) if "expect" in fields else ()
        return PolicyCase(
            file=self._problems.file,
            name=name,
            policies=policies,
            interactions=_interactions(conversation, Standing(**standing), happened),
            now=now,
            expected=[entry for item in expected if (entry := self._expectation(item)) is not None],
        )

    def _standing(self, fields: Mapping[str, Node]) -> dict[str, Any]:
        """Who the customer is and what kind of conversation it is, in the fields of `Standing` and `id`."""
        values: dict[str, Any] = {}
        if "conversation" in fields:
            told = fields_of(fields["conversation"], _CONVERSATION_KEYS, "conversation", self._problems)
            for key, value in told.items():
                values[_ALIASES.get(key, key)] = self._conversation_value(key, value)
        if "account" in fields:
            values.update(account_of(fields["account"], "account", self._problems))
        return values

    def _conversation_value(self, key: str, node: Node) -> object:
        if key in {"tag", "tags"}:
            return tags_of(node, key, self._problems)
        if key == "status":
            return choice_of(node, VOCABULARIES["status"], key, self._problems)
        word = word_of(node, key, self._problems)
        if word is not None and key == "priority":
            check_priority(word, self._problems)
        return None if word is None else word.text

    def _expectation(self, node: Node) -> Expectation | None:
        if not isinstance(node, Table):
            way_out = "for example {metric: first_response, outcome: met}"
            self._problems.error(node.place, "an expectation must be a table", way_out)
            return None
        nulls = [entry.key.text for entry in node if _expects_nothing(entry)]
        stated = Table(node.place, tuple(entry for entry in node if not _expects_nothing(entry)))
        fields = fields_of(stated, COLUMNS, "an expectation", self._problems)
        if not required(fields, node, ("metric",), "an expectation", self._problems):
            return None
        metric = choice_of(fields["metric"], self._metrics, "metric", self._problems)
        instance = number_of(fields["instance"], "instance", self._problems) if "instance" in fields else 1
        if instance is not None and (instance < 1 or instance != int(instance)):
            self._problems.error(fields["instance"].place, "an instance is a whole number from 1 on", "the first is 1")
        if metric is None or instance is None:
            return None
        values = {key: self._expected(key, value) for key, value in fields.items() if key not in {"metric", "instance"}}
        return Expectation(metric, int(instance), {**values, **dict.fromkeys(nulls)}, as_written(node))

    def _expected(self, key: str, node: Node) -> str | float | datetime | None:
        if key in INSTANT_COLUMNS:
            return instant_of(node, key, self._problems)
        if key in NUMBER_COLUMNS:
            return number_of(node, key, self._problems)
        if key == "outcome":
            return choice_of(node, get_args(Outcome), key, self._problems)
        word = word_of(node, key, self._problems)
        return None if word is None else word.text


def _expects_nothing(entry: Entry) -> bool:
    """Whether an expectation says that a column is null, which is not the same as leaving it out."""
    nullable = entry.key.text in COLUMNS and entry.key.text not in {"metric", "instance"}
    return nullable and isinstance(entry.value, Text) and entry.value.is_null


def _interactions(conversation: str, standing: Standing, drafts: Sequence[EventDraft]) -> list[Interaction]:
    """The events, each like a row of its own: the first in time opens the conversation, whatever their order."""
    rows = [RowOfHistory(draft.at, standing, (draft,)) for draft in drafts]
    return interactions_of(conversation, rows, "policy-test") if rows else []


def as_written(node: Node) -> Any:  # noqa: ANN401 - JSON has any shape
    """A tree as JSON: numbers, `true`, `false` and `null` as such, everything else as text."""
    if isinstance(node, Table):
        return {entry.key.text: as_written(entry.value) for entry in node}
    if isinstance(node, Items):
        return [as_written(item) for item in node.items]
    if node.quoted:
        return node.text
    if node.is_null:
        return None
    if node.text in {"true", "false"}:
        return node.text == "true"
    number = number_in(node.text)
    return node.text if number is None else number
