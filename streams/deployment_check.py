"""Is this deployment well? Every part is asked, and whatever is wrong is told with what to do about it.

`careline doctor` shows the findings. Nothing is changed, and a part that is away does not keep the others from being
looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import msgspec
from clickhouse_connect.driver.exceptions import ClickHouseError
from kafka.errors import KafkaError

from agents.conversation_agent import LEDGER_KEY
from schemas.conversation_state import PartitionLedger
from schemas.topics import CONVERSATION_STATE, INTERACTIONS, TOPICS
from streams.enrich.enrich_process import GROUP as ENRICH_GROUP
from streams.enrich.model_budget import Spent, read_spent
from streams.file_kinds import POLICY
from streams.file_publisher import in_force, published_files
from streams.group_offsets import Standing, group_offsets
from streams.kafka_admin import KafkaUnavailable, describe_topics, wait_for_kafka
from streams.kafka_refusal import KafkaRefused, refusal_in
from streams.lane.changelog import ChangelogDamaged, from_value
from streams.partition_counts import TopicsMissing
from streams.settings import Settings, split_address
from streams.sinks.clickhouse_connection import (
    ClickHouseTarget,
    ClickHouseUnavailableError,
    open_clickhouse,
    read_target,
)
from streams.sinks.migrations_runner import MigrationError, migration_status, migrations_folder, read_migrations
from streams.sinks.sql_client import SqlError, ask_table
from streams.topic_reader import TopicAbsent, TopicReader, topic_reader

LAG_WORTH_A_WARNING = 10_000
"""Records not yet judged. A worker does several times as many in a second; more means that it does not keep up."""

_CONNECT_SECONDS = 5.0

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `advice` is what to do; empty where all is well."""

    check: str
    verdict: Verdict
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Refusal(Finding):
    """Kafka answered and did not let us, which is another end of the program than any other failure."""


def examine(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Finding]:
    """Every check in turn, told as soon as it is done."""
    yield Finding("settings", "ok", f"readable; topics begin with {settings.topic('careline.')}")
    kafka = _check_kafka(settings)
    yield kafka
    if kafka.verdict == "ok":
        topics = _guarded(_check_topics, settings, now)
        yield topics
        if topics.verdict != "fail":  # else every other check would say the same once more
            for check in (_check_policies, _check_workers, _check_enrich, _check_ledgers):
                yield _guarded(check, settings, now)
    yield _check_clickhouse(settings)


def _guarded(
    check: Callable[[Settings, datetime], Finding], settings: Settings, now: Callable[[], datetime]
) -> Finding:
    name = check.__name__.removeprefix("_check_")
    try:
        return check(settings, now())
    except KafkaRefused as refusal:
        return _refused(name, refusal)
    except (TopicAbsent, TopicsMissing) as error:
        return Finding(name, "fail", str(error), "run `careline topics create`")
    except (KafkaUnavailable, KafkaError, OSError) as error:
        refused = refusal_in(error, settings.kafka)
        return _refused(name, refused) if refused else Finding(name, "fail", str(error), "look into the broker's log")


def _refused(check: str, refusal: KafkaRefused) -> Finding:
    return Refusal(check, "fail", f"refuses: {refusal.reason}", refusal.way_out)


def _check_kafka(settings: Settings) -> Finding:
    try:
        wait_for_kafka(settings.kafka, timeout=_CONNECT_SECONDS)
    except KafkaRefused as refusal:
        return _refused("kafka", refusal)
    except KafkaUnavailable as error:
        return Finding("kafka", "fail", f"does not answer at {error.servers}: {error.cause}", error.way_out)
    security = settings.kafka.security
    told = f"answers at {settings.kafka} by {security.protocol}"
    if security.uses_sasl:
        told += f", {security.mechanism} as {security.user}"
    if security.protocol == "SASL_PLAINTEXT" and security.mechanism == "PLAIN":
        advice = "set CARELINE_KAFKA_SECURITY_PROTOCOL=SASL_SSL: whoever sees the network sees the password now"
        return Finding("kafka", "warn", told, advice)
    return Finding("kafka", "ok", told)


