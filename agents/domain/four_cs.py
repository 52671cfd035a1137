"""The four C's of care: compassion, competence, convenience, consistency, 0 to 100 each, explained like health.

Each is a small profile over the care figures, scored by the engine of the health score (`agents.domain.scoring`): parts
that sum to the score exactly, and beside it how much of the weight had data. The numbers are judgements, each with its
reason beside it. `careline care` shows them, `docs/care-metrics.md` counts one by hand.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from agents.domain.care_metrics import Figure
from agents.domain.health_profile import ComponentRule, HealthProfile, SignalRule
from agents.domain.health_verdict import Part, parts_of
from agents.domain.normalisation import MILLION, Curve
from agents.domain.scoring import Scorer
from agents.domain.signal_reading import Reading, normalised

_HOUR = 3600


class FourC(NamedTuple):
    """One of the four. Score and points are hundredths, null where nothing is known; coverage in ten-thousandths."""

    name: str
    score: int | None
    coverage: int
    parts: tuple[Part, ...]


def _curve(*points: tuple[float, float]) -> Curve:
    return tuple((round(value * MILLION), round(score * 100)) for value, score in points)


def _profile(name: str, *signals: tuple[str, int, Curve]) -> HealthProfile:
    rules = tuple(
        SignalRule(name=figure, label=figure.replace("_", " "), normalise=curve, weight=weight, raw_unit=MILLION)
        for figure, weight, curve in signals
    )
    return HealthProfile(name=name, version="1", components=(ComponentRule(name=name, weight=1, signals=rules),))


_SHARE = _curve((0, 0), (1, 100))
# As in the health score: 95 % is just good, at 80 % amber turns into red, a coin toss is worth nothing.
_PROMISES = _curve((0.5, 0), (0.8, 40), (0.95, 85), (1, 100))

PROFILES = (
    _profile(
        "compassion",
        # How it felt is what the customers say of it: those who answered, and those whom we asked again.
        ("csat_ratio", 3, _SHARE),
        # Who is content after a case that was escalated, came back or took five answers was cared for when it counted.
        ("csat_after_hard_cases_ratio", 2, _SHARE),
        ("nps", 1, _curve((-100, 0), (0, 50), (100, 100))),
        # What they let show without being asked: everybody writes, few answer; but a tone is a guess, not an answer.
        ("sentiment_mean", 1, _curve((-1, 0), (1, 100))),
        # Coming back to the dissatisfied is compassion that can be counted.
        ("feedback_closed_ratio", 2, _SHARE),
    ),
    _profile(
        "competence",
        # Seven of ten solved at first contact is what call centres call good; half of that is nothing to be proud of.
        ("first_contact_resolution_ratio", 3, _curve((0.35, 0), (0.7, 80), (1, 100))),
        # As in the health score: one in twenty is ordinary, a third means that answers do not hold.
        ("reopen_ratio", 2, _curve((0.05, 100), (0.3, 0))),
        # Half an hour is quick, a day usual, a week too long.
        ("resolution_median_seconds", 1, _curve((_HOUR / 2, 100), (24 * _HOUR, 60), (168 * _HOUR, 0))),
    ),
    _profile(
        "convenience",
        # The customer's own word on effort weighs as much as all that we can measure of it.
        ("ces_mean", 3, _curve((1, 0), (7, 100))),
        # Customers wait by the wall clock, whatever our office hours.
        ("first_response_wall_median_seconds", 2, _curve((60, 100), (_HOUR, 85), (8 * _HOUR, 50), (72 * _HOUR, 0))),
        # Whoever is told before having to ask has no effort at all; a third of ours is a lot.
        ("proactive_ratio", 1, _curve((0, 40), (0.33, 100))),
        # To have to say it again elsewhere is effort that we cause; with one in five it is how we work.
        ("forced_switch_ratio", 1, _curve((0, 100), (0.2, 0))),
    ),
    _profile(
        "consistency",
        ("adherence_ratio", 2, _PROMISES),
        # Nine in ten answered within three times the median is even; within twenty times is a lottery.
        ("first_response_spread", 1, _curve((3, 100), (8, 50), (20, 0))),
        # A channel, a team or a time of day that keeps its promises 30 points worse than another is another company.
        ("channel_gap", 1, _curve((0, 100), (0.3, 0))),
        ("team_gap", 1, _curve((0, 100), (0.3, 0))),
        ("hours_gap", 1, _curve((0, 100), (0.3, 0))),
    ),
)

_SCORERS = tuple(Scorer(profile) for profile in PROFILES)


def four_cs(figures: Iterable[Figure], gaps: Mapping[str, float | None] | None = None) -> list[FourC]:
    """The four C's out of figures.

    Args:
        figures: of one value of one scope.
        gaps: `channel_gap`, `team_gap` and `hours_gap` (`gap_of`), for the company.
    """
    values: dict[str, float | None] = {figure.name: figure.value for figure in figures} | dict(gaps or {})
    values["first_response_spread"] = _spread(values)
    return [_score(scorer, values) for scorer in _SCORERS]


def _spread(values: Mapping[str, float | None]) -> float | None:
    """How many times longer than the median nine in ten waited at most."""
    median, most = values.get("first_response_median_seconds"), values.get("first_response_p90_seconds")
    return most / median if median and most else None


def gap_of(ratios: Iterable[float | None]) -> float | None:
    """How far the best adherence lies above the worst; null where fewer than two have any."""
    known = [ratio for ratio in ratios if ratio is not None]
    return max(known) - min(known) if len(known) > 1 else None


def _score(scorer: Scorer, values: Mapping[str, float | None]) -> FourC:
    readings = {rule.name: _reading(rule, values.get(rule.name)) for _, rule in scorer.signals}
    parts, coverage = parts_of(scorer, readings)
    score = sum(part.points for part in parts) if coverage else None
    return FourC(scorer.profile.name, score, coverage, tuple(parts))


def _reading(rule: SignalRule, value: float | None) -> Reading:
    if value is None:
        return Reading()
    raw = round(value * MILLION)
    return Reading(raw, normalised(rule.normalise, raw), MILLION)
