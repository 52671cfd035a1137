"""A result contract as a ClickHouse row: pure, one table per contract.

`sink_loop` decodes the records of the result topics and has the rows next; the tables are in `deploy/clickhouse`.
Columns carry the names of the contract's fields. Absent text becomes '', absent numbers and instants stay absent.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec import Struct

from schemas.adherence import AdherenceReport
from schemas.clock_view import ClockView
from schemas.health_score import HealthScore
from schemas.rejection import Rejection
from schemas.rollup import Rollup
from schemas.sla_event import SlaEvent
from schemas.topics import (
    ADHERENCE,
    ALERTS,
    CLOCKS,
    ENRICHMENTS,
    HEALTH,
    ISSUES,
    REJECTED,
    ROLLUPS,
    SLA_EVENTS,
    TopicSpec,
)

ROW_SCHEMA = 4
"""Part of every deduplication token: grows when the same records make other rows, so that a replay may write them."""
EPOCH_SHIFT = 48
"""A version is the topic's epoch above 48 bits of offset: 2.8e14 records per partition and life of a topic."""

Row = tuple[Any, ...]
Event = TypeVar("Event", bound=Struct)


class Position(NamedTuple):
    """Where a record stands. `epoch` counts the lives of its topic (1 for the first)."""

    partition: int
    offset: int
    epoch: int = 1

    @property
    def version(self) -> int:
        """Grows with the offset, and over a topic created anew."""
        return (self.epoch << EPOCH_SHIFT) | self.offset


class Table(NamedTuple, Generic[Event]):
    """Where the records of one topic go.

    `columns` are in the order of the rows; `happened_at` is the instant that the table is partitioned by, null where it
    has no partitions. `keys` are expressions of a row's keys: when one of them is forgotten, the row goes. `lists` are
    columns of many keys: a forgotten one is taken out of them. `origin` is the column that names the partition of
    interactions that a row was told by, null where it is not known.
    """

    name: str
    topic: TopicSpec
    columns: tuple[str, ...]
    cells: Callable[[Event], Row]
    keys: tuple[str, ...]
    happened_at: Callable[[Event], datetime] | None = None
    lists: tuple[str, ...] = ()
    origin: str | None = None

    def row(self, event: Event, position: Position) -> Row:
        """The row of one record."""
        return (*self.cells(event), position.partition, position.offset, position.version)


_POSITION = ("topic_partition", "topic_offset", "version")
_CAUSE = ("cause_partition", "cause_offset", "cause_index", "cause_event_id")

_SLA_EVENT_TEXT = (
    *("id", "kind", "conversation_id", "account_id", "source", "clock", "channel", "metric", "outcome"),
    *("previous_outcome", "policy", "policy_version", "calendar", "priority", "tier", "segment", "team", "inbox"),
    *("agent", "warning", "reason", "author_kind", "status", "objective_over", "by_channel"),
)
_SLA_EVENT_PLAIN = (
    *("occurred_at", "instance", "target_seconds", "objective_ratio", "started_at", "due_at", "satisfied_at"),
    *("breached_at", "elapsed_seconds", "wall_elapsed_seconds", "overrun_seconds", "wall_overrun_seconds"),
    *("detected_at", "lateness_seconds", "previous_decided_at", "flags"),
)
_CLOCK_TEXT = (
    *("id", "conversation_id", "account_id", "metric", "outcome", "source", "clock", "channel", "tier", "segment"),
    *("team", "inbox", "policy", "policy_version", "calendar", "priority"),
)
_CLOCK_PLAIN = (
    *("instance", "as_of", "paused", "target_seconds", "started_at", "due_at", "next_change_at", "satisfied_at"),
    *("breached_at", "elapsed_seconds", "wall_elapsed_seconds", "flags"),
)
_ADHERENCE_TEXT = ("id", "account_id", "metric", "clock", "tier", "segment", "cause_id")
_STANDING = ("scope", "scope_value", "met", "breached", "ratio", "open", "overdue", "at_risk")
_BUDGET = (
    *("policy", "objective_ratio", "over", "met", "breached", "allowed", "left", "left_ratio", "open"),
    *("expected_breaches", "forecast_ratio", "breaches_left"),
)
_BURN = (("burn_window", "window"), ("burn_rate", "rate"), ("burn_factor", "factor"), ("burning", "burning"))
_DUE = ("conversation_id", "instance", "due_at", "at_risk")
_ADHERENCE_COLUMNS = (
    *_ADHERENCE_TEXT,
    *("as_of", "forecast_breach_ratio", "forecast_breaches"),
    *(f"standings.{name}" for name in _STANDING),
    *(f"budgets.{name}" for name in (*_BUDGET, *(column for column, _ in _BURN))),
    *(f"due.{name}" for name in _DUE),
)
_HEALTH_TEXT = (
    *("id", "account_id", "band", "change", "previous_band", "reason", "profile", "profile_version", "clock", "tier"),
    *("segment", "cause_id"),
)
_HEALTH_PLAIN = ("as_of", "score", "coverage", "previous_score")
_CONTRIBUTION = (
    *("component", "signal", "value", "sub_score", "weight", "points", "change", "observed_at", "event_ids"),
)
_ROLLUP_TEXT = ("id", "clock", "scope", "scope_value", "bucket")
_ROLLUP_PLAIN = ("partition", "begins_at", "as_of", "counts")
_TIMING = ("measure", "bins", "counts")
_CONTRIBUTION_COLUMNS = (*_CONTRIBUTION, "word", "source", "freshness", "because")
_CHURN = ("index", "level", "trend", "recency", "probability")
_ACTION = ("id", "play", "action", "reason", "opened_at", "owner")
_ALERT_TEXT = (
    *("id", "key", "name", "state", "severity", "account_id", "summary", "conversation_id", "metric", "policy"),
    *("priority", "channel", "tier", "team", "clock", "cause_id", "window"),
    *("owner", "play", "issue_id", "topic_id"),
)
_ALERT_PLAIN = ("occurred_at", "instance", "due_at", "growth", "accounts", "messages")
_ENRICHMENT_TEXT = (
    *("id", "conversation_id", "interaction_id", "account_id", "scorer", "scorer_version", "channel", "language"),
    *("mood", "fallback", "clock", "tier", "team"),
)
_ENRICHMENT_PLAIN = ("occurred_at", "sentiment", "tokens")
_ISSUE_TEXT = ("id", "issue_id", "kind", "status", "name", "topic_id", "account_id", "owner", "clock")
_ISSUE_PLAIN = (
    *("opened_at", "as_of", "began_at", "closed_at", "times", "growth", "missing", "account_count"),
    *("accounts", "messages"),
)


