"""What a lane has just made durable: for the metrics and the watchdogs, which count only what is committed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import TopicPartition

from schemas.issue import Issue
from schemas.rejection import Rejection
from schemas.sla_event import ClockEventKind, FactKind, SlaEvent

if TYPE_CHECKING:
    from streams.lane.lane import Lane


@dataclass(frozen=True, slots=True)
class CommittedBatch:
    """One transaction, after it was committed. `offsets` are the next ones to read."""

    lane: "Lane"
    records: int
    kinds: Mapping[ClockEventKind | FactKind, int]
    """How many SLA events of each kind."""
    telling: Sequence[SlaEvent]
    """Those of `lane_effects.TELLING`."""
    rejections: Sequence[Rejection]
    judged: Mapping[str, int]
    """How many events became `applied`, `duplicate`, `late` or `rejected` by this batch."""
    offsets: Mapping[TopicPartition, int]
    issues: Sequence[Issue]
    deciding_seconds: float
    committing_seconds: float
