"""What a backtest says: the measures of a score against who has left, for people, programs and pages.

The keys of `as_json` are a public interface (`docs/health.md`); `careline health backtest` prints
them, `backtest_page` draws them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.backtest.calibration import ReliabilityBin, brier, out_of_fold, reliability
from streams.backtest.folds import folds_of
from streams.backtest.labelled_scores import ScoredRow
from streams.backtest.ranking import Outcome, average_precision, lift_of_top, roc_auc, roc_auc_interval


class BandResult(NamedTuple):
    """Those in a band or in a worse one, taken as a prediction that they will leave; shares in 0..1."""

    band: str
    rows: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The measures over all rows that have a label and a score; null where they cannot be told."""

    rows: int
    positives: int
    roc_auc: float | None = None
    roc_auc_ci95: tuple[float, float] | None = None
    average_precision: float | None = None
    lift_top_decile: float | None = None
    brier: float | None = None
    reliability: Sequence[ReliabilityBin] = ()
    bands: Sequence[BandResult] = ()
    outcomes: Sequence[Outcome] = field(default=(), repr=False)
    unscored: int = 0
    """Rows with a label of which nothing is known; they are in no measure."""
    accounts: int = 0
    """Whose the rows are; fewer than rows where a history has several snapshots of an account."""

    def as_json(self) -> dict[str, Any]:
        """The keys that `--json` prints."""
        return {
            "rows": self.rows,
            "positives": self.positives,
            "roc_auc": self.roc_auc,
            "roc_auc_ci95": None if self.roc_auc_ci95 is None else list(self.roc_auc_ci95),
            "average_precision": self.average_precision,
            "lift_top_decile": self.lift_top_decile,
            "brier": self.brier,
            "reliability": [found._asdict() for found in self.reliability],
        }

    def troubles(self) -> Iterator[str]:
        """Why there are measures that cannot be told."""
        if not self.rows:
            yield "no row has both a label and a score, so there is nothing to compare"
        elif self.positives in {0, self.rows}:
            kind = "stayed" if not self.positives else "left"
            yield f"all {self.rows:,} rows have {kind}: without both kinds nothing can be ranked"
        elif self.brier is None:
            yield "fewer than two accounts have left, or have stayed, so no probability can be checked on others"


@dataclass(frozen=True, slots=True)
class FittedReport:
    """The same measures for weights that were looked for, each row scored by weights that were learnt from others.

    `weights` are in percent of all, learnt from all rows; by signal, or by `profile/signal` where a file has several
    profiles.
    """

    report: Report
    weights: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """The value of `fitted` that `--json` prints."""
        return {**self.report.as_json(), "weights": dict(self.weights)}


def report_on(scored: Sequence[ScoredRow], band_order: Sequence[str]) -> Report:
    """The measures of scored rows.

    Args:
        scored: rows with labels; those without a score are counted apart.
        band_order: bands of the profiles from the worst to the best.
    """
    known = [row for row in scored if row.score is not None]
    outcomes = [row.outcome for row in known]
    positives = sum(outcome.left for outcome in outcomes)
    unscored = len(scored) - len(known)
    if positives in {0, len(outcomes)}:
        return Report(len(outcomes), positives, bands=_bands(known, band_order), outcomes=outcomes, unscored=unscored)
    accounts = [row.row.account.id for row in known]
    folds = folds_of(accounts, [outcome.left for outcome in outcomes])
    probabilities = out_of_fold(outcomes, folds) if folds is not None else None
    return Report(
        rows=len(outcomes),
        positives=positives,
        roc_auc=roc_auc(outcomes),
        roc_auc_ci95=roc_auc_interval(outcomes, accounts),
        average_precision=average_precision(outcomes),
        lift_top_decile=lift_of_top(outcomes),
        brier=None if probabilities is None else brier(outcomes, probabilities),
        reliability=() if probabilities is None else reliability(outcomes, probabilities),
        bands=_bands(known, band_order),
        outcomes=outcomes,
        unscored=unscored,
        accounts=len(set(accounts)),
    )


def _bands(known: Sequence[ScoredRow], band_order: Sequence[str]) -> list[BandResult]:
    counted = Counter(row.band for row in known)
    left = Counter(row.band for row in known if row.row.left)
    found, rows, gone = [], 0, 0
    for band in band_order[:-1]:
        rows += counted[band]
        gone += left[band]
        recall = gone / left.total() if left.total() else None
        found.append(BandResult(band, rows, gone / rows if rows else None, recall))
    return found
