"""The promises of one metric: which clocks are open, at risk or overdue, and what their decisions put in and take out.

`agents.domain.account` reads an SLA event into a `Move` and gives it here; the decisions lie in
`agents.domain.outcome_cells`, and `agents.domain.adherence_report` says how it all stands.

What counts, exactly: `met` enters at `satisfied_at`, a breach at `breached_at` (for `met` and `breached` themselves
this is `occurred_at`). A breach stays in the ratio when the clock is answered late or cancelled afterwards: the promise
was broken at its due instant. `retracted`, `outcome_revised` and `merged` take an outcome out, from the instant at
which it was put in; a merged one is the survivor's. Clocks without a target are open while they run and never in the
ratio.
"""

from typing import NamedTuple

from agents.domain import overdue
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import Instant, from_datetime
from agents.domain.outcome_cells import OutcomeCells
from schemas.account_state import Labels, MetricState, OpenClock, OverdueClock
from schemas.sla_event import Outcome, SlaEvent

MOVES = frozenset(
    {"activated", "met", "breached", "satisfied_late", "cancelled", "merged", "outcome_revised", "retracted"}
)
"""Kinds after which a clock stands elsewhere than before."""

REVIEWS = frozenset({"paused", "resumed", "retargeted", "warned"})
"""Kinds after which a clock still runs, but other things are known of it."""

KEPT_CLOCKS = 1_000
"""Running clocks kept one by one for each metric, as overdue ones are (`overdue.KEPT_CLOCKS`). Those beyond are open
under the label `(other)`, with no deadline known."""

RISK_PARTS = 5
"""The last fifth of the span from start to deadline, in calendar time, as `due_soon` in the views. Policies that warn
say it themselves, in open time."""

_BEFORE: dict[str, Outcome] = {"met": "open", "breached": "open", "satisfied_late": "breached"}


class Decision(NamedTuple):
    """A counted outcome: one met or one breach, at the instant under which it is counted."""

    met: int
    breached: int
    at: Instant


class Move(NamedTuple):
    """How one event moves one clock; `before` is null for one that starts. The ratio loses and gains the decisions."""

    clock_id: str
    before: Outcome | None
    after: Outcome
    take_out: Decision | None
    put_in: Decision | None
    overdue: OverdueClock | None
    """Set when the clock is past due and unanswered after the event."""


def clock_id_of(event: SlaEvent) -> str:
    """The name of the clock that an event is about, the same as in the topic of clocks."""
    return f"{event.conversation_id}/{event.metric}/{event.instance}"


def move_of(event: SlaEvent, at: Instant, metric: MetricState) -> Move:
    """What an event of one of `MOVES` that happened at `at` means, read against what is known of its clock.

    Raises:
        ImpossibleEventError: a revision that does not say from what to what.
        ValueError: an instant without a time zone.
    """
    kind = event.kind
    clock_id = clock_id_of(event)
    if kind == "activated":
        return Move(clock_id, None, "open", None, None, None)
    promised = event.due_at is not None or event.target_seconds is not None
    if kind == "met":
        return Move(clock_id, "open", "met", None, Decision(1, 0, at) if promised else None, None)
    if kind == "breached":
        due_at = at if event.due_at is None or event.due_at == event.occurred_at else from_datetime(event.due_at)
        late = OverdueClock(due_at, at, event.priority)
        return Move(clock_id, "open", "breached", None, Decision(0, 1, at), late)
    before = event.previous_outcome or _BEFORE.get(kind) or ("breached" if clock_id in metric.overdue else "open")
    if kind in {"satisfied_late", "cancelled", "merged"}:
        # Of merges only what they name themselves: older ones left to the conversation what it had.
        is_taken_along = kind == "merged" and promised and event.previous_decided_at is not None
        return Move(
            clock_id, before, kind, _decided_before(event, before, None) if is_taken_along else None, None, None
        )
    take_out = _decided_before(event, before, metric.overdue.get(clock_id)) if promised else None
    if kind == "retracted":
        return Move(clock_id, before, "retracted", take_out, None, None)
    if event.previous_outcome is None or event.outcome is None:
        raise ImpossibleEventError("outcome_revised needs both - at `$.previous_outcome`, `$.outcome`")
    put_in = _decided_after(event, event.outcome) if promised else None
    late_again = None
    if event.outcome == "breached":
        breached_at = at if put_in is None else put_in.at
        late_again = OverdueClock(
            breached_at if event.due_at is None else from_datetime(event.due_at), breached_at, event.priority
        )
    return Move(clock_id, before, event.outcome, take_out, put_in, late_again)


