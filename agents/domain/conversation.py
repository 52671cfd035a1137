"""One conversation: how each event and the passing of time move its clocks.

`agents.domain.timeline` hands over entries in the order of their time; this module changes the `ConversationState` and
tells a `Narrator` (`agents.domain.narration`) what happened. Rules and their sources are in `docs/sla-semantics.md`.

Order within one event: time first (everything due before it breaches), then the event itself: cancel before stop before
pause before start (ServiceNow evaluates in this order; see there).
"""

from collections.abc import Mapping
from typing import Any

from agents.domain import clock as clocks
from agents.domain.instant import Instant, optional_datetime
from agents.domain.narration import Narrator
from agents.domain.policy_book import CompiledPolicy, PolicyBook, PolicyVersion, Terms
from schemas.conversation_state import ClockState, ConversationState, TimelineEntry

FINISHED = frozenset({"resolved", "closed", "spam", "deleted"})
DISCOUNTED = frozenset({"spam", "deleted"})
ENDED_BY_CUSTOMER_REPLY = frozenset({"waiting_on_customer", "resolved", "closed"})
"""Statuses that a customer's message ends even where the source does not say so (Zendesk's rule for comments)."""


RESPONSES = ("first_response", "next_response")
LABELS = ("team", "inbox", "tier", "segment")
"""What an attribute change can move of what every clock shows."""


