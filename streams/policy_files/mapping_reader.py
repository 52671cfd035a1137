"""Import mappings: YAML into `streams.history.import_mapping.ImportMapping`, every mistake with its place.

`careline import`, `careline policy run` and others that read history start here; `streams.history.conversations` has
the mapping next. The format is a public interface, described in `docs/policy-format.md`.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.policy import PRIORITIES
from streams.history.due_metrics import DueMetrics
from streams.history.import_mapping import (
    ACCOUNT_FIELDS,
    ALLOWED_WITH,
    CONVERSATION_FIELDS,
    EVENT_KEYS,
    FLAGS,
    REQUIRED_WITH,
    VOCABULARIES,
    ColumnCondition,
    ColumnUse,
    EventEntry,
    ImportMapping,
    TextTemplate,
)
from streams.history.row_times import UnreadableTime, time_reader
from streams.policy_files.fields import fields_of, items_of, required
from streams.policy_files.located_yaml import Items, Node, parse_yaml, read_file
from streams.policy_files.mapping_parts import (
    entries_of,
    format_of,
    plain_of,
    template_of,
    time_format_of,
    zone_of,
)
from streams.policy_files.problem import Place, Problems, did_you_mean

KEYS = (
    "format",
    "time_zone",
    "time_format",
    "conversation",
    "account",
    "account_fields",
    "conversation_fields",
    "value_map",
    "events",
)
_REQUIRED = ("format", "conversation", "events")
_FLAG_KEYS = ("public", "automated")
_NUMBER_KEYS = ("score", "scale")
_TIME_KEYS = ("at", "due_at", "received_at")
_TRANSLATABLE = tuple(dict.fromkeys(("account", *ACCOUNT_FIELDS, *CONVERSATION_FIELDS, *EVENT_KEYS)))


def read_mapping(path: Path, problems: Problems, due_metrics: DueMetrics | None = None) -> ImportMapping | None:
    """A mapping file, or null with everything that is wrong with it among the problems."""
    text = read_file(path, problems)
    return None if text is None else parse_mapping(text, problems, due_metrics)


def parse_mapping(text: str, problems: Problems, due_metrics: DueMetrics | None = None) -> ImportMapping | None:
    """A mapping from its text, or null with everything that is wrong with it among the problems.

    Args:
        text: of the file.
        problems: where mistakes go.
        due_metrics: what the policies that will judge know of metrics; null where no policies are at hand.
    """
    root = parse_yaml(text, problems)
    if root is None:
        return None
    mapping = _MappingReader(problems, due_metrics or DueMetrics()).read(root, text)
    return None if problems.errors else mapping


class _MappingReader:
    """Walks over the tree once; every part is checked as far as possible, so that all mistakes are told together."""

    def __init__(self, problems: Problems, due_metrics: DueMetrics) -> None:
        self._problems = problems
        self._due_metrics = due_metrics

    def read(self, root: Node, text: str) -> ImportMapping | None:
        table = fields_of(root, KEYS, "a mapping", self._problems)
        required(table, root, _REQUIRED, "a mapping", self._problems)
        row_format = format_of(table.get("format"), self._problems)
        zone = zone_of(table.get("time_zone"), self._problems)
        time_format = time_format_of(table.get("time_format"), self._problems)
        account_fields = self._templates(table.get("account_fields"), ACCOUNT_FIELDS, "account_fields")
        conversation_fields = self._templates(
            table.get("conversation_fields"), CONVERSATION_FIELDS, "conversation_fields"
        )
        value_map = self._value_map(table.get("value_map"))
        events = self._events(table.get("events"))
        conversation = template_of(table.get("conversation"), "conversation", self._problems)
        account = template_of(table.get("account"), "account", self._problems)
        if conversation is not None and conversation.is_constant:
            self._problems.error(table["conversation"].place, "`conversation` names no column", 'write "{column}"')
        if row_format is None or conversation is None or self._problems.errors:
            return None
        mapping = ImportMapping(
            file=self._problems.file,
            source_text=text,
            format=row_format,
            conversation=conversation,
            events=tuple(events),
            account=account,
            time_zone=zone,
            time_format=time_format,
            account_fields=account_fields,
            conversation_fields=conversation_fields,
            value_map=value_map,
            due_metrics=self._due_metrics,
        )
        self._check_paths(mapping)
        return mapping

    # the parts of the file

    def _templates(self, node: Node | None, known: tuple[str, ...], name: str) -> dict[str, TextTemplate]:
        if node is None:
            return {}
        table = fields_of(node, known, f"`{name}`", self._problems)
        templates = {key: template_of(value, key, self._problems) for key, value in table.items()}
        for key, template in templates.items():
            if template is not None and template.is_constant:
                self._check_constant(key, template.literals[0], table[key].place, is_event=False)
        return {key: template for key, template in templates.items() if template is not None}

    def _value_map(self, node: Node | None) -> dict[str, dict[str, str]]:
        if node is None:
            return {}
        fields = fields_of(node, _TRANSLATABLE, "`value_map`", self._problems)
        return {name: self._words(name, value) for name, value in fields.items()}

    def _words(self, field: str, node: Node) -> dict[str, str]:
        words: dict[str, str] = {}
        for key, value in entries_of(node, f"`value_map.{field}`", self._problems):
            ours = plain_of(value, f"`value_map.{field}.{key.text}`", self._problems)
            if ours is None:
                continue
            words[key.text] = ours
            # An empty word: the source says nothing. A `type` is of an event or a conversation, only the row can tell.
            if ours and field != "type":
                self._check_constant(field, ours, value.place, is_event=True)
        return words

    def _events(self, node: Node | None) -> list[EventEntry]:
        if node is None:
            return []
        items = items_of(node, "`events`", self._problems)
        if isinstance(node, Items) and not items:
            self._problems.error(node.place, "`events` is an empty list, so no row can yield an event", "describe one")
        entries = [self._event(item) for item in items]
        return [entry for entry in entries if entry is not None]

    def _event(self, node: Node) -> EventEntry | None:
        table = fields_of(node, ("when", *EVENT_KEYS), "an event", self._problems)
        required(table, node, ("at",), "an event", self._problems)
        when = self._when(table.pop("when", None))
        keys: dict[str, TextTemplate] = {}
        for name, value in table.items():
            template = self._several(value, name) if name == "tags" else template_of(value, name, self._problems)
            if template is None:
                continue
            keys[name] = template
            if template.is_constant:
                self._check_constant(name, template.literals[0], value.place, is_event=True)
        keys.setdefault("type", TextTemplate(("message",)))
        entry = self._fitting(EventEntry(keys, tuple(when)), node.place, table)
        return entry if "at" in keys else None

    def _fitting(self, entry: EventEntry, place: Place, table: Mapping[str, Node]) -> EventEntry:
        """An event with what its type needs, and without what says nothing about it."""
        kind = entry.type
        if kind is None or kind not in VOCABULARIES["type"]:
            return entry
        for name in REQUIRED_WITH.get(kind, ()):
            if name not in table:
                self._problems.error(place, f"an event of type {kind} has no {name!r}", f"add `{name}:`")
        keys = dict(entry.keys)
        for name in table:
            if kind not in ALLOWED_WITH.get(name, (kind,)) and keys.pop(name, None) is not None:
                owners = " or ".join(ALLOWED_WITH[name])
                self._problems.warning(
                    table[name].place, f"`{name}` says nothing about a {kind} and is ignored", f"it goes with {owners}"
                )
        return EventEntry(keys, entry.when)

    def _when(self, node: Node | None) -> Iterable[ColumnCondition]:
        if node is None:
            return []
        conditions = []
        for name, value in entries_of(node, "`when`", self._problems):
            values = value.items if isinstance(value, Items) else (value,)
            if name.text.startswith("{") and name.text.endswith("}"):
                self._problems.error(name.place, f"{name.text!r} is not a column", f"without braces: {name.text[1:-1]}")
            texts = [plain_of(item, f"`when.{name.text}`", self._problems) for item in values]
            if not texts:
                self._problems.error(value.place, f"`when.{name.text}` lists no value, so no row can match", "name one")
            wanted = frozenset(text for text in texts if text is not None)
            conditions.append(ColumnCondition(ColumnUse(name.text, name.place), wanted))
        return conditions

    def _check_paths(self, mapping: ImportMapping) -> None:
        if mapping.format != "ndjson":
            return
        for use in mapping.column_uses():
            if not all(use.name.split(".")):
                self._problems.error(use.place, f"{use.name!r} is not a path into an object", "for example {a.b}")

    def _several(self, node: Node, name: str) -> TextTemplate | None:
        """A list of templates is one template with commas."""
        if not isinstance(node, Items):
            return template_of(node, name, self._problems)
        found = [template_of(item, name, self._problems) for item in node.items]
        templates = [template for template in found if template is not None]
        return joined_by_comma(templates) if templates else None

    def _check_constant(self, key: str, text: str, place: Place, *, is_event: bool) -> None:
        """A value that stands in the mapping itself can be judged before any row is read."""
        if key in VOCABULARIES and (is_event or key != "type"):
            if text not in VOCABULARIES[key]:
                self._problems.error(place, f"{text!r} is not a {key}", did_you_mean(text, VOCABULARIES[key]))
        elif key in _FLAG_KEYS and text.lower() not in FLAGS:
            self._problems.error(place, f"{text!r} is neither true nor false", "write true or false")
        elif key in _NUMBER_KEYS and not _succeeds(float, text):
            self._problems.error(place, f"{text!r} is not a number", 'a number or a "{column}"')
        elif key in _TIME_KEYS and not _succeeds(time_reader(ZoneInfo("UTC"), None), text):
            self._problems.error(place, f"{text!r} is neither a column nor a time", 'for example "{column}"')
        elif key == "metric":
            self._check_metric(text, place)
        elif key == "priority" and text not in PRIORITIES:
            self._problems.warning(
                place, f"{text!r} is none of {', '.join(PRIORITIES)}: policies have no target for it"
            )

    def _check_metric(self, text: str, place: Place) -> None:
        known = self._due_metrics.known
        if not self._due_metrics.may_be(text):
            self._problems.error(place, f"metric cannot be {text!r}", did_you_mean(text, known))
        elif text not in known:
            self._problems.warning(
                place, f"{text!r} is not a metric, unless a policy declares this clock", did_you_mean(text, known)
            )


def joined_by_comma(templates: list[TextTemplate]) -> TextTemplate:
    """Several templates as one, with commas between them."""
    literals = list(templates[0].literals)
    for template in templates[1:]:
        literals[-1] += "," + template.literals[0]
        literals.extend(template.literals[1:])
    return TextTemplate(tuple(literals), tuple(use for template in templates for use in template.columns))


def _succeeds(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except (ValueError, UnreadableTime):
        return False
    return True
