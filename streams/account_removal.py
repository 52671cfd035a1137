"""What it takes to forget an account: under which ids it is known, what there is of it, and what is left until when.

`careline accounts forget` asks it. The forgetting itself is a control that `streams.connectors.accounts_topic` writes
and every worker and the sink carry out at its place in the log (`agents.forgetting`, `streams.sinks.forgotten_rows`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.account_profile import AccountProfile
from schemas.clock_view import ClockView
from schemas.codec import ContractViolation, decode
from schemas.topics import (
    ADHERENCE,
    ALERTS,
    CLOCKS,
    ENRICHMENTS,
    HEALTH,
    INTERACTIONS,
    ISSUES,
    MENTIONS,
    REJECTED,
    SIGNALS,
    SLA_EVENTS,
)
from streams.connectors.accounts_directory import AccountsDirectory, provisional, tidy
from streams.kafka_connection import KafkaConnection
from streams.sinks.clickhouse_connection import ClickHouseTarget
from streams.sinks.forgotten_rows import counting_statement
from streams.sinks.sql_client import ask_table
from streams.topic_reader import topic_reader

SEGMENT = timedelta(days=1)
"""Kafka deletes whole segments, of which there is one a day (`topic_settings`)."""

COMPACTED_WITHIN = timedelta(days=2)
"""A day at most until a topic of latest values is compacted, and a day for the cleaner to come round to it."""

TOMBSTONES_LAST = timedelta(days=9)
"""Seven days more, so that readers who were away learn of it."""


class BelongsElsewhere(ValueError):  # noqa: N818 - what is wrong, in the user's words
    """The id is only another name of an account that the directory knows."""

    def __init__(self, account_id: str, owner: str) -> None:
        super().__init__(
            f"{account_id} is {owner} in the directory: forget {owner}, or take the identity from it first"
        )


@dataclass(frozen=True, slots=True)
class Remainder:
    """Where something of the account still is although it was forgotten, and until when (null: you decide)."""

    where: str
    what: str
    until: datetime | None


def names_of(account_id: str, known: Mapping[str, AccountProfile]) -> tuple[str, ...]:
    """The ids under which an account was counted: its own, and the provisional ones of its identities.

    Raises:
        BelongsElsewhere: the id leads to another account.
    """
    owner = AccountsDirectory(known.values()).find([account_id]).profile
    if account_id not in known and owner is not None:
        raise BelongsElsewhere(account_id, owner.id)
    profile = known.get(account_id)
    identities = profile.identities if profile is not None else ()
    provisionals = (provisional([tidy(identity)]).account_id for identity in identities)
    return tuple(dict.fromkeys([account_id, *(each for each in provisionals if each and each not in known)]))


def found_in_kafka(kafka: KafkaConnection, topic_prefix: str, names: Sequence[str]) -> dict[str, int]:
    """How much the topics of latest values hold of these accounts.

    Raises:
        KafkaUnavailable: no broker answers.
        TopicAbsent: the topics have not been created.
    """
    latest: dict[str, ClockView] = {}
    reports: set[str] = set()
    with topic_reader(kafka) as reader:
        for record in reader.records(topic_prefix + CLOCKS.name):
            key = (record.key or b"").decode("utf-8", "replace")
            latest.pop(key, None)
            try:
                view = decode(ClockView, record.value)
            except ContractViolation:
                continue
            if view.account_id in names:
                latest[key] = view
        for topic in (ADHERENCE, HEALTH):
            for record in reader.records(topic_prefix + topic.name):
                key = (record.key or b"").decode("utf-8", "replace")
                if key in names or key.rpartition("/")[0] in names:
                    (reports.discard if record.value is None else reports.add)(f"{topic.name}/{key}")
    return {
        "conversations": len({view.conversation_id for view in latest.values()}),
        "clocks": len(latest),
        "reports": len(reports),
    }


def rows_of(target: ClickHouseTarget, sql_address: tuple[str, int], names: Sequence[str]) -> dict[str, int]:
    """How many rows of each table are of these accounts, or list them beside others.

    Raises:
        SqlError: nobody can be asked.
    """
    table = ask_table(target, sql_address, counting_statement(names))
    return {name: int(count) for name, count in table.rows}


def remainders(now: datetime) -> list[Remainder]:
    """What is left behind every worker and the sink, and until when."""
    in_log = [
        (INTERACTIONS, "events as they came, with their text unless it was redacted"),
        (SIGNALS, "answers to surveys, usage and the like"),
        (SLA_EVENTS, "what was decided, and the control that forgets it"),
        (ENRICHMENTS, "how its messages felt, without their text"),
        (MENTIONS, "when it wrote, and the telling words of it unless text was redacted"),
        (ISSUES, "issues that it was part of"),
        (ALERTS, "alerts"),
        (REJECTED, "dead letters with their bytes"),
    ]
    found = [
        Remainder(topic.name, what, now + timedelta(milliseconds=topic.retention_ms or 0) + SEGMENT)
        for topic, what in in_log
    ]
    found.append(Remainder("topics of latest values and changelogs", "older values", now + COMPACTED_WITHIN))
    found.append(Remainder("topics of latest values and changelogs", "keys without values", now + TOMBSTONES_LAST))
    letters = now + timedelta(milliseconds=REJECTED.retention_ms or 0)
    found.append(Remainder("table rejected", "requests that no connector could read: nobody knows whose", letters))
    found.append(Remainder("backups, subscribers of the topics, the accounts file, the providers", "copies", None))
    return found
