"""What a worker tells about its committed work, and when it stops itself.

`streams.lane.lane` reports each committed batch here. Counting after the commit means that the metrics never show what
a crash took back.
"""

import logging
from collections import Counter
from collections.abc import Callable

from agents.conversation_agent import ConversationAgent
from agents.domain.instant import SECOND_US, Instant
from agents.domain.narration import TOLD_BEFORE
from schemas.sla_event import SlaEvent
from streams.fault_points import AtPlace, nothing_planted
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane_effects import DECIDED
from streams.lane.lanes import Lanes
from streams.sinks.recorder import Recorder

log = logging.getLogger("careline.work")

ENOUGH_RECORDS = 1_000
"""A share of fewer records says nothing about a deployment."""


class TooManyRejections(RuntimeError):  # noqa: N818 - says what is wrong in the log line
    """A large share of recent records cannot be understood."""


class WorkWatch:
    """Turns committed batches into metrics and watches the share of rejections."""

    def __init__(
        self,
        recorder: Recorder,
        rejected_limit_ratio: float,
        on_failed: Callable[[BaseException], None],
        at_place: AtPlace = nothing_planted,
    ) -> None:
        self._recorder = recorder
        self._limit = rejected_limit_ratio
        self._on_failed = on_failed
        self._at_place = at_place
        self._recent_records = 0
        self._recent_rejections = 0
        self._held: Counter[str] = Counter()
        self.lanes: Lanes | None = None

    def committed(self, batch: CommittedBatch) -> None:
        """Count a committed batch. What goes wrong in counting is told and survived: the batch itself is durable."""
        try:
            self._count(batch)
        except Exception:
            log.exception("a committed batch could not be counted")
            self._recorder.survived("metrics")
        self._share_of_rejections(batch)

    def _count(self, batch: CommittedBatch) -> None:
        self._at_place("batch.counted")
        stage = batch.lane.kind.agent
        self._recorder.batch_committed(stage, batch.records, batch.deciding_seconds + batch.committing_seconds)
        self._recorder.transaction_committed(stage, batch.committing_seconds)
        for judgement, count in batch.judged.items():
            if count:
                self._recorder.events_accepted(stage, count)
                self._recorder.events_judged(stage, judgement, count)
        for rejection in batch.rejections:
            self._recorder.rejected(stage, rejection.reason)
        for issue in batch.issues:
            self._recorder.issue(issue.kind, issue.status)
        for event in batch.telling:
            self._telling(event, event.metric or "")
        for kind, count in batch.kinds.items():
            self._recorder.sla_event(kind, count)
        self._recorder.state_keys(stage, self.lanes.keys_of(stage) if self.lanes is not None else 0)

    def tell_holdings(self) -> None:
        """What the partitions of this worker hold: clocks by metric and stage, and how far polled sources have told."""
        total: Counter[str] = Counter(dict.fromkeys(self._held, 0))
        told_until: dict[str, Instant] = {}
        for lane in self.lanes or ():
            if isinstance(lane.agent, ConversationAgent):
                # Copies, taken in one step: the agent may be deciding in its thread.
                total.update(dict(lane.agent.ledger.running))
                for source, progress in dict(lane.agent.ledger.sources).items():
                    if progress.as_of is not None:
                        told_until[source] = min(progress.as_of, told_until.get(source, progress.as_of))
        self._held = total
        for place, count in total.items():
            metric, _, stage = place.rpartition("/")
            self._recorder.clocks_open(metric, stage, count)
        for source, as_of in told_until.items():
            self._recorder.source_heard(source, as_of / SECOND_US)

    def _telling(self, event: SlaEvent, metric: str) -> None:
        if event.kind in {"met", "breached", "satisfied_late"} and event.reason in TOLD_BEFORE:
            return  # it was counted where it was decided
        if event.kind in DECIDED and event.due_at is not None:
            self._recorder.outcome(metric, event.outcome or "open", event.channel, event.priority)
            if event.objective_ratio is not None and event.kind in {"met", "breached"}:
                self._recorder.budget_used(metric, event.objective_ratio, breached=event.kind == "breached")
        is_answer = event.kind not in {"merged", "retracted"}
        if is_answer and event.satisfied_at is not None and event.target_seconds and event.elapsed_seconds is not None:
            self._recorder.target_used(metric, event.priority, event.elapsed_seconds / event.target_seconds)
        if event.kind == "breached" and event.lateness_seconds is not None:
            self._recorder.breach_noticed(event.lateness_seconds)

    def _share_of_rejections(self, batch: CommittedBatch) -> None:
        self._recent_records += batch.records
        self._recent_rejections += len(batch.rejections)
        if self._recent_records < ENOUGH_RECORDS:
            return
        share = self._recent_rejections / self._recent_records
        self._recent_records = self._recent_rejections = 0
        if share > self._limit:
            self._on_failed(
                TooManyRejections(
                    f"{share:.0%} of the last records were rejected (limit {self._limit:.0%}): look at "
                    "`careline rejected list`, then at what was deployed last; "
                    "CARELINE_REJECTED_LIMIT_RATIO moves the limit"
                )
            )
