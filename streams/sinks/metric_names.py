"""Every Prometheus metric: its name, kind, meaning, labels and buckets. The one place where a metric is named.

`prometheus_metrics` makes them, `deploy/prometheus` and the dashboards use them (a test compares both), and
`docs` can be generated from them. Conventions are Prometheus' own: one prefix, base units, `_total` for counters.
No label holds an account, a conversation or a person: those questions belong to ClickHouse.
"""

from typing import Literal, NamedTuple, get_args

from schemas.enrichment import FallbackReason
from schemas.issue import IssueKind, IssueStatus
from schemas.policy import METRICS, PRIORITIES

MetricKind = Literal["counter", "gauge", "histogram"]


class MetricSpec(NamedTuple):
    """A metric as declared. `name` is what Prometheus shows, `_total` included, a histogram's `_bucket` not."""

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Work of this program: a batch, a transaction, an insert, a publish. 0.5 s is the end-to-end budget."""
LATENESS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
"""From tens of milliseconds (one round trip through Kafka) to an hour (a worker was down)."""
SHARE_OF_TARGET = (0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10)
"""The edge at 1 makes `le="1"` the exact count of promises kept."""
BATCH_RECORDS = (1, 10, 100, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000)

STAGES = ("conversation", "account", "issue")
"""The agents."""
FALLBACKS = ("none", *get_args(FallbackReason))
MODEL_OUTCOMES = ("answered", *(reason for reason in get_args(FallbackReason) if reason != "budget"))
ISSUE_KINDS, ISSUE_STATUSES = get_args(IssueKind), get_args(IssueStatus)
PARTS = ("ticks", "metrics")
"""Parts of a worker whose errors are told and survived."""
SOURCES_OF_REJECTION = (*STAGES, "connect", "sink")
JUDGEMENTS = ("applied", "duplicate", "late", "rejected")
OUTCOMES = ("met", "breached", "satisfied_late", "cancelled", "merged", "retracted")
CLOCK_STAGES = ("running", "warned", "overdue", "paused")
CLOCK_FAMILIES = ("wall", "import", "simulation", "other")
CHANNELS = (
    "slack",
    "teams",
    "discord",
    "email",
    "chat",
    "form",
    "phone",
    "social",
    "whatsapp",
    "sms",
    "web",
    "other",
)
"""What a channel label may be; any other channel counts as `other`, so that no mapping makes series without end."""
METRIC_LABELS = (*METRICS, "custom")
"""A clock that a policy declares itself counts as `custom`."""
PRIORITY_LABELS = (*PRIORITIES, "none", "other")

BUILD_INFO = MetricSpec("careline_build_info", "gauge", "Always 1; the labels say what runs", ("version", "python"))

EVENTS_ACCEPTED = MetricSpec(
    "careline_events_accepted_total",
    "counter",
    "Interactions and signals read from Kafka, control records apart",
    ("stage",),
)
EVENTS_JUDGED = MetricSpec(
    "careline_events_judged_total",
    "counter",
    "What became of accepted events; the results add up to careline_events_accepted_total",
    ("stage", "result"),
)
REJECTED = MetricSpec(
    "careline_rejected_total",
    "counter",
    "Records and requests put into the dead letters, by reason",
    ("stage", "reason"),
)
SLA_EVENTS = MetricSpec("careline_sla_events_total", "counter", "Clock events and facts published, by kind", ("kind",))
SLA_OUTCOMES = MetricSpec(
    "careline_sla_outcomes_total",
    "counter",
    "Decisions about promises; satisfied_late follows a breached, so adherence is met / (met + breached)",
    ("metric", "outcome", "channel", "priority"),
)
BUDGET_OUTCOMES = MetricSpec(
    "careline_error_budget_outcomes_total", "counter", "Promises decided under an objective", ("metric",)
)
BUDGET_ALLOWED = MetricSpec(
    "careline_error_budget_allowed_total",
    "counter",
    "Broken promises that the objectives of the decided ones allow: 1 - objective for each, so policies can be summed",
    ("metric",),
)
BUDGET_SPENT = MetricSpec(
    "careline_error_budget_spent_total",
    "counter",
    "Broken promises among those decided under an objective",
    ("metric",),
)
TARGET_USED = MetricSpec(
    "careline_target_used_ratio",
    "histogram",
    "Share of the target that an answered promise had used up, in open time",
    ("metric", "priority"),
    SHARE_OF_TARGET,
)
CLOCKS_OPEN = MetricSpec(
    "careline_clocks_open", "gauge", "Clocks not yet decided, as this worker holds them", ("metric", "stage")
)
BREACH_LATENESS = MetricSpec(
    "careline_breach_lateness_seconds",
    "histogram",
    "From the due instant to the moment at which a worker noticed, a time warp taken out",
    (),
    LATENESS_SECONDS,
)
TICKS = MetricSpec("careline_ticks_total", "counter", "Ticks applied: records that let time pass", ("clock",))
HEARTBEAT_TRANSIT = MetricSpec(
    "careline_heartbeat_transit_seconds",
    "histogram",
    "From the sending of a heartbeat to its arrival at a stage",
    ("stage",),
    LATENESS_SECONDS,
)
SOURCE_AS_OF = MetricSpec(
    "careline_source_as_of_timestamp_seconds",
    "gauge",
    "The instant up to which a source has told everything",
    ("source",),
)

BATCH_SECONDS = MetricSpec(
    "careline_batch_seconds", "histogram", "A batch from its arrival to its commit", ("stage",), FAST_SECONDS
)
BATCH_SIZE = MetricSpec("careline_batch_records", "histogram", "Records in a batch", ("stage",), BATCH_RECORDS)
TRANSACTION_SECONDS = MetricSpec(
    "careline_transaction_seconds", "histogram", "The Kafka transaction of a batch", ("stage",), FAST_SECONDS
)
CONSUMER_LAG = MetricSpec(
    "careline_consumer_lag_records",
    "gauge",
    "Records of an owned partition that are in Kafka and not yet read",
    ("consumer", "topic", "partition"),
)
STATE_KEYS = MetricSpec("careline_state_keys", "gauge", "Keys that this worker remembers", ("stage",))
RECOVERY_SECONDS = MetricSpec(
    "careline_recovery_seconds",
    "histogram",
    "Recovery of one partition's state from its changelog",
    ("stage",),
    FAST_SECONDS,
)

CONNECTOR_ANSWERS = MetricSpec(
    "careline_connector_answers_total", "counter", "Answers to webhooks", ("connector", "status", "reason")
)
CONNECTOR_PUBLISH_SECONDS = MetricSpec(
    "careline_connector_publish_seconds",
    "histogram",
    "From a verified request to the acknowledgement of Kafka",
    ("connector",),
    FAST_SECONDS,
)

RECOVERY_KEYS = MetricSpec(
    "careline_recovery_keys", "gauge", "Keys read back by the recovery that runs, or ran last", ("stage",)
)
SURVIVED_ERRORS = MetricSpec(
    "careline_survived_errors_total", "counter", "Errors in parts of a worker that must not stop it", ("part",)
)
PULL_FAILURES = MetricSpec(
    "careline_pull_failures_total",
    "counter",
    "Attempts to fetch from a source that failed; hopeless: waiting will not help",
    ("connector", "hopeless"),
)
PULLED_UNTIL = MetricSpec(
    "careline_pulled_until_seconds",
    "gauge",
    "The source's own time up to which everything was fetched, in seconds since the epoch",
    ("connector",),
)

ENRICHMENTS = MetricSpec(
    "careline_enrichments_total",
    "counter",
    "Messages judged, by whom, and why the rules judged where a model was asked for",
    ("scorer", "fallback"),
)
MODEL_CALLS = MetricSpec(
    "careline_model_calls_total", "counter", "Calls of the language model, by what came of them", ("outcome",)
)
MODEL_TOKENS = MetricSpec("careline_model_tokens_total", "counter", "Tokens that the language model has counted")
MODEL_SECONDS = MetricSpec("careline_model_seconds", "histogram", "One call of the language model", (), FAST_SECONDS)
ISSUES = MetricSpec("careline_issues_total", "counter", "Issues opened, updated and closed", ("kind", "status"))

SINK_ROWS = MetricSpec("careline_sink_rows_total", "counter", "Rows written to ClickHouse", ("table",))
SINK_INSERT_SECONDS = MetricSpec(
    "careline_sink_insert_seconds", "histogram", "One insert into ClickHouse", ("table",), FAST_SECONDS
)
SINK_SKIPPED = MetricSpec(
    "careline_sink_skipped_total", "counter", "Result records that the sink could not read and left out", ("topic",)
)
SINK_RETRIES = MetricSpec("careline_sink_retries_total", "counter", "Inserts that failed and were tried again")
SINK_AVAILABLE = MetricSpec(
    "careline_sink_available", "gauge", "1 while ClickHouse answers, 0 while the sink waits for it"
)

METRIC_SPECS = (
    BUILD_INFO,
    EVENTS_ACCEPTED,
    EVENTS_JUDGED,
    REJECTED,
    SLA_EVENTS,
    SLA_OUTCOMES,
    BUDGET_OUTCOMES,
    BUDGET_ALLOWED,
    BUDGET_SPENT,
    TARGET_USED,
    CLOCKS_OPEN,
    BREACH_LATENESS,
    TICKS,
    HEARTBEAT_TRANSIT,
    SOURCE_AS_OF,
    BATCH_SECONDS,
    BATCH_SIZE,
    TRANSACTION_SECONDS,
    CONSUMER_LAG,
    STATE_KEYS,
    RECOVERY_SECONDS,
    CONNECTOR_ANSWERS,
    CONNECTOR_PUBLISH_SECONDS,
    RECOVERY_KEYS,
    SURVIVED_ERRORS,
    PULL_FAILURES,
    PULLED_UNTIL,
    ENRICHMENTS,
    MODEL_CALLS,
    MODEL_TOKENS,
    MODEL_SECONDS,
    ISSUES,
    SINK_ROWS,
    SINK_INSERT_SECONDS,
    SINK_SKIPPED,
    SINK_RETRIES,
    SINK_AVAILABLE,
)


def series_of(spec: MetricSpec) -> tuple[str, ...]:
    """The names under which a metric can be queried, `_bucket`, `_sum` and `_count` for a histogram."""
    if spec.kind == "histogram":
        return tuple(f"{spec.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))
    return (spec.name,)
