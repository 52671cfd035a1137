"""Counting for Prometheus: a `Recorder` that keeps every metric of `metric_names` in a registry.

One process, one registry, one `/metrics` (`metrics_server`). Values can be summed over processes; ratios are recording
rules. Label values come from short lists; anything else counts under a collective name, so series stay bounded whatever
arrives. Label sets that alerts look at exist with 0 from the start.
"""

import platform
from collections.abc import Container
from datetime import datetime
from functools import cache
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from typing_extensions import override

from agents.domain.rule_sentiment import RuleSentiment
from schemas.enrichment import FallbackReason
from schemas.issue import IssueKind, IssueStatus
from schemas.rejection import RejectionReason
from schemas.sla_event import ClockEventKind, FactKind, Outcome
from streams.sinks import metric_names as names
from streams.sinks.metric_names import MetricSpec
from streams.sinks.recorder import Recorder

MOST_CONNECTORS = 50
"""Connector instances with a label of their own; a company has a handful, a misrouted path could make thousands."""
COLLECTIVE = "other"


def _counter(spec: MetricSpec, registry: CollectorRegistry) -> Counter:
    return Counter(spec.name, spec.meaning, spec.labels, registry=registry)


def _gauge(spec: MetricSpec, registry: CollectorRegistry) -> Gauge:
    return Gauge(spec.name, spec.meaning, spec.labels, registry=registry)


def _histogram(spec: MetricSpec, registry: CollectorRegistry) -> Histogram:
    return Histogram(spec.name, spec.meaning, spec.labels, registry=registry, buckets=spec.buckets)


def bounded(value: str, allowed: Container[str], otherwise: str) -> str:
    """A label value out of a short list."""
    return value if value in allowed else otherwise


def clock_family(clock: str) -> str:
    """The kind of a clock: `import:3f9a` counts as `import`."""
    return bounded(clock.partition(":")[0], names.CLOCK_FAMILIES, "other")