def _reader(text: tuple[str, ...], plain: tuple[str, ...]) -> Callable[[Struct], Row]:
    """Reads fields into cells; attrgetter reads them all in one call."""
    read_text, read_plain = attrgetter(*text), attrgetter(*plain)

    def cells(event: Struct) -> Row:
        return (*["" if value is None else value for value in read_text(event)], *read_plain(event))

    return cells


_sla_event_cells = _reader(_SLA_EVENT_TEXT, _SLA_EVENT_PLAIN)
_clock_cells = _reader(_CLOCK_TEXT, _CLOCK_PLAIN)
_health_cells = _reader(_HEALTH_TEXT, _HEALTH_PLAIN)
_alert_cells = _reader(_ALERT_TEXT, _ALERT_PLAIN)
_enrichment_cells = _reader(_ENRICHMENT_TEXT, _ENRICHMENT_PLAIN)
_issue_cells = _reader(_ISSUE_TEXT, _ISSUE_PLAIN)
_rollup_cells = _reader(_ROLLUP_TEXT, _ROLLUP_PLAIN)
_timing_cells = attrgetter(*_TIMING)
_contribution_fields = attrgetter(*_CONTRIBUTION)
_contribution_origin = attrgetter("source", "freshness", "because")
_churn_cells = attrgetter(*_CHURN)
_action_fields = attrgetter(*_ACTION)
_adherence_text = attrgetter(*_ADHERENCE_TEXT)
_standing_cells = attrgetter(*_STANDING)
_budget_cells = attrgetter(*_BUDGET)
_due_cells = attrgetter(*_DUE)


def _cause_cells(event: SlaEvent | ClockView) -> Row:
    cause = event.cause
    return (cause.partition, cause.offset, cause.index, cause.event_id or "")


def _sla_event_row(event: SlaEvent) -> Row:
    return (*_sla_event_cells(event), *_cause_cells(event))


def _clock_row(view: ClockView) -> Row:
    return (*_clock_cells(view), *_cause_cells(view))


def _adherence_row(report: AdherenceReport) -> Row:
    forecast = report.forecast
    burns = [[[getattr(rate, name) for rate in budget.burn] for budget in report.budgets] for _, name in _BURN]
    standings = _nested(report.standings, _standing_cells, len(_STANDING))
    standings[1][:] = ["" if value is None else value for value in standings[1]]
    return (
        *["" if value is None else value for value in _adherence_text(report)],
        report.as_of,
        None if forecast is None else forecast.breach_ratio,
        None if forecast is None else forecast.expected_breaches,
        *standings,
        *_nested(report.budgets, _budget_cells, len(_BUDGET)),
        *burns,
        *_nested(() if forecast is None else forecast.due, _due_cells, len(_DUE)),
    )


def _contribution_cells(part: Struct) -> Row:
    """A part has the columns of a signal: a cap has no name there, and a value that is a word no number."""
    component, signal, value, *others = _contribution_fields(part)
    source, freshness, because = _contribution_origin(part)
    number, word = (None, value) if isinstance(value, str) else (value, "")
    return (component, signal or "", number, *others, word, source or "", freshness, because or "")


