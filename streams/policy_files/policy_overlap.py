"""Which policies can never match, because earlier ones take all they could: the first match wins.

`policy_reader` makes an error of it where a single one takes all. What is reported is certain; a policy may be out of
reach in ways that are not seen here (a priority that no source uses).
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from schemas.policy import Condition

_MOST_COMBINATIONS = 1_024
"""Combinations of words that are tried one by one; beyond it only what a single earlier policy takes is found."""
_SEVERAL_VALUED = frozenset({"tag"})
"""Keys of which a conversation may have several words at once."""


def never_reached(conditions: Sequence[Condition | None]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Which conditions, in order of precedence, never get a turn, each with the earlier ones that take everything.

    A condition that is null could not be read: it takes nothing and is not accused.
    """
    for index, condition in enumerate(conditions):
        if condition is not None and (takers := _takers(condition, conditions[:index])):
            yield index, takers


def contradicts_itself(condition: Condition) -> bool:
    """Whether a condition holds for nothing at all, so that its `not` forbids all that its words allow."""
    points = list(_points(condition))
    return bool(points) and all(_is_void(point) for point in points)


def _takers(condition: Condition, earlier: Sequence[Condition | None]) -> tuple[int, ...]:
    def taker_of(part: Condition) -> int | None:
        return next((index for index, wide in enumerate(earlier) if wide is not None and covers(wide, part)), None)

    whole = taker_of(condition)
    if whole is not None:
        return (whole,)
    found: list[int] = []
    for point in _points(condition):
        if _is_void(point):
            continue
        taker = taker_of(point)
        if taker is None:
            return ()
        found.append(taker)
    return tuple(dict.fromkeys(found))


def covers(wide: Condition, narrow: Condition) -> bool:
    """Whether `wide` certainly holds wherever `narrow` does."""
    for key, words in wide.any_of.items():
        if key not in narrow.any_of or not set(narrow.any_of[key]) <= set(words):
            return False
    return wide.negated is None or excludes(narrow, wide.negated)


def excludes(condition: Condition, other: Condition) -> bool:
    """Whether `other` certainly fails wherever `condition` holds."""
    for key, words in other.any_of.items():
        if key in condition.any_of and key not in _SEVERAL_VALUED and set(words).isdisjoint(condition.any_of[key]):
            return True
    if condition.negated is not None and covers(condition.negated, other):
        return True
    return other.negated is not None and covers(other.negated, condition)


def _is_void(condition: Condition) -> bool:
    """Whether a condition forbids what it asks for."""
    return condition.negated is not None and covers(condition.negated, condition)


def _points(condition: Condition) -> Iterator[Condition]:
    """The condition, split into one for each combination of its words."""
    if prod(len(words) for words in condition.any_of.values()) > _MOST_COMBINATIONS:
        yield condition
        return
    keys = tuple(condition.any_of)
    for words in product(*condition.any_of.values()):
        yield Condition({key: (word,) for key, word in zip(keys, words, strict=True)}, condition.negated)
