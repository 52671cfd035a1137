"""What the metrics say of committed batches: a promise is counted where it was decided, and nowhere else."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.sla_event import SlaEvent
from streams.lane.committed_batch import CommittedBatch
from streams.lane.lane_effects import TELLING
from streams.sinks.prometheus_metrics import PrometheusRecorder
from streams.work_watch import WorkWatch
from tests.conversation_stories import Desk, event, policy
from tests.merging_stories import Partitions, said


def counted(events: list[SlaEvent]) -> dict[str, float]:
    """Outcomes of `first_response` after these events were committed."""
    registry = CollectorRegistry()
    lane: Any = SimpleNamespace(kind=SimpleNamespace(agent="conversation"))
    telling = [each for each in events if each.kind in TELLING and each.metric is not None]
    kinds = Counter(each.kind for each in events)
    failed: list[BaseException] = []
    watch = WorkWatch(PrometheusRecorder(registry, version="1"), 0.5, failed.append)
    watch.committed(CommittedBatch(lane, len(events), kinds, telling, [], {}, {}, [], 0.0, 0.0))
    found: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name == "careline_sla_outcomes_total" and sample.labels["metric"] == "first_response":
                found[sample.labels["outcome"]] = found.get(sample.labels["outcome"], 0) + sample.value
    return {outcome: times for outcome, times in found.items() if times}


def test_a_promise_that_a_survivor_states_again_is_counted_once() -> None:
    both = Partitions("a", "b")
    both.take("a", said("a", "09:00", "customer"), said("a", "09:30", "agent"), said("a", "10:00", "merged", "b"))
    assert [each.conversation_id for each in both.told() if each.kind == "met"] == ["a", "b"]
    assert counted(list(both.told())) == {"met": 1, "merged": 1}


def test_a_promise_that_is_another_customers_is_counted_once() -> None:
    desk = Desk(policy()).take(
        event("09:00", "customer"), event("09:30", "agent"), event("10:00", "account_id", None, account_id="beta")
    )
    assert [each.account_id for each in desk.events if each.kind == "met"] == ["acme", "beta"]
    assert counted(desk.events) == {"met": 1, "retracted": 1}
