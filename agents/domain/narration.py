"""What the clocks' moves are called outside: every move becomes an `SlaEvent` with a deterministic id and its cause.

`agents.domain.conversation` tells a `Narrator`; `agents.conversation_agent` publishes what it wrote down. Ids are built
from source ids, metric, instance and kind only, so a replay says the same things under the same names.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from typing_extensions import override

from agents.domain.calendar import Calendar
from agents.domain.clock import UNCOUNTED, counted_at, is_running, next_change, overrun_us, used_us
from agents.domain.instant import SECOND_US, Instant, optional_datetime, to_datetime, to_seconds
from agents.domain.policy_book import PolicyBook, Terms
from schemas.clock_view import ClockView
from schemas.conversation_state import ClockState, ConversationState
from schemas.sla_event import Cause, ClockEventKind, FactKind, Outcome, SlaEvent

ONCE_PER_CLOCK = frozenset({"activated", "met", "breached", "satisfied_late", "cancelled", "merged"})
"""Kinds that happen once in the life of a clock; the id of any other kind names what caused it too."""


LATE, REASSIGNED, HANDED_OVER = "late event", "reassigned", "handed over"
"""Why a clock is told from its beginning: it was not known; it is another account's; a merged conversation had it."""

TOLD_BEFORE = frozenset({REASSIGNED, HANDED_OVER})
"""Those of them with which nothing new is decided: it was told before, elsewhere."""


class Detection(Struct, frozen=True):
    """When the worker saw it, on the conversation's own clock, and how fast that clock runs (1 on the wall)."""

    at: Instant
    rate: float = 1.0
    is_live: bool = True
    """Whether lateness means anything: an import decides about the past, which is no lateness of ours."""


class Shown(Struct, frozen=True, array_like=True, gc=False):
    """A clock whose view must be published again: as it stands at `as_of`, because of `cause`."""

    state: ConversationState
    clock: ClockState
    cause: Cause
    as_of: Instant


class Before(Struct, frozen=True, array_like=True, gc=False):
    """What was published of a clock until now: its outcome, and the instant under which that was counted."""

    outcome: Outcome
    decided_at: Instant | None = None


