"""Stories about an account, for laws: SLA events of whole clock lives, in every order that the log allows.

Events of one clock stay in order, as one conversation's partition writes them; clocks, facts and surveys interleave
freely.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant, from_datetime, to_datetime
from agents.ports import Record
from schemas.control import Control
from schemas.signal import Signal
from schemas.sla_event import Cause, SlaEvent
from schemas.topics import SIGNALS, SLA_EVENTS
from tests.doubles import record_of

START: Instant = from_datetime(datetime.fromisoformat("2026-03-02T00:00:00Z"))
END: Instant = START + 40 * DAY_US
ACCOUNT = "acme"
METRICS = ("first_response", "legal_review")
"""A known one, and one that a policy declares itself."""

Event = SlaEvent | Signal


def sla_event(kind: str, at: Instant, conversation: str = "c1", **more: Any) -> SlaEvent:
    """An SLA event; those of clocks are about instance 1 of `first_response`, due at `at`, unless told otherwise."""
    if kind not in {"opened", "contact", "reopened", "resolved", "escalated"}:
        more = {"metric": "first_response", "instance": 1, "due_at": to_datetime(at), "target_seconds": 3600.0} | more
    name = f"{conversation}/{more.get('metric')}/{kind}/{at}"
    known = {"id": name, "account_id": ACCOUNT, "cause": Cause(0, 0), "source": "test"} | more
    return SlaEvent(kind=kind, conversation_id=conversation, occurred_at=to_datetime(at), **known)  # type: ignore[arg-type]


def csat(value: float | None, at: Instant, name: str = "s1", **more: Any) -> Signal:
    """An answer to a satisfaction survey on five steps."""
    known: dict[str, Any] = {
        "id": name,
        "account_id": ACCOUNT,
        "source": "test",
        "kind": "survey",
        "name": "csat",
        "scale": 5.0,
    } | more
    return Signal(value=value, occurred_at=to_datetime(at), **known)


def tick(as_of: Instant, clock: str = "wall") -> Control:
    """Time passes on a clock."""
    return Control(id=f"tick-{clock}-{as_of}", kind="tick", as_of=to_datetime(as_of), clock=clock)


def log(events: Sequence[SlaEvent | Signal | Control], first: int = 0, appended_at: Instant = END) -> list[Record]:
    """Events as the records of one partition in this order; causes and offsets count up from `first`."""
    records = []
    for offset, event in enumerate(events, start=first):
        key = None if isinstance(event, Control) else event.account_id
        if isinstance(event, SlaEvent):
            moved = {name: getattr(event, name) for name in event.__struct_fields__} | {"cause": Cause(0, offset)}
            records.append(record_of(SLA_EVENTS, key, SlaEvent(**moved), offset=offset, appended_at=appended_at))
        else:
            topic = SLA_EVENTS if isinstance(event, Control) and event.relayed_from is not None else SIGNALS
            records.append(record_of(topic, key, event, offset=offset, appended_at=appended_at))
    return records


instants = st.one_of(
    st.integers(START, END),
    # Edges of buckets are where windows go wrong.
    st.integers(START // MINUTE_US, END // MINUTE_US).map(lambda minute: minute * MINUTE_US),
    st.integers(START // HOUR_US, END // HOUR_US).map(lambda hour: hour * HOUR_US),
    st.integers(END - 2 * HOUR_US, END),
)


labels = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(("email", "chat")),
        "priority": st.sampled_from(("low", "normal", "urgent")),
        "team": st.sampled_from((None, "billing")),
        "tier": st.sampled_from((None, "gold")),
        "policy": st.sampled_from(("gold", "default")),
    }
)
"""What a clock is about."""
OBJECTIVES = {"gold": (0.9, "30d"), "default": (0.8, "month")}


def set_back(to: Instant) -> dict[str, Any]:
    """A deadline that was moved."""
    return {"due_at": to_datetime(to)}


@st.composite
def clock_life(draw: st.DrawFn, number: int) -> list[Event]:
    """One clock from its activation to wherever it has come."""
    metric = draw(st.sampled_from(METRICS))
    common: dict[str, Any] = {"conversation": f"c{number}", "metric": metric, "instance": 1} | draw(labels)
    common["objective_ratio"], common["objective_over"] = OBJECTIVES[common["policy"]]
    due, later, latest = sorted((draw(instants), draw(instants), draw(instants)))
    common["due_at"] = to_datetime(due)
    common["started_at"] = to_datetime(due - HOUR_US)
    begin = sla_event("activated", due - HOUR_US, **common)
    met = sla_event("met", due, **common, outcome="met", satisfied_at=to_datetime(due))
    broken = sla_event("breached", due, **common, outcome="breached", breached_at=to_datetime(due))
    # Whoever looks after the conversation by then has nothing to do with what was decided before.
    common |= draw(labels)
    common["objective_ratio"], common["objective_over"] = OBJECTIVES[common["policy"]]
    answered = sla_event(
        "satisfied_late", later, **common, satisfied_at=to_datetime(later), breached_at=to_datetime(due)
    )
    back: dict[str, Any] = common | {"previous_decided_at": to_datetime(due)}
    lives: tuple[list[Event], ...] = (
        [begin],
        [begin, sla_event("paused", due - MINUTE_US, **common | {"due_at": None})],
        [begin, sla_event("warned", due - MINUTE_US, **common)],
        [
            begin,
            sla_event("warned", due - MINUTE_US, **common),
            sla_event("retargeted", due, **common | set_back(latest)),
        ],
        [begin, sla_event("cancelled", later, **common, previous_outcome="open")],
        [begin, met],
        [begin, met, sla_event("retracted", latest, **back, previous_outcome="met")],
        [begin, broken],
        [begin, broken, answered],
        [begin, broken, sla_event("merged", later, **common, previous_outcome="breached")],
        [begin, broken, sla_event("merged", later, **back, previous_outcome="breached")],
        [begin, met, sla_event("merged", latest, **back, previous_outcome="met")],
        [begin, broken, answered, sla_event("merged", latest, **back, previous_outcome="satisfied_late")],
        [begin, broken, answered, sla_event("retracted", latest, **back, previous_outcome="satisfied_late")],
        [
            begin,
            broken,
            sla_event(
                "outcome_revised",
                latest,
                **back | {"satisfied_at": to_datetime(due - MINUTE_US)},
                previous_outcome="breached",
                outcome="met",
            ),
        ],
        [
            begin,
            met,
            sla_event(
                "outcome_revised",
                latest,
                **back | {"breached_at": to_datetime(later), "due_at": to_datetime(later)},
                previous_outcome="met",
                outcome="breached",
            ),
        ],
    )
    return draw(st.sampled_from(lives))


@st.composite
def threads(draw: st.DrawFn) -> list[list[Event]]:
    """What happens to the account, as threads that keep their order."""
    lives = [draw(clock_life(number)) for number in range(draw(st.integers(0, 12)))]
    for number, at in enumerate(draw(st.lists(instants, max_size=12))):
        kind = draw(st.sampled_from(("contact", "opened")))
        lives.append([sla_event(kind, at, f"f{number}", author_kind="customer")])
    for number, at in enumerate(draw(st.lists(instants, max_size=4))):
        lives.append([csat(draw(st.integers(1, 5)), at, f"s{number}")])
    return lives


@st.composite
def interleaved(draw: st.DrawFn, lives: list[list[Event]]) -> list[Event]:
    """One order in which the log can hold the threads."""
    turns = draw(st.permutations([index for index, life in enumerate(lives) for _ in life]))
    left = [iter(life) for life in lives]
    return [next(left[index]) for index in turns]
