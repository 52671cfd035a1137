"""The measures of a backtest equal their definitions, counted by brute force, and scikit-learn's where it has them."""

from itertools import pairwise, product
from random import Random
from statistics import fmean, variance
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.backtest.calibration import Isotonic, brier, out_of_fold, reliability
from streams.backtest.folds import folds_of
from streams.backtest.ranking import (
    Outcome,
    average_precision,
    lift_of_top,
    roc_auc,
    roc_auc_interval,
    roc_points,
)

outcomes = st.lists(
    st.tuples(st.integers(0, 12), st.booleans()).map(lambda drawn: Outcome(*drawn)), min_size=1, max_size=40
)
"""Few different risks, so there are ties."""


def both_kinds(rows: list[Outcome]) -> bool:
    return 0 < sum(row.left for row in rows) < len(rows)


@pytest.fixture(scope="module")
def sklearn() -> Any:
    return pytest.importorskip("sklearn", reason="needs the extra careline[fit]")


@given(outcomes)
def test_the_area_is_the_chance_of_the_right_order(rows: list[Outcome]) -> None:
    area = roc_auc(rows)
    if not both_kinds(rows):
        assert area is None
        return
    pairs = product([row.risk for row in rows if row.left], [row.risk for row in rows if not row.left])
    wins = fmean(1.0 if gone > stayed else 0.5 if gone == stayed else 0.0 for gone, stayed in pairs)
    assert area == pytest.approx(wins)


@given(outcomes)
def test_the_area_is_that_under_the_curve(rows: list[Outcome]) -> None:
    assume(both_kinds(rows))
    points = roc_points(rows)
    area = sum((x - before) * (y + low) / 2 for (before, low), (x, y) in pairwise(points))
    assert roc_auc(rows) == pytest.approx(area)


def test_the_interval_of_repeated_accounts_is_that_of_a_bootstrap_of_accounts() -> None:
    rng = Random(5)
    rows: list[tuple[str, Outcome]] = []
    for number in range(120):
        leaves, own = rng.random() < 0.3, rng.gauss(0, 1)
        for month in range(6):
            left = leaves and month > 0
            rows.append((f"a{number}", Outcome(round(own + left + rng.gauss(0, 0.3), 2), left)))
    of_account = [[outcome for name, outcome in rows if name == f"a{number}"] for number in range(120)]
    drawn = ([each for account in rng.choices(of_account, k=120) for each in account] for _ in range(400))
    areas = sorted(area for rows_again in drawn if (area := roc_auc(rows_again)) is not None)

    low, high = roc_auc_interval([outcome for _, outcome in rows], [name for name, _ in rows]) or (0, 0)
    naive_low, naive_high = roc_auc_interval([outcome for _, outcome in rows]) or (0, 0)
    again = areas[round(0.975 * len(areas))] - areas[round(0.025 * len(areas))]

    assert high - low == pytest.approx(again, rel=0.15)
    assert naive_high - naive_low < 0.85 * again


@given(outcomes)
def test_accounts_of_one_row_each_are_delongs_case(rows: list[Outcome]) -> None:
    expected = roc_auc_interval(rows)
    assert roc_auc_interval(rows, [str(number) for number in range(len(rows))]) == expected
    if expected is not None:
        of_left = [
            fmean((a.risk > b.risk) + (a.risk == b.risk) / 2 for b in rows if not b.left) for a in rows if a.left
        ]
        of_stayed = [
            fmean((a.risk > b.risk) + (a.risk == b.risk) / 2 for a in rows if a.left) for b in rows if not b.left
        ]
        spread = 1.959964 * (variance(of_left) / len(of_left) + variance(of_stayed) / len(of_stayed)) ** 0.5
        area = fmean(of_left)
        assert expected == pytest.approx((max(0.0, area - spread), min(1.0, area + spread)), abs=1e-6)


@given(st.data(), outcomes)
def test_the_order_of_rows_does_not_matter(data: st.DataObject, rows: list[Outcome]) -> None:
    other = data.draw(st.permutations(rows))
    for measure in (roc_auc, average_precision, lift_of_top, roc_auc_interval):
        one, again = measure(rows), measure(other)
        assert one == (None if again is None else pytest.approx(again))


@given(outcomes)
def test_measures_equal_those_of_scikit_learn(sklearn: Any, rows: list[Outcome]) -> None:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import average_precision_score, roc_auc_score

    assume(both_kinds(rows))
    left, risk = [row.left for row in rows], [row.risk for row in rows]
    assert roc_auc(rows) == pytest.approx(roc_auc_score(left, risk))
    assert average_precision(rows) == pytest.approx(average_precision_score(left, risk))
    theirs = IsotonicRegression(out_of_bounds="clip").fit(risk, [float(gone) for gone in left])
    ours = Isotonic(rows)
    asked = [-1, *[step / 2 for step in range(26)]]
    assert [ours.probability(each) for each in asked] == pytest.approx(list(theirs.predict(asked)))


