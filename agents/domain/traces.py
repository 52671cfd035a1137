"""What of a conversation was ever published, beyond what it still remembers: for the day on which it is forgotten.

`agents.domain.timeline` and `agents.domain.conversation` note what they leave behind, `agents.partition_controls` asks.
"""

from collections.abc import Iterator

from agents.domain.narration import clock_id
from schemas.conversation_state import ClockState, ConversationState

TRACES = ("withdrawn", "former_accounts")
"""The fields in which they are kept."""


def leave_traces(old: ConversationState, new: ConversationState) -> None:
    """What was published of the old conversation and is none of the new one's, which takes its place."""
    if old.account_id != new.account_id:
        note_former_account(new, old.account_id)
    for metric, instance in {_place(clock) for clock in old.clocks} - {_place(clock) for clock in new.clocks}:
        new.withdrawn = new.withdrawn | {metric: max(instance, new.withdrawn.get(metric, 0))}


def note_former_account(state: ConversationState, account_id: str) -> None:
    """Something was told under this account."""
    if account_id not in state.former_accounts:
        state.former_accounts = (*state.former_accounts, account_id)


def clocks_shown(state: ConversationState) -> Iterator[str]:
    """The names of all clocks of which something was ever published."""
    for metric in sorted(state.instances.keys() | state.withdrawn.keys()):
        highest = max(state.instances.get(metric, 0), state.withdrawn.get(metric, 0))
        for instance in range(1, highest + 1):
            yield f"{state.id}/{metric}/{instance}"


def clocks_left_behind(state: ConversationState) -> Iterator[str]:
    """Of a conversation that has moved on: clocks that it no longer remembers, and whose account nobody can tell."""
    remembered = {clock_id(state, clock) for clock in state.clocks}
    return (name for name in clocks_shown(state) if name not in remembered)


def _place(clock: ClockState) -> tuple[str, int]:
    return clock.metric, clock.instance
