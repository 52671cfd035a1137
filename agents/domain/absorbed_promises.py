"""The decided promises of a merged conversation: which of them its survivor states itself, and which it takes over.

A merged conversation counts for nothing any more (`agents.domain.conversation`); what it had decided by then travels
with its life to the survivor (`agents.domain.merging`). There most of it follows from what was said, which is folded
into the survivor's own life: the same promise must not count a second time. The rest, which a status or a team of the
absorbed conversation has decided or which the survivor's policy does not promise, is taken over as it was, so that
nothing is lost (decision 22).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from agents.domain.clock import has_standing, is_running
from agents.domain.narration import clock_id
from schemas.conversation_state import ClockState, ConversationState
from schemas.timeline_entry import TimelineEntry

RESPONSES = frozenset({"first_response", "next_response"})
"""One promise about one message of a customer: which of both it is depends on what was said before."""

TOLD = RESPONSES | {"periodic_update", "pausable_update", "speed_of_answer", "follow_up"}
"""Decided by what was said, of which the survivor hears every word. Everything else a status may have decided, or a
team, which were the absorbed conversation's own."""

OF_A_TEAM = frozenset({"group_ownership"})
"""A promise of the team that had the absorbed conversation. A survivor states it where it has that team from the same
instant on, as one of which nothing is known but the merge; else it has a team, and a promise, of its own."""

MOST_HANDED = 1024
"""Promises that one conversation may hand over, and that a survivor remembers to fold again: some 100 kB."""


def decided_promises(state: ConversationState) -> tuple[ClockState, ...]:
    """What a merged conversation had decided by then, each as it stood, under the name that it was decided under."""
    return tuple(
        replace(clock, origin=clock.origin or clock_id(state, clock))
        for clock in state.clocks
        if clock.absorbed is not None and clock.absorbed != "open"
    )


def facts_of(absorbed: str, promises: Iterable[ClockState]) -> dict[str, Any]:
    """What the entry of a handover remembers: whose promises these were, and how they were decided."""
    return {"from": absorbed, "promises": [msgspec.to_builtins(clock) for clock in promises]}


def promises_in(entry: TimelineEntry) -> list[ClockState]:
    """The promises that an entry has handed over; none for one that is no handover."""
    if entry.type != "handover" or entry.facts is None:
        return []
    return msgspec.convert(entry.facts["promises"], list[ClockState])


def take_over(state: ConversationState, entry: TimelineEntry) -> list[ClockState]:
    """Let each decided promise of an absorbed conversation count once more, and only once.

    What the survivor does not state itself becomes its own, as it was decided.

    Args:
        state: the survivor, folded up to the merge.
        entry: the handover.

    Returns:
        What was taken over, and clocks of the survivor that still ran: they stand for promises that were broken, and
        are broken from here on.
    """
    known = {clock.origin for clock in state.clocks if clock.origin is not None}
    moved = []
    for clock in promises_in(entry):
        if clock.origin in known or _is_own(state, clock):
            continue
        own = next((each for each in state.clocks if restates(each, clock)), None)
        if own is None:
            taken = _taken(state, clock, (entry.facts or {})["from"])
            state.clocks.append(taken)
            moved.append(taken)
        elif own.outcome == "open":
            own.outcome, own.breached_at, own.next_warning_at = "breached", clock.breached_at, None
            own.due_at, own.set_by_hand = clock.due_at, clock.set_by_hand
            moved.append(own)
    return moved


def _taken(state: ConversationState, clock: ClockState, absorbed: str) -> ClockState:
    instance = state.instances.get(clock.metric, 0) + 1
    state.instances[clock.metric] = instance
    if clock.satisfied_at is not None:
        return replace(clock, instance=instance, outcome=clock.absorbed, absorbed=None, reason=None)
    # Nobody answers it any more: it was broken, and that stays.
    return replace(clock, instance=instance, outcome="cancelled", absorbed=None, reason=f"from {absorbed}")


def restates(own: ClockState, absorbed: ClockState) -> bool:
    """Whether a clock of the survivor stands for a decided promise of an absorbed conversation.

    It must have run when that one began, and count where that one counts; unless both were decided by what was said,
    it must also have run until that one was decided. An answer that was given is not asked for again: a survivor that
    is still waiting stands for what was never answered, and for nothing else.
    """
    if own.origin is not None or not _is_alike(own.metric, absorbed.metric):
        return False
    if absorbed.metric in OF_A_TEAM and own.started_at != absorbed.started_at:
        return False
    if not has_standing(own) or (has_target(absorbed) and not has_target(own)):
        return False
    if own.outcome == "open" and absorbed.satisfied_at is not None:
        return False
    return own.started_at <= absorbed.started_at and (is_running(own) or _ran_long_enough(own, absorbed))


def _ran_long_enough(own: ClockState, absorbed: ClockState) -> bool:
    ended_at = own.satisfied_at if own.satisfied_at is not None else own.ended_at
    if ended_at is None:
        return False
    if absorbed.metric in TOLD:
        return own.started_at == absorbed.started_at or absorbed.started_at < ended_at
    decided_at = absorbed.satisfied_at if absorbed.satisfied_at is not None else absorbed.breached_at
    return decided_at is not None and decided_at <= ended_at


def was_stated_before(clock: ClockState, handed: Sequence[ClockState]) -> bool:
    """Whether what a survivor says of a clock was told by an absorbed conversation."""
    if clock.origin is not None:
        return any(each.origin == clock.origin for each in handed)
    return any(restates(clock, each) for each in handed)


def has_target(clock: ClockState) -> bool:
    """Whether a deadline is promised, known or not."""
    return clock.due_at is not None or clock.target_us is not None or clock.business_days is not None


def _is_alike(one: str, other: str) -> bool:
    return one == other or (one in RESPONSES and other in RESPONSES)


def _is_own(state: ConversationState, clock: ClockState) -> bool:
    """Whether a circle of merges brings a promise home."""
    return clock.origin is not None and clock.origin.rsplit("/", 2)[0] == state.id
