"""How far a group of readers has come: what it has committed, and how many members it has.

`deployment_check` tells of lag with it, `audit` what is waiting and not missing.
"""

import time
from typing import NamedTuple

from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError

from streams.kafka_connection import KafkaConnection

_COORDINATOR_ATTEMPTS = 20  # a new cluster makes the topic of its groups when it is first asked for one
_COORDINATOR_PAUSE_SECONDS = 0.25


class Standing(NamedTuple):
    """How a group of readers stands: its members, and by topic and partition what it has committed, with its notes."""

    members: int
    offsets: dict[tuple[str, int], int]
    notes: dict[tuple[str, int], str]
    """The metadata that it has written beside each offset."""


def group_offsets(kafka: KafkaConnection, group: str) -> Standing:
    """How many members a group has, and the offsets that it has committed by topic and partition.

    Raises:
        KafkaError: the brokers do not say.
    """
    admin = KafkaAdminClient(**kafka.for_kafka_python(), client_id="careline-doctor")
    try:
        for _ in range(_COORDINATOR_ATTEMPTS):
            try:
                members = len(admin.describe_groups([group])[group]["members"])
                committed = {
                    (place.topic, place.partition): found
                    for place, found in admin.list_group_offsets(group)[group].items()
                }
            except CoordinatorNotAvailableError:
                time.sleep(_COORDINATOR_PAUSE_SECONDS)
            except GroupIdNotFoundError:
                break
            else:
                return Standing(
                    members,
                    {place: max(found.offset, 0) for place, found in committed.items()},
                    {place: found.metadata or "" for place, found in committed.items()},
                )
    finally:
        admin.close()
    return Standing(0, {}, {})
