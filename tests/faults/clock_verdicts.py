"""Clocks as they were told, against the oracle: outcome, instants, how long it took, under which policy.

`verdicts` compares the latest views in Kafka, `row_verdicts` the rows in ClickHouse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.account_verdicts import Differences, instant_of
from tests.faults.plain_oracle import PlainClock

ANSWERED = {"met", "satisfied_late"}


@dataclass(frozen=True)
class ToldClock:
    """What is said of one clock; instants in microseconds. `elapsed_us` is compared where it was answered."""

    account: str
    policy: str
    priority: str
    outcome: str
    started_at: int | None
    due_at: int | None
    breached_at: int | None
    satisfied_at: int | None
    elapsed_us: int | None


def clock_in(view: Mapping[str, Any]) -> ToldClock:
    """A clock from its JSON."""
    started_at, due_at, breached_at, satisfied_at = (
        None if (text := view.get(name)) is None else instant_of(text)
        for name in ("started_at", "due_at", "breached_at", "satisfied_at")
    )
    return ToldClock(
        account=view["account_id"],
        policy=view["policy"],
        priority=view["priority"],
        outcome=view["outcome"],
        started_at=started_at,
        due_at=due_at,
        breached_at=breached_at,
        satisfied_at=satisfied_at,
        elapsed_us=elapsed_us(view["outcome"], view.get("elapsed_seconds", 0)),
    )


def elapsed_us(outcome: str, seconds: Any) -> int | None:
    """What is compared of the time that was used: of running clocks it grows."""
    return round(seconds * 1_000_000) if outcome in ANSWERED else None


def clock_differences(said: Mapping[str, ToldClock], must: Mapping[str, PlainClock]) -> Differences:
    """Clocks that are told otherwise than they ended; those that are not told at all are somebody else's to count."""
    return [
        (name, told, meant)
        for name, told in sorted(said.items())
        if name in must and told != (meant := told_of(must[name]))
    ]


def told_of(clock: PlainClock) -> ToldClock:
    """What must be said of a clock."""
    return ToldClock(
        clock.account,
        clock.priority,
        clock.priority,
        clock.outcome,
        clock.started_at,
        clock.due_at,
        clock.breached_at,
        clock.satisfied_at,
        clock.elapsed_us if clock.outcome in ANSWERED else None,
    )
