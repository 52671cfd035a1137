"""What another policy would have said: the verdicts of two policies over the same conversations, side by side.

`careline policy diff` judges every conversation twice and adds both verdicts here. What counts is what the accounts
count (`agents.domain.promise_windows`): a breach stays one when it is answered late or cancelled afterwards; merged and
retracted clocks and those without a target are never in the ratio.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schemas.clock_view import ClockView
from streams.policy_files.clock_columns import known_account


@dataclass(slots=True)
class Tally:
    """Outcomes that count."""

    met: int = 0
    breached: int = 0

    @property
    def ratio(self) -> float | None:
        """Adherence, 0..1; null without outcomes."""
        decided = self.met + self.breached
        return self.met / decided if decided else None

    def count(self, view: ClockView) -> None:
        """Add the outcome of a clock, if it counts."""
        if view.due_at is None and view.target_seconds is None:
            return
        if view.outcome == "met":
            self.met += 1
        elif view.breached_at is not None and view.outcome not in {"merged", "retracted"}:
            self.breached += 1


@dataclass(slots=True)
class Pair:
    """The same outcomes under the old and the new policy."""

    old: Tally = field(default_factory=Tally)
    new: Tally = field(default_factory=Tally)

    @property
    def shift(self) -> float:
        """How far adherence moves; one that appears or vanishes moves all the way."""
        old, new = self.old.ratio, self.new.ratio
        if old is None or new is None:
            return 0.0 if old is new else 1.0
        return new - old


@dataclass(frozen=True, slots=True)
class ChangedClock:
    """A clock whose outcome differs; null on the side that does not have it."""

    conversation: str
    metric: str
    instance: int
    old: ClockView | None
    new: ClockView | None

    @property
    def account(self) -> str | None:
        """Whose it is."""
        view = self.new if self.new is not None else self.old
        return known_account(self.conversation, view.account_id) if view is not None else None

    @property
    def due_moved_seconds(self) -> float | None:
        """How much later it is due; null where one side has no deadline."""
        old, new = _due(self.old), _due(self.new)
        return (new - old).total_seconds() if old is not None and new is not None else None


class PolicyDifference:
    """Collects the verdicts of both policies, conversation by conversation. It keeps what differs and the counts."""

    def __init__(self) -> None:
        self.conversations = 0
        self.due_moved = 0
        """Clocks with the same outcome that are due at another time."""
        self._changed: list[ChangedClock] = []
        self._adherence: dict[tuple[str | None, str], Pair] = {}
        self._metrics: dict[str, Pair] = {}

    @property
    def differs(self) -> bool:
        """Whether any clock has another outcome or another due date, or only one of the policies has it."""
        return bool(self._changed) or self.due_moved > 0

    def add(self, conversation: str, old: Sequence[ClockView], new: Sequence[ClockView]) -> None:
        """One conversation as both policies judge it."""
        self.conversations += 1
        for view in old:
            for pair in self._pairs(view):
                pair.old.count(view)
        for view in new:
            for pair in self._pairs(view):
                pair.new.count(view)
        after = {(view.metric, view.instance): view for view in new}
        both = [(view, after.pop((view.metric, view.instance), None)) for view in old]
        for before, now in [*both, *((None, view) for view in after.values())]:
            self._compare(conversation, before, now)

    def _compare(self, conversation: str, old: ClockView | None, new: ClockView | None) -> None:
        if old is not None and new is not None and old.outcome == new.outcome:
            self.due_moved += old.due_at != new.due_at
            return
        view = old if old is not None else new
        if view is not None:
            self._changed.append(ChangedClock(conversation, view.metric, view.instance, old, new))

    def _pairs(self, view: ClockView) -> tuple[Pair, Pair]:
        place = known_account(view.conversation_id, view.account_id), view.metric
        return self._adherence.setdefault(place, Pair()), self._metrics.setdefault(view.metric, Pair())

    def metrics(self) -> Iterator[tuple[str, Pair]]:
        """Adherence of each metric over all accounts."""
        yield from sorted(self._metrics.items())

    def adherence(self) -> Iterator[tuple[str | None, str, Pair]]:
        """Adherence of each account and metric: where it moves most comes first."""
        for (account, metric), pair in sorted(
            self._adherence.items(), key=lambda each: (-abs(each[1].shift), each[0][0] or "", each[0][1])
        ):
            yield account, metric, pair

    def changed(self) -> list[ChangedClock]:
        """Clocks whose outcome differs; the one whose deadline moves furthest comes first, those without one last."""
        return sorted(self._changed, key=_by_size)


def _by_size(clock: ChangedClock) -> tuple[float, str, str, int]:
    moved = clock.due_moved_seconds
    return 1.0 if moved is None else -abs(moved), clock.conversation, clock.metric, clock.instance


def _due(view: ClockView | None) -> datetime | None:
    return None if view is None else view.due_at
