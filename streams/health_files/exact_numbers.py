"""Numbers of a profile file as whole numbers, exact in decimal: millionths of a value, hundredths of a score.

Used by the readers of this package.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from agents.domain.normalisation import BEST, MILLION
from streams.policy_files.fields import number_in, number_of
from streams.policy_files.located_yaml import Node, Text
from streams.policy_files.problem import Problems

_LARGEST = Decimal(10) ** 15
"""Larger values are no longer told apart from their neighbours by the floats of whoever sends them."""
_WEIGHTS = (Decimal("1e-6"), Decimal("1e9"))


def millionths_in(text: str) -> int | None:
    """The number that a text is, in millionths (halves away from zero); null for no number or one that is too large."""
    if number_in(text) is None:
        return None
    number = Decimal(text)
    return _rounded(number * MILLION) if abs(number) <= _LARGEST else None


def value_of(node: Node, what: str, problems: Problems) -> int | None:
    """A value of a signal, in millionths."""
    if number_of(node, what, problems) is None or not isinstance(node, Text):
        return None
    value = millionths_in(node.text)
    if value is None:
        problems.error(node.place, f"{what}: {node.text} is too large", "use a larger unit")
    return value


def score_of(node: Node, what: str, problems: Problems) -> int | None:
    """A score from 0 to 100, in hundredths."""
    number = number_of(node, what, problems)
    if number is None or not isinstance(node, Text):
        return None
    if not 0 <= number <= 100:
        problems.error(node.place, f"{what}: {node.text} is impossible", "scores lie from 0 to 100")
        return None
    return min(BEST, _rounded(Decimal(node.text) * 100))


def weight_of(node: Node, what: str, problems: Problems) -> Decimal | None:
    """A weight: any positive number that is not absurd."""
    number = number_of(node, what, problems)
    if number is None or not isinstance(node, Text):
        return None
    if number <= 0:
        way_out = "weights are above 0; leave out what shall not count"
        problems.error(node.place, f"{what}: a weight of {node.text} is impossible", way_out)
        return None
    least, most = _WEIGHTS
    if not least <= Decimal(node.text) <= most:
        problems.error(node.place, f"{what}: a weight of {node.text} is absurd", f"use one from {least} to {most}")
        return None
    return Decimal(node.text)


def whole_weights(weights: Sequence[Decimal]) -> list[int]:
    """Weights as whole numbers in the same proportions."""
    scale = max((-int(weight.normalize().as_tuple().exponent) for weight in weights), default=0)
    return [int(weight.scaleb(max(0, scale))) for weight in weights]


def _rounded(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_HALF_UP))