def test_the_interval_is_that_of_delong() -> None:
    """By hand: placements of those who left 1, 1, 3/4 (mean 11/12), of those who stayed 1, 1, 1, 2/3."""
    rows = [Outcome(risk, True) for risk in (9, 8, 4)] + [Outcome(risk, False) for risk in (1, 2, 3, 5)]
    interval = roc_auc_interval(rows)
    assert interval is not None
    # Variances 1/48 of three and 1/36 of four: sqrt(1/144 + 1/144) = .11785, times 1.95996.
    assert interval == pytest.approx((11 / 12 - 0.230983, 1.0), abs=1e-5)
    assert roc_auc_interval([Outcome(1, True), Outcome(0, False), Outcome(0, False)]) is None


@pytest.mark.parametrize(
    ("rows", "lift"),
    [
        ([(9, True)] + [(1, False)] * 9, 10.0),
        ([(9, False)] + [(1, True)] * 9, 0.0),
        ([(1, True)] * 5 + [(1, False)] * 15, 1.0),  # all alike: as good as chance
        ([(1, False)] * 4, None),
        ([(5, True), (5, False)] + [(1, False)] * 8, 5.0),  # half of the tie is within
    ],
)
def test_the_lift_of_the_riskiest_tenth(rows: list[tuple[float, bool]], lift: float | None) -> None:
    assert lift_of_top([Outcome(*row) for row in rows]) == lift


@given(outcomes)
def test_a_probability_never_falls_as_the_risk_rises(rows: list[Outcome]) -> None:
    learnt = Isotonic(rows)
    found = [learnt.probability(step / 3) for step in range(-3, 45)]
    assert found == sorted(found)
    assert all(0 <= each <= 1 for each in found)
    assert fmean(learnt.probability(row.risk) for row in rows) == pytest.approx(fmean(row.left for row in rows))


def test_a_constant_score_predicts_the_share_of_those_who_left() -> None:
    rows = [Outcome(50, number % 4 == 0) for number in range(40)]
    folds = folds_of([str(number) for number in range(40)], [row.left for row in rows])
    assert folds is not None
    predicted = out_of_fold(rows, folds)
    assert predicted == pytest.approx([0.25] * 40)
    assert brier(rows, predicted) == pytest.approx(0.25 * 0.75)
    assert roc_auc(rows) == 0.5
    assert [tuple(found) for found in reliability(rows, predicted)] == [pytest.approx((0.25, 0.25, 40))]


@given(outcomes, st.data())
def test_reliability_holds_every_row_once(rows: list[Outcome], data: st.DataObject) -> None:
    predicted = data.draw(st.lists(st.sampled_from((0.1, 0.2, 0.5, 0.9)), min_size=len(rows), max_size=len(rows)))
    bins = reliability(rows, predicted)
    assert sum(found.n for found in bins) == len(rows)
    assert len(bins) <= 10
    assert [found.predicted for found in bins] == sorted(found.predicted for found in bins)
    assert sum(found.observed * found.n for found in bins) == pytest.approx(sum(row.left for row in rows))
    assert sum(found.predicted * found.n for found in bins) == pytest.approx(sum(predicted))


@given(st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.booleans()), min_size=1, max_size=60), st.data())
def test_folds_keep_accounts_together_and_both_kinds_apart(rows: list[tuple[str, bool]], data: st.DataObject) -> None:
    folds = folds_of([account for account, _ in rows], [left for _, left in rows])
    gone = {account for account, left in rows if left}
    stayed = {account for account, _ in rows} - gone
    if min(len(gone), len(stayed)) < 2:
        assert folds is None
        return
    assert folds is not None
    of_account = {account: fold for (account, _), fold in zip(rows, folds, strict=True)}
    assert all(of_account[account] == fold for (account, _), fold in zip(rows, folds, strict=True))
    for kind in (gone, stayed):
        assert {of_account[account] for account in kind} == set(folds)
    order = data.draw(st.permutations(range(len(rows))))
    again = folds_of([rows[place][0] for place in order], [rows[place][1] for place in order])
    assert again == [folds[place] for place in order]


def test_nobody_is_asked_about_what_was_learnt_from_them() -> None:
    """One row is an exception to what all others say: out of fold it cannot know."""
    rows = [Outcome(float(number), number >= 20) for number in range(40)]
    rows[0] = Outcome(0.0, True)
    accounts = [str(number) for number in range(40)]
    folds = folds_of(accounts, [row.left for row in rows])
    assert folds is not None
    assert out_of_fold(rows, folds)[0] == 0
    assert Isotonic(rows).probability(0.0) > 0
