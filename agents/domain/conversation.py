"""One conversation: what each event means to its clocks.

`agents.domain.timeline` hands over entries in the order of their time; this module finds out what an event means, in
the words of `agents.domain.occurrences`, and moves the clocks of `agents.domain.clock_moves` by it, which tell a
`Narrator` (`agents.domain.narration`) what happened. Rules and their sources are in `docs/sla.md`.

Order within one event: time first (everything due before it breaches), then the event itself: cancel before stop before
pause before start (ServiceNow evaluates in this order; see there).
"""

from collections.abc import Mapping
from typing import Any

from agents.domain import clock as clocks
from agents.domain import clock_gaming as gaming
from agents.domain.absorbed_promises import take_over
from agents.domain.clock_moves import ClockMoves
from agents.domain.instant import Instant
from agents.domain.narration import REASSIGNED
from agents.domain.natural_start import DISCOUNTED, REMEMBERED_STATUSES, RESOLVED_STATUSES, natural_start
from agents.domain.occurrences import (
    ANSWERED,
    ASKED_AGAIN,
    ASKED_FIRST,
    CALL_ANSWERED,
    CALL_ENDED,
    CALL_STARTED,
    CONTACTED,
    CREATED,
    DISSATISFIED,
    GIVEN_BACK,
    NO_REPLY_NEEDED,
    NOTHING,
    OF_A_SURVEY,
    REOPENED,
    RESOLVED,
    TEAM_ENTERED,
    TEAM_LEFT,
    UPDATED,
    Occurrences,
)
from agents.domain.traces import note_former_account
from schemas.sla_event import FactKind
from schemas.timeline_entry import TimelineEntry

FINISHED = RESOLVED_STATUSES | DISCOUNTED
ENDED_BY_CUSTOMER_REPLY = frozenset({"waiting_on_customer", "resolved", "closed"})
"""Statuses that a customer's message ends even where the source does not say so (Zendesk's rule for comments)."""

PASSED_ON = frozenset(
    {"message", "call_started", "call_answered", "call_ended", "survey_response", "no_reply_needed", "handover"}
)
"""What of a merged conversation belongs to its survivor: what was said.

Statuses, teams and priorities were the absorbed conversation's own.
"""

CHANGES_ATTRIBUTES = frozenset({"assigned", "priority_changed", "tagged", "account_changed"})
"""Events after which the policy is found again."""

SURVEY = "survey"
"""The channel of answers to surveys that belong to no other conversation."""

LABELS = ("team", "inbox", "tier", "segment")
"""What an attribute change can move of what every clock shows."""


