"""Better weights for a profile, learnt from who has left: a logistic regression without negative weights.

The features are the sub-scores, so what is learnt is a profile like any other: its weights can be written into the
file and its parts still add up. A signal that says the opposite of what its normalisation claims gets no weight. It is
measured as it would be used: every row is scored by the engine with weights that were learnt from other accounts.

Needs scikit-learn (`careline[fit]`), which is imported when it is used.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from msgspec.structs import replace

from agents.domain.health_profile import ComponentRule, HealthFile, HealthProfile
from agents.domain.health_verdict import HealthBook, readings_of
from agents.domain.normalisation import BEST
from agents.domain.scoring import Scorer, apportion
from streams.backtest.backtest_report import FittedReport, report_on
from streams.backtest.folds import folds_of
from streams.backtest.labelled_scores import LabelledRow, ScoredRow, score_rows

_PERCENT = 100_00
"""Weights are learnt to hundredths of a percent."""
_RIDGE = 1.0
"""The pull towards equal weights of nothing: that of scikit-learn's own logistic regression, without which a signal
that separates a small history perfectly would weigh infinitely much."""
_MOST_STEPS = 50
_PRECISION = 1e-6
_LEAST_WEIGHT = 1e-6
"""Of a row of which the regression is sure; without it a step would divide by zero."""
_EXACT = 10**12

Weights = dict[str, int]
"""By signal, in hundredths of a percent, summing to 100 %."""


def can_fit() -> bool:
    """Whether scikit-learn is installed."""
    return find_spec("sklearn") is not None


def fit_weights(file: HealthFile, rows: Sequence[LabelledRow], band_order: Sequence[str]) -> FittedReport | None:
    """Weights for every profile of a file, and how well they tell who leaves, out of sample.

    Null where too few accounts have left or have stayed to learn from some and to ask the others.
    """
    rows = _told_apart(file, rows)
    folds = folds_of([row.account.id for row in rows], [row.left for row in rows])
    if folds is None:
        return None
    scored: list[ScoredRow] = []
    for fold in sorted(set(folds)):
        learnt_from = [row for row, own in zip(rows, folds, strict=True) if own != fold]
        asked = [row for row, own in zip(rows, folds, strict=True) if own == fold]
        scored += score_rows(HealthBook(_reweighed(file, _learn(file, learnt_from))), asked)
    found = _learn(file, rows)
    named = {
        signal if len(file.profiles) == 1 else f"{profile}/{signal}": weight / 100
        for profile, weights in found.items()
        for signal, weight in weights.items()
    }
    return FittedReport(report_on(scored, band_order), named)


def _told_apart(file: HealthFile, rows: Sequence[LabelledRow]) -> list[LabelledRow]:
    """The rows of which the profiles as written know anything, as `report_on` wants them."""
    return [scored.row for scored in score_rows(HealthBook(file), rows) if scored.score is not None]


def _learn(file: HealthFile, rows: Sequence[LabelledRow]) -> dict[str, Weights]:
    """Weights by profile and signal; a profile that nothing can be learnt for has none."""
    book = HealthBook(file)
    of_profile: dict[str, tuple[Scorer, list[LabelledRow]]] = {}
    for row in rows:
        scorer = book.scorer_for(row.account)
        if scorer is not None:
            of_profile.setdefault(scorer.profile.name, (scorer, []))[1].append(row)
    found = {name: _weights(scorer, own) for name, (scorer, own) in of_profile.items()}
    return {name: weights for name, weights in found.items() if weights}


def _weights(scorer: Scorer, rows: Sequence[LabelledRow]) -> Weights:
    if len({row.left for row in rows}) < 2:
        return {}
    coefficients = _non_negative_logistic(_features(scorer, rows), [not row.left for row in rows])
    exact = [round(coefficient * _EXACT) for coefficient in coefficients]
    if not any(exact):
        return {}
    shares = apportion([each * _PERCENT for each in exact], sum(exact))
    return {rule.name: share for (_, rule), share in zip(scorer.signals, shares, strict=True)}


def _features(scorer: Scorer, rows: Sequence[LabelledRow]) -> list[list[float]]:
    """The sub-scores (0..1) of every row, by signal; what is missing says what the average row says."""
    readings = [readings_of(scorer, row.observed, row.at) for row in rows]
    columns = []
    for _, rule in scorer.signals:
        found = [reading[rule.name].sub_score for reading in readings]
        known = [sub for sub in found if sub is not None]
        mean = sum(known) / len(known) if known else 0
        columns.append([(mean if sub is None else sub) / BEST for sub in found])
    return [list(row) for row in zip(*columns, strict=True)]


def _non_negative_logistic(features: Sequence[Sequence[float]], stayed: Sequence[bool]) -> list[float]:
    """The coefficients of a ridge logistic regression, none of them negative, by iteratively reweighted squares."""
    import numpy as np  # noqa: PLC0415 - comes with the extra
    from sklearn.linear_model import Ridge  # noqa: PLC0415 - the extra, which need not be installed

    table, wanted = np.array(features, dtype=float), np.array(stayed, dtype=float)
    share = wanted.mean()
    coefficients, intercept = np.zeros(table.shape[1]), np.log(share / (1 - share))
    for _ in range(_MOST_STEPS):
        linear = table @ coefficients + intercept
        probability = 1 / (1 + np.exp(-linear))
        weight = np.maximum(probability * (1 - probability), _LEAST_WEIGHT)
        step = Ridge(alpha=_RIDGE, positive=True).fit(table, linear + (wanted - probability) / weight, weight)
        moved = np.abs(step.coef_ - coefficients).max()
        coefficients, intercept = step.coef_, step.intercept_
        if moved < _PRECISION:
            break
    return [max(0.0, float(coefficient)) for coefficient in coefficients]


def _reweighed(file: HealthFile, learnt: Mapping[str, Weights]) -> HealthFile:
    profiles = [
        _with_weights(profile, learnt[profile.name]) if profile.name in learnt else profile for profile in file.profiles
    ]
    return replace(file, profiles=tuple(profiles))


def _with_weights(profile: HealthProfile, weights: Weights) -> HealthProfile:
    """The profile with these weights: a component weighs what its signals weigh together."""
    components = []
    for component in profile.components:
        signals = tuple(
            replace(rule, weight=weights[rule.name]) for rule in component.signals if weights[rule.name] > 0
        )
        if signals:
            weight = sum(rule.weight for rule in signals)
            components.append(ComponentRule(name=component.name, weight=weight, signals=signals))
    return replace(profile, components=tuple(components))
