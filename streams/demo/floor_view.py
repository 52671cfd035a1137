"""What the demo shows, folded from results: promises that run, how they are kept, the newest breaches, who moves.

A pure fold of `SlaEvent` and `HealthScore`; `floor_follower` reads them, `live_screen` draws it.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.domain.narration import TOLD_BEFORE
from schemas.health_score import HealthScore
from schemas.sla_event import SlaEvent

NOW = timedelta(hours=1)
"""Adherence now is that of the last hour of the story."""
KEPT = 5
NOTABLE_POINTS = 3.0
"""A score that moves by less is noise at a glance."""

_ENDS_A_CLOCK = frozenset({"met", "satisfied_late", "cancelled", "merged", "retracted"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that has just been broken."""

    account_id: str
    metric: str
    priority: str
    due_at: datetime | None
    lateness_seconds: float | None


@dataclass(slots=True)
class FloorView:
    """The floor as it is now, in the story's time."""

    running: set[tuple[str, str, int]] = field(default_factory=set)
    overdue: set[tuple[str, str, int]] = field(default_factory=set)
    breaches: deque[Breach] = field(default_factory=lambda: deque(maxlen=KEPT))
    movers: deque[HealthScore] = field(default_factory=lambda: deque(maxlen=KEPT))
    bands: dict[str, str] = field(default_factory=dict)
    story_at: datetime | None = None
    met: int = 0
    breached: int = 0
    _decided: deque[tuple[datetime, bool]] = field(default_factory=deque)

    def take_event(self, event: SlaEvent) -> None:
        """Fold one event in."""
        if self.story_at is None or event.occurred_at > self.story_at:
            self.story_at = event.occurred_at
        if event.metric is None:
            return
        clock = (event.conversation_id, event.metric, event.instance or 0)
        if event.kind == "activated":
            self.running.add(clock)
        elif event.kind == "breached":
            self.running.discard(clock)
            self.overdue.add(clock)
            if event.reason in TOLD_BEFORE:
                return  # a merged conversation, or another account, has told it
            self._decide(event, kept=False)
            self.breaches.appendleft(
                Breach(event.account_id, event.metric, event.priority or "", event.due_at, event.lateness_seconds)
            )
        elif event.kind in _ENDS_A_CLOCK:
            self.running.discard(clock)
            self.overdue.discard(clock)
            if event.kind == "met" and event.due_at is not None and event.reason not in TOLD_BEFORE:
                self._decide(event, kept=True)

    def take_score(self, score: HealthScore) -> None:
        """Fold one score in."""
        if score.band is not None:
            self.bands[score.account_id] = score.band
        if score.score is None or score.previous_score is None:
            return
        if score.change == "band_changed" or abs(score.score - score.previous_score) >= NOTABLE_POINTS:
            for known in [known for known in self.movers if known.account_id == score.account_id]:
                self.movers.remove(known)
            self.movers.appendleft(score)

    @property
    def adherence(self) -> float | None:
        """Share of the promises of the last hour that were kept; null when none was decided."""
        if self.story_at is not None:
            while self._decided and self._decided[0][0] < self.story_at - NOW:
                self._decided.popleft()
        if not self._decided:
            return None
        return sum(kept for _, kept in self._decided) / len(self._decided)

    def _decide(self, event: SlaEvent, *, kept: bool) -> None:
        self.met += kept
        self.breached += not kept
        self._decided.append((event.occurred_at, kept))
