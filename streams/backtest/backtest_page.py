"""A backtest as one page of HTML: the ROC curve and the reliability as inline SVG, and the measures as tables.

The page needs nothing but itself: no script, no style sheet, no font and no image from elsewhere.
"""

from collections.abc import Iterator, Sequence
from html import escape

from streams.backtest.backtest_report import FittedReport, Report
from streams.backtest.ranking import roc_points

_SIDE, _EDGE = 320, 40
"""The side of a square and the room around it, in pixels."""
_MOST_POINTS = 400
"""More points than pixels draw the same curve."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 56rem; padding: 0 1rem; color: #1c2733; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr + tr { border-top: 1px solid #dde3ea; }
figure { display: inline-block; margin: 0 1rem 1rem 0; } figcaption { font-size: .85rem; color: #55606c; }
.frame { fill: none; stroke: #aab4c0; } .chance { stroke: #aab4c0; stroke-dasharray: 4 4; }
.written { fill: none; stroke: #1668b5; stroke-width: 2; } .fitted { fill: none; stroke: #c25b12; stroke-width: 2; }
.dot { fill: #1668b5; } .fitted-dot { fill: #c25b12; } text { font-size: 11px; fill: #55606c; }
"""


def page_of(title: str, report: Report, fitted: FittedReport | None) -> str:
    """The whole page.

    Args:
        title: the name of the profile file.
        report: of the profile as written.
        fitted: of the weights that were looked for.
    """
    name = escape(title)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Backtest of {name}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Does {name} tell who leaves?</h1>",
        *(f"<p>{escape(trouble)}.</p>" for trouble in report.troubles()),
        *_measures(report, fitted),
        *_figures(report, fitted),
        *_bands(report),
        *_weights(fitted),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _measures(report: Report, fitted: FittedReport | None) -> Iterator[str]:
    reports = [report, *([fitted.report] if fitted is not None else [])]
    head = ["", "as written", *(["fitted, out of sample"] if fitted is not None else [])]
    intervals = [found.roc_auc_ci95 for found in reports]
    rows = [
        ["rows", *(f"{found.rows:,}" for found in reports)],
        ["have left", *(f"{found.positives:,}" for found in reports)],
        ["ROC AUC", *(_number(found.roc_auc) for found in reports)],
        ["95 % interval (DeLong)", *("-" if each is None else f"{each[0]:.3f} to {each[1]:.3f}" for each in intervals)],
        ["average precision", *(_number(found.average_precision) for found in reports)],
        ["lift of the riskiest tenth", *(_number(found.lift_top_decile) for found in reports)],
        ["Brier score, out of fold", *(_number(found.brier) for found in reports)],
    ]
    yield _table(head, rows)


def _figures(report: Report, fitted: FittedReport | None) -> Iterator[str]:
    if report.roc_auc is None:
        return
    yield "<h2>Ranking and honesty</h2>"
    curves = [_curve(report, "written"), *([_curve(fitted.report, "fitted")] if fitted is not None else [])]
    caption = "Of those who left, how many are found (up) before how many who stayed (right); blue as written"
    yield _figure("ROC curve", "stayed", "left", curves, caption + (", orange fitted." if fitted else "."))
    dots = [_dots(report, "dot"), *([_dots(fitted.report, "fitted-dot")] if fitted is not None else [])]
    caption = "How many left (up) of those with a predicted probability (right); on the dashes it is honest."
    yield _figure("Reliability", "predicted", "observed", dots, caption)


def _figure(name: str, right: str, up: str, drawn: Sequence[str], caption: str) -> str:
    whole = _SIDE + 2 * _EDGE
    end = _EDGE + _SIDE
    return "\n".join(
        [
            f'<figure><svg role="img" aria-label="{name}" width="{whole}" height="{whole}">',
            f'<rect class="frame" x="{_EDGE}" y="{_EDGE}" width="{_SIDE}" height="{_SIDE}"/>',
            f'<line class="chance" x1="{_EDGE}" y1="{end}" x2="{end}" y2="{_EDGE}"/>',
            *drawn,
            f'<text x="{end}" y="{end + 16}" text-anchor="end">{right} 1</text>',
            f'<text x="{_EDGE}" y="{end + 16}">0</text><text x="{_EDGE}" y="{_EDGE - 6}">{up} 1</text>',
            f"</svg><figcaption>{name}. {escape(caption)}</figcaption></figure>",
        ]
    )


def _curve(report: Report, style: str) -> str:
    points = roc_points(report.outcomes)
    step = max(1, len(points) // _MOST_POINTS)
    drawn = [*points[::step], points[-1]]
    return f'<polyline class="{style}" points="{" ".join(f"{_x(x)},{_y(y)}" for x, y in drawn)}"/>'


def _dots(report: Report, style: str) -> str:
    largest = max((found.n for found in report.reliability), default=1)
    return "\n".join(
        f'<circle class="{style}" cx="{_x(found.predicted)}" cy="{_y(found.observed)}" '
        f'r="{3 + 4 * (found.n / largest) ** 0.5:.1f}"><title>{found.n:,} rows</title></circle>'
        for found in report.reliability
    )


def _x(share: float) -> str:
    return f"{_EDGE + share * _SIDE:.1f}"


def _y(share: float) -> str:
    return f"{_EDGE + (1 - share) * _SIDE:.1f}"


def _bands(report: Report) -> Iterator[str]:
    if not any(band.rows for band in report.bands):
        return
    yield "<h2>What the bands catch</h2>"
    rows = [
        [f"up to {band.band}", f"{band.rows:,}", _share(band.precision), _share(band.recall)] for band in report.bands
    ]
    yield _table(["taken as leaving", "rows", "precision", "recall"], rows)


def _weights(fitted: FittedReport | None) -> Iterator[str]:
    if fitted is None:
        return
    yield "<h2>Fitted weights</h2>"
    ordered = sorted(fitted.weights.items(), key=lambda each: -each[1])
    yield _table(["signal", "share of the weight"], [[name, f"{weight:.2f} %"] for name, weight in ordered])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "\n".join(["<table>", line(head, "th"), *(line(row, "td") for row in rows), "</table>"])


def _number(measure: float | None) -> str:
    return "-" if measure is None else f"{measure:.4f}"


def _share(measure: float | None) -> str:
    return "-" if measure is None else f"{measure:.1%}"
