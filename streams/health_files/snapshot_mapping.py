"""The mapping of a history of signals: how rows of a foreign file become what was observed of accounts.

`careline health run`, `explain` and `backtest` start here; `snapshot_rows` reads the rows with it. What it has in
common with import mappings is `streams.policy_files.mapping_parts`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from agents.domain.health_profile import HealthFile, SignalRule
from streams.history.import_mapping import ACCOUNT_FIELDS, ColumnUse, TextTemplate
from streams.policy_files.fields import fields_of, required
from streams.policy_files.located_yaml import Node, parse_yaml, read_file
from streams.policy_files.mapping_parts import (
    entries_of,
    format_of,
    plain_of,
    template_of,
    time_format_of,
    zone_of,
)
from streams.policy_files.problem import Problems, did_you_mean

_KEYS = (
    *("format", "time_zone", "time_format", "account", "account_fields", "parent", "at", "signals", "label"),
    "value_map",
)
_REQUIRED = ("format", "account", "signals")
LABEL, PARENT = "label", "parent"


@dataclass(frozen=True, slots=True)
class SnapshotMapping:
    """A whole mapping file. `value_map` has the source's words and ours by signal, account field, or `label`."""

    file: str
    format: Literal["csv", "ndjson"]
    account: TextTemplate
    signals: Mapping[str, TextTemplate]
    at: TextTemplate | None = None
    label: TextTemplate | None = None
    parent: TextTemplate | None = None
    account_fields: Mapping[str, TextTemplate] = field(default_factory=dict)
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    time_format: str | None = None
    value_map: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def column_uses(self) -> tuple[ColumnUse, ...]:
        """Every mention of a column, in the order of the parts of the file."""
        single = [template for template in (self.account, self.parent, self.at, self.label) if template is not None]
        templates = [*single, *self.account_fields.values(), *self.signals.values()]
        return tuple(column for template in templates for column in template.columns)


def read_snapshot_mapping(
    path: Path, profiles: HealthFile | None, problems: Problems, *, needs_label: bool
) -> SnapshotMapping | None:
    """A mapping file, or null with everything that is wrong with it among the problems.

    Args:
        path: of the mapping.
        profiles: what the signals are for; null when they could not be read, so that names are not checked.
        problems: of the mapping.
        needs_label: whether each row must say who has left.
    """
    text = read_file(path, problems)
    root = parse_yaml(text, problems) if text is not None else None
    if root is None:
        return None
    mapping = _Reader(profiles, problems).read(root, needs_label=needs_label)
    return None if problems.errors else mapping


class _Reader:
    def __init__(self, profiles: HealthFile | None, problems: Problems) -> None:
        self._known: Mapping[str, SignalRule] | None = profiles.signals if profiles is not None else None
        self._problems = problems

    def read(self, root: Node, *, needs_label: bool) -> SnapshotMapping | None:
        problems = self._problems
        table = fields_of(root, _KEYS, "a mapping of signals", problems)
        wanted = (*_REQUIRED, LABEL) if needs_label else _REQUIRED
        required(table, root, wanted, "a mapping of signals", problems)
        row_format = format_of(table.get("format"), problems)
        account = self._column(table.get("account"), "account")
        signals = self._signals(table["signals"]) if "signals" in table else {}
        fields = table.get("account_fields")
        account_fields = self._account_fields(fields) if fields is not None else {}
        at = self._column(table.get("at"), "at")
        label = self._column(table.get(LABEL), LABEL)
        parent = self._column(table.get(PARENT), PARENT)
        value_map = self._value_map(table["value_map"], signals) if "value_map" in table else {}
        zone = zone_of(table.get("time_zone"), problems)
        time_format = time_format_of(table.get("time_format"), problems)
        if row_format is None or account is None or problems.errors:
            return None
        return SnapshotMapping(
            file=problems.file,
            format=row_format,
            account=account,
            signals=signals,
            at=at,
            label=label,
            parent=parent,
            account_fields=account_fields,
            time_zone=zone,
            time_format=time_format,
            value_map=value_map,
        )

    def _column(self, node: Node | None, name: str) -> TextTemplate | None:
        template = template_of(node, name, self._problems)
        if template is not None and template.is_constant and node is not None:
            self._problems.error(node.place, f"`{name}` names no column", 'write "{column}"')
        return template

    def _signals(self, node: Node) -> dict[str, TextTemplate]:
        found: dict[str, TextTemplate] = {}
        entries = entries_of(node, "`signals`", self._problems)
        if not entries and not self._problems.errors:
            self._problems.error(node.place, "`signals` is empty", 'for example {logins_per_week: "{logins}"}')
        for key, value in entries:
            self._check_name(key.text, key, "`signals`")
            template = template_of(value, key.text, self._problems)
            if template is not None:
                found[key.text] = template
        return found

    def _check_name(self, name: str, node: Node, what: str) -> None:
        if self._known is not None and name not in self._known:
            known = [*self._known][::-1]  # a company's own come last, and are meant most often
            way_out = did_you_mean(name, known, "declare it in the profile file, under `signals:`")
            self._problems.error(node.place, f"{what} has {name!r}, a signal that nobody declares", way_out)

    def _account_fields(self, node: Node) -> dict[str, TextTemplate]:
        table = fields_of(node, ACCOUNT_FIELDS, "`account_fields`", self._problems)
        templates = {key: template_of(value, key, self._problems) for key, value in table.items()}
        return {key: template for key, template in templates.items() if template is not None}

    def _value_map(self, node: Node, signals: Mapping[str, TextTemplate]) -> dict[str, dict[str, str]]:
        fields = ("account", *ACCOUNT_FIELDS, LABEL, *signals)
        table = fields_of(node, fields, "`value_map`", self._problems)
        return {name: self._words(name, value) for name, value in table.items()}

    def _words(self, name: str, node: Node) -> dict[str, str]:
        what = f"`value_map.{name}`"
        entries = entries_of(node, what, self._problems)
        words = {key.text: plain_of(value, f"{what}.{key.text}", self._problems) for key, value in entries}
        return {key: word for key, word in words.items() if word is not None}


def unused_signals(mapping: SnapshotMapping, profiles: HealthFile) -> list[str]:
    """Signals of the profiles that the mapping does not know, in the order of the profiles; built-in ones included."""
    used = dict.fromkeys(rule.name for profile in profiles.profiles for _, rule in profile.signals)
    return [name for name in used if name not in mapping.signals]
