"""What Kafka is told about each topic: partitions, replicas, retention, compaction.

Pure: from `schemas.topics` to settings in Kafka's own words. `kafka_admin` creates topics with them and compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.topics import TOPICS, TopicSpec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# The limit counts a record batch, and a worker writes what one transaction changes as one batch per partition.
MAX_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """One topic as it should be in the cluster; `name` is the physical one, `configs` in Kafka's words."""

    name: str
    spec: TopicSpec
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


def plan_topics(
    prefix: str, partitions: int, replication_factor: int, specs: tuple[TopicSpec, ...] = TOPICS
) -> tuple[TopicPlan, ...]:
    """Every topic as it should be.

    Args:
        prefix: Put before each name, so that several installations can share a cluster.
        partitions: For all topics but those that must have one.
        replication_factor: Copies of each partition.
        specs: The topics; all of them by default.
    """
    return tuple(
        TopicPlan(
            name=prefix + spec.name,
            spec=spec,
            partitions=1 if spec.partitioned_with == "single" else partitions,
            replication_factor=replication_factor,
            configs=topic_configs(spec, replication_factor),
        )
        for spec in specs
    )


def topic_configs(spec: TopicSpec, replication_factor: int) -> dict[str, str]:
    """The settings of one topic that differ from Kafka's defaults, or must not depend on them."""
    shared = {
        # Imported history carries old times; retention by them would delete it on arrival.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MAX_BATCH_BYTES),
        # With acks=all: one of three brokers may fail and nothing that was acknowledged is lost.
        "min.insync.replicas": str(2 if replication_factor >= 3 else 1),
    }
    if spec.retention_ms is None:
        return shared | _compacted()
    return shared | {
        "cleanup.policy": "delete",
        "retention.ms": str(spec.retention_ms),
        # Only whole segments are deleted; with one a day a quiet topic keeps a day too much, not a week.
        "segment.ms": str(DAY_MS),
    }


def _compacted() -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        # A worker that takes over a partition reads all of its state: a tenth of it may be outdated, not half.
        "min.cleanable.dirty.ratio": "0.1",
        # The segment being written is never compacted; without an end of its own it would grow to 1 GB first.
        "segment.ms": str(HOUR_MS),
        "segment.bytes": str(64 * 1024 * 1024),
        # A topic in which little happens would never be a tenth outdated; what was forgotten must go all the same.
        "max.compaction.lag.ms": str(DAY_MS),
        # How long a reader may be away and still learn that a key was removed: the sink, that an account is forgotten.
        "delete.retention.ms": str(7 * DAY_MS),
    }
