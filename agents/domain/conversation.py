"""One conversation: what each event means to its clocks.

`agents.domain.timeline` hands over entries in the order of their time; this module changes the `ConversationState` by
the moves of `agents.domain.clock_moves`, which tell a `Narrator` (`agents.domain.narration`) what happened. Rules and
their sources are in `docs/sla-semantics.md`.

Order within one event: time first (everything due before it breaches), then the event itself: cancel before stop before
pause before start (ServiceNow evaluates in this order; see there).
"""

from collections.abc import Mapping
from typing import Any

from agents.domain import clock as clocks
from agents.domain.clock_moves import DISCOUNTED, ClockMoves
from agents.domain.instant import Instant
from schemas.conversation_state import TimelineEntry

FINISHED = frozenset({"resolved", "closed", "spam", "deleted"})
ENDED_BY_CUSTOMER_REPLY = frozenset({"waiting_on_customer", "resolved", "closed"})
"""Statuses that a customer's message ends even where the source does not say so (Zendesk's rule for comments)."""

RESPONSES = ("first_response", "next_response")
LABELS = ("team", "inbox", "tier", "segment")
"""What an attribute change can move of what every clock shows."""


class Conversation(ClockMoves):
    """Moves one `ConversationState` by its events and by time."""

    __slots__ = ()

    def apply(self, entry: TimelineEntry) -> None:
        """Let time pass up to the event, then let the event happen."""
        state = self.state
        at = entry.at
        self._known = entry.policies_known
        if state.next_change_at is not None and state.next_change_at < at:
            self.advance(at)
        elif at > state.advanced_to:
            state.advanced_to = at
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
        self.narrator.fact(self.state, "contact", entry.at, entry.author)

    def _customer_wrote(self, entry: TimelineEntry) -> None:
        state = self.state
        if state.status in ENDED_BY_CUSTOMER_REPLY:
            self._status(entry.at, "open")
        if state.opened_by is None:
            state.opened_by = "customer"
            self._start("first_response", entry.at, entry.at)
        elif state.responded and not self._is_running("next_response"):
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
            for clock in state.clocks:
                if clock.metric == "next_response" and clocks.is_running(clock):
                    self._end(clock, "cancelled", at, "resolved")
            self._hold_or_run(at)
            for clock in state.clocks:
                if clock.metric == "first_resolution" and clocks.is_running(clock):
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
            self.narrator.clock(state, clock, "retargeted", entry.at, "due_set")
            self._deadline_moved(clock, terms, entry.at)


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
