"""What the clocks' moves are called outside: every move becomes an `SlaEvent` with a deterministic id and its cause.

`agents.domain.conversation` tells a `Narrator`; `agents.conversation_agent` publishes what it wrote down. Ids are built
from source ids, metric, instance and kind only, so a replay says the same things under the same names.
"""

from typing import Any, NamedTuple

from typing_extensions import override

from agents.domain.clock import UNCOUNTED, counted_at, is_running, next_change, overrun_us, used_us
from agents.domain.instant import Instant, optional_datetime, to_datetime, to_seconds
from agents.domain.policy_book import PolicyBook, Promise
from schemas.clock_view import ClockView
from schemas.conversation_state import ClockState, ConversationState
from schemas.sla_event import Cause, Outcome, SlaEvent

ONCE_PER_CLOCK = frozenset({"activated", "met", "breached", "satisfied_late", "cancelled", "merged"})
"""Kinds that happen once in the life of a clock; the id of any other kind names what caused it too."""


class Detection(NamedTuple):
    """When the worker saw it, on the conversation's own clock, and how fast that clock runs (1 on the wall)."""

    at: Instant
    rate: float = 1.0
    is_live: bool = True
    """Whether lateness means anything: an import decides about the past, which is no lateness of ours."""


class Shown(NamedTuple):
    """A clock whose view must be published again: as it stands at `as_of`, because of `cause`."""

    state: ConversationState
    clock: ClockState
    cause: Cause
    as_of: Instant


