"""What a run over history comes to, for people: what became of the rows, and how the promises were kept.

`careline policy run` and `careline import` print it on standard error; the clocks themselves go to standard output or
to Kafka.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.history.conversations import HistoryCounts

OUTCOMES = ("met", "satisfied_late", "breached", "open", "cancelled", "merged", "retracted")
_SECONDS_PER_HOUR = 3600.0


def row_lines(counts: HistoryCounts, conversations: int, events: int) -> Iterator[str]:
    """Sentences about rows, conversations and rejections."""
    yield (
        f"{counts.rows:,} rows: {counts.used:,} used, {counts.without_event:,} without an event, "
        f"{counts.rejected.total():,} rejected"
    )
    for reason, count in counts.rejected.most_common():
        yield f"  rejected, {reason}: {count:,}"
    for path in counts.rejected_files:
        yield f"  the rejected rows and what is wrong with them: {path}"
    for trouble in counts.unwritten:
        yield f"  the list of rejected rows could not be written: {trouble}"
    yield f"{conversations:,} conversations, {events:,} events"


@dataclass(slots=True)
class ChunkVerdict:
    """What came of a chunk. `lines` are its clocks, `outcomes` counts them by metric and outcome."""

    conversations: int = 0
    events: int = 0
    lines: bytes = b""
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    elapsed_seconds: dict[str, "array[float]"] = field(default_factory=dict)
    """By metric, of the clocks that were satisfied."""
    after_now: int = 0
    """Events that lie after the instant up to which the clocks were to run."""


class VerdictSummary:
    """Counts outcomes and collects response times, metric by metric. Eight bytes per satisfied clock."""

    def __init__(self) -> None:
        self._outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._elapsed: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))

    def add(self, verdict: ChunkVerdict) -> None:
        """A chunk more."""
        for (metric, outcome), count in verdict.outcomes.items():
            self._outcomes[metric][outcome] += count
        for metric, seconds in verdict.elapsed_seconds.items():
            self._elapsed[metric].extend(seconds)

    def lines(self) -> Iterator[str]:
        """A table: a line per metric, the outcomes that occur, open hours until satisfied (median, 90th percentile)."""
        if not self._outcomes:
            yield "no clocks: no policy applies to these conversations"
            return
        shown = [outcome for outcome in OUTCOMES if any(counts[outcome] for counts in self._outcomes.values())]
        head = ["metric", "clocks", *shown, "satisfied", "median h", "p90 h"]
        rows = [head, *(self._row(metric, shown) for metric in sorted(self._outcomes))]
        widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
        for row in rows:
            first, *rest = (text.rjust(width) for text, width in zip(row, widths, strict=True))
            yield "  ".join([row[0].ljust(len(first)), *rest])

    def _row(self, metric: str, shown: list[str]) -> list[str]:
        counts = self._outcomes[metric]
        elapsed = sorted(self._elapsed[metric])
        hours = [f"{quantile(elapsed, ratio) / _SECONDS_PER_HOUR:,.2f}" if elapsed else "-" for ratio in (0.5, 0.9)]
        return [
            metric,
            f"{counts.total():,}",
            *(f"{counts[outcome]:,}" for outcome in shown),
            f"{len(elapsed):,}",
            *hours,
        ]


def quantile(ordered: list[float], ratio: float) -> float:
    """The value below which a share lies: one of the values, as by `quantileExact` in ClickHouse.

    Args:
        ordered: ascending, at least one value.
        ratio: 0..1.
    """
    return ordered[min(int(ratio * len(ordered)), len(ordered) - 1)]
