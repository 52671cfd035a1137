"""What the program tells about itself: one method per thing worth counting.

The worker (`streams.lane`), the connectors and the sink are handed a `Recorder` and call it. This one keeps nothing,
which is what tests and offline runs want; `prometheus_metrics.PrometheusRecorder` counts.
"""

from datetime import datetime

from schemas.enrichment import FallbackReason
from schemas.issue import IssueKind, IssueStatus
from schemas.rejection import RejectionReason
from schemas.sla_event import ClockEventKind, FactKind, Outcome


class Recorder:
    """Keeps nothing. Durations are seconds, instants seconds since the epoch; the stages are `STAGES`."""

    def events_accepted(self, stage: str, count: int = 1) -> None:
        """Interactions or signals were read (control records are not counted)."""

    def events_judged(self, stage: str, result: str, count: int = 1) -> None:
        """What became of accepted events: `applied`, `duplicate`, `late` or `rejected`."""

    def rejected(self, stage: str, reason: RejectionReason, count: int = 1) -> None:
        """A record or a request went to the dead letters. `stage` may also be `connect`."""

    def sla_event(self, kind: ClockEventKind | FactKind, count: int = 1) -> None:
        """A clock event or a fact was published."""

    def outcome(self, metric: str, outcome: Outcome, channel: str, priority: str | None) -> None:
        """A promise was decided."""

    def budget_used(self, metric: str, objective_ratio: float, *, breached: bool) -> None:
        """A promise was decided that counts against an objective."""

    def target_used(self, metric: str, priority: str | None, ratio: float) -> None:
        """A promise was answered after this share of its target (1 = exactly in time), in open time."""

    def clocks_open(self, metric: str, stage: str, count: int) -> None:
        """How many clocks of a metric this worker holds in a stage: `running`, `warned`, `overdue` or `paused`."""

    def breach_noticed(self, lateness_seconds: float) -> None:
        """A breach was found so long after it was due."""

    def tick_applied(self, clock: str) -> None:
        """A tick let time pass on a clock."""

    def heartbeat_arrived(self, stage: str, transit_seconds: float) -> None:
        """A heartbeat took so long to a stage."""

    def source_heard(self, source: str, as_of: float) -> None:
        """A source has told everything that happened before `as_of`."""

    def batch_committed(self, stage: str, records: int, seconds: float) -> None:
        """A batch was decided and committed."""

    def transaction_committed(self, stage: str, seconds: float) -> None:
        """The Kafka transaction of a batch was committed."""

    def state_recovering(self, stage: str, keys: int) -> None:
        """So many keys of the memory have been read back so far."""

    def survived(self, part: str) -> None:
        """Something went wrong in a part (`PARTS`) that must not stop the work."""

    def lag(self, consumer: str, topic: str, partition: int, records: int) -> None:
        """How far a consumer is behind the end of a partition that it owns."""

    def partition_released(self, consumer: str, topic: str, partition: int) -> None:
        """A partition has another owner now: its lag is no longer ours to tell."""

    def state_keys(self, stage: str, count: int) -> None:
        """How many keys a stage remembers in this process."""

    def state_recovered(self, stage: str, seconds: float) -> None:
        """The state of one partition was recovered from its changelog."""

    def pull_failed(self, connector: str, *, hopeless: bool) -> None:
        """A source could not be fetched from; `hopeless` where waiting will not help."""

    def pulled_until(self, connector: str, delivered_until: datetime) -> None:
        """A source has told everything up to an instant."""

    def connector_answered(self, connector: str, status: int, reason: str) -> None:
        """A webhook was answered. `reason` is a short stable code, for example `accepted` or `bad_signature`."""

    def connector_published(self, connector: str, seconds: float) -> None:
        """Kafka acknowledged what a connector published."""

    def enriched(self, scorer: str, fallback: FallbackReason | None, count: int = 1) -> None:
        """Messages were judged by a scorer; `fallback` tells why it was not the one that was asked for."""

    def model_called(self, outcome: str, tokens: int, seconds: float) -> None:
        """A model was asked: `answered`, or the reason why its answer is of no use."""

    def issue(self, kind: IssueKind, status: IssueStatus) -> None:
        """An issue was opened, updated or closed."""

    def sink_inserted(self, table: str, rows: int, seconds: float) -> None:
        """Rows were written to ClickHouse."""

    def sink_skipped(self, topic: str) -> None:
        """A result record could not be read and was left out."""

    def sink_retried(self) -> None:
        """An insert failed and will be tried again."""

    def sink_available(self, *, answers: bool) -> None:
        """Whether ClickHouse answers."""
