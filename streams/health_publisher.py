"""A profile file into force: read, tried, and handed to `streams.file_publisher`.

`careline health publish` and `careline work --health` call it; every account agent reads the announcement
(`health_activated`) at its place among the signals.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agents.domain.health_shelf import UnusableProfileError, book_of, from_published, to_published
from agents.domain.instant import to_datetime
from schemas.published_policy import PublishedPolicy
from schemas.topics import SIGNALS
from streams.file_publisher import FileKind, Offer, PolicyRefused, PublishOutcome, publish_offer, published_files
from streams.health_files.profile_reader import read_profile_text
from streams.policy_files.located_yaml import read_file
from streams.policy_files.problem import Problem, Problems
from streams.settings import Settings

HEALTH_PROFILES = FileKind("health profile", "health", SIGNALS, "health_activated", "careline/health")


def publish_health(
    settings: Settings, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishOutcome:
    """Put a profile file in force unless this version of it already is.

    Raises:
        PolicyRefused: the file is wrong, or its version name was used for other content.
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers or it does not take a record; publishing again completes what was begun.
    """
    return publish_offer(settings, HEALTH_PROFILES, health_offer(path), now)


def published_profiles(settings: Settings) -> dict[str, PublishedPolicy]:
    """Every version of the profiles that was ever published, by its name.

    Raises:
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    return published_files(settings, HEALTH_PROFILES)


def health_offer(path: Path) -> Offer:
    """A file that could be published: read and tried, without Kafka.

    Raises:
        PolicyRefused: the file is wrong.
    """
    problems = Problems(str(path))
    text = read_file(path, problems)
    file = read_profile_text(text, problems, path.parent) if text is not None else None
    if text is None or file is None or problems.errors:
        raise PolicyRefused(problems.errors)
    published = to_published(file)
    try:
        # What travels must be what was read, and every worker must be able to score with it.
        book_of(published)
    except UnusableProfileError as error:
        raise PolicyRefused([Problem(str(path), None, None, f"cannot be scored with: {error}")]) from error

    def is_same(known: str) -> bool:
        return from_published(known) == file

    effective_from = None if file.effective_from is None else to_datetime(file.effective_from)
    return Offer(path, text, file.version, effective_from, published, is_same, tuple(problems.warnings))
