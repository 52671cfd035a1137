"""How the clocks of one conversation move: time, pauses, new targets, answers, endings.

`agents.domain.conversation` says what each event means; it is built on this class. The arithmetic of a single clock is
`agents.domain.clock`, and what is said about a move is `agents.domain.narration`.
"""

from typing import Literal

from agents.domain import clock as clocks
from agents.domain.instant import Instant
from agents.domain.narration import Before, Narrator
from agents.domain.policy_book import CompiledPolicy, PolicyBook, PolicyVersion, Terms, never
from schemas.conversation_state import ClockState, ConversationState

Ending = Literal["cancelled", "merged", "retracted"]
DISCOUNTED = frozenset({"spam", "deleted"})


class ClockMoves:
    """Moves the clocks of one `ConversationState`."""

    __slots__ = ("_known", "book", "narrator", "state")

    def __init__(self, state: ConversationState, book: PolicyBook, narrator: Narrator) -> None:
        self.state = state
        self.book = book
        self.narrator = narrator
        self._known: int | None = None  # activations that the present event could know of; null means all

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
                self.narrator.timed(self.state, clock, "warned", at, warning)
        else:
            self._breach(clock, at, timed=True)

    def _breach(self, clock: ClockState, at: Instant, *, timed: bool) -> None:
        clock.outcome = "breached"
        clock.breached_at = at
        clock.next_warning_at = None
        if timed:
            self.narrator.timed(self.state, clock, "breached", at)
        else:
            self.narrator.clock(self.state, clock, "breached", at)

    def _reckon(self) -> None:
        earliest = None
        for clock in self.state.clocks:
            if clock.outcome == "open":
                change = clocks.next_change(clock)
                if change is not None and (earliest is None or change < earliest):
                    earliest = change
        self.state.next_change_at = earliest

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
            self.narrator.clock(state, clock, "retargeted", at, mode)
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
            self.narrator.warned_by_a_change(self.state, clock, at, warning)

    # clocks

    def _start(self, metric: str, started_at: Instant, at: Instant) -> None:
        """Open the next instance of a clock. It may count from before the event that opens it: a due date set late."""
        state = self.state
        terms = self.book.terms(state.policy_version, state.policy, metric)
        is_promised = terms.policy is not None and metric in terms.policy.promises
        by_hand = state.hand_set.pop(metric, None) if state.hand_set else None
        if (not is_promised and by_hand is None) or state.status in DISCOUNTED:
            return
        instance = state.instances.get(metric, 0) + 1
        state.instances[metric] = instance
        clock = ClockState(metric=metric, instance=instance, started_at=started_at, priority=state.priority)
        state.clocks.append(clock)
        if is_promised:
            clock.policy, clock.policy_version = state.policy, state.policy_version
            clocks.set_target(clock, terms.promise.duration(state.priority))
        else:
            terms = self._terms(clock)
        if by_hand is not None:
            clock.set_by_hand, clock.due_at = True, by_hand
        paused = terms.promise.pauses(state)
        if paused:
            clock.paused_since = at
        clocks.schedule(clock, terms)
        self.narrator.clock(state, clock, "activated", started_at)
        if paused:
            self.narrator.clock(state, clock, "paused", at, state.status)
        if by_hand is not None:
            self._deadline_moved(clock, terms, at)

    def _is_running(self, metric: str) -> bool:
        for clock in self.state.clocks:  # noqa: SIM110 - a loop takes a third of the time of `any`
            if clock.metric == metric and clocks.is_running(clock):
                return True
        return False

    def _running(self, metric: str) -> list[ClockState]:
        return [clock for clock in self.state.clocks if clock.metric == metric and clocks.is_running(clock)]

    def _hold_or_run(self, at: Instant) -> None:
        state = self.state
        for clock in state.clocks:
            if not clocks.is_running(clock):
                continue
            terms = self._terms(clock)
            pauses = terms.promise.pauses
            if pauses is never and clock.paused_since is None:
                continue
            wants_pause = pauses(state)
            if wants_pause == (clock.paused_since is not None):
                continue
            if wants_pause:
                clocks.pause(clock, terms, at)
                self.narrator.clock(state, clock, "paused", at, state.status)
                continue
            clocks.resume(clock, terms, at)
            self.narrator.clock(state, clock, "resumed", at, state.status)
            if clock.next_warning_at is not None and clock.next_warning_at < at:
                self._deadline_moved(clock, terms, at)

    def _satisfy(self, clock: ClockState, at: Instant, agent: str | None) -> None:
        outcome: Literal["met", "satisfied_late"] = "satisfied_late" if clock.outcome == "breached" else "met"
        clock.elapsed_us = clocks.used_us(clock, self._terms(clock).promise.calendar, at)
        clock.outcome = outcome
        clock.satisfied_at = at
        clock.agent = agent
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, outcome, at)

    def _end(self, clock: ClockState, outcome: Ending, at: Instant, reason: str) -> None:
        before = Before(clock.outcome, clocks.counted_at(clock) if outcome == "retracted" else None)
        if clock.elapsed_us is None:  # an answer that is taken back later took no longer for that
            clock.elapsed_us = clocks.used_us(clock, self._terms(clock).promise.calendar, at)
        clock.outcome = outcome
        clock.ended_at = at
        clock.reason = reason
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, outcome, at, reason, before)

    def _leave_the_ratio(self, at: Instant, reason: str) -> None:
        """Spam and deleted conversations promise nothing: what was published about them is taken back."""
        for clock in self.state.clocks:
            if clock.outcome == "open":
                self._end(clock, "cancelled", at, reason)
            elif clocks.has_standing(clock):
                self._end(clock, "retracted", at, reason)

    def _terms(self, clock: ClockState) -> Terms:
        return self.book.terms(clock.policy_version, clock.policy, clock.metric)
