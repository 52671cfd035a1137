"""`careline health backtest`: does a low score tell who leaves?

The rows come from `streams.health_files.snapshot_rows`, the measures from `streams.backtest`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.admin_options import say, say_table
from streams.cli.health_history import FilesArgument, MappingOption, ProfileOption, StrictOption

if TYPE_CHECKING:
    from agents.domain.health_profile import HealthFile
    from streams.backtest.backtest_report import FittedReport, Report
    from streams.health_files.snapshot_rows import Snapshot

_WRONG = 2
_FAILED = 1


def health_backtest(
    profile: ProfileOption,
    mapping: MappingOption,
    files: FilesArgument,
    fit: Annotated[
        bool, typer.Option("--fit", help="Look for better weights too; needs scikit-learn (`careline[fit]`).")
    ] = False,
    strict: StrictOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="PAGE.html", help="Write a page with the curves as well.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration", metavar="OUT.yaml", help="Write the probability of leaving by score, for the profile file."
        ),
    ] = None,
) -> None:
    """Does a low score tell who leaves?

    Scores every row of a labelled history and compares the scores with the
    labels: how well they rank (ROC AUC with its 95 % confidence interval by
    DeLong, clustered by account, average precision, lift of the riskiest tenth), what each band
    catches (precision, recall), and how honest a probability made from the
    score is (Brier score, reliability), learnt from other accounts than the
    one that it is for.

    With --fit it looks for better weights by a logistic regression without
    negative weights over the sub-scores, measured out of sample by
    cross-validation.

    Example: careline health backtest --profile examples/health/support.yaml
    --mapping examples/health/accounts.mapping.yaml examples/health/accounts.csv

    Exit status: 0; 1 when the page cannot be written; 2 when a file is wrong,
    or scikit-learn is not installed.
    """
    from streams.backtest.weight_fit import can_fit
    from streams.cli.health_history import load_snapshots, tell_labels, tell_snapshots
    from streams.cli.history_files import tell

    if fit and not can_fit():
        tell("careline health backtest: --fit needs scikit-learn, which is not installed (pip install 'careline[fit]')")
        raise typer.Exit(_WRONG)
    profiles, read, snapshots = load_snapshots(
        profile, mapping, files, strict=strict, as_json=as_json, needs_label=True
    )
    report, fitted = _measured(profiles, snapshots.rows, dated=read.at is not None, fit=fit)
    if calibration is not None:
        _write_calibration(calibration, profiles, snapshots.rows, dated=read.at is not None)
    _show(report, fitted, as_json=as_json, fit=fit)
    if html is not None:
        _write_page(html, profile, report, fitted)
    tell_snapshots(snapshots.counts, read, profiles)
    tell_labels(snapshots.counts)
    if fit and fitted is None:
        tell("careline health backtest: too few accounts have left, or have stayed, to learn weights from")
    _tell_doubts(report)


def _tell_doubts(report: "Report") -> None:
    from streams.cli.history_files import tell

    if report.unscored:
        tell(f"  with a label but without a score (nothing is known, or no profile is for them): {report.unscored:,}")
    if 0 < report.accounts < report.rows:
        tell(
            f"  {report.rows:,} rows of {report.accounts:,} accounts: the interval takes the rows of an account as one "
            "cluster, and all of them are in one fold"
        )
    for trouble in report.troubles():
        tell(f"careline health backtest: {trouble}")


def _measured(
    profiles: "HealthFile", snapshots: "Sequence[Snapshot]", *, dated: bool, fit: bool
) -> "tuple[Report, FittedReport | None]":
    from agents.domain.health_verdict import HealthBook
    from streams.backtest.backtest_report import report_on
    from streams.backtest.labelled_scores import labelled_rows, score_rows
    from streams.backtest.weight_fit import fit_weights

    rows = labelled_rows(snapshots, dated=dated)
    report = report_on(score_rows(HealthBook(profiles), rows), _band_order(profiles))
    return report, fit_weights(profiles, rows, _band_order(profiles)) if fit else None


def _show(report: "Report", fitted: "FittedReport | None", *, as_json: bool, fit: bool) -> None:
    from streams.cli.told_problems import print_json

    if as_json:
        found = report.as_json()
        print_json(found | {"fitted": None if fitted is None else fitted.as_json()} if fit else found)
        return
    _say(report, fitted)


def _band_order(profiles: "HealthFile") -> list[str]:
    """All bands of a file, from the worst to the best by where they begin in the first profile that has them."""
    begins: dict[str, int] = {}
    for profile in profiles.profiles:
        for band in profile.bands:
            begins.setdefault(band.name, band.begins_at)
    return sorted(begins, key=begins.__getitem__)


def _write_calibration(path: Path, profiles: "HealthFile", snapshots: "Sequence[Snapshot]", *, dated: bool) -> None:
    """What the score says of the probability, learnt from all rows: how honest that is, the report says."""
    from agents.domain.health_verdict import HealthBook
    from streams.backtest.calibration import Isotonic
    from streams.backtest.labelled_scores import labelled_rows, score_rows
    from streams.health_files.calibration_file import calibration_text

    scored = score_rows(HealthBook(profiles), labelled_rows(snapshots, dated=dated))
    outcomes = [row.outcome for row in scored if row.score is not None]
    if not outcomes:
        return
    points = [(100 - risk, probability) for risk, probability in reversed(Isotonic(outcomes).points())]
    left = sum(outcome.left for outcome in outcomes)
    _write(path, calibration_text(profiles.version, len(outcomes), left, points))


def _write_page(path: Path, profile: Path, report: "Report", fitted: "FittedReport | None") -> None:
    from streams.backtest.backtest_page import page_of

    _write(path, page_of(profile.name, report, fitted))


def _write(path: Path, text: str) -> None:
    from streams.cli.history_files import tell

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        tell(f"careline health backtest: {path} cannot be written: {error.strerror or error}")
        raise typer.Exit(_FAILED) from None


def _say(report: "Report", fitted: "FittedReport | None") -> None:
    reports = [report, *([fitted.report] if fitted is not None else [])]
    header = ["", "as written", *(["fitted, out of sample"] if fitted is not None else [])]
    say_table(header, [[label, *cells] for label, cells in _measures(reports)])
    if any(band.rows for band in report.bands):
        say("")
        bands, names = [], list[str]()
        for band in report.bands:
            names.append(band.band)
            bands.append([" or ".join(names), f"{band.rows:,}", _share(band.precision), _share(band.recall)])
        say_table(["taken as leaving", "rows", "precision", "recall"], bands)
    if report.reliability:
        say("")
        bins = [[f"{each.predicted:.3f}", f"{each.observed:.3f}", f"{each.n:,}"] for each in report.reliability]
        say_table(["predicted", "observed", "rows"], bins)
    if fitted is not None:
        say("")
        weights = sorted(fitted.weights.items(), key=lambda each: -each[1])
        say_table(["signal", "weight"], [[name, f"{weight:.2f} %"] for name, weight in weights])


def _measures(reports: "Sequence[Report]") -> Iterator[tuple[str, list[str]]]:
    yield "rows", [f"{report.rows:,}" for report in reports]
    yield "have left", [f"{report.positives:,}" for report in reports]
    yield "ROC AUC", [_number(report.roc_auc) for report in reports]
    intervals = [report.roc_auc_ci95 for report in reports]
    yield "  95 % interval", ["-" if found is None else f"{found[0]:.4f} to {found[1]:.4f}" for found in intervals]
    yield "average precision", [_number(report.average_precision) for report in reports]
    yield "lift of the riskiest tenth", [_number(report.lift_top_decile) for report in reports]
    yield "Brier score", [_number(report.brier) for report in reports]


def _number(measure: float | None) -> str:
    return "-" if measure is None else f"{measure:.4f}"


def _share(measure: float | None) -> str:
    return "-" if measure is None else f"{measure:.1%}"
