"""A file of issue rules to `agents.domain.issue_rules.IssueRules`, with every mistake of the file told at once.

`careline issues check` and `streams.file_kinds` call it; `docs/issues.md` explains the keys.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from agents.domain.instant import SECOND_US
from agents.domain.issue_rules import DEFAULT_RULES, IssueRules, OwnerRule
from agents.domain.message_words import words_of as telling_words
from schemas.issue import IssueKind
from streams.policy_files.duration_reader import seconds_of
from streams.policy_files.fields import choice_of, fields_of, items_of, number_of, required, word_of, words_of
from streams.policy_files.located_yaml import Node, parse_yaml, read_file
from streams.policy_files.problem import Problems

_FILE_KEYS = ("version", "surges", "owners")
_SURGE_KEYS = ("accounts", "growth", "clarity", "rest")
_RULE_KEYS = ("when", "owner")
_WHEN_KEYS = ("kind", "words")
_LEAST = {"accounts": 2.0, "growth": 1.1, "clarity": 1.0}
_MOST = {"accounts": 1_000.0, "growth": 1_000_000.0, "clarity": 100.0}


def read_issue_rules(path: Path, problems: Problems) -> IssueRules | None:
    """The rules of a file, or null with its errors among the problems. Warnings are there in either case."""
    text = read_file(path, problems)
    return None if text is None else read_issue_rules_text(text, problems)


def read_issue_rules_text(text: str, problems: Problems) -> IssueRules | None:
    """The rules of a text."""
    root = parse_yaml(text, problems)
    if root is None:
        return None
    fields = fields_of(root, _FILE_KEYS, "a file of issue rules", problems)
    required(fields, root, ("version",), "a file of issue rules", problems)
    version = word_of(fields["version"], "version", problems) if "version" in fields else None
    surges = fields_of(fields["surges"], _SURGE_KEYS, "surges", problems) if "surges" in fields else {}
    owners = _owners(fields["owners"], problems) if "owners" in fields else ()
    rest = word_of(surges["rest"], "rest", problems) if "rest" in surges else None
    rest_seconds = seconds_of(rest, "rest", problems) if rest is not None else None
    if rest is not None and rest_seconds == 0:
        problems.error(rest.place, "rest must be longer than nothing", "24h is usual: every issue sleeps at night")
    accounts = _number(surges, "accounts", DEFAULT_RULES.accounts, problems)
    growth = _number(surges, "growth", DEFAULT_RULES.growth, problems)
    clarity = _number(surges, "clarity", DEFAULT_RULES.clarity, problems)
    if problems.errors or version is None:
        return None
    return IssueRules(
        version=version.text,
        owners=owners,
        accounts=round(accounts),
        growth=growth,
        clarity=clarity,
        rest_us=DEFAULT_RULES.rest_us if rest_seconds is None else rest_seconds * SECOND_US,
    )


def _number(fields: Mapping[str, Node], key: str, default: float, problems: Problems) -> float:
    if key not in fields:
        return default
    number = number_of(fields[key], key, problems)
    if number is None:
        return default
    if not _LEAST[key] <= number <= _MOST[key] or (key == "accounts" and number != round(number)):
        kind = "a whole number" if key == "accounts" else "a number"
        message = f"{key} cannot be {number:g}"
        problems.error(fields[key].place, message, f"{kind} from {_LEAST[key]:g} to {_MOST[key]:g}")
    return float(number)


def _owners(node: Node, problems: Problems) -> tuple[OwnerRule, ...]:
    found: list[OwnerRule] = []
    for number, item in enumerate(items_of(node, "owners", problems), start=1):
        what = f"owner rule {number}"
        if any(rule.kind is None and not rule.words for rule in found):
            problems.warning(item.place, f"{what} is never asked", "a rule before it fits every issue")
        fields = fields_of(item, _RULE_KEYS, what, problems)
        if not required(fields, item, ("owner",), what, problems):
            continue
        owner = word_of(fields["owner"], f"the owner of {what}", problems)
        rule = _rule(fields, what, problems)
        if owner is not None:
            found.append(OwnerRule(owner=owner.text, kind=rule.kind, words=rule.words))
    return tuple(found)


def _rule(fields: Mapping[str, Node], what: str, problems: Problems) -> OwnerRule:
    """The condition of a rule, not yet with its owner."""
    when = fields_of(fields["when"], _WHEN_KEYS, f"the condition of {what}", problems) if "when" in fields else {}
    kinds: tuple[IssueKind, ...] = get_args(IssueKind)
    named = choice_of(when["kind"], kinds, "kind", problems) if "kind" in when else None
    kind = next((each for each in kinds if each == named), None)
    words = words_of(when["words"], "words", problems) if "words" in when else ()
    for word in words:
        if not telling_words(word.text) or len(word.text.split()) > 1:
            message = f"{word.text!r} is no single word that an issue is told by"
            problems.warning(word.place, message, "write nouns and verbs, one by one, without `the` and `not`")
    if words and kind == "issue_silence":
        problems.error(words[0].place, "a silence has no words", "leave words out, or ask for issue_surge")
    return OwnerRule(owner="", kind=kind, words=tuple(word.text for word in words))
