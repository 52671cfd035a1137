"""The `targets:` of a policy: per metric a duration, one per priority, or the long form.

The long form says how a clock differs: its calendar, its pauses, what a reopening does. Used by `policy_reader`; gives
`schemas.policy.MetricTarget`.
"""

from collections.abc import Mapping, Sequence

from schemas.policy import PRIORITIES, Duration, MetricTarget
from streams.policy_files.condition_reader import PAUSE_KEYS, check_priority, condition_of
from streams.policy_files.duration_reader import duration_of
from streams.policy_files.fields import choice_of, fields_of, has_value, word_of
from streams.policy_files.located_yaml import Entry, Node, Table
from streams.policy_files.problem import Problems, did_you_mean, nearest

_LONG_FORM = ("target", "calendar", "pause_when", "reopen")


class TargetReader:
    """Reads targets of one file, which knows these calendars and these metrics (its own clocks among them)."""

    def __init__(self, problems: Problems, calendars: Sequence[str], metrics: Sequence[str]) -> None:
        self._problems = problems
        self._calendars = calendars
        self._metrics = metrics

    def read(self, node: Node, what: str) -> dict[str, MetricTarget]:
        """Every promise of a policy, by metric."""
        found = fields_of(node, self._metrics, f"the targets of {what}", self._problems)
        return {metric: self._target(metric, value) for metric, value in found.items()}

    def calendar(self, node: Node) -> str | None:
        """The name of a calendar that exists."""
        word = word_of(node, "calendar", self._problems)
        if word is None:
            return None
        if word.text not in self._calendars:
            suggestion = did_you_mean(word.text, self._calendars)
            self._problems.error(word.place, f"there is no calendar {word.text!r}", suggestion)
            return None
        return word.text

    def _target(self, metric: str, node: Node) -> MetricTarget:
        if not isinstance(node, Table):
            return MetricTarget(metric=metric, target=duration_of(node, metric, self._problems))
        if not any(_is_long_form(entry) for entry in node):
            return MetricTarget(metric=metric, by_priority=self._by_priority(metric, node))
        return self._long_form(metric, node, fields_of(node, _LONG_FORM, metric, self._problems))

    def _long_form(self, metric: str, node: Table, fields: Mapping[str, Node]) -> MetricTarget:
        target: Duration | None = None
        by_priority: dict[str, Duration] = {}
        if "target" not in fields:
            if nearest("target", [entry.key.text for entry in node if entry.key.text not in fields]) is None:
                self._problems.error(node.place, f"{metric} has no 'target'", "add for example `target: 4h`")
        elif isinstance(fields["target"], Table):
            by_priority = self._by_priority(metric, fields["target"])
        else:
            target = duration_of(fields["target"], metric, self._problems)
        pause_when = fields.get("pause_when")
        reopen = (
            choice_of(fields["reopen"], ("continue", "new_cycle"), "reopen", self._problems)
            if "reopen" in fields
            else None
        )
        return MetricTarget(
            metric=metric,
            target=target,
            by_priority=by_priority,
            calendar=self.calendar(fields["calendar"]) if "calendar" in fields else None,
            pause_when=condition_of(pause_when, PAUSE_KEYS, "pause_when", self._problems) if pause_when else None,
            reopen="new_cycle" if reopen == "new_cycle" else "continue",
        )

    def _by_priority(self, metric: str, table: Table) -> dict[str, Duration]:
        if not table.entries:
            self._problems.error(table.place, f"{metric} is empty", "write a duration, or one per priority")
        found: dict[str, Duration] = {}
        for entry in table:
            check_priority(entry.key, self._problems)
            if not has_value(entry, self._problems):
                continue
            duration = duration_of(entry.value, f"{metric} {entry.key.text}", self._problems)
            if duration is not None:
                found[entry.key.text] = duration
        return found


def _is_long_form(entry: Entry) -> bool:
    """Whether a key is one of the long form, mistyped perhaps; priorities are the other possibility."""
    return entry.key.text in _LONG_FORM or nearest(entry.key.text, (*PRIORITIES, *_LONG_FORM), 0.75) in _LONG_FORM
