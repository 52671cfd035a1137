"""What looks like playing with the clock: recognised, shown beside the outcome, and never part of it.

`agents.domain.clock_moves` asks when it pauses, satisfies or hands a clock over. Managers look at these flags to coach;
an honest reason is as likely as a trick, so nothing is counted differently because of them.
"""

from agents.domain.instant import DAY_US, MINUTE_US, Instant
from schemas.conversation_state import ClockState, ConversationState
from schemas.timeline_entry import TimelineEntry

PAUSED_AFTER_REPLY = "paused_after_reply"
"""Paused within minutes after the customer wrote, and nobody had answered."""
HOLDING_REPLY = "holding_reply"
"""Satisfied by a reply that says only that one will come."""
REASSIGNED_BACK = "reassigned_back"
"""Given back within a day to the team that it came from."""

SOON_US = 5 * MINUTE_US
"""Too short to have read, thought and asked back; the pauses that reviewers complain about come within a minute."""

TO_AND_FRO_US = DAY_US


def mark(clock: ClockState, flag: str) -> None:
    """Put a flag on a clock, once."""
    if flag not in clock.flags:
        clock.flags = (*clock.flags, flag)


def is_pause_after_reply(state: ConversationState, at: Instant) -> bool:
    """Whether the clock stops while the customer has just written and waits for an answer."""
    return state.unanswered_since is not None and at - state.unanswered_since <= SOON_US


def is_holding_reply(entry: TimelineEntry) -> bool:
    """Whether the message was found to say nothing (`agents.domain.empty_words`)."""
    return bool(entry.facts and entry.facts.get("holding"))


def is_to_and_fro(state: ConversationState, team: str | None, at: Instant) -> bool:
    """Whether a team gets back what it gave away within the last day."""
    return team is not None and team == state.team_before and at - (state.team_since or 0) <= TO_AND_FRO_US