def _check_topics(settings: Settings, _now: datetime) -> Finding:
    states = describe_topics(settings.kafka, settings.topic_prefix, settings.partitions, settings.replication_factor)
    missing = [state.plan.name for state in states if state.missing]
    if missing:
        told = ", ".join(missing) if len(missing) < len(TOPICS) else "all of them"
        return Finding("topics", "fail", f"missing: {told}", "run `careline topics create`")
    counts = {state.partitions for state in states if state.plan.spec.partitioned_with != "single"}
    if len(counts) > 1:
        advice = "create them anew under another CARELINE_TOPIC_PREFIX: partitions cannot be changed later"
        return Finding("topics", "fail", "those that belong together differ in partitions", advice)
    differences = [f"{state.plan.name} {'; '.join(state.differences)}" for state in states if state.differences]
    if differences:
        advice = "see `careline topics list`; settings of existing topics are changed with Kafka's own tools"
        return Finding("topics", "warn", " · ".join(differences), advice)
    return Finding("topics", "ok", f"{len(states)} as declared, {counts.pop()} partitions")


def _check_policies(settings: Settings, now: datetime) -> Finding:
    known = published_files(settings, POLICY)
    interrupted = [policy.version for policy in known.values() if not policy.complete]
    if interrupted:
        advice = "run `careline policy publish` again with any policy file: it completes what was begun"
        return Finding("policies", "fail", f"published in part: {', '.join(interrupted)}", advice)
    current = in_force(known, now)
    if current is None:
        advice = "run `careline policy publish FILE`; without a policy nothing is promised, so nothing is measured"
        return Finding("policies", "warn", f"none is in force; {len(known)} published", advice)
    return Finding("policies", "ok", f"{current.version} is in force since {current.in_force_from:%Y-%m-%d %H:%M} UTC")


def _check_workers(settings: Settings, _now: datetime) -> Finding:
    return _check_readers(
        "workers",
        *_readers_of_interactions(settings, settings.group),
        start="start `careline work`; what waits in Kafka is judged then",
        more="start more workers (up to {} can share), or look into their logs",
    )


def _check_enrich(settings: Settings, now: datetime) -> Finding:
    """Whether somebody reads what customers write, how far behind, and whether a model may still be asked today."""
    if settings.model_url is not None and settings.model is None:
        return Finding("enrich", "fail", "CARELINE_MODEL_URL is set without CARELINE_MODEL", "name the model")
    group, behind, standing = _readers_of_interactions(settings, ENRICH_GROUP)
    found = _check_readers(
        "enrich",
        group,
        behind,
        standing,
        start="start `careline enrich`; until then no tone is judged, no issue noticed, and no account forgotten whole",
        more="start more of them (up to {} can share), or look into their logs",
    )
    if settings.model_url is None or not standing.members:
        return found
    spent = _spent_today(standing, now)
    calls, tokens = (
        settings.model_calls_per_day * standing.members,  # the budget is that of each process
        settings.model_tokens_per_day * standing.members,
    )
    told = f"{found.detail}; {settings.model}: {spent.calls:,} of {calls:,} calls and "
    told += f"{spent.tokens:,} of {tokens:,} tokens of today (UTC)"
    if found.verdict == "ok" and (spent.calls >= calls or spent.tokens >= tokens):
        advice = (
            "the rules judge until midnight UTC; raise CARELINE_MODEL_CALLS_PER_DAY or CARELINE_MODEL_TOKENS_PER_DAY"
        )
        return Finding("enrich", "warn", f"{told}: spent", advice)
    return replace(found, detail=told)


