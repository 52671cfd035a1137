"""Surges: a theme that many customers suddenly write about.

Every message is counted by its *marks* (`theme_marks`). Whenever a mark occurs again, its last 4, 8, 16 ...
occurrences, one per account, are held against the share of messages that had it before them. The span is no fixed
window of time: it reaches back exactly to the occurrence in question, so slow and fast themes are judged alike (a
scan statistic), and a theme that never was is one with a very small past. What is expected of a span is the mark's
share of the messages that came in it, or of those that usually come at these hours of the week (`usual_volume`),
whichever is more: so a busy day raises nothing, and a steady theme is no surge because all others are asleep. How
surprising a count is says `surprise`. (The idea of judging words and pairs against a fading past is SigniTrend's:
Schubert, Weiler and Kriegel, KDD 2014.)

Marks that rise in the same messages are one surge (`surge_members`), and so are themes that share a telling word and
rise soon after each other. A surge is told once. It is over when for `rest` none of its marks has risen even half as
clearly. Everything is a function of the times of the messages: those of one instant are counted in the order of their
ids, when time has moved on, so neither their order nor how they are batched matters. A message that comes late counts
as if it came now.

`streams.history.message_watch` runs it over files, `agents.domain.issue_watch` live.
"""

from dataclasses import dataclass
from math import log10
from typing import Literal, NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.surge_members import admit, are_one, enough, name_of, strongest, telling_marks
from agents.domain.theme_marks import Rise, ThemeMarks
from schemas.issue_state import CustomerMessage, IssueState, SurgeState

MOST_SURGES = 50
"""At a time. More would be no news, but a source that has changed altogether."""
USUAL_LOOKS = 5_000_000.0
"""Marks that are looked at in a month where `Sensitivity.clarity` is taken as it stands. A desk of 1,000 short messages
a workday looks at 300,000 and needs 1.2 less."""
LEAST_CLARITY = 4.0
"""Below, what is taken to be chance is not known so well."""
_SPREADS_US = 12 * HOUR_US
"""How long after its beginning a surge may turn out to have further words: people find theirs within the day."""
_GOES_ON = 0.5
"""Hysteresis: to go on takes half the growth and half the clarity that it takes to begin."""
_SHARED = 3
"""A rise of which every third message is a surge's own is that surge."""
LONGEST_US = 14 * DAY_US
"""By then it is how things are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What counts as a surge. The defaults give a false alarm in about ten quiet months (docs/issues.md).

    Attributes:
        accounts: at least so many accounts write about it within the span; one angry customer is no issue.
        growth: at least so many times more messages than expected.
        clarity: `-log10` of the probability that chance does it to one mark at one moment, where a month has
            `USUAL_LOOKS` such moments. Where it has fewer, as much less is enough, so that every desk, small or large,
            has as many false alarms a month (Bonferroni's bound); at least `LEAST_CLARITY`.
        rest_us: so long must all be quiet until it is over: a whole day, because every issue sleeps at night.
    """

    accounts: int = 4
    growth: float = 3.0
    clarity: float = 7.0
    rest_us: int = DAY_US


class SurgeNews(NamedTuple):
    """A surge has been raised, or is over."""

    kind: Literal["raised", "ended"]
    surge: SurgeState


