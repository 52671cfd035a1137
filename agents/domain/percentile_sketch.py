"""Percentiles of durations out of counts by bin: a DDSketch, so that sketches add, and subtract exactly.

Bins grow by 51/49, so every duration from a second to three years is told within 2 % (Masson, Rim and Lee: "DDSketch",
VLDB 2019, with alpha = 0.02). The edges are whole microseconds made by whole-number arithmetic, so that every machine
puts a duration into the same bin. A sketch is a dictionary of counts: what is taken out of it again was never in it,
which neither KLL and t-digest nor the packages `ddsketch` and `datasketches` can do
(`docs/decisions/0019-parts-that-are-merged-at-read.md`). `agents.domain.care_notes` asks for bins,
`agents.domain.care_metrics` for percentiles.
"""

from bisect import bisect_left
from collections.abc import Mapping

from agents.domain.instant import SECOND_US

RELATIVE_ERROR = 0.02
"""Of a percentile that is a second or longer; shorter ones are told as half a second."""

Sketch = Mapping[int, int]
"""How many durations lie in each bin."""

_UP, _DOWN = 51, 49
_BINS = 460


def _edges() -> tuple[int, ...]:
    edges = [SECOND_US]
    while len(edges) < _BINS:
        edges.append(edges[-1] * _UP // _DOWN)
    return tuple(edges)


_EDGES = _edges()
"""Bin 0 holds what is up to a second; bin n what is above edge n - 1, up to edge n."""


def bin_of(duration_us: int) -> int:
    """The bin of a duration; the last one holds all that is longer."""
    return bisect_left(_EDGES, duration_us, 0, _BINS - 1)


def seconds_of(number: int) -> float:
    """What a duration in a bin is told as: nowhere in the bin is the relative error larger than at its edges."""
    if number <= 0:
        return 0.5
    low, high = _EDGES[number - 1], _EDGES[min(number, _BINS - 1)]
    return 2 * low * high / (low + high) / SECOND_US


def quantile(sketch: Sketch, permille: int) -> float | None:
    """The smallest duration in seconds that at least so many thousandths do not exceed (nearest rank); null for none.

    Args:
        sketch: counts by bin, none of them negative.
        permille: 500 for the median, 990 for the 99th percentile.
    """
    rank = -(-sum(sketch.values()) * permille // 1000)
    if not rank:
        return None
    for number in sorted(sketch):
        rank -= sketch[number]
        if rank <= 0:
            return seconds_of(number)
    return None