def _spent_today(standing: Standing, now: datetime) -> Spent:
    """What was written beside the offsets; a day that is over does not count."""
    spent = Spent(day=int(now.timestamp() // 86_400))
    for note in standing.notes.values():
        spent = spent.plus(read_spent(note))
    return spent


def _readers_of_interactions(settings: Settings, name: str) -> tuple[str, dict[int, int], Standing]:
    """A group of readers of the interactions: its name, how many records it is behind by partition, how it stands."""
    group, topic = settings.topic(name), settings.topic(INTERACTIONS.name)
    with topic_reader(settings.kafka) as reader:
        ends = reader.ends(topic)
    standing = group_offsets(settings.kafka, group)
    # Readers go on between the two questions: what they have committed may lie behind the end that was told.
    behind = {number: max(0, end - standing.offsets.get((topic, number), 0)) for number, end in ends.items()}
    return group, behind, standing


def _check_readers(
    check: str, group: str, behind: Mapping[int, int], standing: Standing, *, start: str, more: str
) -> Finding:
    worst = max(behind, key=lambda number: behind[number])
    told = f"{standing.members} in group {group}, {sum(behind.values()):,} records behind"
    if not standing.members:
        return Finding(check, "warn", told, start)
    if behind[worst] > LAG_WORTH_A_WARNING:
        told = f"{told}; most in partition {worst}: {behind[worst]:,}"
        return Finding(check, "warn", told, more.format(len(behind)))
    return Finding(check, "ok", told)


def _check_ledgers(settings: Settings, _now: datetime) -> Finding:
    """Every offset below `next_offset` must have been applied, known already, late, rejected, or a control record.

    Transactions take offsets too: each leaves a mark in every partition that it writes to. So an offset of which
    nothing is known is a mark, unless retention may have taken a record before it was read.
    """
    topic = settings.topic(INTERACTIONS.name)
    with topic_reader(settings.kafka) as reader:
        ledgers = _ledgers(reader, settings)
        starts, ends = reader.starts(topic), reader.ends(topic)
    if ledgers is None:
        return Finding("ledgers", "fail", "cannot be read", "upgrade: a worker of a later release wrote them")
    counted = {number: _events_in(ledger) + ledger.controls for number, ledger in ledgers.items()}
    doubled = [number for number, ledger in ledgers.items() if counted[number] > ledger.next_offset]
    if doubled:
        places = ", ".join(map(str, doubled))
        return Finding(
            "ledgers", "fail", f"more counted than read in partition {places}", "please report this as a bug"
        )
    total = sum(map(_events_in, ledgers.values()))
    parts = ", ".join(
        f"{sum(getattr(ledger, name) for ledger in ledgers.values()):,} {name}"
        for name in ("applied", "duplicate", "late", "rejected")
    )
    told = f"{total:,} events accepted: {parts}"
    open_ones = {number: ledger.next_offset - counted[number] for number, ledger in ledgers.items()}
    whole = {number for number, start in starts.items() if start == 0}
    doubtful = [
        number
        for number, offsets in open_ones.items()
        if offsets and (number not in whole or ledgers[number].next_offset > ends[number])
    ]
    if doubtful:
        lost = sum(open_ones[number] for number in doubtful)
        places = ", ".join(map(str, sorted(doubtful)))
        advice = (
            "they are marks of transactions, or records that were gone before a worker read them (retention): "
            "`careline doctor --audit` recounts what is still there"
        )
        return Finding(
            "ledgers", "warn", f"{told}; {lost:,} offsets are not accounted for, in partition {places}", advice
        )
    if marks := sum(open_ones.values()):
        told += f"; {marks:,} offsets are marks of transactions"
    return Finding("ledgers", "ok", f"{told}; nothing lost, nothing doubled")


def _ledgers(reader: TopicReader, settings: Settings) -> dict[int, PartitionLedger] | None:
    found = reader.latest(settings.topic(CONVERSATION_STATE.name), LEDGER_KEY.encode())
    try:
        return {
            number: msgspec.msgpack.decode(from_value(record.value).state, type=PartitionLedger)
            for number, record in found.items()
            if record.value is not None
        }
    except (ChangelogDamaged, msgspec.MsgspecError):
        return None


def _events_in(ledger: PartitionLedger) -> int:
    return ledger.applied + ledger.duplicate + ledger.late + ledger.rejected


def _check_clickhouse(settings: Settings) -> Finding:
    try:
        target = read_target(settings.clickhouse_url, settings.data_dir)
        return _check_sink(settings, target) if target.embedded else _check_server(target)
    except (ClickHouseUnavailableError, MigrationError, ClickHouseError) as error:
        return Finding("clickhouse", "fail", str(error), "check that it runs there (CARELINE_CLICKHOUSE)")
    except ValueError as error:
        return Finding("clickhouse", "fail", str(error), "set CARELINE_SQL_ADDRESS to host:port")


def _check_server(target: ClickHouseTarget) -> Finding:
    with open_clickhouse(target) as client:
        statuses = migration_status(client, read_migrations(migrations_folder()))
    open_ones = [f"{status.label} {status.state}" for status in statuses if status.state != "applied"]
    if open_ones:
        return Finding("clickhouse", "warn", f"{target}: {', '.join(open_ones)}", "run `careline migrate`")
    return Finding("clickhouse", "ok", f"{target}, {len(statuses)} migrations applied")


def _check_sink(settings: Settings, target: ClickHouseTarget) -> Finding:
    """Only one process may open the engine, so the sink is asked; without one, the folder itself."""
    try:
        found = ask_table(target, split_address(settings.sql_address), "SELECT count() FROM sla_events")
    except SqlError as error:
        return Finding("clickhouse", "warn", str(error), "start `careline sink`; what waits in Kafka is written then")
    return Finding("clickhouse", "ok", f"{found.answered_by}, {int(found.rows[0][0]):,} SLA events")
