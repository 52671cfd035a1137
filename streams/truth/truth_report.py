"""What the scores have found of the truth, over several lives: the figures of `careline health truth`.

Every life is made and judged from its seed alone, on as many cores as there are. The keys of `as_json` are a public
interface (`docs/health.md`).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import isinf
from multiprocessing import get_context
from statistics import median
from typing import Any, NamedTuple

from agents.domain.health_profile import HealthFile
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.policy import PolicyFile
from streams.backtest.ranking import roc_auc, roc_auc_interval
from streams.history.judging_processes import cores, start_method
from streams.simulation.company_life import CompanyLife
from streams.simulation.conversation_script import Timed
from streams.simulation.hidden_truth import Truth
from streams.simulation.story import DEFAULT_START
from streams.truth.judged_life import JudgedLife
from streams.truth.outage_noticed import DETECTOR, VOLUME, Noticed, noticed_by_topic, noticed_by_volume
from streams.truth.risk_days import BAND, CSAT, MEASURES, TICKETS, Days, Span, csat_days, score_days, ticket_days
from streams.truth.warnings_given import Thought, Warned, neglected_ranks, outcomes, warned_at, warned_with

DEVELOPMENT_SEEDS = (1, 2, 3)
"""Looked at while the simulation and this report were written."""

SEEDS = (70_001, 70_002, 70_003, 70_004, 70_005, 70_006)
"""What is reported. Nothing was tuned on them: neither the scores, nor the simulation, nor this report."""

MONTHS = 6
FALSE_PER_MONTH = 4.0
"""At so many false alarms a month among forty accounts all measures are compared: one a week is still looked at."""

DAYS_BEFORE = (28, 14, 7)
"""How long before they leave accounts are told from those who stay. By the first some have not begun to show it."""


class Life(NamedTuple):
    """One life as it was, and as it was seen."""

    truth: Truth
    days: int
    risks: Mapping[str, Mapping[str, Days]]
    """By measure and account."""
    noticed: Mapping[str, Noticed]


class RankingFigures(NamedTuple):
    """How well those who left so many days later were told from those who stayed."""

    days_before: int
    roc_auc: float | None
    roc_auc_ci95: tuple[float, float] | None


class MeasureFigures(NamedTuple):
    """How one measure did. `false_alarms_per_month` are of one company; ranks count from 1, the riskiest."""

    measure: str
    ranking: Sequence[RankingFigures]
    threshold: float | None
    """The risk from which an alarm is given; null where none would have been rare enough."""
    warned_ratio: float | None
    warning_days_median: float | None
    false_alarms_per_month: float
    neglected_rank_median: float | None


class OutageFigures(NamedTuple):
    """How one way of watching did."""

    measure: str
    found: int
    delay_minutes_median: float | None
    false_alarms_per_month: float


@dataclass(frozen=True, slots=True)
class TruthReport:
    """The figures of all lives together."""

    seeds: Sequence[int]
    months: int
    profile: str
    accounts: int
    left: int
    measures: Sequence[MeasureFigures]
    outages: Sequence[OutageFigures]

    def as_json(self) -> dict[str, Any]:
        """The keys that `--json` prints."""
        return {
            "seeds": list(self.seeds),
            "months": self.months,
            "profile": self.profile,
            "accounts": self.accounts,
            "left": self.left,
            "measures": [
                each._asdict() | {"ranking": [ranking._asdict() for ranking in each.ranking]} for each in self.measures
            ],
            "outages": [each._asdict() for each in self.outages],
        }


def judged(seed: int, months: int, policies: PolicyFile, profile: HealthFile | None) -> Life:
    """Make a life and judge it."""
    life = CompanyLife(seed, months)
    events, truth = life.told()
    return judged_events(events, truth, months, policies, profile)


def judged_events(
    events: Sequence[Timed], truth: Truth, months: int, policies: PolicyFile, profile: HealthFile | None
) -> Life:
    """Judge what happened, in order, knowing nothing of the truth."""
    span = Span(DEFAULT_START, months * 30)
    scores = JudgedLife(f"simulation:{truth.seed}", policies, profile).scores(events, span.begins_at)
    profiles = (DEFAULT_PROFILE, *(() if profile is None else profile.profiles))
    worst = {each.name: each.bands[0].name for each in profiles}  # a file's own come last, whatever their names
    return Life(
        truth,
        span.days,
        score_days(scores, span, worst) | {TICKETS: ticket_days(events, span), CSAT: csat_days(events, span)},
        {DETECTOR: noticed_by_topic(events, truth.outage), VOLUME: noticed_by_volume(events, truth.outage)},
    )


def report_on(seeds: Sequence[int], months: int, policies: PolicyFile, profile: HealthFile | None) -> TruthReport:
    """Judge the lives of all seeds."""
    judge = partial(judged, months=months, policies=policies, profile=profile)
    processes = min(cores(), len(seeds))
    with ProcessPoolExecutor(processes, mp_context=get_context(start_method())) as pool:
        lives = list(pool.map(judge, seeds))
    return report_of(lives, months, "built-in" if profile is None else profile.version)


def report_of(lives: Sequence[Life], months: int, profile: str) -> TruthReport:
    """The figures of lives that were judged."""
    fates = [fate for life in lives for fate in life.truth.fates]
    return TruthReport(
        seeds=[life.truth.seed for life in lives],
        months=months,
        profile=profile,
        accounts=len(fates),
        left=sum(fate.leaves_at is not None for fate in fates),
        measures=[_figures(measure, lives, months) for measure in MEASURES],
        outages=[_outage_figures(measure, lives, months) for measure in (DETECTOR, VOLUME)],
    )


def _figures(measure: str, lives: Sequence[Life], months: int) -> MeasureFigures:
    thoughts = [Thought(life.truth, Span(DEFAULT_START, life.days), life.risks[measure]) for life in lives]
    warned: Warned = (
        warned_at(thoughts, 1.0, months) if measure == BAND else warned_with(thoughts, FALSE_PER_MONTH, months)
    )
    ranks = neglected_ranks(thoughts)
    return MeasureFigures(
        measure=measure,
        ranking=[_ranking(thoughts, days) for days in DAYS_BEFORE],
        threshold=None if isinf(warned.threshold) else warned.threshold,
        warned_ratio=warned.warned_ratio,
        warning_days_median=warned.median_days,
        false_alarms_per_month=warned.false_per_month,
        neglected_rank_median=median(ranks) if ranks else None,
    )


def _ranking(thoughts: Sequence[Thought], days_before: int) -> RankingFigures:
    asked = outcomes(thoughts, days_before)
    return RankingFigures(days_before, roc_auc(asked), roc_auc_interval(asked))


def _outage_figures(measure: str, lives: Sequence[Life], months: int) -> OutageFigures:
    noticed = [life.noticed[measure] for life in lives]
    delays = [each.delay_minutes for each in noticed if each.delay_minutes is not None]
    return OutageFigures(
        measure=measure,
        found=len(delays),
        delay_minutes_median=median(delays) if delays else None,
        false_alarms_per_month=sum(each.false_alarms for each in noticed) / (months * len(noticed)),
    )
