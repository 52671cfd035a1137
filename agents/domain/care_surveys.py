"""What an answer to a survey, or an act of advocacy, adds to the care figures.

CSAT counts who is satisfied (the best two of five steps, as it is usual) and the mean; NPS promoters (9, 10) and
detractors (to 6) after Reichheld, "The One Number You Need to Grow", 2003; CES the mean on seven steps, 7 the easiest
(CES 2.0, Dixon, 2013). `agents.domain.care_notes` remembers what was added, so that a corrected answer replaces it.
"""

from collections.abc import Iterator

from agents.domain.satisfaction import lowest_mark
from schemas.signal import Signal

_SCALES = {"csat": 5.0, "nps": 10.0, "ces": 7.0}
SATISFIED_FROM = 75_00
"""Four of five steps; three of four, five of seven and eight of ten are the first above it on theirs."""

PROMOTER_FROM, DETRACTOR_TO = 9, 6
_BEST = 100_00


def answer_of(signal: Signal) -> Iterator[tuple[str, int]]:
    """The measures that a signal adds to, with amounts; nothing for a survey of one's own or an impossible answer."""
    if signal.kind == "advocacy":
        yield "advocacy", 1
        return
    name, value = signal.name, signal.value
    scale = signal.scale or _SCALES.get(name, 0.0)
    if name not in _SCALES or value is None or not 0 <= value <= scale:
        return
    yield name, 1
    if name == "nps":
        tenths = value * 10 / scale
        if tenths >= PROMOTER_FROM:
            yield "nps_promoters", 1
        elif tenths <= DETRACTOR_TO:
            yield "nps_detractors", 1
        return
    lowest = lowest_mark(scale)
    score = round(max(0.0, value - lowest) * _BEST / (scale - lowest))
    yield f"{name}_score", score
    if name == "csat" and score >= SATISFIED_FROM:
        yield "csat_satisfied", 1
