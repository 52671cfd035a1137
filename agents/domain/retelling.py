"""What is said when a conversation turns out to have been another one: what was told is corrected, clock by clock.

`agents.domain.timeline` folds again after a late event, a correction or a merge, and has the difference told here.
"""

from collections.abc import Sequence

from agents.domain.absorbed_promises import was_stated_before
from agents.domain.clock import has_standing, is_as_told
from agents.domain.instant import Instant
from agents.domain.narration import HANDED_OVER, LATE, REASSIGNED, Narrator
from agents.domain.traces import leave_traces
from schemas.conversation_state import ClockState, ConversationState

SHOWN = ("tier", "segment", "team", "inbox", "channel", "source")
"""What every clock shows of its conversation, besides the account."""


def tell_changes(
    old: ConversationState,
    new: ConversationState,
    narrator: Narrator,
    at: Instant,
    handed: Sequence[ClockState] = (),
) -> None:
    """Say what a late event changed: new clocks from their beginning, others as revised, vanished ones taken back.

    Args:
        old: as it was told.
        new: as it is known now.
        narrator: writes it down.
        at: when that happened which changed it.
        handed: what a conversation that was merged into this one had told.
    """
    leave_traces(old, new)
    if old.account_id != new.account_id:
        _tell_under_another_account(old, new, narrator, at)
        return
    before = {(clock.metric, clock.instance): clock for clock in old.clocks}
    pairs = [(before.pop((clock.metric, clock.instance), None), clock) for clock in new.clocks]
    if before or any(previous is None or not is_as_told(previous, clock) for previous, clock in pairs):
        new.revisions = old.revisions + 1
    for previous, clock in pairs:
        if previous is None:
            narrator.stated_again(new, clock, HANDED_OVER if was_stated_before(clock, handed) else LATE)
        elif not is_as_told(previous, clock):
            narrator.revised(new, clock, previous, at)
    for gone in before.values():
        _take_back(old, gone, narrator, at)
    if any(getattr(old, name) != getattr(new, name) for name in SHOWN):
        narrator.shown_anew(new, at)


def _tell_under_another_account(
    old: ConversationState, new: ConversationState, narrator: Narrator, at: Instant
) -> None:
    new.revisions = old.revisions + 1
    kept = {(clock.metric, clock.instance) for clock in new.clocks}
    for clock in old.clocks:
        if (clock.metric, clock.instance) not in kept:
            _take_back(old, clock, narrator, at)
        elif has_standing(clock):
            narrator.taken_back(old, clock, at, REASSIGNED)
    for clock in new.clocks:
        if has_standing(clock):
            narrator.stated_again(new, clock, REASSIGNED)
    narrator.shown_anew(new, at)


def _take_back(state: ConversationState, clock: ClockState, narrator: Narrator, at: Instant) -> None:
    """A clock that never was, as is known now."""
    if has_standing(clock):
        narrator.taken_back(state, clock, at, LATE)
    clock.outcome = "cancelled" if clock.outcome == "open" else "retracted"
    clock.ended_at = at
    narrator.shown(state, clock, at)
