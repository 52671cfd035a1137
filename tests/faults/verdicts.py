"""What came of it, against the oracle: nothing lost, nothing doubled, nobody accused, every count exact.

Reads committed records only, as every subscriber does. `Figures` are what a fault's run is told by; a test run prints
them as a table.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from agents.conversation_agent import LEDGER_KEY
from schemas.conversation_state import PartitionLedger
from schemas.topics import ADHERENCE, CLOCKS, CONVERSATION_STATE, HEALTH, ROLLUPS, SLA_EVENTS, TopicSpec
from streams.lane.changelog import from_value
from tests.faults.account_verdicts import (
    Differences,
    Meant,
    adherence_differences,
    company_days_in,
    health_differences,
    rollup_differences,
    score_in,
    standings_in,
    unsound_scores,
)
from tests.faults.clock_verdicts import clock_differences, clock_in
from tests.faults.fault_story import Story
from tests.faults.house import PATIENCE_SECONDS, House
from tests.faults.plain_oracle import all_clocks
from tests.faults.row_verdicts import Rows


@dataclass
class Figures:
    """One run of one fault."""

    fault: str
    seed: int
    events: int = 0
    lost: int = 0
    doubled: int = 0
    false_breaches: int = 0
    wrong: int = 0
    recover_seconds: float | None = None
    notes: dict[str, object] = field(default_factory=dict)

    def blame(self, what: str, differences: Differences) -> None:
        """Count what is wrong, and show the first of it."""
        self.wrong += len(differences)
        if differences:
            self.notes[what] = str(differences[:3])

    def tell(self) -> None:
        """Keep the figures for the table at the end of the run."""
        line = json.dumps(asdict(self))
        if folder := os.environ.get("CARELINE_FAULT_FIGURES"):
            with Path(folder).open("a") as file:
                file.write(line + "\n")


def consumer_of(house: House, topic: TopicSpec) -> KafkaConsumer:
    """A consumer of all partitions of a topic, from the beginning."""
    consumer = KafkaConsumer(
        bootstrap_servers=house.servers.split(","),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        group_id=None,
    )
    name = house.prefix + topic.name
    places = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name) or ())]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    return consumer


def committed_records(house: House, topic: TopicSpec) -> Iterator[Any]:
    """Every committed record up to the end that the topic has now."""
    consumer = consumer_of(house, topic)
    try:
        ends = consumer.end_offsets(list(consumer.assignment()))
        until = time.monotonic() + PATIENCE_SECONDS
        while any(consumer.position(place) < end for place, end in ends.items()):
            assert time.monotonic() < until, f"{topic.name} cannot be read to its end"
            for records in consumer.poll(timeout_ms=200).values():
                yield from records
    finally:
        consumer.close()


def everything_in(house: House, topic: TopicSpec) -> list[tuple[bytes | None, bytes | None]]:
    """Key and value of every committed record of a topic."""
    return [(record.key, record.value) for record in committed_records(house, topic)]


def ledgers(house: House) -> list[PartitionLedger]:
    """What each partition has counted, as it is committed."""
    found: dict[int, PartitionLedger] = {}
    for record in committed_records(house, CONVERSATION_STATE):
        if record.key == LEDGER_KEY.encode() and record.value:
            found[record.partition] = _ledger_in(record.value)
    return list(found.values())


def _ledger_in(value: bytes) -> PartitionLedger:
    return msgspec.msgpack.decode(from_value(value).state, type=PartitionLedger)


def counted(house: House) -> Counter[str]:
    """Applied, duplicate, late and rejected over all partitions."""
    total: Counter[str] = Counter()
    for ledger in ledgers(house):
        total.update(applied=ledger.applied, duplicate=ledger.duplicate, late=ledger.late, rejected=ledger.rejected)
    return total


def wait_until_judged(house: House, events: int, patience: float = PATIENCE_SECONDS) -> float:
    """Wait until so many events are accounted for; the seconds it took."""
    began = time.monotonic()
    consumer = consumer_of(house, CONVERSATION_STATE)
    found: dict[int, int] = {}
    try:
        while sum(found.values()) < events:
            waited = time.monotonic() - began
            assert waited < patience, f"{sum(found.values())} of {events} judged within {patience:.0f} s"
            for place, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    if record.key == LEDGER_KEY.encode() and record.value:
                        state = _ledger_in(record.value)
                        found[place.partition] = state.applied + state.duplicate + state.late + state.rejected
    finally:
        consumer.close()
    return time.monotonic() - began


def compare(house: House, story: Story, figures: Figures, now: int, *, of_story_only: bool = False) -> None:
    """All that came of a story against the oracle: in the topics, and in ClickHouse where the house has one.

    Clocks, adherence, health and rollups; the differences go into the figures.

    Args:
        house: where to look.
        story: what happened.
        figures: of the fault.
        now: to when the story is judged, in microseconds.
        of_story_only: other conversations, of other accounts, are in the house as well.
    """
    meant = Meant(story, all_clocks(story.conversations.values(), now))
    _wait_for_accounts(house, meant, of_story_only=of_story_only)
    ids = Counter(
        json.loads(value)["id"] for _, value in everything_in(house, SLA_EVENTS) if value and b'"id"' in value
    )
    figures.events += story.events
    figures.doubled += sum(count - 1 for count in ids.values())
    are = {json.loads(value)["id"]: json.loads(value) for _, value in everything_in(house, CLOCKS) if value}
    _compare_clocks(are, meant, figures, of_story_only=of_story_only)
    figures.blame("scores", unsound_scores(map(score_in, values_in(house, HEALTH))))
    for what, differences in account_differences(house, meant, of_story_only=of_story_only).items():
        figures.blame(what, differences)
    if house.is_filing():
        rows = Rows(house.clickhouse_port)
        for what, differences in rows.settled_differences(meant, of_story_only=of_story_only).items():
            figures.blame(f"ClickHouse {what}", differences)


def _compare_clocks(
    are: Mapping[str, Mapping[str, Any]], meant: Meant, figures: Figures, *, of_story_only: bool
) -> None:
    must = meant.clocks
    figures.lost += len(must.keys() - are.keys())
    if not of_story_only:
        figures.wrong += len(are.keys() - must.keys())
    known = {name: clock_in(are[name]) for name in must.keys() & are.keys()}
    figures.false_breaches += sum(
        each.breached_at is not None and must[name].breached_at is None for name, each in known.items()
    )
    figures.blame("clocks", clock_differences(known, must))


def assert_clean(figures: Figures) -> None:
    """Tell the figures, and fail unless they are perfect."""
    figures.tell()
    assert (figures.lost, figures.doubled, figures.false_breaches, figures.wrong) == (0, 0, 0, 0), figures


def values_in(house: House, topic: TopicSpec) -> Iterator[dict[str, Any]]:
    """What every committed record of a topic says, fractions as decimals."""
    for _, value in everything_in(house, topic):
        if value:
            yield decimals_in(value)


def decimals_in(value: bytes) -> dict[str, Any]:
    """JSON whose fractions are kept to the last digit."""
    found: dict[str, Any] = json.loads(value, parse_float=Decimal)
    return found


def account_differences(house: House, meant: Meant, *, of_story_only: bool) -> dict[str, Differences]:
    """What the topics of the accounts' results do not say as the oracle does."""
    read_at = time.time_ns() // 1000
    reports = [json.loads(value) for _, value in everything_in(house, ADHERENCE) if value]
    scores = {each.account: each for each in map(score_in, values_in(house, HEALTH))}
    found = {
        "adherence": adherence_differences(standings_in(reports), meant, read_at, of_story_only=of_story_only),
        "health": health_differences(scores, meant, read_at, of_story_only=of_story_only),
    }
    if not of_story_only:
        latest = {key: json.loads(value) for key, value in everything_in(house, ROLLUPS) if value}
        found["rollups"] = rollup_differences(company_days_in(latest.values()), meant.clocks.values())
    return found


def _wait_for_accounts(house: House, meant: Meant, *, of_story_only: bool, patience: float = 60.0) -> None:
    """The accounts are a step behind the conversations; wait for them, but not for ever: then it is a difference."""
    until = time.monotonic() + patience
    while any(account_differences(house, meant, of_story_only=of_story_only).values()) and time.monotonic() < until:
        time.sleep(0.5)
