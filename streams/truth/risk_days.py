"""What every account of a life was thought to risk at the end of each day: by its score, and by naive measures.

More is worse, in every measure; null where nothing is known. `warnings_given` compares them with the truth.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from agents.domain.instant import DAY_US, Instant, from_datetime
from agents.domain.satisfaction import normalised
from schemas.health_score import HealthScore
from schemas.interaction import Interaction
from schemas.signal import Signal
from streams.simulation.conversation_script import Timed

WEEK_DAYS = 7

Days = Sequence[float | None]
"""By day of the story."""

SCORE, BAND, CHURN_RISK = "health score", "its lowest band", "churn risk"
TICKETS, CSAT = "tickets of the week", "CSAT of the week"
MEASURES = (SCORE, CHURN_RISK, BAND, TICKETS, CSAT)


class Span(NamedTuple):
    """The days of a story."""

    begins_at: Instant
    days: int

    def day_of(self, at: Instant) -> int:
        """In which day an instant lies, counted from 0."""
        return (at - self.begins_at) // DAY_US


def score_days(scores: Iterable[HealthScore], span: Span, worst_bands: Mapping[str, str]) -> dict[str, dict[str, Days]]:
    """By measure: 100 less the score that was told last, its churn risk, and whether it is in the lowest band.

    Which band is the lowest is told by profile; where no profile applies, none is.
    """
    told: defaultdict[str, dict[int, HealthScore]] = defaultdict(dict)
    for score in scores:
        # What is told at the end of a day belongs to it.
        told[score.account_id][span.day_of(from_datetime(score.as_of) - 1)] = score
    found: dict[str, dict[str, Days]] = {SCORE: {}, CHURN_RISK: {}, BAND: {}}
    for account, by_day in told.items():
        standing = list(_standing(by_day, span.days))
        found[SCORE][account] = [None if each is None or each.score is None else 100 - each.score for each in standing]
        found[CHURN_RISK][account] = [
            None if each is None or each.churn is None else each.churn.index for each in standing
        ]
        found[BAND][account] = [None if each is None else _is_worst(each, worst_bands) for each in standing]
    return found


def _is_worst(score: HealthScore, worst_bands: Mapping[str, str]) -> float:
    return float(score.band is not None and score.band == worst_bands.get(score.profile))


def _standing(by_day: Mapping[int, HealthScore], days: int) -> Iterator[HealthScore | None]:
    last: HealthScore | None = None
    for day in range(days):
        last = by_day.get(day, last)
        yield last


def ticket_days(events: Iterable[Timed], span: Span) -> dict[str, Days]:
    """Conversations that were begun in the last seven days: whoever writes much is thought to be in trouble."""
    begun: dict[str, tuple[str, int]] = {}
    for at, event in events:
        if isinstance(event, Interaction) and event.account_id is not None:
            begun.setdefault(event.conversation_id, (event.account_id, span.day_of(at)))
    counted: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * span.days)
    for account, day in begun.values():
        for later in range(day, min(span.days, day + WEEK_DAYS)):
            counted[account][later] += 1
    return dict(counted)


def csat_days(events: Iterable[Timed], span: Span) -> dict[str, Days]:
    """100 less the mean of the answers of the last seven days; null where there are none, as there are most weeks."""
    answers: defaultdict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(span.days)])
    for at, event in events:
        if isinstance(event, Signal) and event.name == "csat":
            answers[event.account_id][span.day_of(at)].append(normalised(event) / 100)
    return {account: [_mean_risk(by_day, day) for day in range(span.days)] for account, by_day in answers.items()}


def _mean_risk(by_day: Sequence[Sequence[float]], day: int) -> float | None:
    heard = [answer for answers in by_day[max(0, day - WEEK_DAYS + 1) : day + 1] for answer in answers]
    return 100 - fmean(heard) if heard else None
