"""Conditions of caps, floors and plays: `{overdue_urgent: ">= 1", band: green, not: {tier: trial}}`.

Used by `profile_reader`; gives `agents.domain.health_condition.HealthCondition`s.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from agents.domain.health_condition import OPERATORS, Comparison, HealthCondition, Operator
from agents.domain.health_profile import SignalRule
from agents.domain.normalisation import Tiers
from streams.health_files.exact_numbers import millionths_in
from streams.policy_files.fields import has_value, words_of
from streams.policy_files.located_yaml import Node, Table, Text
from streams.policy_files.problem import Problems, did_you_mean

ACCOUNT_KEYS = ("account", "tier", "segment", "contract")
OUTCOME_KEYS = ("band", "score", "coverage", "profile")
_NUMBERS = ("score", "coverage")
_MISTYPED = {"=": "==", "=>": ">=", "=<": "<="}
_COMPARISON = re.compile(r"\s*(>=|<=|==|!=|=>|=<|=|>|<)\s*(.*?)\s*", re.DOTALL)


class ConditionReader:
    """Reads conditions over the signals of a file.

    Args:
        signals: those that may be asked for, declared or built in.
        choices: the words that a key can have, of keys that are closed (`band`, `profile`).
        problems: of the file.
    """

    def __init__(
        self, signals: Mapping[str, SignalRule], choices: Mapping[str, Sequence[str]], problems: Problems
    ) -> None:
        self._signals = signals
        self._choices = choices
        self._problems = problems

    def read(self, node: Node, what: str, *, with_outcome: bool) -> HealthCondition | None:
        """A condition, or null after a mistake. Only what follows from a score may ask for it (`with_outcome`)."""
        if not isinstance(node, Table):
            self._problems.error(node.place, f"{what} must be a table of keys and values", 'for example {nps: ">= 9"}')
            return None
        errors_before = len(self._problems.errors)
        any_of: dict[str, tuple[Comparison, ...]] = {}
        negated: HealthCondition | None = None
        for entry in node:
            if not has_value(entry, self._problems):
                continue
            if entry.key.text == "not":
                negated = self.read(entry.value, f"the `not` of {what}", with_outcome=with_outcome)
            elif self._may_ask(entry.key, what, with_outcome=with_outcome):
                words = words_of(entry.value, entry.key.text, self._problems)
                found = [self._comparison(entry.key.text, word) for word in words]
                any_of[entry.key.text] = tuple(each for each in found if each is not None)
        return HealthCondition(any_of, negated) if len(self._problems.errors) == errors_before else None

    def _may_ask(self, key: Text, what: str, *, with_outcome: bool) -> bool:
        if key.text in self._signals or key.text in ACCOUNT_KEYS:
            return True
        if key.text in OUTCOME_KEYS:
            if not with_outcome:
                message = f"{what} cannot ask for the {key.text}, which it changes itself"
                self._problems.error(key.place, message, "ask for signals, or for the account")
            return with_outcome
        known = (*self._signals, *ACCOUNT_KEYS, *(OUTCOME_KEYS if with_outcome else ()))
        way_out = did_you_mean(key.text, known, "declare it under `signals:`")
        self._problems.error(key.place, f"{what} asks for {key.text!r}, a signal that nobody declares", way_out)
        return False

    def _comparison(self, key: str, word: Text) -> Comparison | None:
        match = None if word.text.strip() in OPERATORS else _COMPARISON.fullmatch(word.text)
        operator, operand = (match[1], match[2]) if match else ("==", word.text.strip())
        if operator in _MISTYPED:
            way_out = f"did you mean {f'{_MISTYPED[operator]} {operand}'!r}?"
            self._problems.error(word.place, f"{key}: {word.text!r} is not a comparison", way_out)
            return None
        number = millionths_in(operand)
        if self._is_number(key):
            if number is None:
                message = f"{key}: {word.text!r} is not a comparison with a number"
                self._problems.error(word.place, message, 'write for example ">= 1", "< 0.5" or 3')
                return None
            return Comparison(cast("Operator", operator), number=number)
        if number is not None and self._may_be_number(key):
            return Comparison(cast("Operator", operator), number=number)
        if operator not in {"==", "!="}:
            message = f"{key}: {word.text!r} compares what is a word"
            self._problems.error(word.place, message, 'write the word, or "!= word"')
            return None
        return self._word(key, cast("Operator", operator), operand, word)

    def _word(self, key: str, operator: Operator, operand: str, word: Text) -> Comparison | None:
        rule = self._signals.get(key)
        if key in self._choices and operand not in self._choices[key]:
            known = self._choices[key]
            self._problems.error(word.place, f"there is no {key} {operand!r}", did_you_mean(operand, known))
            return None
        if rule is not None and isinstance(rule.normalise, Tiers) and rule.normalise.of(operand) is None:
            known = tuple(rule.normalise.words)
            self._problems.error(word.place, f"{operand!r} is no tier of {key!r}", did_you_mean(operand, known))
            return None
        return Comparison(operator, word=operand)

    def _is_number(self, key: str) -> bool:
        rule = self._signals.get(key)
        if rule is None:
            return key in _NUMBERS
        return not isinstance(rule.normalise, Tiers) and rule.normalise is not None

    def _may_be_number(self, key: str) -> bool:
        rule = self._signals.get(key)
        return rule is not None and rule.normalise is None