def _decided_before(event: SlaEvent, before: Outcome, known: OverdueClock | None) -> Decision | None:
    """What was counted until now: by the event's own word, else as remembered, else by the instants it carries."""
    if event.previous_decided_at is not None:
        at = from_datetime(event.previous_decided_at)
        return Decision(1, 0, at) if before == "met" else Decision(0, 1, at)
    if before == "met":
        return Decision(1, 0, from_datetime(event.satisfied_at or event.occurred_at))
    if before in {"breached", "satisfied_late"}:
        if known is not None:
            return Decision(0, 1, known.breached_at)
        return Decision(0, 1, from_datetime(event.breached_at or event.due_at or event.occurred_at))
    return None


def _decided_after(event: SlaEvent, after: Outcome) -> Decision | None:
    if after == "met":
        return Decision(1, 0, from_datetime(event.satisfied_at or event.occurred_at))
    if after in {"breached", "satisfied_late"}:
        return Decision(0, 1, from_datetime(event.breached_at or event.due_at or event.occurred_at))
    if after == "cancelled" and event.breached_at is not None:
        return Decision(0, 1, from_datetime(event.breached_at))
    return None


def labels_of(event: SlaEvent) -> Labels:
    """What the clock of an event is about, in the order of `schemas.adherence.SCOPES`."""
    return (event.channel, event.priority or "", event.tier or "", event.team or "", event.policy or "")


def apply(metric: MetricState, cells: OutcomeCells, event: SlaEvent, move: Move) -> None:
    """Move the clock, and its outcome into and out of the cells. A clock is about what its last event says."""
    clock_id = move.clock_id
    if move.before == "open":
        metric.open -= 1
        metric.running.pop(clock_id, None)
    elif move.before == "breached":
        overdue.leave(metric, clock_id)
    labels = labels_of(event)
    if move.after == "open":
        metric.open += 1
        if len(metric.running) < KEPT_CLOCKS:
            metric.running[clock_id] = _running(event, cells.place_of(labels), is_warned=False)
    elif move.overdue is not None:
        move.overdue.cell = cells.place_of(labels)
        overdue.enter(metric, clock_id, move.overdue)
    take_out, put_in = move.take_out, move.put_in
    if take_out == put_in:
        return
    if take_out is not None:
        cells.take_out(clock_id, labels, take_out.at, met=bool(take_out.met))
    if put_in is not None:
        cells.put_in(clock_id, cells.place_of(labels), put_in.at, met=bool(put_in.met))


def review(metric: MetricState, cells: OutcomeCells, event: SlaEvent) -> bool:
    """Take over what an event of one of `REVIEWS` says about a running clock; false when it is not known here."""
    clock_id = clock_id_of(event)
    known = metric.running.get(clock_id)
    if known is None:
        return False
    # A warning stands until the target moves: then the engine warns again if that is so.
    is_warned = event.kind == "warned" or (known.is_warned and event.kind != "retargeted")
    metric.running[clock_id] = _running(event, cells.place_of(labels_of(event)), is_warned=is_warned)
    return True


def _running(event: SlaEvent, place: int, *, is_warned: bool) -> OpenClock:
    if event.due_at is None:
        return OpenClock(place, None, None, is_warned)
    due_at = from_datetime(event.due_at)
    started_at = from_datetime(event.started_at or event.occurred_at)
    return OpenClock(place, due_at, due_at - max(0, due_at - started_at) // RISK_PARTS, is_warned)


def is_at_risk(clock: OpenClock, as_of: Instant) -> bool:
    """Warned of, or in the last fifth of its span. A paused clock spends nothing: it is at risk if it was warned of."""
    return clock.is_warned or (clock.risk_at is not None and clock.risk_at <= as_of)


def risk_grows_at(metric: MetricState, as_of: Instant) -> Instant | None:
    """The next instant at which a running clock comes to be at risk although nothing happens."""
    soonest: Instant | None = None
    for clock in metric.running.values():
        at = clock.risk_at
        if at is not None and at > as_of and not clock.is_warned and (soonest is None or at < soonest):
            soonest = at
    return soonest


def places_in_use(metric: MetricState) -> set[int]:
    """The places of cells that pending clocks are counted in."""
    return {clock.cell for clock in metric.running.values()} | {clock.cell for clock in metric.overdue.values()}


def is_quiet(metric: MetricState) -> bool:
    """Whether nothing is pending and no window holds anything: it may be forgotten."""
    return not (metric.cells.labels or metric.open > 0 or metric.overdue or metric.overdue_beyond)
