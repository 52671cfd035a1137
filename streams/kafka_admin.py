"""Creates Careline's topics, says how those in a cluster differ from what they should be, and waits for a cluster.

`careline topics`, `careline demo` and the tests call it; what a topic should be comes from `topic_settings`. Existing
topics are never changed: more partitions would send known keys elsewhere, and other settings may be on purpose.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from kafka.admin import ConfigFilterType, ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from typing_extensions import override

from schemas.topics import TOPICS
from streams.kafka_connection import KafkaConnection
from streams.kafka_knock import knock
from streams.kafka_refusal import refusal_in, topics_refused
from streams.topic_settings import TopicPlan, plan_topics

CONNECT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.2
ATTEMPT_SECONDS = 3.0  # while waiting, an address that swallows packets must not hold up the next attempt for long


_NOT_AUTHORIZED = frozenset({TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno})


class KafkaUnavailable(Exception):  # noqa: N818 - the condition itself is what callers wait for or report
    """No broker answers, or the connection broke while it was used.

    Attributes:
        servers: The addresses that were tried, `host:port` with commas.
        cause: What went wrong, in Kafka's words.
        way_out: What the reader can do about it.
    """

    def __init__(self, servers: str, cause: str) -> None:
        self.servers = servers
        self.cause = cause
        self.way_out = "Check that Kafka runs there and can be reached from here (CARELINE_KAFKA, --kafka HOST:PORT)"
        super().__init__(f"Kafka does not answer at {servers}: {cause}. {self.way_out}.")


class TopicsRefusedError(Exception):
    """The cluster answered and would not create a topic; the message has the reason of each."""


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    """What became of one topic: created now, there already as it should be, or there with the differences given."""

    name: str
    status: Literal["created", "exists", "differs"]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic as the cluster has it beside the plan; partitions and copies are 0 when it is missing."""

    plan: TopicPlan
    partitions: int
    replication_factor: int
    differences: tuple[str, ...]

    @property
    def missing(self) -> bool:
        """Whether the cluster does not have it."""
        return self.partitions == 0


@dataclass(frozen=True, slots=True)
class WaitNotice:
    """Told before each pause: which attempt failed and why, and in how many seconds the next one is made."""

    attempt: int
    error: KafkaUnavailable
    next_in_seconds: float

    @override
    def __str__(self) -> str:
        """In a sentence each."""
        return f"{self.error} Trying again in {self.next_in_seconds:.1f} s."


def create_topics(kafka: KafkaConnection, prefix: str, partitions: int, replication_factor: int) -> list[TopicOutcome]:
    """Create what is missing; every topic can be used when this returns. Doing it again changes nothing.

    Args:
        kafka: How it is reached.
        prefix: Put before each name.
        partitions: For all topics but those that must have one.
        replication_factor: Copies of each partition.

    Raises:
        KafkaUnavailable: No broker answers.
        KafkaRefused: The brokers do not let us in, or not near the topics.
        TopicsRefusedError: The cluster refuses a topic, for instance for want of brokers.
    """
    plans = plan_topics(prefix, partitions, replication_factor, TOPICS)
    with admin_client(kafka) as admin:
        created = _create_missing(admin, plans, kafka)
        states = _describe(admin, plans, kafka)
    return [_outcome(state, created=state.plan.name in created) for state in states]


def describe_topics(kafka: KafkaConnection, prefix: str, partitions: int, replication_factor: int) -> list[TopicState]:
    """How each topic is in the cluster and how it differs from what it should be; changes nothing.

    Raises:
        KafkaUnavailable: No broker answers.
        KafkaRefused: The brokers do not let us in, or not near the topics.
    """
    plans = plan_topics(prefix, partitions, replication_factor, TOPICS)
    with admin_client(kafka) as admin:
        return _describe(admin, plans, kafka)


