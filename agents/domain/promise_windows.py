"""The promises of one metric: which clocks are open or overdue, and how the decided ones fall into the rolling windows.

`agents.domain.account` reads an SLA event into a `Move` and gives it here; `agents.domain.account_news` publishes the
figures.

What counts, exactly: `met` enters at `satisfied_at`, a breach at `breached_at` (for `met` and `breached` themselves
this is `occurred_at`). A breach stays in the ratio when the clock is answered late, cancelled or merged afterwards: the
promise was broken at its due instant. Only `retracted` and `outcome_revised` take an outcome out, from the instant at
which it was put in. Clocks without a target are open while they run and never in the ratio.
"""

from typing import NamedTuple

from agents.domain import overdue, rolling_window
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import HOUR_US, MINUTE_US, Instant, from_datetime
from agents.domain.rolling_window import LAST_DAY, LAST_HOUR, LAST_MONTH, LAST_WEEK, WINDOWS
from schemas.account_state import MetricState, OverdueClock
from schemas.sla_event import Outcome, SlaEvent

MOVES = frozenset(
    {"activated", "met", "breached", "satisfied_late", "cancelled", "merged", "outcome_revised", "retracted"}
)
"""Kinds after which a clock stands elsewhere than before."""

_BEFORE: dict[str, Outcome] = {"met": "open", "breached": "open", "satisfied_late": "breached"}
OPEN, OVERDUE = 2 * len(WINDOWS), 2 * len(WINDOWS) + 1
"""Where `MetricState.figures` holds the open and the overdue clocks, behind (met, breached) of each window."""


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
        return Move(clock_id, before, kind, None, None, None)
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
    if after in {"cancelled", "merged"} and event.breached_at is not None:
        return Decision(0, 1, from_datetime(event.breached_at))
    return None


def apply(metric: MetricState, move: Move, as_of: Instant) -> None:
    """Move the clock. Outcomes that no window reaches at `as_of` are not put in."""
    if move.before == "open":
        metric.open -= 1
    elif move.before == "breached":
        overdue.leave(metric, move.clock_id)
    if move.after == "open":
        metric.open += 1
    elif move.overdue is not None:
        overdue.enter(metric, move.clock_id, move.overdue)
    if move.take_out == move.put_in:
        return
    if move.take_out is not None:
        _decide(metric, move.take_out, -1, as_of)
    if move.put_in is not None:
        _decide(metric, move.put_in, 1, as_of)


def _decide(metric: MetricState, decision: Decision, sign: int, as_of: Instant) -> None:
    met, breached, at = decision
    hour = at // HOUR_US
    if hour < rolling_window.first_bucket(LAST_MONTH, as_of):
        return
    rolling_window.add(metric.hours, hour, sign * met, sign * breached)
    minute = at // MINUTE_US
    if minute >= rolling_window.first_bucket(LAST_DAY, as_of):
        rolling_window.add(metric.minutes, minute, sign * met, sign * breached)


def forget(metric: MetricState, as_of: Instant) -> None:
    """Drop the buckets that no window reaches any more."""
    rolling_window.forget(metric.minutes, rolling_window.first_bucket(LAST_DAY, as_of))
    rolling_window.forget(metric.hours, rolling_window.first_bucket(LAST_MONTH, as_of))


def figures(metric: MetricState, as_of: Instant) -> tuple[list[int], Instant | None]:
    """What all windows hold at an instant, laid out as `MetricState.figures`, and until when by themselves.

    Buckets that no window reaches any more are forgotten on the way.
    """
    day = rolling_window.tally(metric.minutes, LAST_HOUR, LAST_DAY, as_of)
    month = rolling_window.tally(metric.hours, LAST_WEEK, LAST_MONTH, as_of)
    beside = (max(0, metric.open), len(metric.overdue) + metric.overdue_beyond)
    expiries = [at for at in (day.expires_at, month.expires_at) if at is not None]
    return [*day.counts, *month.counts, *beside], min(expiries, default=None)
