"""The load of the pipeline benchmark: a support desk's day as interactions, and the policies that judge it."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.interaction import Author, Interaction
from schemas.policy import CalendarSpec, Duration, MetricTarget, Policy, PolicyFile, WallInterval, WarningThreshold

CLOCK = "simulation:bench"
BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
_TEXT = "The export stops after the first page, and the invoice of last month is missing. "


def bench_policy() -> PolicyFile:
    """Office hours with a lunch break, three metrics, one warning."""
    day = (WallInterval(9 * 3600, 12 * 3600), WallInterval(13 * 3600, 18 * 3600))
    calendar = CalendarSpec(name="office", time_zone="Europe/Berlin", weekly=dict.fromkeys(range(1, 6), day))
    metrics = ("first_response", "next_response", "first_resolution")
    targets = {metric: MetricTarget(metric=metric, target=Duration(seconds=4 * 3600)) for metric in metrics}
    policy = Policy(
        id="everyone", calendar="office", targets=targets, warn_at=(WarningThreshold(used_ratio=0.75, text="75%"),)
    )
    return PolicyFile(
        version="bench",
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
        calendars={"office": calendar},
        policies=(policy,),
    )


def bench_interactions(conversations: int, seed: int = 7) -> list[Interaction]:
    """Ten events per conversation (messages, notes, tags, assignments, statuses), interleaved, in order of time."""
    chance = random.Random(seed)
    events = [event for number in range(conversations) for event in _conversation(number, chance)]
    return sorted(events, key=lambda event: event.occurred_at)


def _conversation(number: int, chance: random.Random) -> Iterator[Interaction]:
    at = BEGIN + timedelta(seconds=chance.random() * 3 * 86_400)
    customer, agent = Author("customer", f"u{number % 997}"), Author("agent", f"a{number % 23}")
    steps: list[tuple[float, dict[str, object]]] = [
        (0, {"author": customer, "text": _TEXT}),
        (5, {"type": "tagged", "tags": ("billing",)}),
        (60, {"type": "assigned", "team": "first-line", "agent": agent.id}),
        (600, {"author": agent, "visibility": "internal", "text": _TEXT}),
        (3_000, {"author": agent, "text": _TEXT}),
        (10, {"type": "status_changed", "status": "waiting_on_customer"}),
        (20_000, {"author": customer, "text": _TEXT}),
        (60, {"author": customer, "text": "And one thing more."}),
        (4_000, {"author": agent, "text": _TEXT}),
        (10, {"type": "status_changed", "status": "resolved"}),
    ]
    for index, (gap_seconds, facts) in enumerate(steps):
        at += timedelta(seconds=gap_seconds * (0.5 + chance.random()))
        yield Interaction(
            id=f"{number}-{index}",
            source="zendesk",
            conversation_id=f"zendesk:{number}",
            occurred_at=at,
            received_at=at,
            clock=CLOCK,
            channel="email",
            account_id=f"account-{number % 500}",
            tier="gold",
            **facts,  # type: ignore[arg-type]  # fields of the contract
        )
