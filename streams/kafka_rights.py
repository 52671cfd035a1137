"""What a process may do with its topics and its group, asked before it begins: brokers tell it with their descriptions.

Clients would find out one by one, some after minutes and some never, because libraries take a missing right for
something that passes. What the brokers cannot be asked for (transactional ids) is met where it is used
(`kafka_refusal`).
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from streams.kafka_admin import admin_client
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import KafkaRefused, missing_right

Operation = Literal["READ", "WRITE"]


def require_rights(kafka: KafkaConnection, topics: Mapping[Operation, Iterable[str]], group: str | None = None) -> None:
    """Make sure that each topic may be used in these ways, and the group joined; topics that are absent do not count.

    Raises:
        KafkaRefused: a right is missing; names every one of them.
        KafkaUnavailable: no broker answers.
    """
    with admin_client(kafka) as admin:
        missing = _missing_for_topics(admin, {operation: list(names) for operation, names in topics.items()})
        if group is not None and not _may_join(admin, group):
            missing.append(f"READ the group {group}")
    if missing:
        raise KafkaRefused(str(kafka), *missing_right(kafka, " and may not ".join(missing)))


def _missing_for_topics(admin: KafkaAdminClient, wanted: Mapping[Operation, list[str]]) -> list[str]:
    described = admin.describe_topics(sorted({name for names in wanted.values() for name in names}))
    may: dict[str, list[str]] = {topic["name"]: topic.get("authorized_operations") or [] for topic in described}
    hidden = {topic["name"] for topic in described if topic["error_code"] == TopicAuthorizationFailedError.errno}
    missing = []
    for operation, names in wanted.items():
        # Brokers that tell nothing about rights are believed to have none to ask for.
        lacking = [name for name in names if name in hidden or (may[name] and operation not in may[name])]
        if lacking:
            missing.append(f"{operation} the topic {', '.join(sorted(lacking))}")
    return missing


def _may_join(admin: KafkaAdminClient, group: str) -> bool:
    try:
        described = admin.describe_groups([group])[group]
    except GroupAuthorizationFailedError:
        return False
    except KafkaError:
        # A group that does not exist yet, or has no coordinator for a moment, is described by nobody.
        return True
    may = described.get("authorized_operations") or []
    return not may or "READ" in may