class Narrator:
    """Writes down what happens because of one record (or one sweep of it)."""

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

    def __init__(
        self,
        book: PolicyBook,
        partition: int = 0,
        offset: int = 0,
        event_id: str | None = None,
        detection: Detection | None = None,
    ) -> None:
        self._book = book
        self._partition = partition
        self._offset = offset
        self._detection = detection
        self._detected_at = to_datetime(detection.at) if detection is not None else None
        self._index = 0
        self.event_id = event_id
        self.events: list[SlaEvent] = []
        self.views: list[Shown] = []

    def fact(self, state: ConversationState, kind: str, at: Instant, author_kind: str | None = None) -> None:
        """A fact of the conversation: `opened`, `contact`, `reopened`, `resolved`, `escalated`."""
        event_id = f"{state.id}/{kind}" if kind == "opened" else f"{state.id}/{kind}/{self.event_id}"
        self._fact_event(state, event_id, kind, at, author_kind)

    def clock(
        self,
        state: ConversationState,
        clock: ClockState,
        kind: str,
        at: Instant,
        *,
        timed: bool = False,
        **more: Any,  # noqa: ANN401 - fields of the event
    ) -> None:
        """A move of a clock. `timed` marks what time alone brought about: its lateness is measured."""
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/{kind}"
        if kind in ONCE_PER_CLOCK:
            if state.revisions:
                event_id = f"{event_id}/revision-{state.revisions}"
        elif kind == "warned":
            event_id = f"{event_id}/{more['warning']}/{at if timed else self.event_id}"
        else:
            event_id = f"{event_id}/{self.event_id}"
        if timed and self._detection is not None and self._detection.is_live:
            more["lateness_seconds"] = max(0, self._detection.at - at) / 1e6 / self._detection.rate
        self._clock_event(state, clock, event_id, kind, at, more)

    def revised(self, state: ConversationState, clock: ClockState, previous: ClockState, at: Instant) -> None:
        """An event that came late changed what was already published."""
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/outcome_revised/{self.event_id}"
        more = {
            "previous_outcome": previous.outcome,
            "previous_decided_at": optional_datetime(counted_at(previous)),
            "reason": "late event",
        }
        self._clock_event(state, clock, event_id, "outcome_revised", at, more, _last_instant(clock, state.advanced_to))

    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant, reason: str) -> None:
        """The clock leaves this account: a decided outcome is retracted, a running one cancelled there."""
        kind = "cancelled" if clock.outcome == "open" else "retracted"
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/{kind}/{self.event_id}"
        more: dict[str, Any] = {"previous_outcome": clock.outcome, "reason": reason, "outcome": kind}
        if kind == "retracted":
            more["previous_decided_at"] = optional_datetime(counted_at(clock))
        self._clock_event(state, clock, event_id, kind, at, more)

    def stated_again(self, state: ConversationState, clock: ClockState, reason: str) -> None:
        """The clock told from its beginning: how it began and was decided, at the instants at which it was."""
        told: list[tuple[Outcome, str, Instant]] = [("open", "activated", clock.started_at)]
        if clock.breached_at is not None:
            told.append(("breached", "breached", clock.breached_at))
        if clock.outcome in UNCOUNTED and clock.ended_at is not None:
            told.append((clock.outcome, clock.outcome, clock.ended_at))
        elif clock.satisfied_at is not None:
            told.append((clock.outcome, clock.outcome, clock.satisfied_at))
        prefix = f"{state.id}/{clock.metric}/{clock.instance}"
        for outcome, kind, at in told:
            more = {"outcome": outcome, "reason": clock.reason if kind in UNCOUNTED else reason}
            self._clock_event(state, clock, f"{prefix}/{kind}/revision-{state.revisions}", kind, at, more)

    def shown(self, state: ConversationState, clock: ClockState, at: Instant) -> None:
        """Nothing happened to the clock, but what is shown of it changed."""
        cause = Cause(self._partition, self._offset, self._index, self.event_id)
        self.views.append(Shown(state, clock, cause, max(at, state.advanced_to)))

    def shown_anew(self, state: ConversationState, at: Instant) -> None:
        """What all clocks of the conversation show changed: its account, team or inbox."""
        for clock in state.clocks:
            self.shown(state, clock, at)

    def _clock_event(  # noqa: PLR0917 - the one place that all of these come together
        self,
        state: ConversationState,
        clock: ClockState,
        event_id: str,
        kind: str,
        at: Instant,
        more: dict[str, Any],
        until: Instant | None = None,
    ) -> None:
        if until is None:
            until = at
        policy, promise = self._book.terms(clock.policy_version, clock.policy, clock.metric)
        started_at, due_at = clock.started_at, clock.due_at
        wall_us = until - started_at if until > started_at else 0
        elapsed_us = _elapsed(clock, promise, kind, until, more) if wall_us else 0
        if due_at is not None and until > due_at:
            more["wall_overrun_seconds"] = to_seconds(until - due_at)
        if "outcome" not in more:
            more["outcome"] = clock.outcome
        cause = Cause(self._partition, self._offset, self._index, self.event_id)
        self._index += 1
        self.events.append(
            SlaEvent(
                id=event_id,
                kind=kind,  # type: ignore[arg-type]  # callers pass the kinds of the contract
                conversation_id=state.id,
                account_id=state.account_id,
                occurred_at=to_datetime(at),
                cause=cause,
                source=state.source,
                clock=state.clock,
                channel=state.channel,
                priority=state.priority,
                tier=state.tier,
                segment=state.segment,
                team=state.team,
                inbox=state.inbox,
                agent=clock.agent,
                detected_at=self._detected_at,
                metric=clock.metric,
                instance=clock.instance,
                policy=clock.policy,
                policy_version=clock.policy_version,
                calendar=promise.calendar.name,
                objective_ratio=policy.objective_ratio if policy is not None else None,
                target_seconds=_target_seconds(clock),
                started_at=to_datetime(started_at),
                due_at=None if due_at is None else to_datetime(due_at),
                satisfied_at=optional_datetime(clock.satisfied_at),
                breached_at=optional_datetime(clock.breached_at),
                elapsed_seconds=to_seconds(elapsed_us),
                wall_elapsed_seconds=to_seconds(wall_us),
                **more,
            )
        )
        self.views.append(Shown(state, clock, cause, max(state.advanced_to, at)))

    def _fact_event(self, state: ConversationState, event_id: str, kind: str, at: Instant, author: str | None) -> None:
        self.events.append(
            SlaEvent(
                id=event_id,
                kind=kind,  # type: ignore[arg-type]  # callers pass the kinds of the contract
                conversation_id=state.id,
                account_id=state.account_id,
                occurred_at=to_datetime(at),
                cause=Cause(self._partition, self._offset, self._index, self.event_id),
                source=state.source,
                clock=state.clock,
                channel=state.channel,
                priority=state.priority,
                tier=state.tier,
                segment=state.segment,
                team=state.team,
                inbox=state.inbox,
                detected_at=self._detected_at,
                status=state.status,
                author_kind=author,
            )
        )
        self._index += 1


