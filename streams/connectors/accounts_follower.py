"""Keeps an `AccountsDirectory` current: reads the accounts topic from its beginning and then follows it, in a thread.

Until the topic has been read to its end once, no event is accepted: it would be stamped with a provisional account
although its customer is known. Kafka may be absent at the start or go away; what is known stays.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from schemas.account_profile import AccountProfile
from schemas.codec import ContractViolation, decode
from schemas.topics import ACCOUNTS
from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.publisher import REFUSED_PAUSE_SECONDS
from streams.kafka_admin import KafkaUnavailable, wait_for_kafka
from streams.kafka_connection import KafkaConnection
from streams.kafka_refusal import KafkaRefused, refusal_in

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
POLL_MS = 500


class AccountsFollower:
    """One reader per process, without a consumer group: everybody reads everything."""

    def __init__(
        self,
        kafka: KafkaConnection,
        directory: AccountsDirectory,
        topic_prefix: str = "",
    ) -> None:
        self._kafka = kafka
        self._directory = directory
        self._topic = topic_prefix + ACCOUNTS.name
        self._loaded = threading.Event()
        self._settled = threading.Event()
        self.refused: KafkaRefused | None = None
        """Why the brokers do not let us read; null while they do, or do not answer."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="careline-accounts", daemon=True)

    @property
    def loaded(self) -> bool:
        """Whether the topic has been read to its end once."""
        return self._loaded.is_set()

    def wait_until_loaded(self, timeout: float) -> bool:
        """Whether the topic has been read to its end once, waiting for it up to a number of seconds.

        Raises:
            KafkaRefused: the brokers do not let us read it.
        """
        self._settled.wait(timeout)
        if self.refused is not None:
            raise self.refused
        return self._loaded.is_set()

    def start(self) -> None:
        """Begin to read, in the background, for as long as it takes."""
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """Stop reading."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self._follow()
                pause = FIRST_PAUSE_SECONDS
            except (KafkaRefused, KafkaUnavailable, KafkaError, OSError) as error:
                self.refused = refusal_in(error, self._kafka)
                if self.refused is not None:
                    self._settled.set()
                    log.error("The accounts cannot be read. %s", self.refused)  # noqa: TRY400 - a refusal is one line
                    self._stopping.wait(REFUSED_PAUSE_SECONDS)
                    continue
                # That Kafka is away is the publisher's to say; both at once would only be noise.
                level = logging.DEBUG if isinstance(error, KafkaUnavailable) else logging.WARNING
                log.log(level, "The accounts cannot be read: %s Trying again in %.1f s", str(error), pause)
                self._stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _follow(self) -> None:
        wait_for_kafka(self._kafka, timeout=0)
        consumer = KafkaConsumer(
            **self._kafka.for_kafka_python(),
            client_id="careline-connect-accounts",
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
        )
        try:
            partitions = [
                TopicPartition(self._topic, number) for number in consumer.partitions_for_topic(self._topic) or ()
            ]
            if not partitions:
                raise UnknownTopicOrPartitionError(f"there is no topic {self._topic} yet.")
            self.refused = None
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            while not self._stopping.is_set():
                self._take(consumer.poll(timeout_ms=POLL_MS))
                if not self._loaded.is_set() and all(consumer.position(at) >= end for at, end in ends.items()):
                    self._loaded.set()
                    self._settled.set()
                    log.info("%d accounts are known", len(self._directory))
        finally:
            consumer.close()

    def _take(self, polled: Mapping[TopicPartition, list[Any]]) -> None:
        for records in polled.values():
            for record in records:
                if record.value is None:
                    self._directory.drop((record.key or b"").decode("utf-8", "replace"))
                    continue
                try:
                    self._directory.put(decode(AccountProfile, record.value))
                except ContractViolation as violation:
                    log.warning(
                        "An account cannot be read (offset %d of %s): %s", record.offset, self._topic, violation.detail
                    )
