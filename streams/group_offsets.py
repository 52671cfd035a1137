"""How far a group of readers has come: what it has committed, and how many members it has.

`deployment_check` tells of lag with it, `audit` what is waiting and not missing.
"""

import time

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError

from streams.kafka_connection import KafkaConnection

_COORDINATOR_ATTEMPTS = 20  # a new cluster makes the topic of its groups when it is first asked for one
_COORDINATOR_PAUSE_SECONDS = 0.25


def group_offsets(kafka: KafkaConnection, group: str) -> tuple[int, dict[tuple[str, int], int]]:
    """How many members a group has, and the offsets that it has committed by topic and partition.

    Raises:
        KafkaError: the brokers do not say.
    """
    admin = KafkaAdminClient(**kafka.for_kafka_python(), client_id="careline-doctor")
    try:
        for _ in range(_COORDINATOR_ATTEMPTS):
            try:
                members = len(admin.describe_groups([group])[group]["members"])
                offsets = admin.list_group_offsets(group)[group].items()
            except CoordinatorNotAvailableError:
                time.sleep(_COORDINATOR_PAUSE_SECONDS)
            except GroupIdNotFoundError:
                break
            else:
                return members, {(place.topic, place.partition): max(found.offset, 0) for place, found in offsets}
    finally:
        admin.close()
    return 0, {}