class Conversation:
    """Moves one `ConversationState`. Cheap to make: one per event or sweep."""

    __slots__ = ("_known", "book", "narrator", "state")

    def __init__(self, state: ConversationState, book: PolicyBook, narrator: Narrator) -> None:
        self.state = state
        self.book = book
        self.narrator = narrator
        self._known: int | None = None

    # time

    def advance(self, to: Instant) -> None:
        """Decide everything that was due strictly before `to`, each at its own instant."""
        state = self.state
        at = state.next_change_at
        while at is not None and at < to:
            for clock in state.clocks:
                if clocks.next_change(clock) == at:
                    self._time_passes(clock, at)
            self._reckon()
            at = state.next_change_at
        state.advanced_to = max(state.advanced_to, to)

    def _time_passes(self, clock: ClockState, at: Instant) -> None:
        if clock.next_warning_at == at:
            warning = clocks.give_warning(clock, self._terms(clock))
            if warning is not None:
                self.narrator.clock(self.state, clock, "warned", at, timed=True, warning=warning)
        else:
            self._breach(clock, at, timed=True)

    def _breach(self, clock: ClockState, at: Instant, *, timed: bool) -> None:
        clock.outcome = "breached"
        clock.breached_at = at
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, "breached", at, timed=timed)

    def _reckon(self) -> None:
        earliest = None
        for clock in self.state.clocks:
            if clock.outcome == "open":
                change = clocks.next_change(clock)
                if change is not None and (earliest is None or change < earliest):
                    earliest = change
        self.state.next_change_at = earliest

    # events

    def apply(self, entry: TimelineEntry) -> None:
        """Let time pass up to the event, then let the event happen."""
        state = self.state
        at = entry.at
        self._known = entry.policies_known
        self.advance(at)
        if state.created_at is None:
            self._create(at)
        else:
            version = self.book.at(at, self._known)
            if version is not None and version.version != state.policy_version:
                self._review(at)
                self._hold_or_run(at)
        handler = _HANDLERS.get(entry.type)
        if handler is not None:
            handler(self, entry)
        self._reckon()

    def _create(self, at: Instant) -> None:
        state = self.state
        state.created_at = state.advanced_to = at
        self._choose_policy(at)
        self.narrator.fact(state, "opened", at)
        self._start("first_resolution", at, at)

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
            self._start("first_response", entry.at, entry.at)
        elif state.responded and not self._running("next_response"):
            self._start("next_response", entry.at, entry.at)

    def _agent_answered(self, entry: TimelineEntry) -> None:
        state = self.state
        if state.opened_by is None:
            state.opened_by = "agent"
        state.responded = True
        agent = (entry.facts or {}).get("author_id")
        for clock in state.clocks:
            if clock.metric in RESPONSES and clocks.is_running(clock):
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
        for clock in self.state.clocks:
            if clock.metric in RESPONSES and clocks.is_running(clock):
                self._end(clock, "cancelled", entry.at, reason)

    def _merged(self, entry: TimelineEntry) -> None:
        for clock in self.state.clocks:
            if clocks.is_running(clock):
                self._end(clock, "merged", entry.at, f"into {(entry.facts or {}).get('into')}")
        self.state.status = "closed"

    def _deleted(self, entry: TimelineEntry) -> None:
        self._status(entry.at, "deleted")

    def _attributes_changed(self, entry: TimelineEntry) -> None:
        self._take_over(entry.facts or {}, entry.at)

    def _take_over(self, facts: Mapping[str, Any], at: Instant) -> None:
        state = self.state
        before = [getattr(state, name) for name in LABELS]
        for name, value in facts.items():
            setattr(state, name, tuple(value) if name == "tags" else value)
        self._review(at)
        self._hold_or_run(at)
        if before != [getattr(state, name) for name in LABELS]:
            self.narrator.shown_anew(state, at)

    def _account_changed(self, entry: TimelineEntry) -> None:
        """The promises move to another customer: taken back under the old account, stated again under the new one.

        The same customer in a new tier, segment or contract only has the policy found again.
        """
        state = self.state
        facts = entry.facts or {}
        if facts["account_id"] == state.account_id:
            self._take_over({name: value for name, value in facts.items() if value}, entry.at)
            return
        moving = [clock for clock in state.clocks if clocks.has_standing(clock)]
        for clock in moving:
            self.narrator.taken_back(state, clock, entry.at, "reassigned")
        for name, value in facts.items():
            setattr(state, name, value)
        state.revisions += 1
        for clock in moving:
            self.narrator.stated_again(state, clock, "reassigned")
        self._review(entry.at)
        self._hold_or_run(entry.at)
        self.narrator.shown_anew(state, entry.at)

    def _due_set(self, entry: TimelineEntry) -> None:
        state = self.state
        facts = entry.facts or {}
        metric, due_at = facts["metric"], facts["due_at"]
        running = self._running(metric)
        if not running:
            state.hand_set[metric] = due_at
            if metric == "first_resolution" and metric not in state.instances and state.status not in FINISHED:
                self._start(metric, entry.at if state.created_at is None else state.created_at, entry.at)
            return
        for clock in running:
            if clock.breached_at is not None:
                continue
            clock.set_by_hand = True
            clock.due_at = due_at
            terms = self._terms(clock)
            clocks.schedule(clock, terms)
            self.narrator.clock(state, clock, "retargeted", entry.at, reason="due_set")
            self._deadline_moved(clock, terms, entry.at)

    # policies

    def _choose_policy(self, at: Instant) -> CompiledPolicy | None:
        state = self.state
        version = self.book.at(at, self._known)
        policy = version.match(state) if version is not None else None
        if version is not None and version.version != state.policy_version and state.policy_version is not None:
            version, policy = self._reached_by(version, policy, self.book.version(state.policy_version))
        state.policy = policy.id if policy is not None else None
        state.policy_version = version.version if version is not None else None
        return policy

    def _reached_by(
        self, version: PolicyVersion, policy: CompiledPolicy | None, before: PolicyVersion | None
    ) -> tuple[PolicyVersion, CompiledPolicy | None]:
        """An edited file says itself whether it reaches conversations that began before it."""
        if before is None or policy is None or policy.applies_to_changes == "open":
            return version, policy
        return before, before.match(self.state)

    def _review(self, at: Instant) -> None:
        """A priority, an attribute or the policy in force moved: find what is promised now, for all running clocks."""
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
        before = (clock.due_at, clock.target_us, clock.business_days, clock.policy)
        clocks.settle_pause(clock, self._terms(clock), at)
        if mode in {"forward", "reset"}:
            clock.base_at, clock.base_paused_us = at, clock.paused_us
        if mode == "reset":
            clock.started_at, clock.paused_us, clock.base_paused_us, clock.base_at = at, 0, 0, None
        clock.policy, clock.policy_version, clock.priority = policy.id, policy.version, state.priority
        clocks.set_target(clock, promise.duration(state.priority))
        terms = self._terms(clock)
        clocks.schedule(clock, terms)
        if before != (clock.due_at, clock.target_us, clock.business_days, clock.policy):
            self.narrator.clock(state, clock, "retargeted", at, reason=mode)
            self._deadline_moved(clock, terms, at)
        else:
            self.narrator.shown(state, clock, at)

    def _deadline_moved(self, clock: ClockState, terms: Terms, at: Instant) -> None:
        """What appears by a change carries the time of the change: nobody is accused of the past."""
        if clocks.is_late(clock, terms, at):
            self._breach(clock, at, timed=False)
            return
        warning = clocks.pass_warnings(clock, terms, at)
        if warning is not None:
            self.narrator.clock(self.state, clock, "warned", at, warning=warning)

    # clocks

    def _start(self, metric: str, started_at: Instant, at: Instant) -> None:
        """Open the next instance of a clock. It may count from before the event that opens it: a due date set late."""
        state = self.state
        policy = self.book.policy(state.policy_version, state.policy)
        promise = policy.promises.get(metric) if policy is not None else None
        by_hand = state.hand_set.pop(metric, None) if state.hand_set else None
        if (promise is None and by_hand is None) or state.status in DISCOUNTED:
            return
        instance = state.instances.get(metric, 0) + 1
        state.instances[metric] = instance
        clock = ClockState(metric=metric, instance=instance, started_at=started_at, priority=state.priority)
        state.clocks.append(clock)
        if policy is not None and promise is not None:
            clock.policy, clock.policy_version = policy.id, policy.version
            clocks.set_target(clock, promise.duration(state.priority))
        if by_hand is not None:
            clock.set_by_hand, clock.due_at = True, by_hand
        terms = self._terms(clock)
        paused = terms.promise.pauses(state)
        if paused:
            clock.paused_since = at
        clocks.schedule(clock, terms)
        self.narrator.clock(state, clock, "activated", started_at)
        if paused:
            self.narrator.clock(state, clock, "paused", at, reason=state.status)
        if by_hand is not None:
            self._deadline_moved(clock, terms, at)

    def _running(self, metric: str) -> list[ClockState]:
        return [clock for clock in self.state.clocks if clock.metric == metric and clocks.is_running(clock)]

    def _hold_or_run(self, at: Instant) -> None:
        state = self.state
        for clock in state.clocks:
            if not clocks.is_running(clock):
                continue
            terms = self._terms(clock)
            wants_pause = terms.promise.pauses(state)
            if wants_pause == (clock.paused_since is not None):
                continue
            if wants_pause:
                clocks.pause(clock, terms, at)
                self.narrator.clock(state, clock, "paused", at, reason=state.status)
                continue
            clocks.resume(clock, terms, at)
            self.narrator.clock(state, clock, "resumed", at, reason=state.status)
            if clock.next_warning_at is not None and clock.next_warning_at < at:
                self._deadline_moved(clock, terms, at)

    def _satisfy(self, clock: ClockState, at: Instant, agent: str | None) -> None:
        late = clock.outcome == "breached"
        clock.elapsed_us = clocks.used_us(clock, self._terms(clock).promise.calendar, at)
        clock.outcome = "satisfied_late" if late else "met"
        clock.satisfied_at = at
        clock.agent = agent
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, clock.outcome, at)

    def _end(self, clock: ClockState, outcome: str, at: Instant, reason: str) -> None:
        before: dict[str, Any] = {"previous_outcome": clock.outcome}
        if outcome == "retracted":
            before["previous_decided_at"] = optional_datetime(clocks.counted_at(clock))
        if clock.elapsed_us is None:  # an answer that is taken back later took no longer for that
            clock.elapsed_us = clocks.used_us(clock, self._terms(clock).promise.calendar, at)
        clock.outcome = outcome  # type: ignore[assignment]  # one of the three endings
        clock.ended_at = at
        clock.reason = reason
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, outcome, at, reason=reason, **before)

    def _leave_the_ratio(self, at: Instant, reason: str) -> None:
        """Spam and deleted conversations promise nothing: what was published about them is taken back."""
        for clock in self.state.clocks:
            if clock.outcome == "open":
                self._end(clock, "cancelled", at, reason)
            elif clocks.has_standing(clock):
                self._end(clock, "retracted", at, reason)

    def _terms(self, clock: ClockState) -> Terms:
        return self.book.terms(clock.policy_version, clock.policy, clock.metric)


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
