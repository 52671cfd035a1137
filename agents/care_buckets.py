"""The buckets of one clock in one partition: where each lies, what it holds, and which of them are untold.

`agents.care_rollups` opens one for each clock that a batch is about. Each bucket of each value of each scope is a state
of its own, so a batch reads and writes only what it touches. Buckets lie in rings (the slot is the number modulo the
size), and a slot holds the newest bucket that came to it: state and topic are bounded without anybody counting what is
old.
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from agents.domain.care_contribution import Change
from agents.domain.instant import SECOND_US
from agents.import_clock import BEFORE_EVERY_TICK, is_import
from agents.ports import LEDGER_PREFIX, States
from schemas.account_state import decode_account_state, encode_account_state
from schemas.adherence import BEYOND
from schemas.care_state import CareClock, RollupState

TOLD_EVERY_US = 15 * SECOND_US
"""Live enough to look at, and a hundred conversations in it make one record of each bucket and not a hundred."""

RINGS = {"hour": 48, "day": 128, "month": 16, "ever": 1}
"""Two days, four months, a year and four months: what the longest windows need, and room for late events."""

MOST_VALUES = 200
"""Of each scope in each partition. Further channels, teams, agents and tiers share `(other)`, until one of the known
ones has not been heard of for as long as any window holds."""

_FORGOTTEN_AFTER_DAYS = RINGS["day"]
_LONGEST_VALUE = 200

Number = TypeVar("Number", str, int)


class Place(NamedTuple):
    """One bucket of one value of one scope."""

    scope: str
    value: str
    bucket: str
    number: int


class ClockFigures:
    """All buckets of one clock in one partition."""

    __slots__ = ("_held", "_key", "_states", "_untold", "clock", "state")

    def __init__(self, states: States, clock: str) -> None:
        self._states = states
        self.clock = clock
        self._key = f"{LEDGER_PREFIX}care{LEDGER_PREFIX}{clock}"
        data = states.get(self._key)
        self.state = CareClock() if data is None else decode_account_state(CareClock, data)
        self._held: dict[str, RollupState] = {}
        """What was changed just now, and will probably be told."""
        self._untold = {self._key_of(place): place for place in (Place(*slot) for slot in self.state.untold)}

    def is_due(self) -> bool:
        """Whether it is time to tell what is untold."""
        told_at = self.state.told_at
        return told_at is None or self.state.as_of >= told_at + TOLD_EVERY_US

    def save(self) -> None:
        """Remember how far the clock has come; what is untold asks for a tick."""
        state, wake_at = self.state, None
        state.untold = list(self._untold.values())
        if state.untold:
            wake_at = BEFORE_EVERY_TICK if is_import(self.clock) else (state.told_at or 0) + TOLD_EVERY_US
        self._states.put(self._key, encode_account_state(state), self.clock, wake_at)

    def forget(self) -> None:
        """The clock has ended."""
        self._states.drop(self._key)

    # values

    def bounded(self, scope: str, value: str, day: int) -> str:
        """The value under which something is counted."""
        known = self.state.values.setdefault(scope, {})
        value = value[:_LONGEST_VALUE]
        if value not in known and len(known) >= MOST_VALUES:
            gone = min(known, key=lambda each: (known[each], each))
            if known[gone] + _FORGOTTEN_AFTER_DAYS > day:
                value = BEYOND
            else:
                del known[gone]
        known[value] = max(day, known.get(value, day))
        return value

    def note_account(self, account_id: str) -> None:
        """List an account where the clock will end, and what is counted on it will move."""
        if is_import(self.clock):
            self.state.values.setdefault("account", {})[account_id] = 0

    def forget_account(self, account_id: str) -> list[Place]:
        """Take away everything that is kept of an account; where it lay."""
        self.state.values.get("account", {}).pop(account_id, None)
        places = [Place("account", account_id, bucket, slot) for bucket, size in RINGS.items() for slot in range(size)]
        taken = [place for place in places if self.take_away(place) is not None]
        for place in places:
            self._untold.pop(self._key_of(place), None)
        return taken

    # buckets

    def at(self, place: Place) -> RollupState | None:
        """What lies in the slot of a bucket, which may be another one of the same ring."""
        return self._at(self._key_of(place))

    def _at(self, key: str) -> RollupState | None:
        held = self._held.get(key)
        if held is not None:
            return held
        data = self._states.get(key)
        return None if data is None else decode_account_state(RollupState, data)

    def change(self, place: Place, changes: Iterable[Change]) -> None:
        """Add to a bucket, unless a newer one has its slot."""
        key = self._key_of(place)
        found = self._at(key)
        if found is not None and found.number > place.number:
            return
        if found is None or found.number < place.number:
            found = RollupState(place.number)
        for measure, bin_number, amount in changes:
            if bin_number is None:
                _increase(found.counts, measure, amount)
            else:
                bins = found.timings.setdefault(measure, {})
                _increase(bins, bin_number, amount)
                if not bins:
                    del found.timings[measure]
        self._states.put(key, encode_account_state(found))
        self._held[key] = found
        self._untold[key] = place

    def take_untold(self) -> list[tuple[Place, RollupState]]:
        """What the slots hold that have changed since they were told last, in the order in which they did."""
        untold = [(place, found) for key, place in self._untold.items() if (found := self._at(key)) is not None]
        self._untold.clear()
        if untold:
            self.state.told_at = self.state.as_of
        return untold

    def slots(self) -> list[Place]:
        """Every slot that may hold something."""
        return [
            Place(scope, value, bucket, slot)
            for scope, values in sorted(self.state.values.items())
            for value in sorted(values)
            for bucket, size in RINGS.items()
            for slot in range(size)
        ]

    def take_away(self, place: Place) -> RollupState | None:
        """What a slot holds, which holds nothing from then on."""
        found = self.at(place)
        if found is not None:
            key = self._key_of(place)
            self._states.drop(key)
            self._held.pop(key, None)
        return found

    def _key_of(self, place: Place) -> str:
        scope, value, bucket, number = place
        return f"{self._key}\0{scope}\0{value}\0{bucket}{number % RINGS[bucket]}"


def _increase(sums: dict[Number, int], what: Number, amount: int) -> None:
    """Add; a sum that is nothing is not kept."""
    total = sums.get(what, 0) + amount
    if total:
        sums[what] = total
    else:
        sums.pop(what, None)
