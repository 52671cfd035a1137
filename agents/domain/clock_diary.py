"""What moved each clock, and when each was paused, written down while events are folded again.

`agents.domain.explanation` folds; clocks tell their moves to this narrator. Pauses are read off the clocks themselves,
before and after each event, so that they are what the arithmetic of `agents.domain.clock` takes off; like there, a
change of hours measures anew those that the clock remembers by themselves.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace
from typing_extensions import override

from agents.domain.calendar import Calendar
from agents.domain.clock import is_running, open_in
from agents.domain.clock_intervals import PauseSpan
from agents.domain.condition_reasons import why_paused
from agents.domain.instant import Instant
from agents.domain.narration import Before, Silence, runs_until
from agents.domain.natural_start import paused_spans
from agents.domain.policy_book import PolicyBook, Promise
from schemas.conversation_state import ClockState, ConversationState, FinishedCycle
from schemas.sla_event import ClockEventKind
from schemas.timeline_entry import TimelineEntry

ClockName = tuple[str, int]
"""Metric and instance."""


class Move(Struct, frozen=True):
    """Something that happened to a clock, and how it stood then. Instants are microseconds."""

    at: Instant
    kind: str
    """As in `schemas.sla_event`, and `reassigned`: to another account."""
    event_id: str | None
    """Null where time alone moved it."""
    author: str | None
    """Who: `customer`, `agent`, `bot`, `system`."""
    author_id: str | None
    reason: str | None
    warning: str | None
    due_at: Instant | None
    due_before: Instant | None
    """When it was due until then."""
    set_by_hand: bool
    target: str | None
    """As the policy writes it."""
    moved_by_pauses_us: int
    """Open time of pauses that the deadline allowed for."""
    policy: str | None
    policy_version: str | None
    priority: str | None


class _Stand(NamedTuple):
    """How a clock stood before an event."""

    started_at: Instant
    paused_since: Instant | None


class ClockDiary(Silence):
    """The narrator of a conversation that is folded again."""

    __slots__ = ("_cycles", "_entry", "_moves", "_spans", "_state")

    def __init__(self, beginning: ConversationState, book: PolicyBook) -> None:
        super().__init__(book)
        self._state = beginning
        self._entry: TimelineEntry | None = None
        self._moves: dict[ClockName, list[Move]] = {}
        self._spans: dict[ClockName, list[PauseSpan]] = {
            _name(clock): self._folded(clock) for clock in beginning.clocks
        }
        self._cycles: dict[str, list[PauseSpan]] = {
            metric: self._folded_cycle(metric, finished) for metric, finished in beginning.finished.items()
        }
        """By metric: the pauses of the cycle that a reopening would continue."""

    def moves(self, clock: ClockState) -> tuple[Move, ...]:
        """What happened to a clock, in order."""
        return tuple(self._moves.get(_name(clock), ()))

    def spans(self, clock: ClockState) -> list[PauseSpan]:
        """When a clock did not run, in order."""
        return self._spans.get(_name(clock), [])

    @contextmanager
    def during(self, entry: TimelineEntry) -> Iterator[None]:
        """While an event is applied: what moves is its doing."""
        self._entry = entry
        clocks = self._state.clocks
        before = {_name(clock): _Stand(clock.started_at, clock.paused_since) for clock in clocks if is_running(clock)}
        yield
        for clock in clocks:
            stand = before.get(_name(clock))
            if stand is not None or is_running(clock):
                self._follow(clock, stand, entry)
                self._measure(clock)
            elif clock.origin is not None and _name(clock) not in self._spans:
                self._spans[_name(clock)] = self._folded(clock)  # decided elsewhere: of its pauses the sum is known
        self._entry = None

    # pauses

    def _follow(self, clock: ClockState, before: _Stand | None, entry: TimelineEntry) -> None:
        """Bring the pauses of a clock up to an event."""
        spans = self._spans.setdefault(_name(clock), [])
        if before is not None and before.started_at != clock.started_at:
            spans.clear()  # `reset`: it began anew, and what was before counts no more
        last = spans[-1] if spans and spans[-1].end is None else None
        if before is None and not spans and clock.paused_us:
            self._began_before(clock, entry, spans)
        because = why_paused(self._promise(clock).pause_when, self._state, entry)
        if last is not None and before is not None:
            if before.paused_since == clock.paused_since and (last.because == because or not is_running(clock)):
                return
            last.end = entry.at
        if clock.paused_since is not None and is_running(clock):
            start = clock.paused_since if last is None else entry.at
            spans.append(PauseSpan("paused", start, None, self._promise(clock).calendar, because, entry.id))

    def _began_before(self, clock: ClockState, entry: TimelineEntry, spans: list[PauseSpan]) -> None:
        """Promised in the middle: it counts from where it would have begun, with the pauses that it would have had."""
        promise = self._promise(clock)
        for begins, ends, status in paused_spans(self._state, promise, clock.started_at, entry.at):
            then = replace(self._state, status=status)
            because = why_paused(promise.pause_when, then, entry)
            spans.append(PauseSpan("paused", begins, ends, promise.calendar, because, entry.id))

    def _go_on(self, clock: ClockState, at: Instant) -> None:
        """A reopening continues a cycle: its pauses, and the time in between, are this clock's."""
        promise = self._promise(clock)
        finished = self._state.finished.get(clock.metric)
        if finished is None or not promise.continues or at == clock.started_at:
            return  # what is promised only now is told to begin where it counts from, and continues nothing
        spans = [replace(span) for span in self._cycles.get(clock.metric, ())]
        if spans and spans[-1].end is None:
            spans[-1].end = finished.satisfied_at
        _measure_by(promise.calendar, spans, finished.pauses)
        spans.append(PauseSpan("reopened", finished.satisfied_at, at, promise.calendar))
        self._spans[_name(clock)] = spans

    def _folded(self, clock: ClockState) -> list[PauseSpan]:
        """What is known of a clock at the horizon: how much its pauses took off, and since when it is paused."""
        until = runs_until(clock, self._state.advanced_to)
        if clock.paused_since is not None:
            until = min(until, clock.paused_since)
        calendar = self._promise(clock).calendar
        unlisted_us = clock.paused_us - open_in(clock.pauses, calendar)
        spans = _folded_pauses(calendar, clock.started_at, until, clock.pauses, unlisted_us)
        if clock.paused_since is not None:
            promise = self._promise(clock)
            because = why_paused(promise.pause_when, self._state, None) if is_running(clock) else ()
            spans.append(PauseSpan("paused", clock.paused_since, None, promise.calendar, because))
        return spans

    def _folded_cycle(self, metric: str, finished: FinishedCycle) -> list[PauseSpan]:
        calendar = self._book.terms[None, None, metric].promise.calendar  # the clock that continues it has another one
        unlisted_us = finished.paused_us if finished.unlisted_us is None else finished.unlisted_us
        return _folded_pauses(calendar, finished.started_at, finished.satisfied_at, finished.pauses, unlisted_us)

    def _measure(self, clock: ClockState) -> None:
        """Measure what the clock remembers by the hours that it runs by."""
        _measure_by(self._promise(clock).calendar, self.spans(clock), clock.pauses)

    def _promise(self, clock: ClockState) -> Promise:
        return self._book.terms[clock.policy_version, clock.policy, clock.metric].promise

    # moves

    @override
    def clock(
        self,
        state: ConversationState,
        clock: ClockState,
        kind: ClockEventKind,
        at: Instant,
        reason: str | None = None,
        before: Before | None = None,
    ) -> None:
        """A move that an event brought about."""
        if kind == "activated":
            self._go_on(clock, at)
        elif not is_running(clock):
            self._measure(clock)  # it forgets its pauses now
        if kind in {"met", "satisfied_late"}:
            self._cycles[clock.metric] = self._spans.setdefault(_name(clock), [])
        self._note(clock, kind, at, reason)

    @override
    def timed(
        self, state: ConversationState, clock: ClockState, kind: ClockEventKind, at: Instant, warning: str | None = None
    ) -> None:
        """A move that time alone brought about."""
        self._note(clock, kind, at, None, warning)

    @override
    def warned_by_a_change(self, state: ConversationState, clock: ClockState, at: Instant, warning: str) -> None:
        """A threshold that a moved deadline has put behind us."""
        self._note(clock, "warned", at, None, warning)

    @override
    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant, reason: str) -> None:
        """The clock goes on under another account."""
        self._note(clock, reason, at, None)

    def _note(self, clock: ClockState, kind: str, at: Instant, reason: str | None, warning: str | None = None) -> None:
        entry = self._entry
        moves = self._moves.setdefault(_name(clock), [])
        target = None if clock.set_by_hand else self._promise(clock).duration(clock.priority or "")
        moves.append(
            Move(
                at=at,
                kind=kind,
                event_id=None if entry is None else entry.id,
                author=None if entry is None else entry.author,
                author_id=None if entry is None else (entry.facts or {}).get("author_id"),
                reason=reason,
                warning=warning,
                due_at=clock.due_at,
                due_before=moves[-1].due_at if moves else None,
                set_by_hand=clock.set_by_hand,
                target=None if target is None else target.text,
                moved_by_pauses_us=moved_by_pauses_us(clock),
                policy=clock.policy,
                policy_version=clock.policy_version,
                priority=clock.priority,
            )
        )


def _folded_pauses(
    calendar: Calendar, start: Instant, end: Instant, pauses: Sequence[tuple[Instant, Instant]], unlisted_us: int
) -> list[PauseSpan]:
    """What is known of pauses before the horizon: the latest one by one, of those before them only the sum."""
    spans = [PauseSpan("paused", begins, ends, calendar) for begins, ends in pauses]
    if unlisted_us:
        spans.insert(0, PauseSpan("folded", start, pauses[0][0] if pauses else end, calendar, open_us=unlisted_us))
    return spans


def _measure_by(calendar: Calendar, spans: Iterable[PauseSpan], pauses: Sequence[tuple[Instant, Instant]]) -> None:
    for span in spans:
        if span.end is None or (pauses and span.end > pauses[0][0]):
            span.calendar = calendar


def moved_by_pauses_us(clock: ClockState) -> int:
    """Open time of pauses by which the deadline lies later: none for one that was set by hand."""
    return 0 if clock.set_by_hand else clock.paused_us - clock.base_paused_us


def _name(clock: ClockState) -> ClockName:
    return clock.metric, clock.instance
