"""How the clocks of one conversation move: time, pauses, new targets, starts, answers, endings.

`agents.domain.conversation` says what each event means in the words of `agents.domain.occurrences`; it is built on this
class, which applies the rules of `agents.domain.clock_rules`. The arithmetic of a single clock is
`agents.domain.clock`, and what is said about a move is `agents.domain.narration`.
"""

from typing import Literal

from agents.domain import clock as clocks
from agents.domain import clock_gaming as gaming
from agents.domain.clock_rules import BUILT_IN, Trigger, never
from agents.domain.instant import Instant
from agents.domain.narration import Before, Narrator
from agents.domain.natural_start import DISCOUNTED, natural_start, paused_spans
from agents.domain.occurrences import CALL_ENDED, GIVEN_BACK, NO_REPLY_NEEDED, TEAM_LEFT, Occurrences
from agents.domain.policy_book import CompiledPolicy, PolicyBook, PolicyVersion, Terms
from schemas.conversation_state import ClockState, ConversationState
from schemas.timeline_entry import TimelineEntry

Ending = Literal["cancelled", "merged", "retracted"]
_NOTHING_YET = TimelineEntry(0, "")


class ClockMoves:
    """Moves the clocks of one `ConversationState`."""

    __slots__ = ("_entry", "_held", "_known", "_live", "book", "narrator", "state")

    def __init__(self, state: ConversationState, book: PolicyBook, narrator: Narrator) -> None:
        self.state = state
        self.book = book
        self.narrator = narrator
        self._known: int | None = None  # activations that the present event could know of; null means all
        self._entry = _NOTHING_YET
        self._live: list[ClockState] = []
        """The clocks that ran when the present event came, and those that it has started."""
        self._held: frozenset[Trigger] = frozenset()
        """Conditions of declared clocks that held before the present event."""

    # time

    def advance(self, to: Instant) -> None:
        """Decide everything that was due strictly before `to`, each at its own instant."""
        state = self.state
        at = state.next_change_at
        if at is not None and at < to:
            self._live = [clock for clock in state.clocks if clocks.is_running(clock)]
        while at is not None and at < to:
            for clock in self._live:
                if clock.outcome == "open" and clocks.next_change(clock) == at:
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
        for clock in self._live:
            # `clocks.next_change`, written out: this runs at every event for every clock.
            change = clock.due_at
            if change is None or clock.outcome != "open" or (clock.paused_since is not None and not clock.set_by_hand):
                continue
            warning = clock.next_warning_at
            if warning is not None and warning <= change:
                change = warning
            if earliest is None or change < earliest:
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
        state = self.state
        before = state.policy_version, state.policy
        policy = self._choose_policy(at)
        for clock in self._live:
            if clock.outcome == "open":
                self._retarget(clock, policy, at)
        if policy is not None and before != (state.policy_version, state.policy):
            first = self.book.version(state.policy_version) if before[0] is None else None
            self._promise(at, policy.on_change, None if first is None else first.in_force_from)

    def _promise(self, at: Instant, mode: str = "retarget_from_start", since: Instant | None = None) -> None:
        """Start what is promised only now from where it would have started, but from nothing before `since`.

        What began before any policy was in force was promised nothing, unless the first one reaches back so far.
        """
        state = self.state
        policy = self.book.policy(state.policy_version, state.policy)
        for metric, promise in policy.promises.items() if policy is not None and mode != "keep" else ():
            started_at = natural_start(state, promise.rule, continues=promise.continues)
            if started_at is None or (since is not None and started_at < since) or self._is_running(metric):
                continue
            if metric == "group_ownership" and self._entry.type == "assigned" and started_at == at:
                continue  # the event itself ends the time of one team and starts that of another
            self._start(metric, at if mode == "reset" else started_at, at, mode)

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
        ran_under = self._terms(clock)
        clocks.settle_pause(clock, ran_under, at)
        if mode in {"forward", "reset"}:
            clock.base_at, clock.base_paused_us = at, clock.paused_us
        if mode == "reset":
            clock.started_at, clock.paused_us, clock.base_paused_us, clock.base_at = at, 0, 0, None
            clock.pauses = ()
        clock.policy, clock.policy_version, clock.priority = policy.id, policy.version, state.priority
        clocks.set_target(clock, promise.duration(state.priority))
        terms = self._terms(clock)
        clocks.measure_pauses(clock, ran_under.promise.calendar, terms.promise.calendar)
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

    # what an event means to the clocks

    def _end_clocks(self, happened: Occurrences, at: Instant) -> None:
        """Cancel and satisfy what the rules say; of both, cancel comes first."""
        for clock in self._live:
            if clock.outcome != "open" and clock.outcome != "breached":  # noqa: PLR1714 - the quicker of the two
                continue
            rule = BUILT_IN.get(clock.metric)
            if rule is None:
                self._end_declared(clock, at)
            elif rule.cancelled_by & happened:
                self._end(clock, "cancelled", at, self._why(rule.cancelled_by & happened))
            elif rule.satisfied_by & happened:
                if happened & GIVEN_BACK and rule.satisfied_by & TEAM_LEFT:
                    gaming.mark(clock, gaming.REASSIGNED_BACK)
                self._satisfy(clock, at)

    def _end_declared(self, clock: ClockState, at: Instant) -> None:
        triggers = self._terms(clock).promise.rule.declared
        if triggers is None:
            return
        if triggers.cancel is not None and self._fires(triggers.cancel):
            self._end(clock, "cancelled", at, self._entry.type)
        elif self._fires(triggers.satisfy):
            self._satisfy(clock, at)

    def _start_clocks(self, happened: Occurrences, at: Instant) -> None:
        """Start what the rules of promised metrics say."""
        state = self.state
        policy = self.book.policy(state.policy_version, state.policy)
        if policy is not None and policy.starts & happened:
            for metric in policy.starting(happened):
                if not self._is_running(metric):
                    self._start(metric, at, at)

    def _start_declared(self, at: Instant) -> None:
        """The same for clocks that the policy file declares."""
        state = self.state
        policy = self.book.policy(state.policy_version, state.policy)
        for promise in policy.declared if policy is not None else ():
            triggers = promise.rule.declared
            if triggers is None or not self._fires(triggers.start) or self._is_running(promise.rule.metric):
                continue
            if triggers.cancel is None or not self._fires(triggers.cancel):
                self._start(promise.rule.metric, at, at)

    def _fires(self, trigger: Trigger) -> bool:
        return trigger.holds(self.state, self._entry) and not (trigger.is_edge and trigger in self._held)

    def _why(self, cancelled_by: Occurrences) -> str:
        if cancelled_by & NO_REPLY_NEEDED:
            return (self._entry.facts or {}).get("reason") or "no_reply_needed"
        return "abandoned" if cancelled_by & CALL_ENDED else "resolved"

    # clocks

    def _start(self, metric: str, started_at: Instant, at: Instant, mode: str | None = None) -> None:
        """Open the next instance of a clock.

        With the mode of a change it is promised only now, and counts from before the event that opens it.
        """
        state = self.state
        terms = self.book.terms[state.policy_version, state.policy, metric]
        policy, promise = terms
        by_hand = state.hand_set.pop(metric, None) if state.hand_set else None
        is_promised = policy is not None and metric in policy.promises
        if (not is_promised and by_hand is None) or state.status in DISCOUNTED or state.merged_into is not None:
            return
        instance = state.instances.get(metric, 0) + 1
        state.instances[metric] = instance
        if is_promised:
            clock = ClockState(metric, instance, started_at, state.policy, state.policy_version, state.priority)
            clocks.set_target(clock, promise.duration(state.priority))
        else:
            clock = ClockState(metric, instance, started_at, None, None, state.priority)
            terms = self.book.terms[None, None, metric]
        state.clocks.append(clock)
        self._live.append(clock)
        if by_hand is not None:
            clock.set_by_hand, clock.due_at = True, by_hand
        self._run_on(clock, terms, at, mode)

    def _run_on(self, clock: ClockState, terms: Terms, at: Instant, mode: str | None) -> None:
        """Set a new clock going from what was used of its time before: nothing, mostly."""
        state = self.state
        promise = terms.promise
        finished = state.finished.get(clock.metric) if promise.continues and mode is None else None
        if finished is not None:
            clocks.go_on(clock, promise.calendar, finished, at)
        elif mode is not None:
            for begins, ends, _ in paused_spans(state, promise, clock.started_at, at):
                clocks.add_pause(clock, promise.calendar, begins, ends)
            if mode == "forward":
                clock.base_at, clock.base_paused_us = at, clock.paused_us
        pauses = promise.pauses
        if pauses is never or not pauses(state, self._entry):
            clocks.schedule(clock, terms)
        else:
            clock.paused_since = at
        if finished is not None and not clock.set_by_hand and clock.due_at is not None and clock.due_at < at:
            clock.due_at = at  # nothing was left when it was resolved
        why = clocks.never_due(clock) if clock.due_at is None else None
        self.narrator.clock(state, clock, "activated", at if finished is not None else clock.started_at, why)
        if clock.paused_since is not None:
            self.narrator.clock(state, clock, "paused", at, state.status)
        if clock.set_by_hand or finished is not None or mode is not None:
            self._deadline_moved(clock, terms, at)

    def _is_running(self, metric: str) -> bool:
        for clock in self._live:  # noqa: SIM110 - a loop takes a third of the time of `any`
            if clock.metric == metric and clocks.is_running(clock):
                return True
        return False

    def _running(self, metric: str) -> list[ClockState]:
        return [clock for clock in self._live if clock.metric == metric and clocks.is_running(clock)]

    def _let_run(self, at: Instant) -> None:
        """Resume what has no reason to pause any more."""
        state = self.state
        for clock in self._live:
            if clock.paused_since is None or not clocks.is_running(clock):
                continue
            terms = self._terms(clock)
            if terms.promise.pauses(state, self._entry):
                continue
            clocks.resume(clock, terms, at)
            self.narrator.clock(state, clock, "resumed", at, state.status)
            if clock.next_warning_at is not None and clock.next_warning_at < at:
                self._deadline_moved(clock, terms, at)

    def _hold(self, at: Instant) -> None:
        """Pause what has a reason to."""
        state = self.state
        book_terms = self.book.terms
        for clock in self._live:
            if clock.paused_since is not None or (clock.outcome != "open" and clock.outcome != "breached"):  # noqa: PLR1714 - quick
                continue
            terms = book_terms[clock.policy_version, clock.policy, clock.metric]
            pauses = terms.promise.pauses
            if pauses is never or not pauses(state, self._entry):
                continue
            clocks.pause(clock, terms, at)
            if gaming.is_pause_after_reply(state, at):
                gaming.mark(clock, gaming.PAUSED_AFTER_REPLY)
            self.narrator.clock(state, clock, "paused", at, state.status)

    def _satisfy(self, clock: ClockState, at: Instant) -> None:
        outcome: Literal["met", "satisfied_late"] = "satisfied_late" if clock.outcome == "breached" else "met"
        promise = self._terms(clock).promise
        clock.elapsed_us = clocks.used_us(clock, promise.calendar, at)
        clock.outcome = outcome
        clock.satisfied_at = at
        clock.next_warning_at = None
        if promise.rule.continues:
            self.state.finished[clock.metric] = clocks.finished_cycle(clock, promise.calendar, at)
        entry = self._entry
        if entry.facts is not None:
            if entry.author == "agent":
                clock.agent = entry.facts.get("author_id")
            if gaming.is_holding_reply(entry):
                gaming.mark(clock, gaming.HOLDING_REPLY)
        self.narrator.clock(self.state, clock, outcome, at)
        clock.pauses = ()  # what is decided runs by no other hours any more

    def _end(self, clock: ClockState, outcome: Ending, at: Instant, reason: str) -> None:
        takes_out = outcome in clocks.OUTSIDE_THE_RATIO
        before = Before(clock.outcome, clocks.counted_at(clock) if takes_out else None)
        if clock.elapsed_us is None:  # an answer that is taken back later took no longer for that
            clock.elapsed_us = clocks.used_us(clock, self._terms(clock).promise.calendar, at)
        clock.outcome = outcome
        if clock.ended_at is None:  # taken back after it was cancelled, it has run no longer for that
            clock.ended_at = at
        clock.reason = reason
        clock.next_warning_at = None
        self.narrator.clock(self.state, clock, outcome, at, reason, before)
        clock.pauses = ()

    def _leave_the_ratio(self, at: Instant, reason: str) -> None:
        """Spam and deleted conversations promise nothing: what was published about them is taken back."""
        for clock in self.state.clocks:
            if clock.outcome == "open":
                self._end(clock, "cancelled", at, reason)
            elif clocks.has_standing(clock):
                self._end(clock, "retracted", at, reason)

    def _terms(self, clock: ClockState) -> Terms:
        return self.book.terms[clock.policy_version, clock.policy, clock.metric]