class Silence(Narrator):
    """Says nothing of clocks: for folding again, and where only the end counts.

    Folding again tells the facts of the one event that is new through `aloud`.
    """

    __slots__ = ("aloud",)

    def __init__(self, book: PolicyBook) -> None:
        super().__init__(book)
        self.aloud: Narrator | None = None

    @override
    def fact(self, state: ConversationState, kind: str, at: Instant, author_kind: str | None = None) -> None:
        """Nothing, or what the new event is; a conversation is opened only once."""
        if self.aloud is not None and kind != "opened":
            self.aloud.fact(state, kind, at, author_kind)

    @override
    def clock(
        self, state: ConversationState, clock: ClockState, kind: str, at: Instant, *, timed: bool = False, **more: Any
    ) -> None:
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


def _elapsed(clock: ClockState, promise: Promise, kind: str, until: Instant, more: dict[str, Any]) -> int:
    """Open time used until an instant, in microseconds; what is beyond the target goes among the fields to be told."""
    elapsed_us = clock.elapsed_us
    if elapsed_us is None or kind == "breached":
        elapsed_us = used_us(clock, promise.calendar, until)
    if elapsed_us and (beyond_us := overrun_us(clock, promise.calendar, elapsed_us)):
        more["overrun_seconds"] = to_seconds(beyond_us)
    return elapsed_us


def view_of(state: ConversationState, clock: ClockState, book: PolicyBook, as_of: Instant, cause: Cause) -> ClockView:
    """The clock as it stands at an instant: what the topic of clocks, boards and `policy run` show."""
    calendar = book.terms(clock.policy_version, clock.policy, clock.metric).promise.calendar
    until = _last_instant(clock, as_of)
    elapsed_us = clock.elapsed_us if clock.elapsed_us is not None else used_us(clock, calendar, until)
    return ClockView(
        id=f"{state.id}/{clock.metric}/{clock.instance}",
        conversation_id=state.id,
        account_id=state.account_id,
        metric=clock.metric,
        instance=clock.instance,
        outcome=clock.outcome,
        cause=cause,
        as_of=to_datetime(as_of),
        source=state.source,
        clock=state.clock,
        channel=state.channel,
        tier=state.tier,
        segment=state.segment,
        team=state.team,
        inbox=state.inbox,
        policy=clock.policy,
        policy_version=clock.policy_version,
        calendar=calendar.name,
        priority=clock.priority,
        paused=clock.paused_since is not None and is_running(clock),
        target_seconds=_target_seconds(clock),
        started_at=to_datetime(clock.started_at),
        due_at=optional_datetime(clock.due_at),
        next_change_at=optional_datetime(next_change(clock)),
        satisfied_at=optional_datetime(clock.satisfied_at),
        breached_at=optional_datetime(clock.breached_at),
        elapsed_seconds=to_seconds(elapsed_us),
        wall_elapsed_seconds=to_seconds(max(0, until - clock.started_at)),
    )


def _target_seconds(clock: ClockState) -> float | None:
    """A deadline set by hand is an instant and no amount of time."""
    return None if clock.target_us is None or clock.set_by_hand else to_seconds(clock.target_us)


def _last_instant(clock: ClockState, as_of: Instant) -> Instant:
    """Until when the clock has run: to its end, else to now."""
    if clock.satisfied_at is not None:
        return clock.satisfied_at
    return clock.ended_at if clock.ended_at is not None else as_of
