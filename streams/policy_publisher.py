"""A policy file into force: read, tried, and handed to `streams.file_publisher`.

`careline policy publish` and `careline work --policies` call it; every conversation agent reads the announcement
(`policy_activated`) at its place among the interactions.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agents.domain.policy_book import PolicyBook
from schemas.policy import from_published, to_published
from schemas.published_policy import PublishedPolicy
from schemas.topics import INTERACTIONS
from streams.file_publisher import FileKind, Offer, PolicyRefused, PublishOutcome, publish_offer, published_files
from streams.policy_files.located_yaml import read_file
from streams.policy_files.policy_reader import read_policy_text
from streams.policy_files.problem import Problem, Problems
from streams.settings import Settings

POLICY = FileKind("policy", "policy", INTERACTIONS, "policy_activated", "careline/policy")


def publish_if_different(
    settings: Settings, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishOutcome:
    """Put a policy file in force unless this version of it already is.

    Raises:
        PolicyRefused: the file is wrong, or its version name was used for other content.
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers or it does not take a record; publishing again completes what was begun.
    """
    return publish_offer(settings, POLICY, policy_offer(path), now)


def published_policies(settings: Settings) -> dict[str, PublishedPolicy]:
    """Every policy version that was ever published, by its name; those whose publication was interrupted too.

    Raises:
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    return published_files(settings, POLICY)


def policy_offer(path: Path) -> Offer:
    """A file that could be published: read and tried, without Kafka.

    Raises:
        PolicyRefused: the file is wrong.
    """
    problems = Problems(str(path))
    text = read_file(path, problems)
    policy_file = read_policy_text(text, problems, path.parent) if text is not None else None
    if text is None or policy_file is None or problems.errors:
        raise PolicyRefused(problems.errors)
    published = to_published(policy_file)
    try:
        # What travels must be what was read, and every worker must be able to compute with it.
        PolicyBook.of(from_published(published))
    except (ValueError, LookupError, ArithmeticError) as error:
        raise PolicyRefused([Problem(str(path), None, None, f"cannot be computed with: {error}")]) from error

    def is_same(known: str) -> bool:
        return from_published(known) == policy_file

    effective_from = policy_file.effective_from
    return Offer(path, text, policy_file.version, effective_from, published, is_same, tuple(problems.warnings))
