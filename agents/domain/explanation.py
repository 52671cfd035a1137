"""Why every deadline of a conversation is where it is: which policy, which hours, which pauses, what moved it.

`careline policy explain` asks, for a conversation that a worker remembers or for one in a file. Nothing is kept for
this while working: the events are folded again, by the same code, and whatever moves is written down on the way
(`agents.domain.clock_diary`). What was folded away long ago is told as what it is: a sum without its parts.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import attrgetter

from msgspec import Struct
from typing_extensions import override

from agents.domain.clock import is_as_told, is_running, never_due, used_us
from agents.domain.clock_diary import ClockDiary, Move, moved_by_pauses_us
from agents.domain.clock_intervals import Interval, intervals_of
from agents.domain.condition_reasons import KeyFinding, why_not
from agents.domain.conversation import Conversation
from agents.domain.entries import entry_of, new_conversation
from agents.domain.instant import Instant
from agents.domain.merged_lives import merged_lives
from agents.domain.narration import runs_until, view_of
from agents.domain.policy_book import CompiledPolicy, PolicyBook
from agents.domain.timeline import beginning_of, decode_state, encode_state
from schemas.clock_view import ClockView
from schemas.conversation_state import ClockState, ConversationState
from schemas.interaction import Interaction
from schemas.sla_event import Cause
from schemas.timeline_entry import TimelineEntry

_time_of = attrgetter("occurred_at")
_at_of = attrgetter("at")


class PassedOver(Struct, frozen=True):
    """A policy that stands before the one that matched, and the keys of its condition that did not hold."""

    policy: str
    because: tuple[KeyFinding, ...]


class PolicyDecision(Struct, frozen=True):
    """Which policy was found to apply, when, and because of which event."""

    at: Instant
    event_id: str | None
    version: str | None
    """The policy file; null where none was in force yet."""
    policy: str | None
    """Null where none of it applies."""
    passed_over: tuple[PassedOver, ...]
    newer_version: str | None = None
    """A version that was in force, and reaches only conversations that began under it."""


class ExplainedClock(Struct, frozen=True):
    """One clock with everything that made it what it is. Durations are microseconds."""

    view: ClockView
    clock: ClockState
    calendar: str
    target: str | None
    """As the policy writes it; null without one, and for a deadline set by hand."""
    target_of_priority: str | None
    """The priority whose target it is; null where one target is for every priority."""
    never_due: str | None
    """Why it has a target and no deadline; null for every other clock."""
    counts_from: Instant
    """Where the target counts from: the start, or the instant of a change that moved it (`forward`)."""
    moved_by_pauses_us: int | None
    """Open time of pauses by which the deadline lies later; pauses after a breach move it no more.

    Null where the breach was before the horizon.
    """
    elapsed_us: int
    wall_us: int
    intervals: tuple[Interval, ...]
    """In order, without gaps, from the start to the end or to now."""
    not_below_zero_us: int
    """What is added because a clock cannot have used less than nothing (a calendar was replaced by a smaller one)."""
    moves: tuple[Move, ...]
    """From the beginning, or from the horizon on."""
    ended_by: Move | None
    """What satisfied or cancelled it; null while it runs, or where that was before the horizon."""


class Explanation(Struct, frozen=True):
    """A conversation as it stands at `as_of`, and why."""

    state: ConversationState
    as_of: Instant
    decisions: tuple[PolicyDecision, ...]
    clocks: tuple[ExplainedClock, ...]
    known_from: Instant | None = None
    """Events before this instant are folded away: of them only sums are known. Null where everything is known."""
    forgotten: tuple[tuple[str, int], ...] = ()
    """Metrics of which so many clocks, decided long ago, are not remembered any more."""
    stored_otherwise: tuple[ClockState, ...] = ()
    """Clocks as the worker holds them that folding again does not give: something outside the events moved them."""


class _Recount(Conversation):
    """Folds again and writes down each time that another policy is found."""

    __slots__ = ("decisions",)

    def __init__(self, state: ConversationState, book: PolicyBook, diary: ClockDiary) -> None:
        super().__init__(state, book, diary)
        self.decisions: list[PolicyDecision] = []

    @override
    def _choose_policy(self, at: Instant) -> CompiledPolicy | None:
        policy = super()._choose_policy(at)
        state = self.state
        version = self.book.version(state.policy_version)
        in_force = self.book.at(at, self._known)
        passed_over = []
        for each in version.policies if version is not None else ():
            if each.id == state.policy:
                break
            passed_over.append(PassedOver(each.id, why_not(each.when, state)))
        newer = None if in_force is None or in_force.version == state.policy_version else in_force.version
        found = PolicyDecision(
            at, self._entry.id or None, state.policy_version, state.policy, tuple(passed_over), newer
        )
        last = self.decisions[-1] if self.decisions else None
        if last is None or (last.version, last.policy) != (found.version, found.policy):
            self.decisions.append(found)
        return policy


class _Retelling:
    """A conversation that is folded again from its beginning, or from its horizon."""

    def __init__(self, beginning: ConversationState, book: PolicyBook) -> None:
        self.state = beginning
        self._book = book
        self._diary = ClockDiary(beginning, book)
        self._conversation = _Recount(beginning, book, self._diary)

    def take(self, entries: Iterable[TimelineEntry]) -> None:
        """Fold what happened, in order."""
        for entry in entries:
            self.advance(entry.at)  # what time alone moves before the event has no event as its cause
            with self._diary.during(entry):
                self._conversation.apply(entry)

    def advance(self, to: Instant) -> None:
        """Let time pass."""
        self._conversation.advance(to)

    def explanation(self, known_from: Instant | None = None, otherwise: Sequence[ClockState] = ()) -> Explanation:
        """What was found, at the instant up to which time has passed."""
        state = self.state
        clocks = tuple(self._explained(clock) for clock in state.clocks)
        known: dict[str, int] = {}
        for clock in state.clocks:
            known[clock.metric] = known.get(clock.metric, 0) + 1
        missing = ((metric, number - known.get(metric, 0)) for metric, number in state.instances.items())
        forgotten = tuple((metric, number) for metric, number in missing if number > 0)
        decisions = tuple(self._conversation.decisions)
        return Explanation(state, state.advanced_to, decisions, clocks, known_from, forgotten, tuple(otherwise))

    def _explained(self, clock: ClockState) -> ExplainedClock:
        state = self.state
        promise = self._book.terms[clock.policy_version, clock.policy, clock.metric].promise
        calendar = promise.calendar
        until = max(clock.started_at, runs_until(clock, state.advanced_to))
        elapsed_us = clock.elapsed_us if clock.elapsed_us is not None else used_us(clock, calendar, until)
        intervals = intervals_of(calendar, self._diary.spans(clock), clock.started_at, until)
        moves = self._diary.moves(clock)
        target = None if clock.set_by_hand else promise.duration(clock.priority or "")
        ends = [move for move in moves if move.kind in _ENDS]
        return ExplainedClock(
            view=view_of(state, clock, self._book, state.advanced_to, Cause(0, 0)),
            clock=clock,
            calendar=calendar.name,
            target=None if target is None else target.text,
            target_of_priority=clock.priority if target is not None and clock.priority in promise.by_priority else None,
            never_due=never_due(clock),
            counts_from=clock.started_at if clock.base_at is None else clock.base_at,
            moved_by_pauses_us=_moved_by(clock, moves),
            elapsed_us=elapsed_us,
            wall_us=until - clock.started_at,
            intervals=intervals,
            not_below_zero_us=elapsed_us - sum(each.counted_us for each in intervals),
            moves=moves,
            ended_by=ends[-1] if ends and not is_running(clock) else None,
        )


def _moved_by(clock: ClockState, moves: Sequence[Move]) -> int | None:
    if clock.breached_at is None:
        return moved_by_pauses_us(clock)
    return next((move.moved_by_pauses_us for move in moves if move.kind == "breached"), None)


_ENDS = frozenset({"met", "satisfied_late", "cancelled", "merged", "retracted"})


def explain_interactions(book: PolicyBook, interactions: Sequence[Interaction], now: Instant) -> Explanation | None:
    """Why `agents.domain.verdict.judge_conversation` says what it says of the same arguments; null without events."""
    if not interactions:
        return None
    ordered = sorted(interactions, key=_time_of)
    retelling = _Retelling(new_conversation(ordered[0]), book)
    first: dict[str, Interaction] = {}
    for each in ordered:
        first.setdefault(each.id, each)
    retelling.take(map(entry_of, first.values()))
    retelling.advance(now)
    return retelling.explanation()


def explain_together(
    book: PolicyBook, conversation: str, told: Sequence[tuple[str, Sequence[Interaction]]], now: Instant
) -> Explanation | None:
    """The same for one conversation of those that `agents.domain.verdict.judge_together` judges."""
    if len(told) == 1:
        return explain_interactions(book, told[0][1], now)
    lives = merged_lives(book, chain.from_iterable(interactions for _, interactions in told))
    life = lives.get(conversation)
    return explain_state(book, life, now) if life is not None else None


def explain_state(book: PolicyBook, state: ConversationState, now: Instant | None) -> Explanation:
    """Why a remembered conversation stands as it does.

    Args:
        book: the policies that its partition has activated, in their order.
        state: the conversation as the worker remembers it; it is left as it is.
        now: how far the clocks run on; null for no further than the worker has let them.
    """
    is_stub = state.base is None and state.horizon_at is not None
    # Of what is long finished nothing is kept but how it stands: that is where it begins again.
    retelling = _Retelling(decode_state(encode_state(state)) if is_stub else beginning_of(state), book)
    retelling.take(() if is_stub else sorted(state.entries, key=_at_of))
    retelling.advance(state.advanced_to)
    told = retelling.state.clocks
    otherwise = [clock for clock in state.clocks if not any(is_as_told(clock, other) for other in told)]
    if now is not None:
        retelling.advance(now)
    return retelling.explanation(state.horizon_at, otherwise)
