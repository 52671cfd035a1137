"""A mapping file after reading: how rows of a foreign file become events.

`streams.policy_files.mapping_reader` makes it out of YAML, `streams.history.row_events` compiles it for the columns of
a file.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from schemas.interaction import AuthorKind, InteractionType, Status, SurveyKind
from streams.history.due_metrics import DueMetrics
from streams.policy_files.problem import Place

ACCOUNT_FIELDS = ("tier", "segment", "contract")
CONVERSATION_FIELDS = ("channel", "priority", "inbox", "team", "agent", "type", "tags", "language", "status")
EVENT_KEYS = (
    "at",
    "type",
    "from",
    "public",
    "automated",
    "text",
    "id",
    "received_at",
    "status",
    "priority",
    "tags",
    "inbox",
    "team",
    "agent",
    "metric",
    "due_at",
    "into",
    "kind",
    "score",
    "scale",
    "account",
)
"""Keys of an event, as in policy tests; `when` stands beside them in a mapping only."""

VOCABULARIES: dict[str, tuple[str, ...]] = {
    "type": get_args(InteractionType),
    "from": get_args(AuthorKind),
    "status": get_args(Status),
    "kind": get_args(SurveyKind),
}
"""Event keys whose value is one of a closed list. `conversation_fields.type` is the source's own word, and free."""

REQUIRED_WITH: dict[str, tuple[str, ...]] = {
    "message": ("from",),
    "status_changed": ("status",),
    "due_set": ("metric", "due_at"),
    "merged": ("into",),
    "account_changed": ("account",),
}
"""What an event of a type cannot do without."""

ALLOWED_WITH: dict[str, tuple[str, ...]] = {
    "status": ("status_changed",),
    "priority": ("priority_changed",),
    "tags": ("tagged",),
    "inbox": ("assigned",),
    "team": ("assigned",),
    "agent": ("assigned",),
    "metric": ("due_set",),
    "due_at": ("due_set",),
    "into": ("merged",),
    "kind": ("survey_response",),
    "score": ("survey_response",),
    "scale": ("survey_response",),
    "account": ("account_changed",),
}
"""Keys that say something only about events of these types. The others go with every event."""

FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
"""How a column may say yes or no, in any case."""


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column (CSV) or a path into an object (NDJSON, `a.b`) that the mapping reads, and where it says so."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class TextTemplate:
    """Text with columns in it. `literals` surround the columns: there is always one more of them.

    The value of a template with columns is empty when all its columns are.
    """

    literals: tuple[str, ...]
    columns: tuple[ColumnUse, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether the text is the same for every row."""
        return not self.columns


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """Holds for a row whose column equals one of the values."""

    column: ColumnUse
    any_of: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventEntry:
    """One entry under `events`: a row that meets all of `when` yields one event. `keys` has `at` and `type` always."""

    keys: dict[str, TextTemplate]
    when: tuple[ColumnCondition, ...] = ()

    @property
    def type(self) -> str | None:
        """The type of the event where the mapping fixes it, else null."""
        template = self.keys["type"]
        return template.literals[0] if template.is_constant else None


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A whole mapping file. `value_map` has the source's words and ours per field; `source_text` is the file as is.

    `due_metrics` is not of the file: it knows which metrics rows may set a due date for.
    """

    file: str
    source_text: str
    format: Literal["csv", "ndjson"]
    conversation: TextTemplate
    events: tuple[EventEntry, ...]
    account: TextTemplate | None = None
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    time_format: str | None = None
    account_fields: dict[str, TextTemplate] = field(default_factory=dict)
    conversation_fields: dict[str, TextTemplate] = field(default_factory=dict)
    value_map: dict[str, dict[str, str]] = field(default_factory=dict)
    due_metrics: DueMetrics = field(default_factory=DueMetrics)

    def column_uses(self) -> tuple[ColumnUse, ...]:
        """Every mention of a column, in the order of the parts of the file."""
        templates = [self.conversation, *([self.account] if self.account else [])]
        templates += [*self.account_fields.values(), *self.conversation_fields.values()]
        templates += [template for entry in self.events for template in entry.keys.values()]
        conditions = [condition.column for entry in self.events for condition in entry.when]
        return (*(column for template in templates for column in template.columns), *conditions)
