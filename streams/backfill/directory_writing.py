"""The directory of accounts in Kafka as a backfill uses it: read first, completed, and what was counted moved along."""

from collections.abc import Sequence
from datetime import UTC, datetime

from kafka.errors import KafkaError

from schemas.account_profile import AccountProfile
from streams.backfill.found_accounts import completed_directory
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.accounts_topic import accounts_writer, counted_accounts, known_profiles, links_that_follow
from streams.history.history_sender import ImportFailed, ImportTarget
from streams.kafka_admin import KafkaUnavailable
from streams.kafka_refusal import refusal_in
from streams.topic_reader import TopicAbsent


class DirectoryInKafka:
    """The accounts topic, and the same in memory for stamping events."""

    def __init__(self, target: ImportTarget) -> None:
        """Reads it whole.

        Raises:
            ImportFailed: Kafka is absent, or lacks the topic.
        """
        self._target = target
        self._known = known_profiles_of(target)
        self.directory = AccountsDirectory(self._known.values())

    def learn(self, found: Sequence[AccountProfile]) -> int:
        """Bring companies in; returns how many profiles are new or gained something.

        Raises:
            ImportFailed: Kafka does not take them.
        """
        changed = completed_directory(found, self._known)
        target = self._target
        try:
            links = links_that_follow(changed.values(), counted_accounts(target.kafka, target.topic_prefix))
            with accounts_writer(target.kafka, target.topic_prefix, datetime.now(UTC)) as writer:
                for profile in changed.values():
                    writer.put(profile)
                writer.flush()
                for link in links:
                    writer.link(link)
        except (KafkaUnavailable, TopicAbsent, KafkaError) as error:
            not_written = ImportFailed(f"the directory of accounts was not written: {error}", "try again")
            raise refusal_in(error, target.kafka) or not_written from None
        self._known |= changed
        for profile in changed.values():
            self.directory.put(profile)
        return len(changed)


def known_profiles_of(target: ImportTarget) -> dict[str, AccountProfile]:
    """Every account of the directory.

    Raises:
        ImportFailed: Kafka is absent, or lacks the topic.
    """
    try:
        return known_profiles(target.kafka, target.topic_prefix)
    except KafkaUnavailable as error:
        raise ImportFailed(f"Kafka does not answer at {error.servers}: {error.cause}", error.way_out) from None
    except TopicAbsent as error:
        raise ImportFailed(str(error), "create the topics with `careline topics create`") from None


class DirectoryInMemory:
    """What a dry run would have brought in."""

    def __init__(self) -> None:
        self.directory = AccountsDirectory()

    def learn(self, found: Sequence[AccountProfile]) -> int:
        """Count them."""
        changed = completed_directory(found, {})
        for profile in changed.values():
            self.directory.put(profile)
        return len(changed)
