"""The conversations of one batch: taken out of the partition's memory when touched, put back when the batch is done.

Also the books that go with it: how many clocks run at which stage, and what wants to be woken when, on whose time.
`agents.conversation_agent` works on these.
"""

from collections.abc import Iterator

from agents.domain.clock import is_running, stage
from agents.domain.instant import Instant
from agents.domain.timeline import decode_state, encode_state, wake_at
from agents.import_clock import UPON_RELEASE, is_import
from agents.interaction_check import WALL
from agents.ports import LEDGER_PREFIX, States
from schemas.conversation_state import ConversationState, PartitionLedger


class OpenConversations:
    """Conversations by id, as they stand now; the memory has them as they stood before the batch."""

    def __init__(self, states: States, ledger: PartitionLedger) -> None:
        self._states = states
        self._ledger = ledger
        self._open: dict[str, ConversationState] = {}
        self._before: dict[str, list[str]] = {}

    def get(self, key: str) -> ConversationState | None:
        """A conversation, or null. It is written back only if it is put."""
        state = self._open.get(key)
        if state is None:
            data = self._states.get(key)
            if data is None:
                return None
            state = decode_state(data)
            self._before[key] = _stages(state)
        return state

    def put(self, state: ConversationState) -> None:
        """This is how the conversation stands now."""
        self._open[state.id] = state

    def drop(self, state: ConversationState) -> None:
        """Forget a conversation; its clocks leave the books."""
        self._open.pop(state.id, None)
        self._leave_books(self._before.pop(state.id, []))
        self._states.drop(state.id)

    def __contains__(self, key: str) -> bool:
        """Whether a conversation was put in this batch."""
        return key in self._open

    def due(self, time: str, as_of: Instant) -> Iterator[tuple[Instant, str, ConversationState]]:
        """What wants to be woken before `as_of` on this time, whether it was remembered or is open in this batch.

        Batch borders decide nothing.
        """
        for key in dict.fromkeys([*self._states.due(time, as_of), *self._open]):
            state = self.get(key)
            if state is None:
                continue
            if self.time_of(state) != time:
                self.put(state)  # it moved to another time since it was remembered: it will be woken on that
                continue
            wake = self._wake_of(state)
            if wake is not None and wake < as_of:
                yield wake, key, state

    def released(self, clock: str) -> Iterator[ConversationState]:
        """Every conversation on a clock that comes to its end."""
        for key in dict.fromkeys([*self._states.release(clock, WALL), *self._open]):
            state = self.get(key)
            if state is not None and state.clock == clock:
                yield state

    def mentioning(self, word: str) -> Iterator[ConversationState]:
        """Every conversation in whose state a word occurs, in order of id: a memory knows no order."""
        for key in sorted({*self._states.mentioning(word.encode()), *self._open}):
            # The partition's own books mention accounts too: in links and in policies.
            state = None if key.startswith(LEDGER_PREFIX) else self.get(key)
            if state is not None:
                yield state

    def time_of(self, state: ConversationState) -> str:
        """Whose time wakes a conversation: its clock's, or that of a source which says how far it has delivered."""
        if state.clock == WALL:
            progress = self._ledger.sources.get(state.source)
            if progress is not None and progress.as_of is not None:
                return time_of_source(state.source)
        return state.clock

    def close(self) -> None:
        """Put everything back into the memory and keep the books."""
        self._count_clocks()
        for key, state in self._open.items():
            self._states.put(key, encode_state(state), self.time_of(state), self._wake_of(state))
        self._open.clear()
        self._before.clear()

    def _wake_of(self, state: ConversationState) -> Instant | None:
        wake = wake_at(state)
        if wake is None:
            if is_import(state.clock) and any(is_running(clock) for clock in state.clocks):
                return UPON_RELEASE
            return None
        return wake + self.settle_us(state)

    def settle_us(self, state: ConversationState) -> int:
        """How long deliveries of the conversation's source may take to settle."""
        progress = self._ledger.sources.get(state.source) if self._ledger.sources else None
        return progress.settle_us if progress is not None and state.clock == WALL else 0

    def _count_clocks(self) -> None:
        """What was taken out of the memory leaves the books, what goes back enters."""
        running = self._ledger.running
        for key, state in self._open.items():
            before, after = self._before.get(key, []), _stages(state)
            if before == after:
                continue
            self._leave_books(before)
            for place in after:
                running[place] = running.get(place, 0) + 1

    def _leave_books(self, stages: list[str]) -> None:
        running = self._ledger.running
        for place in stages:
            running[place] = running.get(place, 0) - 1


def time_of_source(source: str) -> str:
    """The time on which conversations wait whose source delivers with a delay."""
    return f"source:{source}"


def _stages(state: ConversationState) -> list[str]:
    return [f"{clock.metric}/{stage(clock)}" for clock in state.clocks if is_running(clock)]
