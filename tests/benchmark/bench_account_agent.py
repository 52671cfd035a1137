"""How many SLA events a second the account agent decides on one core: decode, windows, score and state, without Kafka.

`python -m tests.benchmark.bench_account_agent`. The story: conversations of many accounts, each clock activated,
then met or breached and answered late, among contacts; batches as the lane hands them over.
"""

import gc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from time import process_time

from agents.account_agent import AccountAgent
from agents.domain.instant import Instant, from_datetime
from agents.ports import Record
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import SLA_EVENTS
from streams.calm_collector import calm_the_collector
from tests.doubles import DictStates, ListEffects, record_of

START = datetime(2026, 3, 2, tzinfo=UTC)
ASKED = 30_000
"""Events a second and worker, by the slowest mix, on one core that has nothing else to do."""

METRICS = ("first_response", "next_response", "first_resolution")


def story(events: int, accounts: int) -> Iterator[Record]:
    """SLA events as the conversation agent writes them, spread evenly over accounts and over three days."""
    step = timedelta(days=3) / events
    for turn in range(events // 4 + 1):
        account = f"account-{turn * 7919 % accounts:06d}"
        metric = METRICS[turn % 3]
        at = START + 4 * turn * step
        late = turn % 5 == 0
        kinds = (
            ("contact", "activated", "breached", "satisfied_late")
            if late
            else ("opened", "contact", "activated", "met")
        )
        for index, kind in enumerate(kinds):
            event = _event(account, turn, metric, kind, at + index * step, Cause(0, turn, index, f"event-{turn}"))
            yield record_of(SLA_EVENTS, account, event, offset=turn, appended_at=from_datetime(at) + 10**7)


def _event(account: str, turn: int, metric: str, kind: str, at: datetime, cause: Cause) -> SlaEvent:
    is_fact = kind in {"contact", "opened"}
    conversation = f"conversation-{turn:08d}"
    name = f"{conversation}/{kind}/{turn}" if is_fact else f"{conversation}/{metric}/1/{kind}"
    common = {
        "id": name,
        "kind": kind,
        "conversation_id": conversation,
        "account_id": account,
        "occurred_at": at,
        "cause": cause,
        "source": "zendesk",
        "channel": "email",
        "priority": "normal",
        "tier": "gold",
        "team": "support",
        "detected_at": at,
    }
    if is_fact:
        return SlaEvent(**common, author_kind="customer", status="open")  # type: ignore[arg-type]
    return SlaEvent(
        **common,  # type: ignore[arg-type]
        metric=metric,
        instance=1,
        outcome="open" if kind == "activated" else kind,  # type: ignore[arg-type]
        policy="gold",
        policy_version="2026-01",
        calendar="berlin",
        target_seconds=3600,
        started_at=at - timedelta(minutes=30),
        due_at=at,
        elapsed_seconds=1800,
        wall_elapsed_seconds=1800,
        breached_at=at if kind in {"breached", "satisfied_late"} else None,
        satisfied_at=at if kind in {"met", "satisfied_late"} else None,
    )


def measure(events: int, accounts: int, batch: int) -> tuple[float, int]:
    """Events a second of processor time, which a busy machine does not stretch, and how many results they made."""
    records = list(story(events, accounts))
    calm_the_collector()  # as a worker does; the records of all batches are there by now, and no business of the agent
    states, effects = DictStates(), ListEffects()
    now: Instant = from_datetime(START)
    results = 0
    began = process_time()
    for first in range(0, len(records), batch):
        AccountAgent(states, effects).process(records[first : first + batch], now)
        results += len(effects.emitted)
        effects.emitted.clear()
    took = process_time() - began
    gc.unfreeze()
    if effects.rejected:
        raise RuntimeError(f"the story is broken: {effects.rejected[0]}")
    return len(records) / took, results


def main() -> None:
    """Print a table."""
    print(f"{'accounts':>9} {'batch':>7} {'events/s':>10} {'asked':>8} {'results per event':>18}")
    for accounts, batch in ((100, 2_000), (1_000, 10_000), (10_000, 10_000), (10_000, 2_000)):
        speed, results = measure(100_000, accounts, batch)
        print(f"{accounts:>9} {batch:>7} {speed:>10,.0f} {ASKED:>8,} {results / 100_000:>18.2f}")


if __name__ == "__main__":
    main()
