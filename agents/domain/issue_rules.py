"""Whose an issue is, and what counts as one: the rules of a file, as they travel through the log.

`streams.issue_files` reads them from YAML, `agents.issue_agent` is told of them among the mentions;
`agents.domain.issue_watch` asks.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from agents.domain.instant import DAY_US
from agents.domain.message_words import words_of
from agents.domain.topic_surge import Sensitivity
from schemas.issue import IssueKind


class UnusableRulesError(ValueError):
    """Rules that nobody can judge with; what is in force stays so."""


class OwnerRule(Struct, frozen=True, kw_only=True):
    """Whose issues are that are of `kind` (null: of any) and have any of these `words` in them (none: any issue)."""

    owner: str
    kind: IssueKind | None = None
    words: tuple[str, ...] = ()


class IssueRules(Struct, frozen=True, kw_only=True):
    """A file of rules. The first rule that fits an issue says whose it is."""

    version: str
    owners: tuple[OwnerRule, ...] = ()
    accounts: int = 4
    growth: float = 3.0
    clarity: float = 7.0
    rest_us: int = DAY_US

    @property
    def sensitivity(self) -> Sensitivity:
        """What counts as a surge."""
        return Sensitivity(accounts=self.accounts, growth=self.growth, clarity=self.clarity, rest_us=self.rest_us)


DEFAULT_RULES = IssueRules(version="default")


def owner_of(rules: IssueRules, kind: IssueKind, marks: Iterable[str] = ()) -> str | None:
    """Whose an issue is; null where no rule fits. `marks` are those by which a surge is told from everything else."""
    stems = {part for mark in marks for part in mark.split()}
    for rule in rules.owners:
        if rule.kind in {None, kind} and (not rule.words or any(_is_told_by(word, stems) for word in rule.words)):
            return rule.owner
    return None


def _is_told_by(word: str, stems: set[str]) -> bool:
    """Whether an issue has a word; one that is counted by pairs of characters, when it has most of them."""
    parts = [part.stem for part in words_of(word)]
    return sum(part in stems for part in parts) * 2 > len(parts)


def to_published(rules: IssueRules) -> str:
    """Rules as they travel through the log: complete in themselves."""
    return msgspec.json.encode(rules, order="deterministic").decode()


def from_published(text: str) -> IssueRules:
    """The rules in an `issues_activated` record.

    Raises:
        UnusableRulesError: nobody can judge with what it says.
    """
    try:
        rules = msgspec.json.decode(text, type=IssueRules)
    except msgspec.DecodeError as error:
        raise UnusableRulesError(str(error)) from None
    if not rules.version or rules.accounts < 2 or rules.growth <= 1 or rules.clarity <= 0 or rules.rest_us <= 0:
        raise UnusableRulesError("a version, two accounts or more, a growth above 1, clarity and rest above 0")
    return rules
