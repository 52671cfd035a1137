"""The memory of the issue agent: a watch for each clock, written down whole now and then, and step by step in between.

The state of a watch may reach some tens of megabytes, of which a batch changes a little everywhere. So what is written
with a batch are the steps that it took, and when those have become as large as the state, the state itself, in parts.
Recovery takes the state and applies the steps: the watch is a function of them. `agents.issue_agent` calls it.
"""

import msgspec

from agents.domain.issue_rules import DEFAULT_RULES, IssueRules, from_published
from agents.domain.issue_watch import IssueWatch, Taken
from agents.domain.topic_surge import UncountableMessageError
from agents.interaction_check import WALL
from agents.ports import LEDGER_PREFIX, States
from schemas.watch_state import IssueLedger, MemoryBook, Step, WatchState

LEDGER_KEY = LEDGER_PREFIX + "ledger"

MOST_CLOCKS = 4
"""The wall's and those of a few simulations; the simulation not heard of for longest is forgotten first."""
PART_BYTES = 1_000_000
"""Far below what one record may be."""
LEAST_JOURNAL_BYTES = 256 * 1024
"""Below this the steps are not worth being replaced by a state."""

_encode = msgspec.msgpack.Encoder().encode
_ledger_of = msgspec.msgpack.Decoder(IssueLedger)
_state_of = msgspec.msgpack.Decoder(WatchState)
_steps_of = msgspec.msgpack.Decoder(list[Step])


class IssueMemory:
    """The watches of a partition, and its ledger. What is not saved is lost with the process, as it should be."""

    def __init__(self, states: States) -> None:
        self._states = states
        data = states.get(LEDGER_KEY)
        self.ledger = IssueLedger() if data is None else _ledger_of.decode(data)
        self._rules = DEFAULT_RULES if self.ledger.rules is None else from_published(self.ledger.rules)
        self._watches: dict[str, IssueWatch] = {}
        self._steps: dict[str, list[Step]] = {}
        self._uncountable: dict[str, dict[str, str]] = {}
        """By clock: messages that its steps bring and that cannot be counted, by id, and why."""
        self._whole: set[str] = set()
        """Clocks whose state is to be written whole, whatever their steps weigh."""

    def take(self, clock: str, step: Step, *, whole: bool = False) -> Taken:
        """Apply a step to the watch of a clock, and note it.

        Args:
            clock: which.
            step: to be applied.
            whole: whether older steps must not be kept.

        Returns:
            What became of it. A message that breaks the counting is dropped, and stands in what is `uncounted`.
        """
        taken = None
        while taken is None:
            try:
                taken = self.watch(clock).take(step)
            except UncountableMessageError as error:
                self._note_uncountable(clock, error)
                self.undo(clock)
        if taken.verdict == "applied":
            self._steps.setdefault(clock, []).append(step)
        if whole or taken.uncounted:  # what was dropped comes again with no step
            self._whole.add(clock)
        return taken

    @property
    def clocks(self) -> list[str]:
        """Those of which anything is known, those of this batch among them."""
        return list(dict.fromkeys((*self.ledger.clocks, *self._steps)))

    def watch(self, clock: str) -> IssueWatch:
        """The watch of a clock, as its steps so far have made it."""
        found = self._watches.get(clock)
        if found is None:
            book = self.ledger.clocks.get(clock)
            found = self._watches[clock] = self._recovered(clock, MemoryBook() if book is None else book)
        return found

    def undo(self, clock: str) -> None:
        """Bring a watch back to the last step that was noted: one that failed may have left anything behind."""
        self._watches.pop(clock, None)

    def _note_uncountable(self, clock: str, error: UncountableMessageError) -> None:
        uncountable = self._uncountable.setdefault(clock, {})
        if error.message_id in uncountable:
            raise error  # it was dropped, and is not what breaks the counting
        uncountable[error.message_id] = str(error)

    def use(self, rules: IssueRules, published: str) -> None:
        """Put rules in force. What was stepped under others is written whole, or it could not be stepped again."""
        watches = {clock: self._watch_from(clock, self.watch(clock).state, rules) for clock in self.clocks}
        self._watches |= watches
        self._whole |= watches.keys()
        self.save()
        self.ledger.rules, self._rules = published, rules

    def save(self) -> None:
        """Write down what the batch has changed, but for the ledger, which has to know first when to be woken."""
        for clock in dict.fromkeys((*self._steps, *self._whole)):
            book = self.ledger.clocks.pop(clock, None) or MemoryBook()
            self.ledger.clocks[clock] = book  # as the newest
            self._write(clock, book, self._steps.get(clock, []))
        self._steps, self._whole = {}, set()
        while len(self.ledger.clocks) > MOST_CLOCKS:
            self._forget_clock(next(clock for clock in self.ledger.clocks if clock != WALL))

    def encoded_ledger(self) -> bytes:
        """The ledger as bytes."""
        return _encode(self.ledger)

    def _write(self, clock: str, book: MemoryBook, steps: list[Step]) -> None:
        journal = _encode(steps)
        too_large = book.journal_bytes + len(journal) > max(LEAST_JOURNAL_BYTES, book.state_bytes)
        if clock not in self._whole and not too_large:
            self._states.put(_journal_key(clock, book.journals), journal)
            book.journals += 1
            book.journal_bytes += len(journal)
            return
        state = _encode(self.watch(clock).state)  # before its parts are dropped: it may have to be recovered
        self._drop(clock, book)
        self._uncountable.get(clock, {}).clear()  # no step is left that brings them
        starts = range(0, len(state), PART_BYTES)
        for part, start in enumerate(starts):
            self._states.put(_part_key(clock, part), state[start : start + PART_BYTES])
        book.parts, book.state_bytes, book.journals, book.journal_bytes = len(starts), len(state), 0, 0

    def _watch_from(self, clock: str, state: WatchState, rules: IssueRules) -> IssueWatch:
        return IssueWatch(clock, state, rules, self._uncountable.setdefault(clock, {}))

    def _recovered(self, clock: str, book: MemoryBook) -> IssueWatch:
        """The watch as its steps have made it. What could not be counted then is dropped again, at the same step."""
        while True:
            try:
                return self._stepped_again(clock, book)
            except UncountableMessageError as error:
                self._note_uncountable(clock, error)

    def _stepped_again(self, clock: str, book: MemoryBook) -> IssueWatch:
        state = WatchState()
        if book.parts:
            state = _state_of.decode(b"".join(self._kept(_part_key(clock, part)) for part in range(book.parts)))
        watch = self._watch_from(clock, state, self._rules)
        for number in range(book.journals):
            for step in _steps_of.decode(self._kept(_journal_key(clock, number))):
                watch.take(step)
        for step in self._steps.get(clock, ()):
            watch.take(step)
        return watch

    def _kept(self, key: str) -> bytes:
        found = self._states.get(key)
        if found is None:
            raise RuntimeError(f"the memory of issues is damaged: {key!r} is missing from careline.issue-state.v1")
        return found

    def _drop(self, clock: str, book: MemoryBook) -> None:
        keys = [_part_key(clock, part) for part in range(book.parts)]
        for key in keys + [_journal_key(clock, number) for number in range(book.journals)]:
            self._states.drop(key)

    def _forget_clock(self, clock: str) -> None:
        self._drop(clock, self.ledger.clocks.pop(clock))
        self._watches.pop(clock, None)
        self._uncountable.pop(clock, None)


def _part_key(clock: str, part: int) -> str:
    return f"{clock}/state/{part}"


def _journal_key(clock: str, number: int) -> str:
    return f"{clock}/steps/{number}"