class Narrator:
    """Writes down what happens because of one record (or one sweep of it), for one record after another."""

    __slots__ = (
        "_book",
        "_detected_at",
        "_detection",
        "_index",
        "_offset",
        "_partition",
        "event_id",
        "events",
        "views",
    )

    def __init__(self, book: PolicyBook) -> None:
        self._book = book
        self.begin(0, 0, None, None)

    def begin(self, partition: int, offset: int, event_id: str | None, detection: Detection | None) -> None:
        """Turn to the next record. What was written before must have been taken away: nothing is kept."""
        self._partition = partition
        self._offset = offset
        self._detection = detection
        self._detected_at = to_datetime(detection.at) if detection is not None else None
        self._index = 0
        self.event_id = event_id
        self.events: list[SlaEvent] = []
        self.views: dict[str, Shown] = {}

    def fact(
        self,
        state: ConversationState,
        kind: FactKind,
        at: Instant,
        author_kind: str | None = None,
        by_channel: str | None = None,
    ) -> None:
        """A fact of the conversation: `opened`, `contact`, `reopened`, `resolved`, `escalated`."""
        self.events.append(
            SlaEvent(
                f"{state.id}/{kind}" if kind == "opened" else f"{state.id}/{kind}/{self.event_id}",
                kind,
                state.id,
                state.account_id,
                to_datetime(at),
                Cause(self._partition, self._offset, self._index, self.event_id),
                state.source,
                state.clock,
                state.channel,
                priority=state.priority,
                tier=state.tier,
                segment=state.segment,
                team=state.team,
                inbox=state.inbox,
                author_kind=author_kind,
                status=state.status,
                detected_at=self._detected_at,
                by_channel=by_channel,
            )
        )
        self._index += 1

    def clock(  # noqa: PLR0917 - said everywhere, and positions are quick
        self,
        state: ConversationState,
        clock: ClockState,
        kind: ClockEventKind,
        at: Instant,
        reason: str | None = None,
        before: Before | None = None,
    ) -> None:
        """A move of a clock that an event brought about."""
        if kind not in ONCE_PER_CLOCK:
            which = self._told_once(state, clock, f"{kind}/{self.event_id}")
        elif state.revisions:
            which = f"{kind}/revision-{state.revisions}"
        else:
            which = kind
        self._write(state, clock, which, kind, at, at, clock.outcome, reason, before)

    def timed(
        self, state: ConversationState, clock: ClockState, kind: ClockEventKind, at: Instant, warning: str | None = None
    ) -> None:
        """A move of a clock that time alone brought about: its lateness is measured."""
        lateness_seconds = None
        detection = self._detection
        if detection is not None and detection.is_live:
            lateness_seconds = max(0, detection.at - at) / 1e6 / detection.rate
        if warning is not None:
            which = f"{kind}/{warning}/{at}"
        else:
            which = f"{kind}/revision-{state.revisions}" if state.revisions else kind
        self._write(state, clock, which, kind, at, at, clock.outcome, None, None, warning, lateness_seconds)

    def warned_by_a_change(self, state: ConversationState, clock: ClockState, at: Instant, warning: str) -> None:
        """A threshold that a moved deadline has put behind us."""
        which = self._told_once(state, clock, f"warned/{warning}/{self.event_id}")
        self._write(state, clock, which, "warned", at, at, clock.outcome, None, None, warning)

    def _told_once(self, state: ConversationState, clock: ClockState, which: str) -> str:
        """The end of an id; if the record has said it already, with the place in which it is said again.

        A new version of the policies and a due date set by hand can move one deadline twice in one event.
        """
        event_id = f"{clock_id(state, clock)}/{which}"
        return f"{which}/{self._index}" if any(each.id == event_id for each in self.events) else which

    def revised(self, state: ConversationState, clock: ClockState, previous: ClockState, at: Instant) -> None:
        """An event that came late changed what was already published."""
        before = Before(previous.outcome, counted_at(previous))
        until = runs_until(clock, state.advanced_to)
        which = f"outcome_revised/{self.event_id}"
        self._write(state, clock, which, "outcome_revised", at, until, clock.outcome, LATE, before)

    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant, reason: str) -> None:
        """The clock leaves this account: a decided outcome is retracted, a running one cancelled there."""
        kind: Literal["cancelled", "retracted"] = "cancelled" if clock.outcome == "open" else "retracted"
        before = Before(clock.outcome, counted_at(clock) if kind == "retracted" else None)
        self._write(state, clock, f"{kind}/{self.event_id}", kind, at, at, kind, reason, before)

    def stated_again(self, state: ConversationState, clock: ClockState, reason: str) -> None:
        """The clock told from its beginning: how it began and was decided, at the instants at which it was."""
        told: list[tuple[Outcome, ClockEventKind, Instant]] = [("open", "activated", clock.started_at)]
        if clock.breached_at is not None:
            told.append(("breached", "breached", clock.breached_at))
        end = clock.ended_at if clock.outcome in UNCOUNTED else clock.satisfied_at
        if end is not None and clock.outcome != "open":
            told.append((clock.outcome, clock.outcome, end))
        for outcome, kind, at in told:
            which = f"{kind}/revision-{state.revisions}"
            # What a merge has taken along counts here no more: the breach just told goes out again.
            before = Before("breached", clock.breached_at) if kind == "merged" and clock.breached_at else None
            self._write(
                state, clock, which, kind, at, at, outcome, clock.reason if kind in UNCOUNTED else reason, before
            )

    def shown(self, state: ConversationState, clock: ClockState, at: Instant) -> None:
        """Nothing happened to the clock, but what is shown of it changed."""
        cause = Cause(self._partition, self._offset, self._index, self.event_id)
        self.views[clock_id(state, clock)] = Shown(state, clock, cause, max(at, state.advanced_to))

    def shown_anew(self, state: ConversationState, at: Instant) -> None:
        """What all clocks of the conversation show changed: its account, team or inbox."""
        for clock in state.clocks:
            self.shown(state, clock, at)

    def _write(  # noqa: PLR0917 - the one place that all of these come together, and positions are quick
        self,
        state: ConversationState,
        clock: ClockState,
        which: str,
        kind: ClockEventKind,
        at: Instant,
        until: Instant,
        outcome: Outcome,
        reason: str | None = None,
        before: Before | None = None,
        warning: str | None = None,
        lateness_seconds: float | None = None,
    ) -> None:
        """Write one event down. `which` ends its id; its figures run until an instant."""
        terms = self._book.terms[clock.policy_version, clock.policy, clock.metric]
        name = clock_id(state, clock)
        cause = Cause(self._partition, self._offset, self._index, self.event_id)
        self._index += 1
        figures = _figures(clock, terms.promise.calendar, kind, until)
        more = (warning, reason, self._detected_at, lateness_seconds)
        self.events.append(
            _clock_event(f"{name}/{which}", kind, at, cause, state, clock, terms, outcome, before, figures, more)
        )
        as_of = state.advanced_to
        self.views[name] = Shown(state, clock, cause, at if at > as_of else as_of)  # noqa: FURB136 - quick


def _clock_event(  # noqa: PLR0917 - as above
    event_id: str,
    kind: ClockEventKind,
    at: Instant,
    cause: Cause,
    state: ConversationState,
    clock: ClockState,
    terms: Terms,
    outcome: Outcome,
    before: Before | None,
    figures: tuple[float, float, float | None, float | None],
    more: tuple[str | None, str | None, datetime | None, float | None],
) -> SlaEvent:
    policy, promise = terms
    due_at, satisfied_at, breached_at = clock.due_at, clock.satisfied_at, clock.breached_at
    warning, reason, detected_at, lateness_seconds = more
    # In the order of the contract: forty keywords take three times as long, for the busiest object of all.
    # fmt: off
    return SlaEvent(
        event_id, kind, state.id, state.account_id, to_datetime(at), cause, state.source, state.clock, state.channel,
        clock.metric, clock.instance, outcome, None if before is None else before.outcome,
        clock.policy, clock.policy_version, promise.calendar.name,
        state.priority, state.tier, state.segment, state.team, state.inbox, clock.agent,
        None if clock.target_us is None or clock.set_by_hand else clock.target_us // SECOND_US,
        None if policy is None else policy.objective_ratio,
        to_datetime(clock.started_at),
        None if due_at is None else to_datetime(due_at),
        None if satisfied_at is None else to_datetime(satisfied_at),
        None if breached_at is None else to_datetime(breached_at),
        *figures, warning, reason, None, None, detected_at, lateness_seconds,
        None if before is None else optional_datetime(before.decided_at),
        None if policy is None else policy.objective_over,
        clock.flags,
    )
    # fmt: on


