"""A policy file from YAML to `schemas.policy.PolicyFile`, with every mistake of the file told at once.

`read_policy_file` reads a file, `read_policy_node` a tree that is part of another file (a policy test with `inline:`).
The engine has the result next (`agents.domain.policy_book`), at once or through the log.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from agents.domain.rolling_window import MOST_DAYS
from schemas.policy import ALWAYS, CONDITION_KEYS, METRICS, Condition, Objective, Policy, PolicyFile
from streams.policy_files.calendar_reader import CalendarReader
from streams.policy_files.clock_reader import clocks_of
from streams.policy_files.condition_reader import condition_of
from streams.policy_files.duration_reader import SECONDS_OF, seconds_of, warning_of
from streams.policy_files.fields import choice_of, fields_of, instant_of, items_of, number_of, required, word_of
from streams.policy_files.located_yaml import Items, Node, Table, parse_yaml, read_file
from streams.policy_files.policy_lint import lint
from streams.policy_files.policy_overlap import never_reached
from streams.policy_files.problem import Place, Problems
from streams.policy_files.target_reader import TargetReader

_FILE_KEYS = ("version", "effective_from", "calendars", "clocks", "policies")
_POLICY_KEYS = (
    "id",
    "when",
    "calendar",
    "edge",
    "targets",
    "warn_at",
    "on_change",
    "applies_to_changes",
    "objective",
)
_EDGES = ("close", "next_open")
_ON_CHANGE = ("retarget_from_start", "forward", "reset", "keep")
_REACH = ("open", "new")


def read_policy_file(path: Path, problems: Problems) -> PolicyFile | None:
    """The policies of a file, or null with its errors among the problems. Warnings are there in either case."""
    text = read_file(path, problems)
    return None if text is None else read_policy_text(text, problems, path.parent)


def read_policy_text(text: str, problems: Problems, folder: Path | None = None) -> PolicyFile | None:
    """The policies of a text. Without a folder it cannot refer to iCal files."""
    root = parse_yaml(text, problems)
    policy_file = read_policy_node(root, problems, folder) if root is not None else None
    return None if problems.errors else policy_file


def read_policy_node(root: Node, problems: Problems, folder: Path | None = None) -> PolicyFile | None:
    """The policies of a tree, or null with its errors among the problems."""
    errors_before = len(problems.errors)
    fields = fields_of(root, _FILE_KEYS, "a policy file", problems)
    required(fields, root, ("version", "policies"), "a policy file", problems)
    version = word_of(fields["version"], "version", problems) if "version" in fields else None
    effective_from = fields.get("effective_from")
    calendars = CalendarReader(problems, folder).read(fields["calendars"]) if "calendars" in fields else {}
    clocks = clocks_of(fields["clocks"], problems) if "clocks" in fields else {}
    # Names that are declared, readable or not: what refers to them is right.
    calendar_names = tuple(dict.fromkeys([*_keys(fields.get("calendars")), ALWAYS.name]))
    targets = TargetReader(problems, calendar_names, tuple(dict.fromkeys([*METRICS, *_keys(fields.get("clocks"))])))
    policies = _PolicyReader(problems, targets).read(fields["policies"]) if "policies" in fields else ()
    policy_file = PolicyFile(
        version=version.text if version else "",
        effective_from=instant_of(effective_from, "effective_from", problems) if effective_from else None,
        calendars=calendars,
        policies=policies,
        clocks=clocks,
    )
    if len(problems.errors) > errors_before:
        return None
    lint(policy_file, root, problems)
    return policy_file


def _keys(node: Node | None) -> list[str]:
    return [entry.key.text for entry in node] if isinstance(node, Table) else []


class _PolicyReader:
    """The ordered list of policies."""

    def __init__(self, problems: Problems, targets: TargetReader) -> None:
        self._problems = problems
        self._targets = targets

    def read(self, node: Node) -> tuple[Policy, ...]:
        items = items_of(node, "policies", self._problems)
        if not items and isinstance(node, Items):
            self._problems.error(node.place, "policies is empty", "a file has at least one policy")
        policies: list[Policy] = []
        conditions: list[Condition | None] = []
        seen: dict[str, Place] = {}
        for number, item in enumerate(items, start=1):
            fields = fields_of(item, _POLICY_KEYS, f"policy {number}", self._problems)
            name = self._id(fields, item, number, seen)
            condition = self._when(fields, name) if isinstance(item, Table) else None
            conditions.append(condition)
            policies.append(self._policy(name, condition or Condition(), fields))
        self._tell_of_unreached(items, policies, conditions)
        return tuple(policies)

    def _id(self, fields: Mapping[str, Node], item: Node, number: int, seen: dict[str, Place]) -> str:
        word = None
        if required(fields, item, ("id",), f"policy {number}", self._problems):
            word = word_of(fields["id"], "id", self._problems)
        if word is None:
            return f"number {number}"
        if word.text in seen:
            first = seen[word.text].line
            self._problems.error(
                word.place, f"the id {word.text!r} occurs twice, first in line {first}", "rename one of them"
            )
        seen.setdefault(word.text, word.place)
        return word.text

    def _when(self, fields: Mapping[str, Node], name: str) -> Condition | None:
        """The condition; null when there is a mistake in it, so that nobody else is accused because of it."""
        if "when" not in fields:
            return Condition()
        errors_before = len(self._problems.errors)
        condition = condition_of(fields["when"], CONDITION_KEYS, f"the condition of {name!r}", self._problems)
        return condition if len(self._problems.errors) == errors_before else None

    def _policy(self, name: str, condition: Condition, fields: Mapping[str, Node]) -> Policy:
        warn_at = fields.get("warn_at")
        thresholds = warn_at.items if isinstance(warn_at, Items) else (warn_at,) if warn_at else ()
        read = [warning_of(item, self._problems) for item in thresholds]
        calendar = self._targets.calendar(fields["calendar"]) if "calendar" in fields else None
        # The casts are what `_choice` has just checked.
        return Policy(
            id=name,
            when=condition,
            calendar=calendar or ALWAYS.name,
            edge=cast("Any", self._choice(fields, "edge", _EDGES)),
            targets=self._targets.read(fields["targets"], repr(name)) if "targets" in fields else {},
            warn_at=tuple(threshold for threshold in read if threshold is not None),
            on_change=cast("Any", self._choice(fields, "on_change", _ON_CHANGE)),
            applies_to_changes=cast("Any", self._choice(fields, "applies_to_changes", _REACH)),
            objective=self._objective(fields["objective"], name) if "objective" in fields else None,
        )

    def _choice(self, fields: Mapping[str, Node], key: str, choices: Sequence[str]) -> str:
        """One of the choices; the first of them is the default."""
        chosen = choice_of(fields[key], choices, key, self._problems) if key in fields else None
        return chosen or choices[0]

    def _objective(self, node: Node, name: str) -> Objective | None:
        fields = fields_of(node, ("ratio", "over"), f"the objective of {name!r}", self._problems)
        if not required(fields, node, ("ratio", "over"), f"the objective of {name!r}", self._problems):
            return None
        ratio = number_of(fields["ratio"], "ratio", self._problems)
        over = word_of(fields["over"], "over", self._problems)
        if ratio is not None and not 0 < ratio <= 1:
            self._problems.error(fields["ratio"].place, f"a ratio of {ratio} is impossible", "95 % is 0.95")
            ratio = None
        if over is None or over.text == "month":
            return None if ratio is None else Objective(ratio)
        days, rest = divmod(seconds_of(over, "over", Problems("")) or 0, SECONDS_OF["d"])
        if rest or not days:
            self._problems.error(over.place, f"over: {over.text!r} is not a number of days", "write 30d or month")
        elif days > MOST_DAYS:
            message = f"over: outcomes are kept for {MOST_DAYS} days, and {over.text!r} is longer"
            self._problems.error(over.place, message, f"write at most {MOST_DAYS}d, a quarter, or month")
        return None if ratio is None else Objective(ratio, days)

    def _tell_of_unreached(
        self, items: Sequence[Node], policies: Sequence[Policy], conditions: Sequence[Condition | None]
    ) -> None:
        """One earlier policy that takes all is an error; several that do so together are doubted by `policy_lint`."""
        for index, takers in never_reached(conditions):
            if len(takers) > 1:
                continue
            taker = takers[0]
            named = f"{policies[taker].id!r} (line {items[taker].place.line})"
            message = f"policy {policies[index].id!r} can never match: {named} takes all it could"
            way_out = f"put it before {policies[taker].id!r} or narrow that one"
            self._problems.error(items[index].place, message, way_out)
