"""Laws of error budgets: what breaks never makes a budget burn slower, and every objective can burn too fast."""

from hypothesis import given
from hypothesis import strategies as st

from agents.domain.error_budget import (
    BURN_WINDOWS,
    LEAST_BREACHES,
    LEAST_OUTCOMES,
    MILLION,
    allowed,
    burn_rates,
    days_of,
    factor,
)
from agents.domain.instant import DAY_US
from agents.domain.rolling_window import MOST_DAYS
from schemas.adherence import WINDOW_NAMES

WINDOWS = len(WINDOW_NAMES)
objectives = st.one_of(st.integers(1, MILLION - 1), st.sampled_from((800_000, 950_000, 990_000, 999_000)))
periods = st.one_of(st.just("month"), st.integers(1, 2 * MOST_DAYS).map("{}d".format))
few = st.lists(st.integers(0, 2 * LEAST_OUTCOMES), min_size=WINDOWS, max_size=WINDOWS)


def growing(parts: list[int]) -> list[int]:
    """Outcomes by window: what is in a window is in every longer one, and the month is as long as it happens to be."""
    return [sum(parts[: place + 1]) for place in range(WINDOWS)]


@given(few, few, periods, objectives)
def test_a_rate_is_the_broken_share_of_what_may_break(
    met: list[int], breached: list[int], over: str, objective: int
) -> None:
    for rate in burn_rates(met, breached, over, objective):
        kept, broken = (counts[WINDOW_NAMES.index(rate.window)] for counts in (met, breached))
        assert (rate.rate is None) == (kept + broken == 0)
        if rate.rate is not None:
            may_break = allowed(kept + broken, objective)
            assert abs(rate.rate * may_break - broken) <= may_break * 1e-6 + 1e-9
            assert not rate.burning or rate.rate >= rate.factor - 1e-6
        if kept + broken < LEAST_OUTCOMES or broken < LEAST_BREACHES:
            assert not rate.burning


@given(few, few, st.integers(1, 50), periods, objectives)
def test_what_breaks_now_lowers_no_rate_and_ends_no_alert(
    met: list[int], breached: list[int], more: int, over: str, objective: int
) -> None:
    kept, broken = growing(met), growing(breached)
    before = burn_rates(kept, broken, over, objective)
    worse = burn_rates(kept, [count + more for count in broken], over, objective)
    better = burn_rates([count + more for count in kept], broken, over, objective)
    for rate, higher, lower in zip(before, worse, better, strict=True):
        assert higher.rate is not None
        assert lower.rate is not None
        assert lower.rate <= (rate.rate or 0.0) <= higher.rate
        assert higher.burning or not rate.burning


@given(st.integers(LEAST_OUTCOMES, 1000), periods, objectives)
def test_where_everything_breaks_every_window_burns(outcomes: int, over: str, objective: int) -> None:
    """Factors follow from the objective: at 95 % a window cannot burn faster than 20, at 50 % not faster than 2."""
    assert all(rate.burning for rate in burn_rates([0] * WINDOWS, [outcomes] * WINDOWS, over, objective))
    assert not any(rate.burning for rate in burn_rates([outcomes] * WINDOWS, [0] * WINDOWS, over, objective))
    night = burn_rates([0] * WINDOWS, [0, *[outcomes] * (WINDOWS - 1)], over, objective)
    assert [rate.burning for rate in night] == [False, True, True], "an hour without outcomes says nothing against it"


@given(periods, objectives, objectives)
def test_a_factor_is_at_least_one_and_no_more_than_its_share_of_the_period_or_its_objective_allows(
    over: str, one: int, other: int
) -> None:
    modest, strict = sorted((one, other))
    for window in BURN_WINDOWS:
        found = factor(window, over, modest)
        assert 1 <= found <= factor(window, over, strict)
        assert found <= max(1, window.share * (days_of(over) or 30) * DAY_US / window.length_us)
        assert found <= MILLION / (MILLION - modest)


@given(few, few, periods)
def test_an_objective_without_a_budget_has_no_rate(met: list[int], breached: list[int], over: str) -> None:
    assert {(rate.rate, rate.burning) for rate in burn_rates(met, breached, over, MILLION)} == {(None, False)}
