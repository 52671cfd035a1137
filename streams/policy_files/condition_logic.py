"""What follows from conditions: whether they can hold, hold together, or hold wherever another one does.

Every key that the conditions name is tried with every word that they name and with one word that they do not, so the
answers are exact for any keys and any depth of `not`. `clock_lint` and `target_lint` ask.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import get_args

from schemas.interaction import AuthorKind, Status
from schemas.policy import Condition

Situation = Mapping[str, frozenset[str]]
"""One thing that may be: the words that each key has."""

CLOSED_KEYS: Mapping[str, tuple[str, ...]] = {
    "public": ("true", "false"),
    "automated": ("true", "false"),
    "from": get_args(AuthorKind),
}
"""Keys that have one of these words and no other."""
STATUSES: tuple[str, ...] = get_args(Status)
_SEVERAL_VALUED = frozenset({"tag"})
_MOST_SITUATIONS = 20_000
"""Beyond these nothing is claimed; a condition that people can read has some dozens."""
_ANOTHER_WORD = "\0"


def holds(condition: Condition, situation: Situation) -> bool:
    """Whether a condition holds in a situation, which has all keys that it names."""
    if any(situation[key].isdisjoint(words) for key, words in condition.any_of.items()):
        return False
    return condition.negated is None or not holds(condition.negated, situation)


def can_hold(*conditions: Condition) -> bool:
    """Whether all of them can hold at once; true where that would take too long to find out."""
    situations = _situations(conditions)
    return situations is None or any(
        all(holds(condition, situation) for condition in conditions) for situation in situations
    )


def implies(narrow: Condition, wide: Condition) -> bool:
    """Whether `wide` certainly holds wherever `narrow` does. A condition that cannot hold implies nothing here."""
    situations = _situations((narrow, wide))
    if situations is None:
        return False
    found = [holds(wide, situation) for situation in situations if holds(narrow, situation)]
    return bool(found) and all(found)


def always_in(condition: Condition, key: str, word: str) -> bool:
    """Whether a condition holds whenever `key` has the word, whatever the other keys have."""
    return implies(Condition({key: (word,)}), condition)


def keys_of(condition: Condition) -> set[str]:
    """Every key that it names, at any depth."""
    return set(condition.any_of) | (keys_of(condition.negated) if condition.negated else set())


def _situations(conditions: tuple[Condition, ...]) -> Iterator[Situation] | None:
    """Every situation that these conditions can tell apart; null when there are too many."""
    named: dict[str, dict[str, None]] = {}
    for condition in conditions:
        _collect(condition, named)
    choices = {key: _choices(key, tuple(words)) for key, words in named.items()}
    if any(found is None for found in choices.values()):
        return None
    known = {key: found for key, found in choices.items() if found is not None}
    if prod(map(len, known.values())) > _MOST_SITUATIONS:
        return None
    return (dict(zip(known, words, strict=True)) for words in product(*known.values()))


def _collect(condition: Condition, named: dict[str, dict[str, None]]) -> None:
    for key, words in condition.any_of.items():
        named.setdefault(key, {}).update(dict.fromkeys(words))
    if condition.negated is not None:
        _collect(condition.negated, named)


def _choices(key: str, words: tuple[str, ...]) -> list[frozenset[str]] | None:
    if key in _SEVERAL_VALUED:
        if 1 << len(words) > _MOST_SITUATIONS:
            return None
        return [
            frozenset(word for place, word in enumerate(words) if chosen >> place & 1)
            for chosen in range(1 << len(words))
        ]
    if key in CLOSED_KEYS:
        return [frozenset((word,)) for word in dict.fromkeys((*CLOSED_KEYS[key], *words))]
    return [frozenset((word,)) for word in (*words, _ANOTHER_WORD)]
