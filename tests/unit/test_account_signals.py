"""What single signals of the health score are worth: tables."""

import pytest

from agents.domain import contact_volume, overdue, satisfaction
from agents.domain.instant import DAY_US, HOUR_US
from agents.domain.normalisation import MILLION, Curve, sub_score
from agents.domain.scoring import apportion
from agents.domain.signal_catalogue import DEFAULT_PROFILE
from schemas.account_state import AccountState, MetricState, OverdueClock, SurveyAnswer
from tests.account_stories import START, csat

CURVES: dict[str, Curve] = {
    rule.name: rule.normalise for _, rule in DEFAULT_PROFILE.signals if isinstance(rule.normalise, tuple)
}


@pytest.mark.parametrize(
    ("signal", "raw", "hundredths"),
    [
        ("adherence_7d", 0, 0),
        ("adherence_7d", 500_000, 0),
        ("adherence_7d", 650_000, 20_00),
        ("adherence_7d", 800_000, 40_00),
        ("adherence_7d", 950_000, 85_00),
        ("adherence_7d", MILLION, 100_00),
        ("overdue_clocks", 0, 100_00),
        ("overdue_clocks", 1, 87_50),
        ("overdue_clocks", 8, 35_00),
        ("overdue_clocks", 1000, 0),
        ("contact_volume", 0, 20_00),
        ("contact_volume", 250_000, 60_00),
        ("contact_volume", MILLION, 100_00),
        ("contact_volume", 2_250_000, 50_00),
        ("contact_volume", 9_000_000, 0),
        ("csat", 66_67, 66_67),
    ],
)
def test_curves_of_the_default_profile(signal: str, raw: int, hundredths: int) -> None:
    assert sub_score(CURVES[signal], raw) == hundredths


@pytest.mark.parametrize(
    ("numerators", "denominator", "parts"),
    [
        ([1, 1, 1], 3, (1, 0, 0)),  # thirds: the first of equal remainders
        ([10, 10, 10], 3, (4, 3, 3)),
        ([7, 2, 1], 2, (4, 1, 0)),
        ([0, 5], 5, (0, 1)),
        ([1, 1], 4, (1, 0)),  # a half goes up
    ],
)
def test_what_rounding_leaves_over_goes_to_the_largest_remainder(
    numerators: list[int], denominator: int, parts: tuple[int, ...]
) -> None:
    assert apportion(numerators, denominator) == parts


@pytest.mark.parametrize(
    ("priority", "age_us", "units"),
    [
        ("normal", 0, 2),
        (None, 0, 2),
        ("unheard_of", 0, 2),
        ("low", 0, 1),
        ("urgent", 0, 8),
        ("normal", 4 * HOUR_US - 1, 2),
        ("normal", 4 * HOUR_US, 4),
        ("normal", DAY_US, 6),
        ("urgent", 30 * DAY_US, 32),
    ],
)
def test_overdue_clocks_weigh_by_priority_and_age(priority: str | None, age_us: int, units: int) -> None:
    metric = MetricState()
    overdue.enter(metric, "c", OverdueClock(START, START, priority))
    assert overdue.load([metric], START + age_us) == units


def test_overdue_clocks_beyond_the_bound_are_counted() -> None:
    metric = MetricState()
    for number in range(overdue.KEPT_CLOCKS + 2):
        overdue.enter(metric, f"c{number}", OverdueClock(START, START, "normal"))
    assert (len(metric.overdue), metric.overdue_beyond) == (overdue.KEPT_CLOCKS, 2)
    assert overdue.load([metric], START) == 2 * (overdue.KEPT_CLOCKS + 2)
    overdue.leave(metric, f"c{overdue.KEPT_CLOCKS}")
    overdue.leave(metric, "c0")
    assert (len(metric.overdue), metric.overdue_beyond) == (overdue.KEPT_CLOCKS - 1, 1)


@pytest.mark.parametrize(
    ("value", "scale", "hundredths"),
    [
        (5, None, 100_00),
        (1, 5, 0),
        (3, 5, 50_00),
        (4, 5, 75_00),
        (0, 5, 0),
        (1, 1, 100_00),
        (0, 1, 0),
        (83, 100, 83_00),
    ],
)
def test_answers_are_normalised_by_their_scale(value: float, scale: float | None, hundredths: int) -> None:
    assert satisfaction.normalised(csat(value, START, scale=scale)) == hundredths


def test_answers_lose_half_their_weight_in_a_half_life_and_end_after_their_time() -> None:
    state = AccountState(as_of=START)
    satisfaction.take(state.answers, SurveyAnswer(START, "new", 0))
    satisfaction.take(state.answers, SurveyAnswer(START - satisfaction.HALF_LIFE_US, "old", 90_00))
    assert satisfaction.mean(state) == 30_00
    state.as_of = START - satisfaction.HALF_LIFE_US + satisfaction.TIME_TO_LIVE_US - 1
    satisfaction.forget(state)
    assert satisfaction.mean(state) == 30_00
    state.as_of += 1
    satisfaction.forget(state)
    assert satisfaction.mean(state) == 0
    assert satisfaction.changes_at(state) == START + satisfaction.TIME_TO_LIVE_US


@pytest.mark.parametrize(
    ("known_days", "daily", "recent", "ratio"),
    [
        (35, 1, 7, MILLION),
        (400, 1, 14, 2 * MILLION),
        (35, 1, 0, 0),
        (14, 1, 7, MILLION),  # one week of the past is enough
        (13, 1, 7, None),  # less is not
        (35, 0, 7, None),  # nobody who is silent has a baseline
    ],
)
def test_volume_is_compared_with_the_own_past(known_days: int, daily: int, recent: int, ratio: int | None) -> None:
    state = AccountState(as_of=START)
    today = START // DAY_US
    state.known_since_day = today - known_days + 1
    state.contacts = {today: recent} if recent else {}
    for day in range(max(state.known_since_day, today - 34), today - 6):
        if daily:
            state.contacts[day] = daily
    assert contact_volume.ratio(state) == ratio
    # Days before the five weeks change nothing.
    state.contacts[today - 35] = 1000
    contact_volume.forget(state)
    assert contact_volume.ratio(state) == ratio
