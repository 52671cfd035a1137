"""Fitted weights are the best that are not negative, and are measured on accounts that they were not learnt from."""

import random
from typing import Any

import pytest

from agents.domain.health_profile import ComponentRule, HealthFile, HealthProfile, SignalRule
from agents.domain.health_verdict import Account
from agents.domain.normalisation import MILLION
from agents.domain.signal_reading import Observation
from streams.backtest.labelled_scores import LabelledRow
from streams.backtest.weight_fit import fit_weights
from tests.account_stories import START

pytest.importorskip("sklearn", reason="needs the extra careline[fit]")

UNIT = ((0, 0), (MILLION, 100_00))
BANDS = ("red", "amber", "green")


def file_of(names: list[str]) -> HealthFile:
    rules = {name: SignalRule(name=name, label=name, normalise=UNIT, raw_unit=MILLION) for name in names}
    components = tuple(ComponentRule(name=name, weight=1, signals=(rule,)) for name, rule in rules.items())
    return HealthFile(
        version="1", profiles=(HealthProfile(name="all", version="1", components=components),), signals=rules
    )


def rows_of(table: list[dict[str, float | None]], left: list[bool]) -> list[LabelledRow]:
    return [
        LabelledRow(
            Account(str(number), {}),
            START,
            {name: [Observation(START, round(value * MILLION))] for name, value in values.items() if value is not None},
            gone,
        )
        for number, (values, gone) in enumerate(zip(table, left, strict=True))
    ]


def test_chance_is_not_learnt() -> None:
    """Thirty signals that say nothing about sixty accounts: on themselves the best weights would look convincing."""
    dice = random.Random(3)
    names = [f"s{number}" for number in range(30)]
    table: list[dict[str, float | None]] = [{name: dice.random() for name in names} for _ in range(60)]
    fitted = fit_weights(file_of(names), rows_of(table, [dice.random() < 0.4 for _ in range(60)]), BANDS)
    assert fitted is not None
    assert fitted.report.rows == 60
    assert fitted.report.roc_auc is not None
    assert fitted.report.roc_auc < 0.65


def test_weights_are_the_optimum_without_negative_ones() -> None:
    """As a general minimiser finds it: `b` points the wrong way, and what it knows must not be booked on `a`."""
    np: Any = pytest.importorskip("numpy")
    optimize: Any = pytest.importorskip("scipy.optimize")
    dice = random.Random(5)
    table: list[dict[str, float | None]] = []
    left = []
    for _ in range(300):
        a, c = dice.random(), dice.random()
        table.append({"a": a, "b": min(1.0, max(0.0, a + dice.uniform(-0.3, 0.3))), "c": c})
        left.append(dice.random() < 1 / (1 + 2.718281828 ** (3 * a - 4 * (table[-1]["b"] or 0) + 2 * c)))
    fitted = fit_weights(file_of(["a", "b", "c"]), rows_of(table, left), BANDS)
    assert fitted is not None
    features = np.array([[round(value * 1e4) / 1e4 for value in row.values() if value is not None] for row in table])
    sign = np.array([-1.0 if gone else 1.0 for gone in left])

    def loss(point: Any) -> float:
        margin = sign * (features @ point[:3] + point[3])
        return float(np.logaddexp(0, -margin).sum() + (point[:3] ** 2).sum() / 2)

    best = optimize.minimize(loss, np.zeros(4), bounds=[(0, None)] * 3 + [(None, None)], method="L-BFGS-B").x[:3]
    assert list(fitted.weights.values()) == pytest.approx(list(100 * best / best.sum()), abs=0.1)
    assert fitted.weights["b"] == 0


def test_a_signal_that_nobody_has_weighs_nothing_and_a_gap_does_no_harm() -> None:
    table: list[dict[str, float | None]] = [
        {"a": None if number % 7 == 0 else number % 2, "never": None} for number in range(60)
    ]
    fitted = fit_weights(file_of(["a", "never"]), rows_of(table, [number % 2 == 0 for number in range(60)]), BANDS)
    assert fitted is not None
    assert fitted.weights == {"a": 100.0, "never": 0.0}
    assert fitted.report.roc_auc == 1.0
    assert fitted.report.unscored == 0


def test_too_few_of_a_kind_teach_nothing() -> None:
    assert (
        fit_weights(file_of(["a"]), rows_of([{"a": 1.0}, {"a": 0.0}, {"a": 0.5}], [True, False, False]), BANDS) is None
    )