class Conversation(ClockMoves):
    """Moves one `ConversationState` by its events and by time."""

    __slots__ = ("_fact", "_moved", "_ran")

    _fact: FactKind | None
    """What the present event is for the account, told when its clocks have moved."""
    _moved: bool
    """Whether it changed an attribute that a pause may ask for."""
    _ran: int
    """With a thank-you: how many clocks ran before it, so that those behind them are the ones that it opened."""

    def apply(self, entry: TimelineEntry) -> None:
        """Let time pass up to the event, then let the event happen."""
        self._turn_to(entry)
        state = self.state
        at = entry.at
        if state.merged_into is not None and entry.type in PASSED_ON:
            return  # the survivor hears of it
        book = self.book
        is_outdated = False
        if state.created_at is None:
            self._create(at)
        else:
            if book.declares:
                self._held = frozenset(each for each in book.edges if each.holds(state, entry))
            version = book.at(at, entry.policies_known)
            is_outdated = version is not None and version.version != state.policy_version
            if is_outdated and entry.type not in CHANGES_ATTRIBUTES:
                self._review(at)
        handler = _HANDLERS.get(entry.type)
        happened = handler(self, entry) if handler is not None else NOTHING
        if is_outdated:
            self._moved = True
            if entry.type in CHANGES_ATTRIBUTES:
                self._review(at)  # once for both: a new version, and what the event itself changed
        if happened or self._moved or book.declares:
            self._apply_rules(happened, at)
        if self._fact is not None and state.channel != SURVEY:  # there it repeats what another conversation has told
            if entry.facts is not None and "thanks" in entry.facts:
                self._need_no_reply(at)
            is_contact = self._fact == "contact"
            by_channel = (entry.facts or {}).get("channel") if is_contact else None
            self.narrator.fact(state, self._fact, at, entry.author if is_contact else None, by_channel)

    def _turn_to(self, entry: TimelineEntry) -> None:
        state = self.state
        at = entry.at
        self._known = entry.policies_known
        self._entry = entry
        self._moved = False
        self._fact = None
        change = state.next_change_at
        if change is not None and change < at:
            self.advance(at)
        elif at > state.advanced_to:
            state.advanced_to = at
        self._live = [clock for clock in state.clocks if clock.outcome == "open" or clock.outcome == "breached"]  # noqa: PLR1714 - quick

    def _apply_rules(self, happened: Occurrences, at: Instant) -> None:
        # A pause of a declared clock may ask the event itself.
        moved = self._moved or self.book.declares
        if moved:
            self._let_run(at)
        self._end_clocks(happened, at)
        if moved:
            self._hold(at)
        if happened:
            self._start_clocks(happened, at)
        if self.book.declares:
            self._start_declared(at)
        self._reckon()

    def _create(self, at: Instant) -> None:
        state = self.state
        state.created_at = state.advanced_to = at
        self._held = frozenset()
        self._choose_policy(at)
        if state.conversation_type == OF_A_SURVEY:
            return
        self.narrator.fact(state, "opened", at)
        if state.team is not None:
            state.team_since = at
        self._start_clocks(CREATED if state.team is None else CREATED | TEAM_ENTERED, at)
        self._reckon()

    # messages

    def _message(self, entry: TimelineEntry) -> Occurrences:
        if not entry.public or entry.automated:
            return NOTHING
        if entry.author == "customer":
            happened = self._customer_wrote(entry)
        elif entry.author == "agent":
            happened = self._agent_answered(entry.at)
        else:
            return NOTHING
        self._fact = "contact"
        return happened

    def _customer_wrote(self, entry: TimelineEntry) -> Occurrences:
        state = self.state
        happened = NOTHING
        is_thanks = entry.facts is not None and "thanks" in entry.facts
        if state.status in ENDED_BY_CUSTOMER_REPLY and not (is_thanks and state.status in FINISHED):
            happened = self._status(entry.at, "open")
        if is_thanks:
            self._ran = len(self._live)
        else:
            state.unanswered_since = entry.at
            if state.asked_at is None:
                state.asked_at = entry.at
        if state.opened_by is None:
            state.opened_by = "customer"
            return happened | ASKED_FIRST
        return happened | ASKED_AGAIN if state.responded else happened

    def _agent_answered(self, at: Instant) -> Occurrences:
        state = self.state
        if state.opened_by is None:
            state.opened_by = "agent"
        state.responded = True
        state.unanswered_since = state.asked_at = None
        answered = ANSWERED | CONTACTED
        if state.status in FINISHED:
            return answered
        state.answered_at = at
        return answered | UPDATED

    def _need_no_reply(self, at: Instant) -> None:
        """A thank-you asks for no reply: the instance that it opened ends at once, and says why."""
        for clock in self._live[self._ran :]:
            if clock.metric == "next_response" and clocks.is_running(clock):
                self._end(clock, "cancelled", at, "thanks")
        self._reckon()

    def _no_reply_needed(self, _entry: TimelineEntry) -> Occurrences:
        self.state.responded = True
        self.state.unanswered_since = self.state.asked_at = None
        return NO_REPLY_NEEDED

    # statuses

    def _status_changed(self, entry: TimelineEntry) -> Occurrences:
        return self._status(entry.at, (entry.facts or {})["status"])

    def _status(self, at: Instant, status: str) -> Occurrences:
        state = self.state
        before = state.status
        if status != before:
            state.statuses = [*state.statuses[1 - REMEMBERED_STATUSES :], (at, status)]
        state.status = status  # type: ignore[assignment]  # the contract has checked it
        if status in DISCOUNTED:
            self._leave_the_ratio(at, status)
            self._reckon()
            return NOTHING
        self._moved = True
        if status in FINISHED:
            if before not in FINISHED:
                self._fact = "resolved"
            state.answered_at = None
            if state.responded:
                state.asked_at = None
            return RESOLVED
        if before in FINISHED:
            self.narrator.fact(state, "reopened", at)
            if any(each in RESOLVED_STATUSES for _, each in state.statuses):
                state.reopened_at = at
            if before in DISCOUNTED:
                self._promise(at)  # it was no spam: what is still owed counts again
            return REOPENED if state.team is None else REOPENED | TEAM_ENTERED
        return NOTHING

    def _deleted(self, entry: TimelineEntry) -> Occurrences:
        return self._status(entry.at, "deleted")

    def _merged(self, entry: TimelineEntry) -> Occurrences:
        """Everything that counts is the survivor's now; who is merged already has nothing more to give."""
        state = self.state
        into = (entry.facts or {}).get("into")
        if state.merged_into is not None:
            return NOTHING
        for clock in state.clocks:
            if clocks.has_standing(clock):
                clock.absorbed = clock.outcome
                self._end(clock, "merged", entry.at, f"into {into}")
        state.status = "closed"
        state.merged_into = into
        self._reckon()
        return NOTHING

    def _handover(self, entry: TimelineEntry) -> Occurrences:
        for clock in take_over(self.state, entry):
            if clock.origin is None:
                self.narrator.clock(self.state, clock, "breached", entry.at)
            else:
                self.narrator.clock(self.state, clock, "activated", clock.started_at, f"from {clock.origin}")
        self._reckon()
        return NOTHING

    # attributes

    def _attributes_changed(self, entry: TimelineEntry) -> Occurrences:
        return self._take_over(entry.facts or {}, entry.at)

    def _take_over(self, facts: Mapping[str, Any], at: Instant) -> Occurrences:
        state = self.state
        happened = NOTHING
        changed = set()
        for name, value in facts.items():
            new = tuple(value) if name == "tags" else value
            if getattr(state, name) == new:
                continue
            if name == "team":
                happened = self._team_changed(value, at)
            setattr(state, name, new)
            changed.add(name)
        if not changed:
            return NOTHING
        self._moved = True
        version = self.book.version(state.policy_version)
        if version is None or not version.asks.isdisjoint(changed):
            self._review(at)
        if not changed.isdisjoint(LABELS):
            self.narrator.shown_anew(state, at)
        return happened

    def _team_changed(self, team: str | None, at: Instant) -> Occurrences:
        state = self.state
        happened = NOTHING if state.status in FINISHED else TEAM_ENTERED
        if state.team is not None:
            happened |= TEAM_LEFT
            if gaming.is_to_and_fro(state, team, at):
                happened |= GIVEN_BACK
        state.team_before, state.team_since = state.team, at
        return happened

    def _account_changed(self, entry: TimelineEntry) -> Occurrences:
        """The promises move to another customer: taken back under the old account, stated again under the new one.

        The same customer in a new tier, segment or contract only has the policy found again.
        """
        state = self.state
        facts = entry.facts or {}
        if facts["account_id"] == state.account_id:
            return self._take_over({name: value for name, value in facts.items() if value}, entry.at)
        note_former_account(state, state.account_id)
        self._belong_to(facts, entry.at)
        self._moved = True
        return NOTHING

    def belongs_to(self, account_id: str) -> None:
        """What is folded away is another account's, as is known now: only the clocks that run follow its policy."""
        state = self.state
        state.account_id = account_id
        self._live = [clock for clock in state.clocks if clocks.is_running(clock)]
        self._review(state.advanced_to)
        self._reckon()

    def _belong_to(self, facts: Mapping[str, Any], at: Instant) -> None:
        """Take everything that counts back under the present account and state it again under another one."""
        state = self.state
        moving = [clock for clock in state.clocks if clocks.has_standing(clock)]
        for clock in moving:
            self.narrator.taken_back(state, clock, at, REASSIGNED)
        for name, value in facts.items():
            setattr(state, name, value)
        state.revisions += 1
        for clock in moving:
            self.narrator.stated_again(state, clock, REASSIGNED)
        self._review(at)
        self.narrator.shown_anew(state, at)

    # calls, surveys, due dates

    def _call_started(self, entry: TimelineEntry) -> Occurrences:
        if entry.author == "bot":
            return NOTHING
        return CONTACTED if entry.author == "agent" else CALL_STARTED

    def _call_answered(self, entry: TimelineEntry) -> Occurrences:
        return NOTHING if entry.author == "bot" or entry.automated else CALL_ANSWERED | CONTACTED

    def _call_ended(self, _entry: TimelineEntry) -> Occurrences:
        return CALL_ENDED

    def _survey_response(self, entry: TimelineEntry) -> Occurrences:
        return DISSATISFIED if (entry.facts or {}).get("low") else NOTHING

    def _due_set(self, entry: TimelineEntry) -> Occurrences:
        state = self.state
        facts = entry.facts or {}
        metric, due_at = facts["metric"], facts["due_at"]
        running = self._running(metric)
        if not running:
            state.hand_set[metric] = due_at
            promise = self.book.terms[state.policy_version, state.policy, metric].promise
            started_at = natural_start(state, promise.rule, continues=promise.continues)
            if started_at is not None:
                self._start(metric, started_at, entry.at, "retarget_from_start")
                self._reckon()
            return NOTHING
        for clock in running:
            if clock.breached_at is not None:
                continue
            clock.set_by_hand = True
            clock.due_at = due_at
            terms = self._terms(clock)
            clocks.schedule(clock, terms)
            self.narrator.clock(state, clock, "retargeted", entry.at, "due_set")
            self._deadline_moved(clock, terms, entry.at)
        self._reckon()
        return NOTHING


_HANDLERS = {
    "message": Conversation._message,  # noqa: SLF001 - a table of this class's own methods
    "status_changed": Conversation._status_changed,  # noqa: SLF001
    "assigned": Conversation._attributes_changed,  # noqa: SLF001
    "priority_changed": Conversation._attributes_changed,  # noqa: SLF001
    "tagged": Conversation._attributes_changed,  # noqa: SLF001
    "account_changed": Conversation._account_changed,  # noqa: SLF001
    "no_reply_needed": Conversation._no_reply_needed,  # noqa: SLF001
    "merged": Conversation._merged,  # noqa: SLF001
    "handover": Conversation._handover,  # noqa: SLF001
    "deleted": Conversation._deleted,  # noqa: SLF001
    "due_set": Conversation._due_set,  # noqa: SLF001
    "call_started": Conversation._call_started,  # noqa: SLF001
    "call_answered": Conversation._call_answered,  # noqa: SLF001
    "call_ended": Conversation._call_ended,  # noqa: SLF001
    "survey_response": Conversation._survey_response,  # noqa: SLF001
}
"""What each type of event does. Reactions and edits move no clock by themselves."""
