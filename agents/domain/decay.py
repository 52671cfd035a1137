"""How what was observed loses its weight with age: half of it with each half-life.

`agents.domain.satisfaction` and `agents.domain.signal_reading` weigh with it.
"""

from collections.abc import Iterable
from operator import mul

from agents.domain.instant import Instant
from agents.domain.normalisation import MILLION, rounded

_FULL_WEIGHT = 1 << 20


def freshness(age_us: int, half_life_us: int | None) -> int:
    """What is left of a weight at an age, in millionths; all of it without a half-life."""
    return MILLION if half_life_us is None else round(MILLION * 0.5 ** (age_us / half_life_us))


def decayed_mean(values: Iterable[tuple[Instant, int]], half_life_us: int) -> int:
    """The mean of values (at least one), each with when it was observed, the newer the heavier; halves up.

    Weights are halved with each half-life of distance to the newest value, which makes them independent of the day of
    asking.
    """
    known = list(values)
    if len(known) == 1:
        return known[0][1]
    instants, numbers = zip(*known, strict=True)
    newest = max(instants)
    weights: list[int] = [round(_FULL_WEIGHT * 0.5 ** ((newest - at) / half_life_us)) for at in instants]
    return rounded(sum(map(mul, weights, numbers)), sum(weights))
