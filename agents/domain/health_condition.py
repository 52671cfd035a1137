"""Conditions over what is known of an account: `{band: green, nps: ">= 9", not: {tier: trial}}`.

Caps, floors and plays of `agents.domain.health_profile` carry them. A condition also tells why it holds, in words.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

from agents.domain.normalisation import MILLION, tier_key
from schemas.policy import Condition

Fact = int | str | None
"""A number in millionths, a word, or null where nothing is known."""

Operator = Literal[">=", ">", "<=", "<", "==", "!="]
OPERATORS: dict[Operator, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
"""Longer ones first: whoever looks for one at the beginning of a text finds the right one."""


class Comparison(Struct, frozen=True):
    """One test of one fact: against a number (millionths), or against a word."""

    operator: Operator
    number: int | None = None
    word: str | None = None

    def holds(self, fact: Fact) -> bool:
        """Whether the fact passes. What is not known passes no test."""
        if fact is None:
            return False
        if self.number is not None:
            return isinstance(fact, int) and OPERATORS[self.operator](fact, self.number)
        return isinstance(fact, str) and (tier_key(fact) == tier_key(self.word or "")) == (self.operator == "==")


class HealthCondition(Struct, frozen=True):
    """All keys must hold; a key holds when any of its comparisons does; `negated` must not hold. Empty always holds."""

    any_of: dict[str, tuple[Comparison, ...]] = field(default_factory=dict)
    negated: "HealthCondition | None" = None

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether everything holds; facts that are missing are unknown."""
        for key, comparisons in self.any_of.items():
            fact = facts.get(key)
            if fact is None:  # passes no test
                return False
            for comparison in comparisons:
                number = comparison.number
                if number is None:
                    if comparison.holds(fact):
                        break
                elif isinstance(fact, int) and OPERATORS[comparison.operator](fact, number):
                    break  # as `Comparison.holds` has it, without a call
            else:
                return False
        return self.negated is None or not self.negated.holds(facts)

    def why(self, facts: Mapping[str, Fact]) -> str:
        """Why it holds: what every key has been found to be. Empty for a condition that asks for nothing."""
        found = [f"{key} is {shown(facts.get(key))}" for key in self.any_of]
        if self.negated is not None:
            found += [f"{key} is {shown(facts.get(key))}" for key in self.negated.any_of]
        return ", ".join(found)

    def asks_for(self) -> set[str]:
        """Every key that is asked for, at any depth."""
        return set(self.any_of) | (self.negated.asks_for() if self.negated is not None else set())


def shown(fact: Fact) -> str:
    """A fact in words: numbers without needless digits."""
    if fact is None:
        return "unknown"
    if isinstance(fact, str):
        return fact
    whole, rest = divmod(abs(fact), MILLION)
    digits = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{digits}" if fact < 0 else digits


def matches(condition: Condition, account: Mapping[str, str | None]) -> bool:
    """Whether a condition of the kind that policies have holds for an account's own fields."""
    for key, words in condition.any_of.items():
        if account.get(key) not in words:
            return False
    return condition.negated is None or not matches(condition.negated, account)