class UncountableMessageError(RuntimeError):
    """A message that cannot be counted. What was remembered may be half changed: go back to before it."""

    def __init__(self, message: CustomerMessage, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.message_id = message.id


class TopicSurges:
    """The detector. Not shared between threads.

    Args:
        state: where an earlier detector stopped; it is changed in place, and is all there is to remember.
        sensitivity: what counts as a surge.
    """

    def __init__(self, state: IssueState | None = None, sensitivity: Sensitivity | None = None) -> None:
        self.state = IssueState() if state is None else state
        self._sensitivity = sensitivity or Sensitivity()
        self._marks = ThemeMarks(self.state)

    def take(self, message: CustomerMessage) -> list[SurgeNews]:
        """Take a message in; news follow from those of earlier instants."""
        news = self.pass_time(message.at)
        self.state.pending.append(message)
        return news

    def pass_time(self, at: Instant) -> list[SurgeNews]:
        """Nothing more comes before `at`: count what waits, and end what is over.

        Raises:
            UncountableMessageError: one that waited cannot be counted.
        """
        state = self.state
        if state.now is not None and at <= state.now:
            return []
        for surge in state.surges:
            surge.joined.clear()
        news = self._count_pending()
        state.now = at
        news += [SurgeNews("ended", surge) for surge in state.surges if self._is_over(surge, at)]
        state.surges = [surge for surge in state.surges if not self._is_over(surge, at)]
        return news

    def _is_over(self, surge: SurgeState, at: Instant) -> bool:
        return at - surge.confirmed_at > self._sensitivity.rest_us or at - surge.raised_at > LONGEST_US

    def _count_pending(self) -> list[SurgeNews]:
        state = self.state
        if not state.pending or state.now is None:
            return []
        pending, state.pending = state.pending, []
        news = []
        for message in sorted(pending, key=lambda one: (one.id, one.account, one.text)):
            try:
                news += self._count(message, state.now)
            except Exception as error:  # whatever it is, this message breaks it and none of the others does
                raise UncountableMessageError(message, error) from error
        return news

    def _count(self, message: CustomerMessage, at: Instant) -> list[SurgeNews]:
        state, wanted = self.state, self._sensitivity
        number = self._marks.add(message, at)
        for surge in state.surges:
            admit(state, surge, number)
        clarity = clarity_for(wanted.clarity, self._marks.looks_a_month())
        risen = self._marks.occurs(number, wanted.accounts, wanted.growth * _GOES_ON, clarity * _GOES_ON)
        raised = [self._surge_of(mark, rise, at, clarity) for mark, rise in risen]
        return [SurgeNews("raised", surge) for surge in raised if surge is not None]

    def _surge_of(self, mark: str, rise: Rise, at: Instant, clarity: float) -> SurgeState | None:
        """A new surge, if the rise is clear enough to begin one and does not belong to one that is known."""
        state, wanted = self.state, self._sensitivity
        is_clear = rise.growth >= wanted.growth and rise.level >= clarity
        weights = telling_marks(state, self._marks, rise.numbers) if is_clear else {}
        for surge in state.surges:
            is_young = at - surge.raised_at <= _SPREADS_US
            if (
                mark in surge.weights
                or _shared(surge, rise) * _SHARED >= len(rise.numbers)
                or (is_young and are_one(state, surge, rise.numbers, weights))
            ):
                surge.confirmed_at = at
                if mark in surge.weights:
                    surge.growth = max(surge.growth, rise.growth)
                if is_young:
                    self._widen(surge, weights, rise)
                return None
        if not weights or len(state.surges) >= MOST_SURGES:
            return None
        return self._raise(mark, rise, weights, at)

    def _raise(self, mark: str, rise: Rise, weights: dict[str, float], at: Instant) -> SurgeState:
        state = self.state
        surge = SurgeState(
            id=f"{mark} {rise.numbers[0]}",
            topic=name_of(state, weights, rise.numbers),
            began_at=state.messages[rise.numbers[0]].at,
            raised_at=at,
            confirmed_at=at,
            growth=rise.growth,
            weights=weights,
            enough=enough(state, weights, rise.numbers),
        )
        own = set(rise.numbers)
        for number in range(rise.numbers[0], state.counted):
            admit(state, surge, number, certainly=number in own)
        state.surges.append(surge)
        return surge

    def _widen(self, surge: SurgeState, weights: dict[str, float], rise: Rise) -> None:
        """The same issue, also in other words: from now on these are its words too."""
        if not weights:
            return
        both = {mark: max(weight, surge.weights.get(mark, 0.0)) for mark, weight in weights.items()}
        surge.weights = strongest(surge.weights | both)
        known = set(surge.members)
        for number in rise.numbers:
            if number not in known:
                admit(self.state, surge, number)


def clarity_for(clarity: float, looks_a_month: float) -> float:
    """The surprise that is needed where so many marks are looked at in a month."""
    return max(min(clarity, LEAST_CLARITY), clarity + log10(max(1.0, looks_a_month) / USUAL_LOOKS))


def _shared(surge: SurgeState, rise: Rise) -> int:
    return len(set(rise.numbers).intersection(surge.members))
