"""The figures of topics: what issues add to them, in buckets of their own beside the memory of the issue agent.

A message may belong to several topics, or to none, so topics are no part of any account's figures: they are counted
where issues are (`agents.domain.issue_watch`), and told as parts like all others (`agents.care_rollups`).
`agents.issue_agent` calls it. What an account adds stays when the account is forgotten: a sum names nobody.
"""

from collections import defaultdict
from collections.abc import Iterable

from agents.care_buckets import ClockFigures, Place
from agents.care_rollups import told_part
from agents.domain.care_contribution import Change
from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.issue_watch import TopicDelta
from agents.interaction_check import WALL
from agents.ports import Effects, States
from schemas.topics import ROLLUPS


class TopicRollups:
    """Keeps the figures of topics in the `States` of the issue agent, and tells them."""

    def __init__(self, states: States, effects: Effects) -> None:
        self._states = states
        self._effects = effects
        self._added: defaultdict[str, list[TopicDelta]] = defaultdict(list)

    def add(self, clock: str, deltas: Iterable[TopicDelta]) -> None:
        """Take what counts on a clock; it is counted when the batch is settled, or before time passes."""
        for delta in deltas:
            self._added[clock].append(delta)

    def settle(self, partition: int) -> None:
        """Count what was added, and tell what is untold where it is time to."""
        for clock, deltas in sorted(self._added.items()):
            figures = ClockFigures(self._states, clock)
            figures.state.as_of = max(figures.state.as_of, *(delta.at for delta in deltas))
            changes: defaultdict[Place, list[Change]] = defaultdict(list)
            for delta in deltas:
                day = delta.at // DAY_US
                value = figures.bounded("topic", delta.theme_id, day)
                for place in (Place("topic", value, "hour", delta.at // HOUR_US), Place("topic", value, "day", day)):
                    changes[place].append((delta.measure, None, delta.amount))
            for place, each in changes.items():
                figures.change(place, each)
            if figures.is_due():
                self._tell(figures, partition)
            figures.save()
        self._added.clear()

    def tick(self, clock: str, as_of: Instant, partition: int) -> None:
        """Time has passed: tell what waits."""
        self.settle(partition)
        figures = ClockFigures(self._states, clock)
        if not figures.state.values:
            return
        figures.state.as_of = max(figures.state.as_of, as_of)
        if clock != WALL or figures.is_due():
            self._tell(figures, partition)
        figures.save()

    def forget_clock(self, clock: str) -> None:
        """A clock is not remembered any more: what was told of it stays told."""
        figures = ClockFigures(self._states, clock)
        for slot in figures.slots():
            figures.take_away(slot)
        figures.forget()

    def _tell(self, figures: ClockFigures, partition: int) -> None:
        for place, counted in figures.take_untold():
            self._effects.emit(ROLLUPS, *told_part(figures, place, counted, partition))
