"""How long it takes to judge 100,000 idle accounts again whose values have faded, and how long events wait meanwhile.

`python -m tests.benchmark.bench_idle_accounts [ACCOUNTS]`. By one worker, and by one for each core. Every account is
due at the same instant and has moved so far that it is told, which is the worst that can happen; ticks follow each
other as the worker writes them, each with as many accounts as one may have. Without Kafka.
"""

import sys
from datetime import UTC, datetime, timedelta
from multiprocessing import Barrier, Process, SimpleQueue
from multiprocessing.queues import SimpleQueue as Queue
from multiprocessing.synchronize import Barrier as Together
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from msgspec import Struct

from agents.account_agent import AccountAgent
from agents.domain.health_shelf import to_published
from agents.domain.instant import HOUR_US, Instant, from_datetime
from agents.health_activation import MOST_AT_A_TICK
from agents.partition_controls import tick
from agents.ports import Record
from schemas.codec import encode
from schemas.control import Control
from schemas.rejection import RejectionReason
from schemas.signal import Signal, SignalKind
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import SIGNALS, SLA_EVENTS, TopicSpec
from streams.calm_collector import calm_the_collector
from streams.health_files.profile_reader import read_profile_file
from streams.history.judging_processes import cores
from streams.lane.partition_states import PartitionStates
from streams.policy_files.problem import Problems
from tests.doubles import record_of

START = datetime(2026, 3, 2, tzinfo=UTC)
PROFILE = Path("examples/health/support.yaml")
LATER_US = 12 * HOUR_US

ASKED_SECONDS = 5

ACCOUNTS = 100_000


class Sweep(NamedTuple):
    """What it took one worker."""

    cpu_seconds: float
    seconds: float
    results: int
    ticks: int
    longest_seconds: float


class Told:
    """`agents.ports.Effects` that counts what is told, as bytes, and keeps nothing."""

    def __init__(self) -> None:
        self.count = 0

    def emit(self, topic: TopicSpec, key: str, event: Struct) -> None:
        """Write it down."""
        del topic, key
        self.count += 1
        encode(event)

    def forget(self, topic: TopicSpec, key: str) -> None:
        """Nothing is forgotten here."""

    def relay(self, topic: TopicSpec, control: Control) -> None:
        """Nobody listens."""

    def reject(self, record: Record, reason: RejectionReason, detail: str) -> None:
        """Nothing may be rejected here."""
        raise AssertionError(f"{reason}: {detail}")


def accounts_of(count: int) -> tuple[PartitionStates, Told]:
    """A partition of accounts of which a promise, two answers and a level are known."""
    states, effects = PartitionStates(), Told()
    file = read_profile_file(PROFILE, Problems(str(PROFILE)))
    if file is None:
        raise RuntimeError(f"{PROFILE} is broken")
    activated = Control(id="health", kind="health_activated", as_of=START, policy_text=to_published(file))
    now = from_datetime(START) + HOUR_US
    AccountAgent(states, effects).process([record_of(SIGNALS, None, activated, offset=0, appended_at=now)], now)
    for first in range(0, count, 5_000):
        records = []
        for number in range(first, min(count, first + 5_000)):
            account, at = f"account-{number:06d}", START + timedelta(seconds=number % 3600)
            met = SlaEvent(
                f"c{number}",
                "met",
                f"c{number}",
                account,
                at,
                Cause(0, number),
                "bench",
                metric="first_response",
                instance=1,
                target_seconds=60.0,
                due_at=at,
            )
            records.append(record_of(SLA_EVENTS, account, met, offset=number, appended_at=now))
            told: tuple[tuple[SignalKind, str, float], ...] = (
                ("survey", "csat", 1 + number % 5),
                ("survey", "nps", number % 11),
                ("usage", "logins_per_week", 9),
            )
            for turn, (kind, name, value) in enumerate(told):
                offset = 1 + 3 * number + turn
                signal = Signal(
                    id=f"s{offset}",
                    source="bench",
                    account_id=account,
                    occurred_at=at,
                    kind=kind,
                    name=name,
                    value=float(value),
                )
                records.append(record_of(SIGNALS, account, signal, offset=offset, appended_at=now))
        AccountAgent(states, effects).process(records, now)
    return states, effects


def sweep(states: PartitionStates, effects: Told, as_of: Instant, offset: int) -> list[float]:
    """Ticks until nobody is due any more; how long each took, in seconds."""
    took = []
    agent = AccountAgent(states, effects)
    while (due_at := states.earliest("wall")) is not None and due_at <= as_of:
        began = perf_counter()
        agent.process([record_of(SIGNALS, None, tick("wall", as_of), offset=offset, appended_at=as_of)], as_of)
        took.append(perf_counter() - began)
        offset += 1
    return took


def share(count: int, ready: Together, done: Queue[Sweep]) -> None:
    """What one worker does with the accounts of its partitions, once all of them stand there."""
    states, effects = accounts_of(count)
    as_of = from_datetime(START) + 4 * HOUR_US
    offset = 10 * count
    sweep(states, effects, as_of, offset)  # what the activation and the first windows have left to do
    calm_the_collector()
    effects.count = 0
    as_of += LATER_US
    ready.wait()
    began, cpu = perf_counter(), process_time()
    took = sweep(states, effects, as_of, offset + count)
    done.put(Sweep(process_time() - cpu, perf_counter() - began, effects.count, len(took), max(took)))


def main(count: int = ACCOUNTS) -> None:
    """Print what it took, beside what is asked for. An event waits for the tick before it: for the longest at most."""
    print(f"{count:,} idle accounts, all told anew; asked: under {ASKED_SECONDS * count / ACCOUNTS:g} s")
    for workers in sorted({1, cores()}):
        ready = Barrier(workers)
        done: Queue[Sweep] = SimpleQueue()
        processes = [Process(target=share, args=(count // workers, ready, done)) for _ in range(workers)]
        for process in processes:
            process.start()
        sweeps: list[Sweep] = [done.get() for _ in processes]
        for process in processes:
            process.join()
        cpu = sum(each.cpu_seconds for each in sweeps)
        print(
            f"{workers} {'worker' if workers == 1 else 'workers'}: {max(each.seconds for each in sweeps):.2f} s, "
            f"{cpu / count * 1e6:.0f} µs of processor time each, {sum(each.results for each in sweeps):,} results; "
            f"{sum(each.ticks for each in sweeps)} ticks of at most {MOST_AT_A_TICK:,} accounts, between which events "
            f"come, the longest {max(each.longest_seconds for each in sweeps) * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
