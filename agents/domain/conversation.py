"""One conversation: how each event and the passing of time move its clocks.

`agents.domain.timeline` hands over entries in the order of their time; this module changes the `ConversationState` and
tells a `Narrator` (`agents.domain.narration`) what happened. Rules and their sources are in `docs/sla-semantics.md`.

Order within one event: time first (everything due before it breaches), then the event itself: cancel before stop before
pause before start (ServiceNow evaluates in this order; see there).
"""

from msgspec.structs import replace

from agents.domain import clock as clocks
from agents.domain.instant import Instant
from agents.domain.narration import Narrator
from agents.domain.policy_book import CompiledPolicy, PolicyBook, Promise
from schemas.conversation_state import ClockState, ConversationState, TimelineEntry

FINISHED = frozenset({"resolved", "closed", "spam", "deleted"})
DISCOUNTED = frozenset({"spam", "deleted"})
ENDED_BY_CUSTOMER_REPLY = frozenset({"waiting_on_customer", "resolved", "closed"})
"""Statuses that a customer's message ends even where the source does not say so (Zendesk's rule for comments)."""


class Conversation:
    """Moves one `ConversationState`. Cheap to make: one per event or sweep."""

    __slots__ = ("book", "narrator", "state")

    def __init__(self, state: ConversationState, book: PolicyBook, narrator: Narrator) -> None:
        self.state = state
        self.book = book
        self.narrator = narrator

    # time

    def advance(self, to: Instant) -> None:
        """Decide everything that was due strictly before `to`, each at its own instant."""
        state = self.state
        while state.next_change_at is not None and state.next_change_at < to:
            due = [clock for clock in state.clocks if clocks.next_change(clock) == state.next_change_at]
            for clock in due:
                self._time_passes(clock, state.next_change_at)
            self._reckon()
        state.advanced_to = max(state.advanced_to, to)

    def _time_passes(self, clock: ClockState, at: Instant) -> None:
        policy = self._policy_of(clock)
        if clock.next_warning_at == at and policy is not None:
            calendar = self._promise_of(clock).calendar
            reached = clocks.warnings(clock, calendar, policy.warn_at)[clock.warnings_given]
            clock.warnings_given += 1
            clocks.schedule(clock, self._promise_of(clock), policy)
            self.narrator.clock(self.state, clock, "warned", at, warning=reached[1], timed=True)
        elif clock.due_at == at:
            self._breach(clock, at, timed=True)

    def _breach(self, clock: ClockState, at: Instant, *, timed: bool) -> None:
        clock.outcome = "breached"
        clock.breached_at = at
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, "breached", at, timed=timed)

    def _reckon(self) -> None:
        changes = [change for clock in self.state.clocks if (change := clocks.next_change(clock)) is not None]
        self.state.next_change_at = min(changes, default=None)

    # events

    def apply(self, entry: TimelineEntry) -> None:
        """Let time pass up to the event, then let the event happen."""
        state = self.state
        self.advance(entry.at)
        if state.created_at is None:
            self._create(entry.at)
        handler = _HANDLERS.get(entry.type)
        if handler is not None:
            handler(self, entry)
        self._reckon()

    def _create(self, at: Instant) -> None:
        state = self.state
        state.created_at = at
        self._choose_policy(at)
        self.narrator.fact(state, "opened", at)
        self._start("first_resolution", at)

    def _message(self, entry: TimelineEntry) -> None:
        if not entry.public or entry.automated or entry.author not in {"customer", "agent"}:
            return
        if entry.author == "customer":
            self._customer_wrote(entry)
        else:
            self._agent_answered(entry)
        self.narrator.fact(self.state, "contact", entry.at, author_kind=entry.author)

    def _customer_wrote(self, entry: TimelineEntry) -> None:
        state = self.state
        if state.status in ENDED_BY_CUSTOMER_REPLY:
            self._status(entry.at, "open")
        if state.opened_by is None:
            state.opened_by = "customer"
            self._start("first_response", entry.at)
        elif state.responded and not self._running("next_response"):
            self._start("next_response", entry.at)

    def _agent_answered(self, entry: TimelineEntry) -> None:
        state = self.state
        if state.opened_by is None:
            state.opened_by = "agent"
        state.responded = True
        agent = (entry.facts or {}).get("author_id")
        for metric in ("first_response", "next_response"):
            for clock in self._running(metric):
                self._satisfy(clock, entry.at, agent)

    def _status_changed(self, entry: TimelineEntry) -> None:
        self._status(entry.at, (entry.facts or {})["status"])

    def _status(self, at: Instant, status: str) -> None:
        state = self.state
        before = state.status
        state.status = status  # type: ignore[assignment]  # the contract has checked it
        if status in DISCOUNTED:
            self._leave_the_ratio(at, status)
            return
        if status in FINISHED:
            for clock in self._running("next_response"):
                self._end(clock, "cancelled", at, "resolved")
            self._hold_or_run(at)
            for clock in self._running("first_resolution"):
                self._satisfy(clock, at, None)
            if before not in FINISHED:
                self.narrator.fact(state, "resolved", at)
            return
        if before in FINISHED:
            self.narrator.fact(state, "reopened", at)
        self._hold_or_run(at)

    def _no_reply_needed(self, entry: TimelineEntry) -> None:
        reason = (entry.facts or {}).get("reason") or "no_reply_needed"
        self.state.responded = True
        for metric in ("first_response", "next_response"):
            for clock in self._running(metric):
                self._end(clock, "cancelled", entry.at, reason)

    def _merged(self, entry: TimelineEntry) -> None:
        for clock in self.state.clocks:
            if clocks.is_running(clock):
                self._end(clock, "merged", entry.at, f"into {(entry.facts or {}).get('into')}")
        self.state.status = "closed"

    def _deleted(self, entry: TimelineEntry) -> None:
        self._status(entry.at, "deleted")

    def _attributes_changed(self, entry: TimelineEntry) -> None:
        state = self.state
        for name, value in (entry.facts or {}).items():
            setattr(state, name, tuple(value) if name == "tags" else value)
        self._review(entry.at)
        self._hold_or_run(entry.at)

    def _account_changed(self, entry: TimelineEntry) -> None:
        """The promises move to another customer: taken back under the old account, stated again under the new one.

        The same customer in a new tier, segment or contract only has the policy found again.
        """
        state = self.state
        facts = entry.facts or {}
        if facts["account_id"] == state.account_id:
            self._attributes_changed(replace(entry, facts={name: value for name, value in facts.items() if value}))
            return
        for clock in state.clocks:
            self.narrator.taken_back(state, clock, entry.at)
        for name, value in facts.items():
            setattr(state, name, value)
        for clock in state.clocks:
            self.narrator.stated_again(state, clock)
        self._review(entry.at)

    def _due_set(self, entry: TimelineEntry) -> None:
        state = self.state
        facts = entry.facts or {}
        metric, due_at = facts["metric"], facts["due_at"]
        running = self._running(metric)
        if not running:
            state.hand_set[metric] = due_at
            if metric == "first_resolution" and metric not in state.instances and state.status not in FINISHED:
                self._start(metric, state.created_at if state.created_at is not None else entry.at)
            return
        for clock in running:
            if clock.breached_at is not None:
                continue
            clock.set_by_hand = True
            clock.due_at = due_at
            clocks.schedule(clock, self._promise_of(clock), self._policy_of(clock))
            self.narrator.clock(state, clock, "retargeted", entry.at, reason="due_set")
            self._breach_if_late(clock, entry.at)

    # policies

    def _choose_policy(self, at: Instant) -> CompiledPolicy | None:
        version = self.book.at(at)
        policy = version.match(self.state) if version is not None else None
        self.state.policy = policy.id if policy is not None else None
        self.state.policy_version = policy.version if policy is not None else None
        return policy

    def _review(self, at: Instant) -> None:
        """A priority or an attribute moved: find the policy again and put running clocks under what it promises now."""
        policy = self._choose_policy(at)
        for clock in self.state.clocks:
            if clock.outcome == "open":
                self._retarget(clock, policy, at)

    def _retarget(self, clock: ClockState, policy: CompiledPolicy | None, at: Instant) -> None:
        state = self.state
        promise = policy.promises.get(clock.metric) if policy is not None else None
        if policy is None or promise is None:
            if not clock.set_by_hand and clock.policy is not None:
                self._end(clock, "cancelled", at, "no policy applies")
            return
        mode = policy.on_change
        same = (clock.policy, clock.policy_version, clock.priority) == (policy.id, policy.version, state.priority)
        if same or mode == "keep":
            return
        old = (clock.due_at, clock.target_us, clock.business_days, clock.policy)
        self._close_pause(clock, at)
        if mode in {"forward", "reset"}:
            clock.base_at, clock.base_paused_us = at, clock.paused_us
        if mode == "reset":
            clock.started_at, clock.paused_us, clock.base_paused_us, clock.base_at = at, 0, 0, None
        clock.policy, clock.policy_version, clock.priority = policy.id, policy.version, state.priority
        clocks.set_target(clock, promise.duration(state.priority))
        if promise.pauses(state):
            clock.paused_since = at
        clocks.schedule(clock, promise, policy)
        if old != (clock.due_at, clock.target_us, clock.business_days, clock.policy):
            self.narrator.clock(state, clock, "retargeted", at, reason=mode)
        self._breach_if_late(clock, at)

    def _close_pause(self, clock: ClockState, at: Instant) -> None:
        """Settle the running pause under the calendar that it ran under, before another one applies."""
        if clock.paused_since is not None:
            clock.paused_us += self._promise_of(clock).calendar.open_between(clock.paused_since, at)
            clock.paused_since = None

    def _breach_if_late(self, clock: ClockState, at: Instant) -> None:
        """A breach that appears by a change carries the time of the change: nobody is accused of the past."""
        if clock.due_at is not None and clock.due_at < at and clock.outcome == "open":
            self._breach(clock, at, timed=False)

    # clocks

    def _start(self, metric: str, at: Instant) -> None:
        state = self.state
        policy = self.book.policy(state.policy_version, state.policy)
        promise = policy.promises.get(metric) if policy is not None else None
        by_hand = state.hand_set.pop(metric, None)
        if promise is None and by_hand is None:
            return
        instance = state.instances.get(metric, 0) + 1
        state.instances[metric] = instance
        clock = ClockState(metric=metric, instance=instance, started_at=at, priority=state.priority)
        state.clocks.append(clock)
        if policy is not None and promise is not None:
            clock.policy, clock.policy_version = policy.id, policy.version
            clocks.set_target(clock, promise.duration(state.priority))
        if by_hand is not None:
            clock.set_by_hand, clock.due_at = True, by_hand
        promise = self._promise_of(clock)
        paused = promise.pauses(state)
        if paused:
            clock.paused_since = at
        clocks.schedule(clock, promise, policy)
        self.narrator.clock(state, clock, "activated", at)
        if paused:
            self.narrator.clock(state, clock, "paused", at, reason=state.status)

    def _running(self, metric: str) -> list[ClockState]:
        return [clock for clock in self.state.clocks if clock.metric == metric and clocks.is_running(clock)]

    def _hold_or_run(self, at: Instant) -> None:
        for clock in self.state.clocks:
            if not clocks.is_running(clock):
                continue
            promise = self._promise_of(clock)
            wants_pause = promise.pauses(self.state)
            if wants_pause and clock.paused_since is None:
                clocks.pause(clock, promise, self._policy_of(clock), at)
                self.narrator.clock(self.state, clock, "paused", at, reason=self.state.status)
            elif not wants_pause and clock.paused_since is not None:
                clocks.resume(clock, promise, self._policy_of(clock), at)
                self.narrator.clock(self.state, clock, "resumed", at, reason=self.state.status)

    def _satisfy(self, clock: ClockState, at: Instant, agent: str | None) -> None:
        late = clock.outcome == "breached"
        clock.elapsed_us = clocks.used_us(clock, self._promise_of(clock).calendar, at)
        clock.outcome = "satisfied_late" if late else "met"
        clock.satisfied_at = at
        clock.agent = agent
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, clock.outcome, at)

    def _end(self, clock: ClockState, outcome: str, at: Instant, reason: str) -> None:
        previous = clock.outcome
        if clock.satisfied_at is None:  # an answer that is taken back later took no longer for that
            clock.elapsed_us = clocks.used_us(clock, self._promise_of(clock).calendar, at)
        clock.outcome = outcome  # type: ignore[assignment]  # one of the three endings
        clock.ended_at = at
        clock.reason = reason
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, outcome, at, reason=reason, previous_outcome=previous)

    def _leave_the_ratio(self, at: Instant, reason: str) -> None:
        """Spam and deleted conversations promise nothing: what was published about them is taken back."""
        for clock in self.state.clocks:
            if clock.outcome == "open":
                self._end(clock, "cancelled", at, reason)
            elif clock.outcome in {"met", "breached", "satisfied_late"}:
                self._end(clock, "retracted", at, reason)

    def _policy_of(self, clock: ClockState) -> CompiledPolicy | None:
        return self.book.policy(clock.policy_version, clock.policy)

    def _promise_of(self, clock: ClockState) -> Promise:
        """What the clock runs under.

        A due date set by hand where no policy promises anything counts around the clock.
        """
        policy = self._policy_of(clock)
        promise = policy.promises.get(clock.metric) if policy is not None else None
        return promise if promise is not None else self.book.bare_promise(clock.metric)


_HANDLERS = {
    "message": Conversation._message,  # noqa: SLF001 - a table of this class's own methods
    "status_changed": Conversation._status_changed,  # noqa: SLF001
    "assigned": Conversation._attributes_changed,  # noqa: SLF001
    "priority_changed": Conversation._attributes_changed,  # noqa: SLF001
    "tagged": Conversation._attributes_changed,  # noqa: SLF001
    "account_changed": Conversation._account_changed,  # noqa: SLF001
    "no_reply_needed": Conversation._no_reply_needed,  # noqa: SLF001
    "merged": Conversation._merged,  # noqa: SLF001
    "deleted": Conversation._deleted,  # noqa: SLF001
    "due_set": Conversation._due_set,  # noqa: SLF001
}
"""What each type of event does.

Types that are not here (reactions, edits, calls, surveys) move none of today's clocks.
"""
