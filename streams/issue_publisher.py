"""Issue rules into force: read, tried, and handed to `streams.file_publisher`.

`careline issues publish` and `careline work --issues` call it; the issue agent reads the announcement
(`issues_activated`) at its place among the mentions.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agents.domain.issue_rules import from_published, to_published
from schemas.topics import MENTIONS
from streams.file_publisher import FileKind, Offer, PolicyRefused, PublishOutcome, publish_offer
from streams.policy_files.issue_rules_reader import read_issue_rules_text
from streams.policy_files.located_yaml import read_file
from streams.policy_files.problem import Problems
from streams.settings import Settings

ISSUE_RULES = FileKind("issue rules", "issues", MENTIONS, "issues_activated", "careline/issues")


def publish_issue_rules(
    settings: Settings, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishOutcome:
    """Put a file of issue rules in force unless this version of it already is.

    Raises:
        PolicyRefused: the file is wrong, or its version name was used for other content.
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers or it does not take a record; publishing again completes what was begun.
    """
    return publish_offer(settings, ISSUE_RULES, issue_rules_offer(path), now)


def issue_rules_offer(path: Path) -> Offer:
    """A file that could be published: read and tried, without Kafka.

    Raises:
        PolicyRefused: the file is wrong.
    """
    problems = Problems(str(path))
    text = read_file(path, problems)
    rules = read_issue_rules_text(text, problems) if text is not None else None
    if text is None or rules is None:
        raise PolicyRefused(problems.errors)

    def is_same(known: str) -> bool:
        return from_published(known) == rules

    return Offer(path, text, rules.version, None, to_published(rules), is_same, tuple(problems.warnings))