def wait_for_kafka(
    kafka: KafkaConnection,
    timeout: float | None = None,
    on_wait: Callable[[WaitNotice], None] | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Return when a broker answers.

    Args:
        kafka: How it is reached.
        timeout: Seconds after which to give up; null for never.
        on_wait: Told before each pause, so that a waiting program can say so.
        sleep: Makes the pause; give the `wait` of a `threading.Event` for one that can be cut short.

    Raises:
        KafkaUnavailable: The time is over; has the last cause.
        KafkaRefused: A broker answers and does not let us in; waiting would not change that.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_PAUSE_SECONDS
    attempt = 1
    while True:
        try:
            with admin_client(kafka, ATTEMPT_SECONDS) as admin:
                admin.describe_cluster()
        except KafkaUnavailable as error:
            if deadline is not None and time.monotonic() + pause > deadline:
                raise
            if on_wait:
                on_wait(WaitNotice(attempt, error, pause))
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            attempt += 1
        else:
            return


class WaitStoppedError(Exception):
    """The process was told to stop while it waited."""


def wait_until_stopped(kafka: KafkaConnection, stop: threading.Event, log: logging.Logger) -> None:
    """Return when a broker answers, and say meanwhile why none does.

    Raises:
        WaitStoppedError: `stop` was set before.
        KafkaRefused: as of `wait_for_kafka`.
    """

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise WaitStoppedError

    def say(notice: WaitNotice) -> None:
        log.warning("%s", notice)

    wait_for_kafka(kafka, on_wait=say, sleep=pause)


@contextmanager
def admin_client(kafka: KafkaConnection, connect_seconds: float = CONNECT_SECONDS) -> Iterator[KafkaAdminClient]:
    """An admin client whose connection errors are told as `KafkaUnavailable` or `KafkaRefused`.

    The client alone would try for its whole time-out, tell no reason, and leave its sockets to the garbage collector.
    """
    nobody = knock(kafka, connect_seconds)
    if nobody is not None:
        raise KafkaUnavailable(str(kafka), nobody)
    try:
        admin = KafkaAdminClient(
            **kafka.for_kafka_python(),
            client_id="careline-admin",
            bootstrap_timeout_ms=int(connect_seconds * 1000),
        )
    except (KafkaError, OSError, ValueError) as error:
        raise failed(kafka, error) from error
    try:
        yield admin
    except KafkaError as error:
        raise failed(kafka, error) from error
    finally:
        admin.close()


def failed(kafka: KafkaConnection, error: Exception) -> Exception:
    """What an error of a client is to be told as: `KafkaRefused` where Kafka says no, else `KafkaUnavailable`."""
    return refusal_in(error, kafka) or KafkaUnavailable(str(kafka), str(error) or type(error).__name__)


def _create_missing(admin: KafkaAdminClient, plans: tuple[TopicPlan, ...], kafka: KafkaConnection) -> set[str]:
    known = set(admin.list_topics())
    wanted = {
        plan.name: {
            "num_partitions": plan.partitions,
            "replication_factor": plan.replication_factor,
            "configs": dict(plan.configs),
        }
        for plan in plans
        if plan.name not in known
    }
    if not wanted:
        return set()
    answer = admin.create_topics(wanted, raise_errors=False)
    created: set[str] = set()
    refused: dict[str, list[str]] = {}
    not_ours = [topic["name"] for topic in answer["topics"] if topic["error_code"] in _NOT_AUTHORIZED]
    if not_ours:
        raise topics_refused(kafka, not_ours)
    for topic in answer["topics"]:
        if topic["error_code"] == 0:
            created.add(topic["name"])
        elif topic["error_code"] != TopicAlreadyExistsError.errno:  # somebody else was quicker: fine
            reason = topic["error_message"] or f"error {topic['error_code']}"
            refused.setdefault(reason, []).append(topic["name"])
    if refused:
        reasons = (f"{', '.join(names)}: {reason}" for reason, names in refused.items())
        raise TopicsRefusedError("Kafka would not create " + "; ".join(reasons))
    admin.wait_for_topics(list(wanted))
    return created


def _describe(admin: KafkaAdminClient, plans: tuple[TopicPlan, ...], kafka: KafkaConnection) -> list[TopicState]:
    names = [plan.name for plan in plans]
    topics = {topic["name"]: topic for topic in admin.describe_topics(names)}
    not_ours = [name for name in names if topics[name]["error_code"] in _NOT_AUTHORIZED]
    if not_ours:
        raise topics_refused(kafka, not_ours)
    present = [name for name in names if topics[name]["error_code"] != UnknownTopicOrPartitionError.errno]
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in present]
    configs = admin.describe_configs(resources, config_filter=ConfigFilterType.ALL)["topic"] if resources else {}
    return [_state(plan, topics[plan.name]["partitions"], configs.get(plan.name, {})) for plan in plans]


def _state(plan: TopicPlan, partitions: list[dict[str, Any]], configs: Mapping[str, dict[str, Any]]) -> TopicState:
    count = len(partitions)
    copies = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    differences = []
    if count == 0:
        differences.append("is missing")
    else:
        if count != plan.partitions:
            differences.append(f"has {count} partitions, should have {plan.partitions}")
        if copies < plan.replication_factor:
            differences.append(f"has {copies} replicas, should have {plan.replication_factor}")
        for name, wanted in plan.configs.items():
            found = configs.get(name, {}).get("value")
            if found != wanted:
                differences.append(f"has {name}={found}, should have {wanted}")
    return TopicState(plan, count, copies, tuple(differences))


def _outcome(state: TopicState, *, created: bool) -> TopicOutcome:
    if created:
        return TopicOutcome(state.plan.name, "created", state.differences)
    return TopicOutcome(state.plan.name, "differs" if state.differences else "exists", state.differences)
