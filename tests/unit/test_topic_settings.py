"""What Kafka is told about each topic."""

from schemas.topics import TOPICS
from streams.topic_settings import plan_topics

PLANS = plan_topics("x.", 8, 3)


def test_every_topic_is_planned_under_the_prefix_with_the_time_of_its_arrival() -> None:
    assert [plan.name for plan in PLANS] == [f"x.{spec.name}" for spec in TOPICS]
    assert {plan.configs["message.timestamp.type"] for plan in PLANS} == {"LogAppendTime"}


def test_a_topic_without_retention_is_compacted_only_and_the_others_expire() -> None:
    for plan in PLANS:
        if plan.spec.retention_ms is None:
            assert plan.configs["cleanup.policy"] == "compact"
            assert "retention.ms" not in plan.configs
        else:
            assert plan.configs["cleanup.policy"] == "delete"
            assert plan.configs["retention.ms"] == str(plan.spec.retention_ms)


def test_single_topics_have_one_partition_and_the_others_are_partitioned_alike() -> None:
    for plan in PLANS:
        assert plan.partitions == (1 if plan.spec.partitioned_with == "single" else 8)


def test_with_three_copies_two_have_to_have_a_record_before_it_counts() -> None:
    assert {plan.configs["min.insync.replicas"] for plan in PLANS} == {"2"}
    assert {plan.configs["min.insync.replicas"] for plan in plan_topics("", 1, 1)} == {"1"}
