"""Real workers as processes, and a log to write into and read from: what the tests of the pipeline stand on."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from msgspec import Struct

from agents.conversation_agent import LEDGER_KEY
from schemas.account_state import AccountLedger, decode_account_state
from schemas.codec import contract_in, decode, encode, headers_of
from schemas.control import Control
from schemas.conversation_state import PartitionLedger
from schemas.interaction import Author, Interaction
from schemas.policy import Duration, MetricTarget, Policy, PolicyFile, to_published
from schemas.topics import ACCOUNT_STATE, CONVERSATION_STATE, INTERACTIONS, TopicSpec
from streams.lane.changelog import from_value

Contract = TypeVar("Contract", bound=Struct)
Book = TypeVar("Book")

PATIENCE_SECONDS = 120.0
"""What a test waits for at most; it then fails by its own assertion."""


class Pipeline:
    """One installation on a shared broker: topics under a prefix, a producer, and as many workers as a test starts."""

    def __init__(self, servers: str, prefix: str, folder: Path, partitions: int = 2) -> None:
        self.servers = servers
        self.prefix = prefix
        self.partitions = partitions
        self._folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []
        self._producer = KafkaProducer(bootstrap_servers=servers, acks="all", linger_ms=5)

    def send(self, interactions: Iterable[Interaction]) -> int:
        """Write interactions, acknowledged; returns how many."""
        sent = [
            self._producer.send(
                self.prefix + INTERACTIONS.name,
                key=interaction.conversation_id.encode(),
                value=encode(interaction),
                headers=headers_of(interaction, interaction.source, interaction.id, interaction.occurred_at),
            )
            for interaction in interactions
        ]
        for future in sent:
            future.get(timeout=PATIENCE_SECONDS)
        return len(sent)

    def send_raw(self, key: bytes | None, value: bytes | None, partition: int = 0) -> None:
        """Write bytes that nobody promised to be anything."""
        self._producer.send(self.prefix + INTERACTIONS.name, key=key, value=value, partition=partition, headers=[]).get(
            timeout=PATIENCE_SECONDS
        )

    def broadcast(self, control: Control, topic: TopicSpec = INTERACTIONS) -> None:
        """Write a control record into every partition."""
        for partition in range(self.partitions_of(topic)):
            headers = headers_of(control, "test", control.id, control.as_of)
            self._producer.send(
                self.prefix + topic.name, value=encode(control), partition=partition, headers=headers
            ).get(timeout=PATIENCE_SECONDS)

    def activate(self, policy_file: PolicyFile, as_of: datetime) -> None:
        """Put a policy file in force."""
        control = Control(id="policy", kind="policy_activated", as_of=as_of, policy_text=to_published(policy_file))
        self.broadcast(control)

    def start_worker(self, command: str = "work", **environment: str) -> subprocess.Popen[bytes]:
        """A worker, or another process that runs until it is told to stop; its log is a file in the test's folder."""
        variables = {
            "CARELINE_KAFKA": self.servers,
            "CARELINE_TOPIC_PREFIX": self.prefix,
            "CARELINE_METRICS_ADDRESS": "127.0.0.1:0",
            "CARELINE_SESSION_TIMEOUT_SECONDS": "6",
            **environment,
        }
        with (self._folder / f"worker-{len(self._workers)}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "streams", command], env={**os.environ, **variables}, stdout=log, stderr=log
            )
        self._workers.append(worker)
        return worker

    def read(
        self,
        topic: TopicSpec,
        contract: type[Contract],
        enough: int,
        *,
        key: bytes | None = None,
        such: Callable[[Contract], bool] = lambda _: True,
    ) -> list[Contract]:
        """Committed records of a contract, `such` as are wanted, from the beginning of a topic.

        At least `enough` of them, if they come in time.
        """
        found: list[Contract] = []
        with self._consumer(topic) as consumer:
            end = time.monotonic() + PATIENCE_SECONDS
            while len(found) < enough and time.monotonic() < end:
                for records in consumer.poll(timeout_ms=200).values():
                    read = [
                        decode(contract, record.value)
                        for record in records
                        if (key is None or record.key == key) and contract_in(record.headers, contract) is contract
                    ]
                    found += filter(such, read)
        return found

    def metrics_once(self, is_so: Callable[[str], bool], number: int = 0) -> str:
        """A worker's /metrics, scraped until a condition holds or patience ends."""
        end = time.monotonic() + PATIENCE_SECONDS
        text = ""
        while time.monotonic() < end:
            if address := re.search(r"http://\S+/metrics", self.log_of(number)):
                with urllib.request.urlopen(address[0], timeout=5) as answer:
                    text = answer.read().decode()
                if is_so(text):
                    break
            time.sleep(0.1)
        return text

    def wait_until_applied(self, events: int) -> Counter[str]:
        """What the conversation agents have done with interactions, once they account for so many or patience ends."""
        books = self._ledgers(
            CONVERSATION_STATE, lambda state: msgspec.msgpack.decode(state, type=PartitionLedger), _accepted, events
        )
        total: Counter[str] = Counter()
        for book in books:
            total.update(applied=book.applied, duplicate=book.duplicate, late=book.late, rejected=book.rejected)
        return total

    def wait_until_accounted(self, events: int) -> Counter[str]:
        """What the account agents have done with SLA events, once they account for so many or patience ends."""
        books = self._ledgers(
            ACCOUNT_STATE,
            lambda state: decode_account_state(AccountLedger, state),
            lambda book: book.sla_applied + book.sla_duplicate + book.sla_rejected,
            events,
        )
        total: Counter[str] = Counter()
        for book in books:
            total.update(applied=book.sla_applied, duplicate=book.sla_duplicate, rejected=book.sla_rejected)
        return total

    def _ledgers(
        self, topic: TopicSpec, read: Callable[[bytes], Book], size: Callable[[Book], int], enough: int
    ) -> list[Book]:
        books: dict[int, Book] = {}
        with self._consumer(topic) as consumer:
            end = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < end and sum(size(book) for book in books.values()) < enough:
                for place, records in consumer.poll(timeout_ms=200).items():
                    for record in records:
                        if record.key == LEDGER_KEY.encode():
                            books[place.partition] = read(from_value(record.value).state)
        return list(books.values())

    @contextmanager
    def _consumer(self, topic: TopicSpec) -> Iterator[KafkaConsumer]:
        consumer = KafkaConsumer(
            bootstrap_servers=self.servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            group_id=None,
        )
        places = [TopicPartition(self.prefix + topic.name, number) for number in range(self.partitions_of(topic))]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        try:
            yield consumer
        finally:
            consumer.close()

    def partitions_of(self, topic: TopicSpec) -> int:
        """How many partitions a topic has."""
        return 1 if topic.partitioned_with == "single" else self.partitions

    def close(self) -> None:
        """End what is left."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        self._producer.close()

    def log_of(self, number: int = 0) -> str:
        """What a worker said."""
        return (self._folder / f"worker-{number}.log").read_text()


def stop(worker: subprocess.Popen[bytes]) -> int:
    """End a worker as an operator would; its exit status."""
    worker.send_signal(signal.SIGTERM)
    return worker.wait(timeout=PATIENCE_SECONDS)


def simple_policy(seconds: int = 3600) -> PolicyFile:
    """Around the clock, the same target for three metrics."""
    metrics = ("first_response", "next_response", "first_resolution")
    targets = {metric: MetricTarget(metric=metric, target=Duration(seconds=seconds)) for metric in metrics}
    return PolicyFile(version="test", policies=(Policy(id="everyone", targets=targets),))


def a_message(conversation: str, number: int, at: datetime, by: str = "customer") -> Interaction:
    """A public message by a person."""
    return Interaction(
        id=f"{conversation}-{number}",
        source="test",
        conversation_id=conversation,
        occurred_at=at,
        received_at=at,
        channel="email",
        account_id=f"account-{len(conversation) % 7}",
        author=Author(by),  # type: ignore[arg-type]  # one of the four kinds
    )


def _accepted(book: PartitionLedger) -> int:
    return book.applied + book.duplicate + book.late + book.rejected
