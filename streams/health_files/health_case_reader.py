"""The file of profile tests from YAML to cases that can be run (`docs/health.md`).

`health_cases` runs them. Every mistake of the test file and of the profile file that it names is told at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.domain.children import Child
from agents.domain.health_profile import HealthFile, SignalRule
from agents.domain.health_verdict import Account, Override
from agents.domain.instant import Instant, from_datetime
from agents.domain.normalisation import MILLION, Tiers
from agents.domain.signal_reading import Observation
from streams.health_files.exact_numbers import millionths_in, score_of, value_of
from streams.health_files.profile_reader import read_profile_file, read_profile_node
from streams.policy_files.case_file import cases_in, named_or_inline
from streams.policy_files.case_reader import as_written
from streams.policy_files.event_reader import account_of
from streams.policy_files.fields import (
    choice_of,
    fields_of,
    has_value,
    instant_of,
    items_of,
    number_of,
    required,
    word_of,
    words_of,
)
from streams.policy_files.located_yaml import Entry, Items, Node, Table, Text
from streams.policy_files.problem import Problems, did_you_mean

_FILE_KEYS = ("profiles", "inline", "tests")
_CASE_KEYS = ("name", "account", "children", "signals", "override", "now", "expect")
_CHILD_KEYS = ("id", "score", "mrr")
_EXPECTED = ("score", "band", "coverage", "profile", "change", "contributions", "plays", "changes")
_CHANGE_KEYS = ("at", "change", "score", "band")
_CHANGES = ("initial", "changed", "band_changed", "unchanged")
_NULLABLE = ("score", "band", "profile")


@dataclass(frozen=True, slots=True)
class HealthCase:
    """One test: what was observed of whom, until when, and what should have come of it.

    `children` are those of the account as they are at `now`; they make its score where its profile says so.
    `expected` has the keys of a verdict as the commands print it, `changes` those of the story; `written` is the entry
    as it stands in the file.
    """

    file: str
    name: str
    profiles: HealthFile
    account: Account
    observed: Mapping[str, list[Observation]]
    now: Instant
    override: Override | None = None
    children: tuple[Child, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)
    written: Any = None


def read_health_cases(path: Path) -> tuple[list[HealthCase], list[Problems]]:
    """The cases of a test file, and the problems of all files that were read for it. With errors there are no cases."""
    problems = Problems(str(path))
    return cases_in(path, _CaseFile(problems, path.parent), problems)


class _CaseFile:
    """One test file. `others` are the problems of the profile file that it names."""

    def __init__(self, problems: Problems, folder: Path) -> None:
        self._problems = problems
        self._folder = folder
        self.others: list[Problems] = []

    def read(self, root: Node) -> list[HealthCase]:
        fields = fields_of(root, _FILE_KEYS, "a file of profile tests", self._problems)
        profiles = self._profiles(fields, root)
        if not required(fields, root, ("tests",), "a file of profile tests", self._problems):
            return []
        items = items_of(fields["tests"], "tests", self._problems)
        if profiles is None:  # what the tests speak of is not known
            return []
        return [_CaseReader(profiles, self._problems).read(item, number) for number, item in enumerate(items, start=1)]

    def _profiles(self, fields: Mapping[str, Node], root: Node) -> HealthFile | None:
        return named_or_inline(
            "profile",
            "profiles",
            fields,
            root,
            self._problems,
            folder=self._folder,
            others=self.others,
            read_node=lambda node: read_profile_node(node, self._problems),
            read_path=read_profile_file,
        )


class _CaseReader:
    """The cases of a file, over the signals of its profiles."""

    def __init__(self, profiles: HealthFile, problems: Problems) -> None:
        self._profiles = profiles
        self._problems = problems

    def read(self, node: Node, number: int) -> HealthCase:
        fields = fields_of(node, _CASE_KEYS, f"test {number}", self._problems)
        word = word_of(fields["name"], "name", self._problems) if "name" in fields else None
        name = word.text if word is not None else f"test {number}"
        now = instant_of(fields["now"], "now", self._problems) if "now" in fields else None
        if isinstance(node, Table):
            required(fields, node, ("signals",), name, self._problems)
        observed = self._observed(fields["signals"], now) if "signals" in fields else {}
        latest = max((found.at for each in observed.values() for found in each), default=0)
        account = account_of(fields["account"], "account", self._problems) if "account" in fields else {}
        account.setdefault("account", name)
        children = self._children(fields["children"], account["account"]) if "children" in fields else ()
        return HealthCase(
            file=self._problems.file,
            name=name,
            profiles=self._profiles,
            account=Account(account["account"], account),
            observed=observed,
            now=latest if now is None else from_datetime(now),
            override=self._override(fields["override"]) if "override" in fields else None,
            children=children,
            expected=self._expected(fields["expect"], children) if "expect" in fields else {},
            written=as_written(fields["expect"]) if "expect" in fields else None,
        )

    def _observed(self, node: Node, now: datetime | None) -> dict[str, list[Observation]]:
        """Observations by signal: a list of tables with `at`, or one table of what is known at `now`."""
        observed: dict[str, list[Observation]] = {}
        snapshot = from_datetime(now) if now is not None else 0
        for item in items_of(node, "signals", self._problems) if isinstance(node, Items) else (node,):
            if not isinstance(item, Table):
                self._problems.error(
                    item.place, "signals must be a table of names and values", "for example {csat: 80}"
                )
                continue
            at: Instant | None = snapshot
            values: list[tuple[Text, int | str | None]] = []
            for entry in item:
                if not has_value(entry, self._problems):
                    continue
                if entry.key.text == "at":
                    moment = instant_of(entry.value, "at", self._problems)
                    at = None if moment is None else from_datetime(moment)
                else:
                    values.append((entry.key, self._value(entry.key, entry.value)))
            for key, value in values:
                if value is not None and at is not None:
                    observed.setdefault(key.text, []).append(Observation(at, value))
        return observed

    def _value(self, key: Text, node: Node) -> int | str | None:
        rule = self._profiles.signals.get(key.text)
        if rule is None:
            way_out = did_you_mean(key.text, (*self._profiles.signals, "at"))
            self._problems.error(key.place, f"{key.text!r} is a signal that nobody declares", way_out)
            return None
        return self._value_of(rule, node)

    def _value_of(self, rule: SignalRule, node: Node) -> int | str | None:
        if rule.normalise is not None and not isinstance(rule.normalise, Tiers):
            return value_of(node, rule.name, self._problems)
        word = word_of(node, rule.name, self._problems)
        if word is None:
            return None
        if isinstance(rule.normalise, Tiers):
            if rule.normalise.of(word.text) is None:
                way_out = did_you_mean(word.text, rule.normalise.words)
                self._problems.error(word.place, f"{word.text!r} is no tier of {rule.name!r}", way_out)
            return word.text
        number = millionths_in(word.text)
        return word.text if number is None else number

    def _override(self, node: Node) -> Override | None:
        what = "an override"
        fields = fields_of(node, ("score", "because", "until"), what, self._problems)
        if not required(fields, node, ("score", "because"), what, self._problems):
            return None
        score = score_of(fields["score"], "score", self._problems)
        because = word_of(fields["because"], "because", self._problems)
        until = instant_of(fields["until"], "until", self._problems) if "until" in fields else None
        if score is None or because is None:
            return None
        return Override(score, because.text, from_datetime(until) if until is not None else None)

    def _children(self, node: Node, parent: str) -> tuple[Child, ...]:
        """The accounts below this one, each with its score and what it pays a month."""
        found: dict[str, Child] = {}
        if all(profile.children is None for profile in self._profiles.profiles):
            way_out = "add `children: mean`, `by_value` or `worst` to one"
            self._problems.error(node.place, "no profile scores by children", way_out)
        for item in items_of(node, "children", self._problems):
            # A child without a score is one of which nothing is known, so `score: null` says something.
            stated = _without_nulls(item, ("score",)) if isinstance(item, Table) else item
            fields = fields_of(stated, _CHILD_KEYS, "a child", self._problems)
            needed = ("id", "score") if stated == item else ("id",)
            if not isinstance(item, Table) or not required(fields, item, needed, "a child", self._problems):
                continue
            name = word_of(fields["id"], "id", self._problems)
            score = score_of(fields["score"], "score", self._problems) if "score" in fields else None
            mrr = value_of(fields["mrr"], "mrr", self._problems) if "mrr" in fields else None
            if name is None:
                continue
            if name.text in found or name.text == parent:
                why = "is a child twice" if name.text in found else "cannot be its own child"
                self._problems.error(name.place, f"{name.text!r} {why}", "give every child an id of its own")
            found[name.text] = Child(name.text, score, None if mrr is None else mrr * 100 // MILLION)
        return tuple(found.values())

    def _expected(self, node: Node, children: Sequence[Child]) -> dict[str, Any]:
        values = self._compared(node, _EXPECTED, "an expectation")
        if isinstance(node, Table):
            for entry in node:
                if entry.key.text == "contributions":
                    values["contributions"] = self._contributions(entry.value, children)
                elif entry.key.text == "plays":
                    is_none = isinstance(entry.value, Items) and not entry.value.items
                    words = () if is_none else words_of(entry.value, "plays", self._problems)
                    values["plays"] = [word.text for word in words]
                elif entry.key.text == "changes":
                    items = items_of(entry.value, "changes", self._problems)
                    values["changes"] = [self._compared(item, _CHANGE_KEYS, "a change") for item in items]
        return values

    def _compared(self, node: Node, keys: tuple[str, ...], what: str) -> dict[str, Any]:
        """The plain values of an expectation; null where it says null."""
        if not isinstance(node, Table):
            fields_of(node, keys, what, self._problems)
            return {}
        stated = _without_nulls(node, _NULLABLE)
        nulls = [entry.key.text for entry in node if entry not in stated]
        fields = fields_of(stated, keys, what, self._problems)
        values: dict[str, Any] = dict.fromkeys(nulls)
        for key, value in fields.items():
            if key in {"score", "coverage"}:
                values[key] = number_of(value, key, self._problems)
            elif key == "change":
                values[key] = choice_of(value, _CHANGES, key, self._problems)
            elif key == "at":
                moment = instant_of(value, key, self._problems)
                values[key] = None if moment is None else from_datetime(moment)
            elif key in {"band", "profile"}:
                word = word_of(value, key, self._problems)
                values[key] = None if word is None else word.text
        return values

    def _contributions(self, node: Node, children: Sequence[Child]) -> dict[str, float | None]:
        known = (*self._profiles.signals, "cap", "floor", "override", *(child.id for child in children))
        fields = fields_of(node, known, "contributions", self._problems)
        return {key: number_of(value, key, self._problems) for key, value in fields.items()}


def _without_nulls(table: Table, nullable: tuple[str, ...]) -> Table:
    """Without what is said to be null, which is not the same as leaving it out."""

    def is_null(entry: Entry) -> bool:
        return entry.key.text in nullable and isinstance(entry.value, Text) and entry.value.is_null

    return Table(table.place, tuple(entry for entry in table if not is_null(entry)))
