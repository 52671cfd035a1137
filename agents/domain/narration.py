"""What the clocks' moves are called outside: every move becomes an `SlaEvent` with a deterministic id and its cause.

`agents.domain.conversation` tells a `Narrator`; `agents.conversation_agent` publishes what it wrote down. Ids are built
from source ids, metric, instance and kind only, so a replay says the same things under the same names.
"""

from typing import Any, NamedTuple

from typing_extensions import override

from agents.domain.clock import used_us
from agents.domain.instant import Instant, optional_datetime, to_datetime, to_seconds
from agents.domain.policy_book import CompiledPolicy, PolicyBook
from schemas.clock_view import ClockView
from schemas.conversation_state import ClockState, ConversationState
from schemas.sla_event import Cause, SlaEvent

ONCE_PER_CLOCK = frozenset({"activated", "met", "breached", "satisfied_late", "cancelled", "merged"})
"""Kinds that happen once in the life of a clock; the id of any other kind names what caused it too."""


class Detection(NamedTuple):
    """When the worker saw it, on the conversation's own clock, and how fast that clock runs (1 on the wall)."""

    at: Instant
    rate: float = 1.0
    is_live: bool = True
    """Whether lateness means anything: an import decides about the past, which is no lateness of ours."""


class Narrator:
    """Writes down what happens because of one record (or one sweep of it)."""

    __slots__ = ("_book", "_detection", "_index", "_offset", "_partition", "event_id", "events", "touched")

    def __init__(
        self,
        book: PolicyBook,
        partition: int = 0,
        offset: int = 0,
        event_id: str | None = None,
        detection: Detection | None = None,
        index: int = 0,
    ) -> None:
        self._book = book
        self._partition = partition
        self._offset = offset
        self._detection = detection
        self._index = index
        self.event_id = event_id
        self.events: list[SlaEvent] = []
        self.touched: list[tuple[ConversationState, ClockState, Cause]] = []

    @property
    def next_index(self) -> int:
        """The index that the next effect of the same record will have."""
        return self._index

    def fact(self, state: ConversationState, kind: str, at: Instant, author_kind: str | None = None) -> None:
        """A fact of the conversation: `opened`, `contact`, `reopened`, `resolved`, `escalated`."""
        event_id = f"{state.id}/{kind}" if kind == "opened" else f"{state.id}/{kind}/{self.event_id}"
        self._fact_event(state, event_id, kind, at, author_kind)

    def clock(
        self, state: ConversationState, clock: ClockState, kind: str, at: Instant, *, timed: bool = False, **more: Any
    ) -> None:
        """A move of a clock. `timed` marks what time alone brought about: its lateness is measured."""
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/{kind}"
        if kind == "warned":
            event_id = f"{event_id}/{more['warning']}"
        elif kind not in ONCE_PER_CLOCK:
            event_id = f"{event_id}/{self.event_id}"
        if timed and self._detection is not None and self._detection.is_live:
            more["lateness_seconds"] = max(0, self._detection.at - at) / 1e6 / self._detection.rate
        self._clock_event(state, clock, event_id, kind, at, more)

    def revised(self, state: ConversationState, clock: ClockState, previous: ClockState, at: Instant) -> None:
        """An event that came late changed an outcome that was already published."""
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/outcome_revised/{self.event_id}"
        decided_at = previous.satisfied_at if previous.outcome == "met" else previous.breached_at
        more = {
            "previous_outcome": previous.outcome,
            "previous_decided_at": None if previous.outcome == "retracted" else optional_datetime(decided_at),
            "reason": "late event",
        }
        self._clock_event(state, clock, event_id, "outcome_revised", at, more)

    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant) -> None:
        """The clock leaves this account: a decided outcome is retracted, a running one cancelled there."""
        if clock.outcome in {"cancelled", "merged", "retracted"}:
            return
        kind = "cancelled" if clock.outcome == "open" else "retracted"
        event_id = f"{state.id}/{clock.metric}/{clock.instance}/{kind}/{self.event_id}"
        more = {"previous_outcome": clock.outcome, "reason": "reassigned", "outcome": kind}
        self._clock_event(state, clock, event_id, kind, at, more)

    def stated_again(self, state: ConversationState, clock: ClockState) -> None:
        """The clock under its new account: how it began and how it was decided, at the instants at which it was."""
        if clock.outcome in {"cancelled", "merged", "retracted"}:
            return
        prefix = f"{state.id}/{clock.metric}/{clock.instance}"
        told = [("activated", clock.started_at)]
        if clock.breached_at is not None:
            told.append(("breached", clock.breached_at))
        if clock.satisfied_at is not None:
            told.append((clock.outcome, clock.satisfied_at))
        for kind, at in told:
            self._clock_event(state, clock, f"{prefix}/{kind}/{self.event_id}", kind, at, {"reason": "reassigned"})

    def _clock_event(
        self, state: ConversationState, clock: ClockState, event_id: str, kind: str, at: Instant, more: dict[str, Any]
    ) -> None:
        more.setdefault("outcome", clock.outcome)
        more.setdefault("agent", clock.agent)
        policy = self._book.policy(clock.policy_version, clock.policy)
        promise = policy.promises.get(clock.metric) if policy is not None else None
        if promise is None:
            promise = self._book.bare_promise(clock.metric)
        target_us = None if clock.set_by_hand else clock.target_us
        elapsed_us = clock.elapsed_us
        if elapsed_us is None:
            elapsed_us = 0 if at <= clock.started_at else used_us(clock, promise.calendar, at)
        if target_us is not None and elapsed_us > target_us:
            more["overrun_seconds"] = to_seconds(elapsed_us - target_us)
        if clock.due_at is not None and at > clock.due_at:
            more["wall_overrun_seconds"] = to_seconds(at - clock.due_at)
        detection = self._detection
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
                detected_at=to_datetime(detection.at) if detection is not None else None,
                metric=clock.metric,
                instance=clock.instance,
                policy=clock.policy,
                policy_version=clock.policy_version,
                calendar=promise.calendar.name,
                objective_ratio=policy.objective_ratio if policy is not None else None,
                target_seconds=None if target_us is None else to_seconds(target_us),
                started_at=to_datetime(clock.started_at),
                due_at=optional_datetime(clock.due_at),
                satisfied_at=optional_datetime(clock.satisfied_at),
                breached_at=optional_datetime(clock.breached_at),
                elapsed_seconds=to_seconds(elapsed_us),
                wall_elapsed_seconds=to_seconds(max(0, at - clock.started_at)),
                **more,
            )
        )
        self.touched.append((state, clock, self.events[-1].cause))
        self._index += 1

    def _fact_event(self, state: ConversationState, event_id: str, kind: str, at: Instant, author: str | None) -> None:
        detection = self._detection
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
                detected_at=to_datetime(detection.at) if detection is not None else None,
                status=state.status,
                author_kind=author,
            )
        )
        self._index += 1


