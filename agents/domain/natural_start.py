"""From when a promise counts that is made in the middle of a conversation, and what of that time was a pause.

A tag, a priority or a new version of the policies can promise what was not promised before. Its clock starts where it
would have started, had it been promised from the beginning. `agents.domain.clock_moves` asks here; GLPI and ServiceNow
("retroactive start" and "retroactive pause") count so too.
"""

from collections.abc import Iterator

from msgspec.structs import replace

from agents.domain.clock_rules import ClockRule, Predicate, never
from agents.domain.instant import Instant
from agents.domain.occurrences import ASKED_AGAIN, ASKED_FIRST, CREATED, OF_A_SURVEY, REOPENED, TEAM_ENTERED, UPDATED
from agents.domain.policy_book import Promise
from schemas.conversation_state import ConversationState

REMEMBERED_STATUSES = 64
"""Changes of status that are remembered for this; before them a clock counts as running."""

DISCOUNTED = frozenset({"spam", "deleted"})
RESOLVED_STATUSES = frozenset({"resolved", "closed"})


def natural_start(state: ConversationState, rule: ClockRule, *, continues: bool) -> Instant | None:
    """When the instance that could run now began; null where nothing is owed, or where only an event can start it."""
    starts = rule.starts
    if starts & (ASKED_FIRST | ASKED_AGAIN):
        return state.asked_at if state.responded == bool(starts & ASKED_AGAIN) else None
    if state.status in RESOLVED_STATUSES or state.status in DISCOUNTED:
        return None
    began: Instant | None = None
    if starts & CREATED:
        began = state.created_at if state.conversation_type != OF_A_SURVEY else None
        if state.reopened_at is not None and not continues:
            began = state.reopened_at if starts & REOPENED else None
    elif starts & UPDATED:
        began = state.answered_at
    elif starts & TEAM_ENTERED and state.team is not None and state.team_since is not None:
        began = max(state.team_since, state.reopened_at or state.team_since)
    return began


def paused_spans(
    state: ConversationState, promise: Promise, since: Instant, until: Instant
) -> Iterator[tuple[Instant, Instant, str]]:
    """When a clock of this promise would have been paused between two instants, each time with the status then.

    Statuses are remembered; of everything else that a pause may ask the present answer counts. What was resolved is
    free for a clock that continues over it.
    """
    changes = state.statuses
    for (begins, status), following in zip(changes, [*(at for at, _ in changes[1:]), until], strict=False):
        ends = min(following, until)
        if since < ends and begins < ends and _pauses(state, promise, status):
            yield max(begins, since), ends, status


def _pauses(state: ConversationState, promise: Promise, status: str) -> bool:
    if status in DISCOUNTED or (status in RESOLVED_STATUSES and promise.rule.continues):
        return True
    pauses: Predicate = promise.pauses
    return pauses is not never and pauses(replace(state, status=status), None)