class Silence(Narrator):
    """Says nothing of clocks: for folding again, and where only the end counts.

    Folding again tells the facts of the one event that is new through `aloud`.
    """

    __slots__ = ("aloud",)

    def __init__(self, book: PolicyBook) -> None:
        super().__init__(book)
        self.aloud: Narrator | None = None

    @override
    def fact(
        self,
        state: ConversationState,
        kind: FactKind,
        at: Instant,
        author_kind: str | None = None,
        by_channel: str | None = None,
    ) -> None:
        """Nothing, or what the new event is; a conversation is opened only once."""
        if self.aloud is not None and kind != "opened":
            self.aloud.fact(state, kind, at, author_kind, by_channel)

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
        """Nothing."""

    @override
    def timed(
        self, state: ConversationState, clock: ClockState, kind: ClockEventKind, at: Instant, warning: str | None = None
    ) -> None:
        """Nothing."""

    @override
    def warned_by_a_change(self, state: ConversationState, clock: ClockState, at: Instant, warning: str) -> None:
        """Nothing."""

    @override
    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant, reason: str) -> None:
        """Nothing."""

    @override
    def stated_again(self, state: ConversationState, clock: ClockState, reason: str) -> None:
        """Nothing."""

    @override
    def shown(self, state: ConversationState, clock: ClockState, at: Instant) -> None:
        """Nothing."""


def clock_id(state: ConversationState, clock: ClockState) -> str:
    """The name of a clock: the key of its view, and the beginning of the ids of its events."""
    return f"{state.id}/{clock.metric}/{clock.instance}"


def _figures(
    clock: ClockState, calendar: Calendar, kind: ClockEventKind, until: Instant
) -> tuple[float, float, float | None, float | None]:
    """Elapsed and wall elapsed seconds until an instant, and the overruns of both, null where there is none."""
    wall_us = until - clock.started_at
    if wall_us <= 0:
        return 0, 0, None, None
    elapsed_us = clock.elapsed_us
    if elapsed_us is None or kind == "breached":
        elapsed_us = used_us(clock, calendar, until)
    overrun = wall_overrun = None
    if clock.target_us is not None and elapsed_us > clock.target_us:
        overrun = to_seconds(overrun_us(clock, calendar, elapsed_us)) or None
    if clock.due_at is not None and until > clock.due_at:
        wall_overrun = to_seconds(until - clock.due_at)
    return to_seconds(elapsed_us), to_seconds(wall_us), overrun, wall_overrun


def view_of(state: ConversationState, clock: ClockState, book: PolicyBook, as_of: Instant, cause: Cause) -> ClockView:
    """The clock as it stands at an instant: what the topic of clocks, boards and `policy run` show."""
    calendar = book.terms[clock.policy_version, clock.policy, clock.metric].promise.calendar
    until = runs_until(clock, as_of)
    elapsed_us = clock.elapsed_us if clock.elapsed_us is not None else used_us(clock, calendar, until)
    # In the order of the contract, as above.
    return ClockView(
        clock_id(state, clock),
        state.id,
        state.account_id,
        clock.metric,
        clock.instance,
        clock.outcome,
        cause,
        to_datetime(as_of),
        state.source,
        state.clock,
        state.channel,
        state.tier,
        state.segment,
        state.team,
        state.inbox,
        clock.policy,
        clock.policy_version,
        calendar.name,
        clock.priority,
        clock.paused_since is not None and is_running(clock),
        _target_seconds(clock),
        to_datetime(clock.started_at),
        optional_datetime(clock.due_at),
        optional_datetime(next_change(clock)),
        optional_datetime(clock.satisfied_at),
        optional_datetime(clock.breached_at),
        to_seconds(elapsed_us),
        to_seconds(max(0, until - clock.started_at)),
        clock.flags,
    )


def _target_seconds(clock: ClockState) -> float | None:
    """A deadline set by hand is an instant and no amount of time."""
    return None if clock.target_us is None or clock.set_by_hand else clock.target_us // SECOND_US


def runs_until(clock: ClockState, as_of: Instant) -> Instant:
    """Until when the clock runs as far as is known: to its end, else to now."""
    if clock.satisfied_at is not None:
        return clock.satisfied_at
    return clock.ended_at if clock.ended_at is not None else as_of