def _action_cells(action: Struct) -> Row:
    return tuple(["" if value is None else value for value in _action_fields(action)])


def _health_row(score: HealthScore) -> Row:
    return (
        *_health_cells(score),
        *((None,) * len(_CHURN) if score.churn is None else _churn_cells(score.churn)),
        *_nested(score.contributions, _contribution_cells, len(_CONTRIBUTION_COLUMNS)),
        *_nested(score.actions, _action_cells, len(_ACTION)),
    )


def _rollup_row(rollup: Rollup) -> Row:
    return (*_rollup_cells(rollup), *_nested(rollup.timings, _timing_cells, len(_TIMING)))


def _nested(parts: Sequence[Struct], cells: Callable[[Struct], Row], width: int) -> list[list[Any]]:
    """One array per field, all of the same length: how ClickHouse keeps a nested table."""
    if not parts:
        return [[] for _ in range(width)]
    return list(map(list, zip(*map(cells, parts), strict=True)))


def _rejection_row(rejection: Rejection) -> Row:
    origin = rejection.origin
    return (
        rejection.id,
        rejection.reason,
        rejection.detail,
        rejection.rejected_at,
        origin.topic or "",
        origin.partition,
        origin.offset,
        origin.connector or "",
        rejection.key or b"",
        rejection.value or b"",
        [(name.encode(), value) for name, value in rejection.headers],
    )


_REJECTION_COLUMNS = (
    *("id", "reason", "detail", "rejected_at", "origin_topic", "origin_partition", "origin_offset"),
    *("origin_connector", "key", "value", "headers"),
)

_BY_KEY_OR_ACCOUNT = (
    "substring(id, 1, length(id) - position(reverse(id), '@'))",
    "if(scope = 'account', scope_value, '')",
)
"""The key of a rollup is its id without the instant behind it."""
_BY_ACCOUNT = ("account_id",)

TABLES: tuple[Table[Any], ...] = (
    Table(
        "sla_events",
        SLA_EVENTS,
        (*_SLA_EVENT_TEXT, *_SLA_EVENT_PLAIN, *_CAUSE, *_POSITION),
        _sla_event_row,
        _BY_ACCOUNT,
        attrgetter("occurred_at"),
        origin="cause_partition",
    ),
    Table("clocks", CLOCKS, (*_CLOCK_TEXT, *_CLOCK_PLAIN, *_CAUSE, *_POSITION), _clock_row, ("id",)),
    Table(
        "adherence",
        ADHERENCE,
        (*_ADHERENCE_COLUMNS, *_POSITION),
        _adherence_row,
        ("concat(account_id, '/', metric)",),
    ),
    Table(
        "health",
        HEALTH,
        (
            *(*_HEALTH_TEXT, *_HEALTH_PLAIN, *(f"churn_{name}" for name in _CHURN)),
            *(f"contributions.{name}" for name in _CONTRIBUTION_COLUMNS),
            *(f"actions.{name}" for name in _ACTION),
            *_POSITION,
        ),
        _health_row,
        _BY_ACCOUNT,
        attrgetter("as_of"),
    ),
    Table(
        "rollups",
        ROLLUPS,
        (*_ROLLUP_TEXT, *_ROLLUP_PLAIN, *(f"timings.{name}" for name in _TIMING), *_POSITION),
        _rollup_row,
        _BY_KEY_OR_ACCOUNT,
    ),
    Table(
        "enrichments",
        ENRICHMENTS,
        (*_ENRICHMENT_TEXT, *_ENRICHMENT_PLAIN, *_POSITION),
        _enrichment_cells,
        _BY_ACCOUNT,
        attrgetter("occurred_at"),
    ),
    Table(
        "issues",
        ISSUES,
        (*_ISSUE_TEXT, *_ISSUE_PLAIN, *_POSITION),
        _issue_cells,
        _BY_ACCOUNT,
        attrgetter("opened_at"),
        lists=("accounts",),
    ),
    Table(
        "alerts",
        ALERTS,
        (*_ALERT_TEXT, *_ALERT_PLAIN, *_POSITION),
        _alert_cells,
        _BY_ACCOUNT,
        attrgetter("occurred_at"),
        lists=("accounts",),
    ),
    Table(
        "rejected",
        REJECTED,
        (*_REJECTION_COLUMNS, *_POSITION),
        _rejection_row,
        ("key", "JSONExtractString(value, 'account_id')"),
        attrgetter("rejected_at"),
    ),
)
"""Every table that the sink fills, by the topic that it comes from."""

YEARS_PER_INSERT = 4
"""ClickHouse refuses a block of more than 100 partitions; 4 years are 48 months."""


def insert_group(table: Table[Event], event: Event) -> int:
    """Which insert of its batch a record belongs to: follows from the record alone, so a retry cuts the same way."""
    if table.happened_at is None:
        return 0
    return table.happened_at(event).astimezone(UTC).year // YEARS_PER_INSERT