class _FirstComers:
    """The first `most` values keep their name, later ones share the collective one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def name(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._most:
                return COLLECTIVE
            self._known.add(value)
        return value


class PrometheusRecorder(Recorder):
    """The `Recorder` that counts; its methods are explained there. Thread-safe, as prometheus_client is."""

    def __init__(self, registry: CollectorRegistry, version: str = "unknown") -> None:
        """Register every metric.

        Raises:
            ValueError: the registry already has them; a process makes one recorder per registry.
        """
        self._make_sla_metrics(registry)
        self._make_worker_metrics(registry)
        self._make_edge_metrics(registry)
        self._connectors = _FirstComers(MOST_CONNECTORS)
        self._sources = _FirstComers(MOST_CONNECTORS)
        self._outcome_counters: dict[tuple[str, str, str, str], Counter] = {}
        self._answers_of = cache(self._count_answers_of)
        self._publish_seconds_of = cache(self._time_publishing_of)
        _gauge(names.BUILD_INFO, registry).labels(version, platform.python_version()).set(1)
        self._start_at_zero()

    def _make_sla_metrics(self, registry: CollectorRegistry) -> None:
        self._accepted = _counter(names.EVENTS_ACCEPTED, registry)
        self._judged = _counter(names.EVENTS_JUDGED, registry)
        self._rejected = _counter(names.REJECTED, registry)
        self._sla_events = _counter(names.SLA_EVENTS, registry)
        self._outcomes = _counter(names.SLA_OUTCOMES, registry)
        self._budget = [
            _counter(spec, registry) for spec in (names.BUDGET_OUTCOMES, names.BUDGET_ALLOWED, names.BUDGET_SPENT)
        ]
        self._target_used = _histogram(names.TARGET_USED, registry)
        self._clocks_open = _gauge(names.CLOCKS_OPEN, registry)
        self._breach_lateness = _histogram(names.BREACH_LATENESS, registry)
        self._ticks = _counter(names.TICKS, registry)
        self._heartbeat_transit = _histogram(names.HEARTBEAT_TRANSIT, registry)
        self._source_as_of = _gauge(names.SOURCE_AS_OF, registry)

    def _make_worker_metrics(self, registry: CollectorRegistry) -> None:
        self._batch_seconds = _histogram(names.BATCH_SECONDS, registry)
        self._batch_records = _histogram(names.BATCH_SIZE, registry)
        self._transaction_seconds = _histogram(names.TRANSACTION_SECONDS, registry)
        self._consumer_lag = _gauge(names.CONSUMER_LAG, registry)
        self._state_keys = _gauge(names.STATE_KEYS, registry)
        self._recovery_seconds = _histogram(names.RECOVERY_SECONDS, registry)

    def _make_edge_metrics(self, registry: CollectorRegistry) -> None:
        self._answers = _counter(names.CONNECTOR_ANSWERS, registry)
        self._recovery_keys = _gauge(names.RECOVERY_KEYS, registry)
        self._survived = _counter(names.SURVIVED_ERRORS, registry)
        for part in names.PARTS:
            self._survived.labels(part)
        self._pull_failures = _counter(names.PULL_FAILURES, registry)
        self._pulled_until = _gauge(names.PULLED_UNTIL, registry)
        self._publish_seconds = _histogram(names.CONNECTOR_PUBLISH_SECONDS, registry)
        self._enrichments = _counter(names.ENRICHMENTS, registry)
        self._model_calls = _counter(names.MODEL_CALLS, registry)
        self._model_tokens = _counter(names.MODEL_TOKENS, registry)
        self._model_seconds = _histogram(names.MODEL_SECONDS, registry)
        self._issues = _counter(names.ISSUES, registry)
        self._sink_rows = _counter(names.SINK_ROWS, registry)
        self._sink_insert_seconds = _histogram(names.SINK_INSERT_SECONDS, registry)
        self._sink_skipped = _counter(names.SINK_SKIPPED, registry)
        self._sink_retries = _counter(names.SINK_RETRIES, registry)
        self._sink_available = _gauge(names.SINK_AVAILABLE, registry)

    def _start_at_zero(self) -> None:
        # A series that appears with its first increment hides that increment from rate() and from alerts.
        for stage in names.STAGES:
            self._accepted.labels(stage)
            for result in names.JUDGEMENTS:
                self._judged.labels(stage, result)
        for stage in names.SOURCES_OF_REJECTION:
            for reason in get_args(RejectionReason):
                self._rejected.labels(stage, reason)
        for kind in (*get_args(ClockEventKind), *get_args(FactKind)):
            self._sla_events.labels(kind)
        for metric in names.METRIC_LABELS:
            for outcome in names.OUTCOMES:
                self._outcomes.labels(metric, outcome, COLLECTIVE, "none")
            for counter in self._budget:
                counter.labels(metric)
        for clock in names.CLOCK_FAMILIES:
            self._ticks.labels(clock)
        self._start_issues_at_zero()

    def _start_issues_at_zero(self) -> None:
        for fallback in names.FALLBACKS:
            self._enrichments.labels("rules", fallback)
        self._enrichments.labels("model", "none")
        for outcome in names.MODEL_OUTCOMES:
            self._model_calls.labels(outcome)
        for kind in names.ISSUE_KINDS:
            for status in names.ISSUE_STATUSES:
                self._issues.labels(kind, status)

    @override
    def events_accepted(self, stage: str, count: int = 1) -> None:
        self._accepted.labels(stage).inc(count)

    @override
    def events_judged(self, stage: str, result: str, count: int = 1) -> None:
        self._judged.labels(stage, bounded(result, names.JUDGEMENTS, COLLECTIVE)).inc(count)

    @override
    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        self._rejected.labels(stage, reason).inc(count)

    @override
    def sla_event(self, kind: ClockEventKind | FactKind, count: int = 1) -> None:
        self._sla_events.labels(kind).inc(count)

    @override
    def outcome(self, metric: str, outcome: Outcome, channel: str, priority: str | None) -> None:
        key = (
            bounded(metric, names.METRIC_LABELS, "custom"),
            outcome,
            bounded(channel, names.CHANNELS, COLLECTIVE),
            bounded(priority or "none", names.PRIORITY_LABELS, COLLECTIVE),
        )
        counter = self._outcome_counters.get(key)
        if counter is None:
            counter = self._first_of_its_kind(key)
        counter.inc()

    def _first_of_its_kind(self, key: tuple[str, str, str, str]) -> Counter:
        metric, outcome, channel, priority = key
        for each in names.OUTCOMES:
            self._outcome_counters[metric, each, channel, priority] = self._outcomes.labels(
                metric, each, channel, priority
            )
        return self._outcome_counters.setdefault(key, self._outcomes.labels(metric, outcome, channel, priority))

    @override
    def budget_used(self, metric: str, objective_ratio: float, *, breached: bool) -> None:
        label = bounded(metric, names.METRIC_LABELS, "custom")
        for counter, amount in zip(self._budget, (1, 1 - objective_ratio, int(breached)), strict=True):
            counter.labels(label).inc(amount)

    @override
    def target_used(self, metric: str, priority: str | None, ratio: float) -> None:
        label = bounded(priority or "none", names.PRIORITY_LABELS, COLLECTIVE)
        self._target_used.labels(bounded(metric, names.METRIC_LABELS, "custom"), label).observe(ratio)

    @override
    def clocks_open(self, metric: str, stage: str, count: int) -> None:
        self._clocks_open.labels(bounded(metric, names.METRIC_LABELS, "custom"), stage).set(count)

    @override
    def breach_noticed(self, lateness_seconds: float) -> None:
        self._breach_lateness.observe(lateness_seconds)

    @override
    def tick_applied(self, clock: str) -> None:
        self._ticks.labels(clock_family(clock)).inc()

    @override
    def heartbeat_arrived(self, stage: str, transit_seconds: float) -> None:
        self._heartbeat_transit.labels(stage).observe(transit_seconds)

    @override
    def source_heard(self, source: str, as_of: float) -> None:
        # Every import has a name of its own and ends; only sources that go on are watched one by one.
        family = source.partition(":")[0]
        label = family if family in {"import", "simulation"} else self._sources.name(source)
        self._source_as_of.labels(label).set(as_of)

    @override
    def batch_committed(self, stage: str, records: int, seconds: float) -> None:
        self._batch_seconds.labels(stage).observe(seconds)
        self._batch_records.labels(stage).observe(records)

    @override
    def transaction_committed(self, stage: str, seconds: float) -> None:
        self._transaction_seconds.labels(stage).observe(seconds)

    @override
    def lag(self, consumer: str, topic: str, partition: int, records: int) -> None:
        self._consumer_lag.labels(consumer, topic, str(partition)).set(records)

    @override
    def partition_released(self, consumer: str, topic: str, partition: int) -> None:
        self._consumer_lag.remove_by_labels({"consumer": consumer, "topic": topic, "partition": str(partition)})

    @override
    def state_keys(self, stage: str, count: int) -> None:
        self._state_keys.labels(stage).set(count)

    @override
    def state_recovered(self, stage: str, seconds: float) -> None:
        self._recovery_seconds.labels(stage).observe(seconds)

    @override
    def state_recovering(self, stage: str, keys: int) -> None:
        self._recovery_keys.labels(stage).set(keys)

    @override
    def survived(self, part: str) -> None:
        self._survived.labels(part).inc()

    @override
    def pull_failed(self, connector: str, *, hopeless: bool) -> None:
        self._pull_failures.labels(self._connectors.name(connector), "yes" if hopeless else "no").inc()

    @override
    def pulled_until(self, connector: str, delivered_until: datetime) -> None:
        self._pulled_until.labels(self._connectors.name(connector)).set(delivered_until.timestamp())

    @override
    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        self._answers_of(connector, status, reason).inc()

    def _count_answers_of(self, connector: str, status: int, reason: str) -> Counter:
        return self._answers.labels(self._connectors.name(connector), str(status), reason)

    @override
    def connector_published(self, connector: str, seconds: float) -> None:
        self._publish_seconds_of(connector).observe(seconds)

    def _time_publishing_of(self, connector: str) -> Histogram:
        return self._publish_seconds.labels(self._connectors.name(connector))

    @override
    def enriched(self, scorer: str, fallback: FallbackReason | None, count: int = 1) -> None:
        family = "rules" if scorer == RuleSentiment.name else "model"
        self._enrichments.labels(family, fallback or "none").inc(count)

    @override
    def model_called(self, outcome: str, tokens: int, seconds: float) -> None:
        self._model_calls.labels(bounded(outcome, names.MODEL_OUTCOMES, COLLECTIVE)).inc()
        self._model_tokens.inc(tokens)
        self._model_seconds.observe(seconds)

    @override
    def issue(self, kind: IssueKind, status: IssueStatus) -> None:
        self._issues.labels(kind, status).inc()

    @override
    def sink_inserted(self, table: str, rows: int, seconds: float) -> None:
        self._sink_rows.labels(table).inc(rows)
        self._sink_insert_seconds.labels(table).observe(seconds)

    @override
    def sink_skipped(self, topic: str) -> None:
        self._sink_skipped.labels(topic).inc()

    @override
    def sink_retried(self) -> None:
        self._sink_retries.inc()

    @override
    def sink_available(self, *, answers: bool) -> None:
        self._sink_available.set(1 if answers else 0)
