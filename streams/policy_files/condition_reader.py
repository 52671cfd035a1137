"""Conditions: `{tier: [gold, platinum], channel: slack, not: {tag: internal}}`.

All keys must hold, a list means any of its words, `not` must not hold. `policy_reader` uses them for `when`,
`target_reader` for `pause_when`, `clock_reader` for the conditions of user-defined clocks.
"""

from collections.abc import Mapping, Sequence
from typing import get_args

from schemas.interaction import Status
from schemas.policy import CONDITION_KEYS, PRIORITIES, Condition
from streams.policy_files.fields import fields_of, words_of
from streams.policy_files.located_yaml import Node, Table, Text
from streams.policy_files.problem import Problems, did_you_mean, nearest

PAUSE_KEYS = ("status", *CONDITION_KEYS)
STATUSES: tuple[str, ...] = get_args(Status)

_MISSPELT = 0.75
"""From here on two words are one word mistyped: `urgnt`, `hgih`; not `highest` and `lowest`, which trackers do use."""


FLAGS = ("true", "false")
_SPELLINGS_OF_FLAGS = {spelling: flag for flag in FLAGS for spelling in (flag, flag.title(), flag.upper())}
"""YAML 1.2 knows all of them."""
_NO_VOCABULARIES: Mapping[str, Sequence[str]] = {}


def condition_of(
    node: Node,
    keys: Sequence[str],
    what: str,
    problems: Problems,
    vocabularies: Mapping[str, Sequence[str]] = _NO_VOCABULARIES,
) -> Condition:
    """A condition over the given keys; those with a vocabulary, beside statuses, have no words but its own."""
    any_of: dict[str, tuple[str, ...]] = {}
    negated: Condition | None = None
    for key, value in fields_of(node, (*keys, "not"), what, problems).items():
        if key == "not":
            negated = condition_of(value, keys, f"the `not` of {what}", problems, vocabularies)
            if isinstance(value, Table) and not value.entries:
                problems.warning(value.place, f"the `not` of {what} is empty, so {what} never holds", "leave it out")
            continue
        words, vocabulary = words_of(value, key, problems), vocabularies.get(key)
        for word in words:
            _check_word(key, word, vocabulary, problems)
        meant = _SPELLINGS_OF_FLAGS if vocabulary is FLAGS else {}
        any_of[key] = tuple(dict.fromkeys(meant.get(word.text, word.text) for word in words))
    return Condition(any_of, negated)


def check_priority(word: Text, problems: Problems) -> None:
    """A misspelt canonical priority is an error; any other word may be the company's own and is doubted."""
    if word.text in PRIORITIES:
        return
    meant = nearest(word.text, PRIORITIES, _MISSPELT)
    if meant is not None:
        problems.error(word.place, f"{word.text!r} is not a priority", f"did you mean {meant!r}?")
    else:
        message = f"{word.text!r} is none of Careline's priorities ({', '.join(PRIORITIES)})"
        problems.warning(word.place, message, "it counts only where a source says exactly this word")


def _check_word(key: str, word: Text, vocabulary: Sequence[str] | None, problems: Problems) -> None:
    if key == "priority":
        check_priority(word, problems)
    elif key == "status" and word.text not in STATUSES:
        problems.error(word.place, f"{word.text!r} is not a status", did_you_mean(word.text, STATUSES))
    elif vocabulary is not None and word.text not in (_SPELLINGS_OF_FLAGS if vocabulary is FLAGS else vocabulary):
        problems.error(word.place, f"{key} cannot be {word.text!r}", did_you_mean(word.text, vocabulary))
