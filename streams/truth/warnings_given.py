"""Who was warned of in time, and whom one was warned of in vain: measures of risk held against the truth.

An alarm is on while the risk of an account is at or above a threshold; one that is off for less than a week is the same
alarm, and one that goes on for four weeks is another one, so that nobody is right by always being alarmed. It is right
when it touches the time between the beginning of a decline and its end, and false otherwise. Every measure is treated
alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from statistics import fmean, median
from typing import NamedTuple

from agents.domain.instant import from_datetime
from streams.backtest.ranking import Outcome
from streams.simulation.hidden_truth import Fate, Truth
from streams.truth.risk_days import Days, Span

FIRST_DAYS = 28
"""Baselines reach four weeks back: before that nobody is asked."""

SAME_ALARM_DAYS, LONGEST_ALARM_DAYS = 7, 28

_MOST_THRESHOLDS = 120


class Thought(NamedTuple):
    """What one measure thought of one life."""

    truth: Truth
    span: Span
    risks: Mapping[str, Days]

    def left_on(self, fate: Fate) -> int:
        """The day on which an account leaves; the end of the story for those who stay."""
        return self.span.days if fate.leaves_at is None else self.span.day_of(from_datetime(fate.leaves_at))

    def on(self, account: str, day: int) -> float | None:
        """The risk of an account on a day; where nothing is known of it, what is usual that day."""
        days = self.risks.get(account)
        known = None if days is None else days[day]
        if known is not None:
            return known
        others = [risk for risks in self.risks.values() if (risk := risks[day]) is not None]
        return fmean(others) if others else None


class Warned(NamedTuple):
    """What came of warning at a threshold."""

    threshold: float
    warning_days: list[int]
    """Of every account that left, how long before; 0 for those of which nobody was warned."""
    false_alarms: int
    company_months: float

    @property
    def false_per_month(self) -> float:
        """False alarms in a month of one company."""
        return self.false_alarms / self.company_months

    @property
    def warned_ratio(self) -> float | None:
        """The share of those who left that one was warned of."""
        return fmean(days > 0 for days in self.warning_days) if self.warning_days else None

    @property
    def median_days(self) -> float | None:
        """The median warning over those who left and whom one was warned of."""
        given = [days for days in self.warning_days if days]
        return median(given) if given else None


def outcomes(lives: Sequence[Thought], days_before: int) -> list[Outcome]:
    """Each account once: those who leave as of so many days before, the others as of a day that the seed draws.

    Independent of each other, as a confidence interval takes them to be. The neglected account is apart.
    """
    found = []
    for life in lives:
        for fate in life.truth.fates:
            if fate.kind == "neglected":
                continue
            leaves = fate.leaves_at is not None
            rng = Random(f"asked/{life.truth.seed}/{fate.account}")
            day = life.left_on(fate) - days_before if leaves else rng.randrange(FIRST_DAYS, life.span.days)
            risk = life.on(fate.account, day)
            if risk is not None:
                found.append(Outcome(risk, leaves))
    return found


def warned_at(lives: Sequence[Thought], threshold: float, months: int) -> Warned:
    """What comes of warning of everybody at or above a threshold."""
    warning_days: list[int] = []
    false_alarms = 0
    for life in lives:
        for fate in life.truth.fates:
            if fate.kind == "neglected":
                continue
            left_on = life.left_on(fate)
            declines = fate.leaves_at is not None and fate.begins_at is not None
            began_on = life.span.day_of(from_datetime(fate.begins_at)) if declines and fate.begins_at else left_on
            alarms = list(_alarms(life.risks.get(fate.account, ()), threshold, left_on))
            right = [alarm for alarm in alarms if alarm[1] >= began_on]
            false_alarms += len(alarms) - len(right)
            if declines:
                warning_days.append(left_on - max(right[0][0], began_on) if right else 0)
    return Warned(threshold, warning_days, false_alarms, float(months * len(lives)))


def _alarms(days: Days, threshold: float, until: int) -> Iterator[tuple[int, int]]:
    """First and last days of the alarms of an account."""
    first = last = None
    for day in range(FIRST_DAYS, min(until, len(days))):
        risk = days[day]
        if risk is None or risk < threshold:
            continue
        is_over = last is not None and day - last > SAME_ALARM_DAYS
        if first is not None and last is not None and (is_over or day - first >= LONGEST_ALARM_DAYS):
            yield first, last
            first = None
        first, last = day if first is None else first, day
    if first is not None and last is not None:
        yield first, last


def warned_with(lives: Sequence[Thought], false_per_month: float, months: int) -> Warned:
    """What comes of the most watchful threshold that gives no more false alarms than that."""
    values = sorted({risk for life in lives for days in life.risks.values() for risk in days if risk is not None})
    step = max(1, len(values) // _MOST_THRESHOLDS)
    best = warned_at(lives, float("inf"), months)
    for threshold in reversed(values[::step]):
        found = warned_at(lives, threshold, months)
        if found.false_per_month > false_per_month:
            break
        best = found
    return best


def neglected_ranks(lives: Sequence[Thought]) -> list[float]:
    """In which place the neglected account of each life is at its end, 1 being the riskiest; ties share theirs."""
    ranks = []
    for life in lives:
        last = life.span.days - 1
        present = [fate for fate in life.truth.fates if life.left_on(fate) > last]
        risks = [life.on(fate.account, last) or 0.0 for fate in present]
        for fate in present:
            if fate.kind == "neglected":
                own = life.on(fate.account, last) or 0.0
                ties = sum(risk == own for risk in risks)
                ranks.append(1 + sum(risk > own for risk in risks) + (ties - 1) / 2)
    return ranks
