"""A million open clocks in one partition: what they cost in memory, and how late their breaches are noticed.

The agent works on the very memory that a lane has, in real time: whenever the earliest deadline has passed, it reads a
tick, as it would out of the log. Kafka's round trip (some milliseconds) comes on top of these figures.
"""

import gc
import random
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from agents.conversation_agent import ConversationAgent
from agents.domain.instant import SECOND_US, Instant, from_datetime
from agents.interaction_check import WALL
from agents.partition_controls import tick
from agents.ports import Record
from schemas.codec import encode, headers_of
from schemas.control import Control
from schemas.interaction import Author, Interaction
from schemas.policy import Duration, MetricTarget, Policy, PolicyFile, to_published
from schemas.rejection import RejectionReason
from schemas.sla_event import SlaEvent
from schemas.topics import INTERACTIONS, TopicSpec
from streams.lane.partition_states import PartitionStates

CONVERSATIONS = 250_000
METRICS = ("first_response", "first_resolution", "requester_wait", "agent_work")
SPREAD_SECONDS = 600
WATCHED_SECONDS = 15
BATCH = 5_000


class Counter:
    """`agents.ports.Effects` that keeps how late each breach was noticed, and nothing else."""

    def __init__(self) -> None:
        self.lateness_seconds: list[float] = []
        self.due_at: list[Instant] = []

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Remember breaches."""
        del topic, key
        if isinstance(event, SlaEvent) and event.kind == "breached" and event.due_at is not None:
            self.due_at.append(from_datetime(event.due_at))

    def forget(self, topic: TopicSpec, key: str) -> None:
        """Nothing is forgotten here."""

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Nobody listens."""

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Nothing may be rejected here."""
        raise AssertionError(f"{reason}: {detail}")


def main() -> None:
    """Fill the memory, then live through some seconds in which deadlines pass."""
    states, counter = PartitionStates(), Counter()
    agent = ConversationAgent(states, counter)
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
    empty_mb = _memory_mb()
    began = time.time_ns() // 1000
    fill(agent, began)
    clocks = sum(agent.ledger.running.values())
    filled_mb = _memory_mb() - empty_mb
    encoded = sum(len(states.get(f"c{number}") or b"") for number in range(0, CONVERSATIONS, 100)) / (
        CONVERSATIONS / 100
    )
    say(f"{clocks:,} open clocks of {CONVERSATIONS:,} conversations: {encoded:.0f} bytes encoded each on average")
    say(f"{filled_mb:,.0f} MB in memory, {filled_mb * 1e6 / CONVERSATIONS:,.0f} bytes a conversation")
    lateness, ticks, busy = _live(agent, states, counter)
    if not lateness:
        raise SystemExit("no breach was noticed: the measurement is broken")
    lateness.sort()
    p50, p99 = lateness[len(lateness) // 2], lateness[len(lateness) * 99 // 100]
    at_work = f"{len(lateness) / WATCHED_SECONDS:,.0f}/s, {ticks:,} ticks, busy {busy:.0%} of the time"
    say(f"{len(lateness):,} breaches in {WATCHED_SECONDS} s ({at_work})")
    say(f"noticed late by p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, at most {lateness[-1] * 1000:.1f} ms")


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(agent: ConversationAgent, began: Instant, conversations: int = CONVERSATIONS) -> None:
    """Open conversations whose deadlines are spread over the next minutes."""
    chance = random.Random(3)
    records = [_record(0, None, _activation())]
    # The oldest deadlines pass as soon as the watching begins; filling takes about half a minute.
    first_due_at = began + 90 * SECOND_US
    for number in range(conversations):
        at = first_due_at - 3600 * SECOND_US + round(chance.random() * SPREAD_SECONDS * SECOND_US)
        records.append(_record(number + 1, f"c{number}", _message(number, at)))
        if len(records) >= BATCH:
            agent.process(records, began)
            records = []
    agent.process(records, began)


def _activation() -> Control:
    targets = {metric: MetricTarget(metric=metric, target=Duration(seconds=3600)) for metric in METRICS}
    policies = (Policy(id="everyone", targets=targets),)
    text = to_published(PolicyFile(version="bench", policies=policies))
    return Control(id="bench", kind="policy_activated", as_of=datetime(2020, 1, 1, tzinfo=UTC), policy_text=text)


def _message(number: int, at: Instant) -> Interaction:
    return Interaction(
        id=f"m{number}",
        source="zendesk",
        conversation_id=f"c{number}",
        occurred_at=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at),
        channel="email",
        author=Author("customer", f"u{number % 997}"),
        account_id=f"account-{number % 500}",
        tier="gold",
    )


def _record(offset: int, key: str | None, event: Interaction | Control) -> Record:
    at = event.occurred_at if isinstance(event, Interaction) else event.as_of
    headers = headers_of(event, "bench", event.id, at)
    appended_at = time.time_ns() // 1000
    return Record(INTERACTIONS, 0, offset, None if key is None else key.encode(), encode(event), headers, appended_at)


def _live(agent: ConversationAgent, states: PartitionStates, counter: Counter) -> tuple[list[float], int, float]:
    """Wait for the first deadline, then tick for some seconds whenever the earliest has passed."""
    earliest = states.earliest(WALL) or 0
    time.sleep(max(0.0, earliest / SECOND_US - time.time()))
    until = time.time() + WATCHED_SECONDS
    lateness: list[float] = []
    ticks, busy, offset = 0, 0.0, CONVERSATIONS + 1
    while (now := time.time_ns() // 1000) < until * SECOND_US:
        if (states.earliest(WALL) or now) >= now:
            time.sleep(0.02)  # as `streams.lane.ticks` looks
            continue
        began = time.perf_counter()
        agent.process([_record(offset, None, tick(WALL, now))], now)
        busy += time.perf_counter() - began
        noticed_at = time.time_ns() // 1000
        lateness += [(noticed_at - due_at) / SECOND_US for due_at in counter.due_at]
        counter.due_at.clear()
        states.changes.clear()
        ticks += 1
        offset += 1
    return lateness, ticks, busy / WATCHED_SECONDS


if __name__ == "__main__":
    main()
