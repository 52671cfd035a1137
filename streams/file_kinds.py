"""The kinds of file that people put into force: how each is read and tried, and how and to whom it is announced.

`file_publisher` puts a file of any kind into force. Policies are announced to every conversation agent among the
interactions, health profiles to every account agent among the signals, issue rules to the issue agent among the
mentions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from agents.domain import health_shelf, issue_rules
from agents.domain.health_profile import HealthFile
from agents.domain.instant import to_datetime
from agents.domain.issue_rules import IssueRules
from agents.domain.policy_book import PolicyBook
from schemas import policy
from schemas.control import ControlKind
from schemas.policy import PolicyFile
from schemas.topics import INTERACTIONS, MENTIONS, SIGNALS, TopicSpec
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.issue_rules_reader import read_issue_rules_text
from streams.policy_files.located_yaml import read_file
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problem, Problems


class _Versioned(Protocol):
    @property
    def version(self) -> str: ...


File = TypeVar("File", bound=_Versioned)


class PolicyRefused(Exception):  # noqa: N818 - what it is, in the words of the message
    """The file is not published and what is in force stays so. `problems` has every mistake with its place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(problem.as_line() for problem in problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class FileKind(Generic[File]):
    """What is published.

    Attributes:
        word: how it is called.
        prefix: of its keys in the policies topic.
        announced_in: the topic whose agents work by it.
        control: the kind of the announcement.
        source: who announces, as CloudEvents has it.
        read: its text, with the folder that files it names are looked for in; null with errors among the problems.
        to_published: how it travels: complete in itself.
        from_published: the other way round.
        work_with: what an agent does first with what has travelled; raises where none could.
        effective_from: the instant from which it says that it judges.
    """

    word: str
    prefix: str
    announced_in: TopicSpec
    control: ControlKind
    source: str
    read: Callable[[str, Problems, Path], File | None]
    to_published: Callable[[File], str]
    from_published: Callable[[str], File]
    work_with: Callable[[str], object]
    effective_from: Callable[[File], datetime | None] = lambda _: None

    def offer(self, path: Path) -> "Offer[File]":
        """A file that could be published: read and tried, without Kafka.

        Raises:
            PolicyRefused: the file is wrong.
        """
        problems = Problems(str(path))
        text = read_file(path, problems)
        file = self.read(text, problems, path.parent) if text is not None else None
        if text is None or file is None or problems.errors:
            raise PolicyRefused(problems.errors)
        published = self.to_published(file)
        try:
            self.work_with(published)
        except (ValueError, LookupError, ArithmeticError) as error:
            raise PolicyRefused([Problem(str(path), None, None, f"cannot be worked with: {error}")]) from error
        return Offer(self, path, text, file, published, tuple(problems.warnings))


class Offer(NamedTuple, Generic[File]):
    """A file that is right and could be published; `published` is how it travels."""

    kind: FileKind[File]
    path: Path
    text: str
    file: File
    published: str
    warnings: tuple[Problem, ...]

    @property
    def effective_from(self) -> datetime | None:
        """The instant from which it says that it judges."""
        return self.kind.effective_from(self.file)

    def is_what(self, published: str) -> bool:
        """Whether that was published means the same."""
        return self.kind.from_published(published) == self.file


POLICY: FileKind[PolicyFile] = FileKind(
    word="policy",
    prefix="policy",
    announced_in=INTERACTIONS,
    control="policy_activated",
    source="careline/policy",
    read=read_policy_text,
    to_published=policy.to_published,
    from_published=policy.from_published,
    work_with=lambda published: PolicyBook.of(policy.from_published(published)),
    effective_from=lambda file: file.effective_from,
)

HEALTH_PROFILES: FileKind[HealthFile] = FileKind(
    word="health profile",
    prefix="health",
    announced_in=SIGNALS,
    control="health_activated",
    source="careline/health",
    read=read_profile_text,
    to_published=health_shelf.to_published,
    from_published=health_shelf.from_published,
    work_with=health_shelf.book_of,
    effective_from=lambda file: None if file.effective_from is None else to_datetime(file.effective_from),
)

ISSUE_RULES: FileKind[IssueRules] = FileKind(
    word="issue rules",
    prefix="issues",
    announced_in=MENTIONS,
    control="issues_activated",
    source="careline/issues",
    read=lambda text, problems, _: read_issue_rules_text(text, problems),
    to_published=issue_rules.to_published,
    from_published=issue_rules.from_published,
    work_with=issue_rules.from_published,
)