class Silence(Narrator):
    """Says nothing: for folding again, and where only the end counts."""

    __slots__ = ()

    @override
    def fact(self, state: ConversationState, kind: str, at: Instant, author_kind: str | None = None) -> None:
        """Nothing."""

    @override
    def clock(
        self, state: ConversationState, clock: ClockState, kind: str, at: Instant, *, timed: bool = False, **more: Any
    ) -> None:
        """Nothing."""

    @override
    def taken_back(self, state: ConversationState, clock: ClockState, at: Instant) -> None:
        """Nothing."""

    @override
    def stated_again(self, state: ConversationState, clock: ClockState) -> None:
        """Nothing."""


def view_of(state: ConversationState, clock: ClockState, book: PolicyBook, as_of: Instant, cause: Cause) -> ClockView:
    """The clock as it stands at an instant: what the topic of clocks, boards and `policy run` show."""
    policy = book.policy(clock.policy_version, clock.policy)
    until = clock.satisfied_at if clock.satisfied_at is not None else clock.ended_at
    until = as_of if until is None else until
    elapsed = clock.elapsed_us if clock.elapsed_us is not None else _used(policy, clock, until, book)
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
        calendar=_calendar_name(policy, clock),
        priority=clock.priority,
        paused=clock.paused_since is not None and clock.outcome in {"open", "breached"},
        target_seconds=None if clock.target_us is None or clock.set_by_hand else to_seconds(clock.target_us),
        started_at=to_datetime(clock.started_at),
        due_at=optional_datetime(clock.due_at),
        next_change_at=optional_datetime(_next_change(clock)),
        satisfied_at=optional_datetime(clock.satisfied_at),
        breached_at=optional_datetime(clock.breached_at),
        elapsed_seconds=to_seconds(elapsed or 0),
        wall_elapsed_seconds=to_seconds(max(0, until - clock.started_at)),
    )


def _next_change(clock: ClockState) -> Instant | None:
    return clock.next_warning_at or clock.due_at if clock.outcome == "open" else None


def _used(policy: CompiledPolicy | None, clock: ClockState, until: Instant, book: PolicyBook) -> int | None:
    promise = policy.promises.get(clock.metric) if policy is not None else None
    return used_us(clock, (promise or book.bare_promise(clock.metric)).calendar, until)


def _calendar_name(policy: CompiledPolicy | None, clock: ClockState) -> str:
    promise = policy.promises.get(clock.metric) if policy is not None else None
    return promise.calendar.name if promise is not None else "always"
