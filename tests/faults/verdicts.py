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
from schemas.topics import ADHERENCE, CLOCKS, CONVERSATION_STATE, HEALTH, SLA_EVENTS, TopicSpec
from streams.lane.changelog import from_value
from tests.faults.fault_story import Story
from tests.faults.house import PATIENCE_SECONDS, House
from tests.faults.plain_oracle import PlainClock, adherence_of, all_clocks
from tests.second_opinion.plain_calendar import microseconds

WINDOW_30D = 3
"""Its place in the lists of an adherence report."""
DECIDED = {"met", "satisfied_late"}


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
    """Every clock and every account against the oracle; the differences go into the figures.

    `of_story_only`: other conversations, of other accounts, are in the house as well.
    """
    must = all_clocks(story.conversations.values(), now)
    _wait_for_accounts(house, must)
    ids = Counter(
        json.loads(value)["id"] for _, value in everything_in(house, SLA_EVENTS) if value and b'"id"' in value
    )
    figures.events += story.events
    figures.doubled += sum(count - 1 for count in ids.values())
    are = {json.loads(value)["id"]: json.loads(value) for _, value in everything_in(house, CLOCKS) if value}
    figures.lost += len(must.keys() - are.keys())
    if not of_story_only:
        figures.wrong += len(are.keys() - must.keys())
    wrong: list[Any] = []
    for name, clock in must.items():
        view = are.get(name)
        if view is None:
            continue
        said = _said(view, clock)
        meant = _meant(clock)
        if said != meant:
            wrong.append((name, said, meant))
        if view.get("breached_at") is not None and clock.breached_at is None:
            figures.false_breaches += 1
    figures.wrong += len(wrong)
    if wrong:
        figures.notes["first wrong"] = str(wrong[:3])
    unsound = _unsound_scores(house)
    if unsound:
        figures.notes["scores"] = str(unsound[:3])
        figures.wrong += len(unsound)
    differences = _account_differences(house, must)
    if differences:
        figures.notes["accounts"] = str(differences[:3])
        figures.wrong += len(differences)


def assert_clean(figures: Figures) -> None:
    """Tell the figures, and fail unless they are perfect."""
    figures.tell()
    assert (figures.lost, figures.doubled, figures.false_breaches, figures.wrong) == (0, 0, 0, 0), figures


def _said(view: Mapping[str, Any], clock: PlainClock) -> tuple[object, ...]:
    decided = clock.outcome in DECIDED
    return (
        view["outcome"],
        _instant(view.get("due_at")),
        _instant(view.get("breached_at")),
        _instant(view.get("satisfied_at")),
        round(view.get("elapsed_seconds", 0) * 1_000_000) if decided else None,
    )


def _meant(clock: PlainClock) -> tuple[object, ...]:
    elapsed = clock.elapsed_us if clock.outcome in DECIDED else None
    return (clock.outcome, clock.due_at, clock.breached_at, clock.satisfied_at, elapsed)


def _instant(text: str | None) -> int | None:
    from datetime import datetime

    return None if text is None else microseconds(datetime.fromisoformat(text))


def _adherence(house: House) -> dict[tuple[str, str], Counter[str]]:
    found: dict[tuple[str, str], Counter[str]] = {}
    for _, value in everything_in(house, ADHERENCE):
        if not value:
            continue
        report = json.loads(value)
        whole = next(each for each in report["standings"] if each["scope"] == "account")
        counted = Counter(met=whole["met"][WINDOW_30D], breached=whole["breached"][WINDOW_30D])
        found[report["account_id"], report["metric"]] = +counted
    return {place: counts for place, counts in found.items() if counts}


def _account_differences(house: House, must: Mapping[str, PlainClock]) -> list[object]:
    meant, said = adherence_of(must.values()), _adherence(house)
    return [
        (place, said.get(place), meant.get(place))
        for place in sorted(meant.keys() | {place for place in said if place[0].startswith("account-")})
        if said.get(place) != meant.get(place)
    ]


def _unsound_scores(house: House) -> list[object]:
    """Scores whose published parts do not sum to them to the last digit, or whose shares are no whole."""
    found: list[object] = []
    for _, value in everything_in(house, HEALTH):
        score = json.loads(value, parse_float=Decimal) if value else {}
        if score.get("score") is None:
            continue
        points = sum((Decimal(part["points"]) for part in score["contributions"]), Decimal(0))
        if points != Decimal(score["score"]):
            found.append((score["id"], score["score"], points))
    return found


def _wait_for_accounts(house: House, must: Mapping[str, PlainClock], patience: float = 60.0) -> None:
    """The accounts are a step behind the conversations; wait for them, but not for ever: then it is a difference."""
    until = time.monotonic() + patience
    while _account_differences(house, must) and time.monotonic() < until:
        time.sleep(0.5)
