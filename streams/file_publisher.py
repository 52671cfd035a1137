"""A file that people write into force: kept under its version in the policies topic, announced to all agents.

What kinds there are, and how a file is found right, says `file_kinds`. `careline policy publish`, `health publish`,
`issues publish` and `careline work` call it; every agent reads the announcement at its place in the log. First the
intent is written down, then the announcement is sent, then the intent is marked complete. Whoever publishes the same
kind next completes what was interrupted, with the same announcement; agents know it by its text and time and take it
once.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec
from kafka import KafkaProducer
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
)
from typing_extensions import override

from schemas.codec import ContractViolation, decode, encode, headers_of
from schemas.control import Control
from schemas.published_policy import PublishedPolicy
from schemas.topics import POLICIES
from streams.control_broadcast import broadcast
from streams.file_kinds import FileKind, Offer, PolicyRefused
from streams.kafka_admin import KafkaUnavailable, failed
from streams.partition_counts import TopicsMissing
from streams.policy_files.problem import Problem
from streams.settings import Settings
from streams.topic_reader import TopicAbsent, topic_reader
from streams.topic_settings import MAX_BATCH_BYTES

ATTEMPTS = 6
"""So often somebody else may publish at the same moment and push us aside before we give up."""

_ACKNOWLEDGED_WITHIN_SECONDS = 30.0
_PAUSE_SECONDS = 0.5


_Status = Literal["published", "completed", "unchanged"]


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What publishing has done.

    Attributes:
        status: `published` now, `completed` where an earlier attempt was interrupted, `unchanged` where all was there.
        version: the version name in the file.
        in_force_from: from when on this version judges.
        in_force: the version that judges events of this moment; another one where this is older or begins later.
        word: what was published.
        warnings: doubts about the file.
    """

    status: _Status
    version: str
    in_force_from: datetime
    in_force: str | None
    word: str = "policy"
    warnings: tuple[Problem, ...] = ()

    @override
    def __str__(self) -> str:
        since = f"{self.in_force_from:%Y-%m-%d %H:%M:%S} UTC"
        told = {
            "published": f"{self.word} {self.version} is published, in force from {since}",
            "completed": f"{self.word} {self.version} was published in part and is complete now, in force from {since}",
            "unchanged": f"{self.word} {self.version} is published already, in force from {since}; nothing to do",
        }[self.status]
        if self.in_force != self.version:
            told += f" (in force now: {self.in_force or 'none'})"
        return told


def publish_file(
    settings: Settings, kind: FileKind[Any], path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishOutcome:
    """Read and try a file, and put it in force unless this version of it already is.

    Raises:
        PolicyRefused: the file is wrong, or its version name was used for other content.
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers or it does not take a record; publishing again completes what was begun.
    """
    return publish_offer(settings, kind.offer(path), now)


def publish_offer(
    settings: Settings, offer: Offer[Any], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> PublishOutcome:
    """Put a file in force unless this version of it already is.

    Raises:
        PolicyRefused: its version name was used for other content, or it is too large.
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers or it does not take a record; publishing again completes what was begun.
    """
    kind = offer.kind
    # Most starts of a worker find everything in place; they push nobody aside who is just publishing.
    known = published_files(settings, kind)
    found = known.get(offer.file.version)
    if found is not None and all(each.complete for each in known.values()):
        _refuse_other_content(offer, found)
        return replace(_outcome(kind, "unchanged", found, known, now()), warnings=offer.warnings)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return replace(_publish(settings, offer, now()), warnings=offer.warnings)
        except (ProducerFencedError, InvalidProducerEpochError):
            time.sleep(attempt * _PAUSE_SECONDS)
        except MessageSizeTooLargeError:
            problem = Problem(str(offer.path), None, None, "is larger than Kafka's topics allow")
            raise PolicyRefused([problem]) from None
        except KafkaError as error:
            raise failed(settings.kafka, error) from error
    raise KafkaUnavailable(settings.kafka_servers, f"others publish a {kind.word} all the time")


def published_files(settings: Settings, kind: FileKind[Any]) -> dict[str, PublishedPolicy]:
    """Every version that was ever published, by its name; those whose publication was interrupted too.

    Raises:
        TopicsMissing: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    found: dict[str, PublishedPolicy] = {}
    try:
        with topic_reader(settings.kafka) as reader:
            for record in reader.records(settings.topic(POLICIES.name)):
                if record.value is not None and (record.key or b"").startswith(f"{kind.prefix}/".encode()):
                    policy = decode(PublishedPolicy, record.value)
                    found[policy.version] = policy
    except TopicAbsent as error:
        raise TopicsMissing(str(error)) from None
    except ContractViolation as error:
        raise TopicsMissing(f"{settings.topic(POLICIES.name)} has a record that is none of ours: {error}") from None
    return found


def in_force(policies: dict[str, PublishedPolicy], at: datetime) -> PublishedPolicy | None:
    """The version that judges an event of the instant `at`; of two that begin together the one published later."""
    begun = [policy for policy in policies.values() if policy.in_force_from <= at]
    return max(begun, key=lambda policy: (policy.in_force_from, policy.published_at), default=None)


def _refuse_other_content(offer: Offer[Any], found: PublishedPolicy) -> None:
    """A version name stands for one content: results carry it, and it must still say what they were judged by."""
    if offer.is_what(found.published):
        return
    message = (
        f"version {found.version!r} was published on {found.published_at:%Y-%m-%d %H:%M} UTC with other content"
        if found.text != offer.text
        else f"version {found.version!r} means something else than when it was published: a file it names has changed"
    )
    raise PolicyRefused([Problem(str(offer.path), None, None, message, "give the changed file a version of its own")])


def _publish(settings: Settings, offer: Offer[Any], now: datetime) -> PublishOutcome:
    """One attempt as the only publisher: whoever was at it before us is fenced off by the broker from here on."""
    kind = offer.kind
    with _only_publisher(settings, kind) as write:
        known = published_files(settings, kind)
        found = known.get(offer.file.version)
        status: _Status
        if found is not None:
            status = "unchanged" if found.complete else "completed"
            _refuse_other_content(offer, found)
        else:
            status = "published"
            found = _intent(offer, now)
            write(found)
            known[found.version] = found
        for policy in [policy for policy in known.values() if not policy.complete]:
            _announce(settings, kind, policy)
            known[policy.version] = msgspec.structs.replace(policy, complete=True)
            write(known[policy.version])
    return _outcome(kind, status, found, known, now)


def _intent(offer: Offer[Any], now: datetime) -> PublishedPolicy:
    return PublishedPolicy(
        id=f"{offer.kind.prefix}/{offer.file.version}",
        version=offer.file.version,
        published_at=now,
        effective_from=offer.effective_from,
        text=offer.text,
        published=offer.published,
    )


@contextmanager
def _only_publisher(settings: Settings, kind: FileKind[Any]) -> Iterator[Callable[[PublishedPolicy], None]]:
    """Writes into the policies topic, for as long as nobody else begins to."""
    producer = KafkaProducer(**_connection(settings), transactional_id=f"{settings.topic_prefix}careline-policies")
    topic = settings.topic(POLICIES.name)

    def write(policy: PublishedPolicy) -> None:
        producer.begin_transaction()
        headers = headers_of(policy, kind.source, policy.id, policy.published_at)
        sent = producer.send(topic, key=policy.id.encode(), value=encode(policy), headers=headers)
        producer.flush(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
        sent.get(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
        producer.commit_transaction()

    try:
        producer.init_transactions()
        yield write
    finally:
        producer.close(timeout=5)


def _announce(settings: Settings, kind: FileKind[Any], policy: PublishedPolicy) -> None:
    """The control record into every partition. Doing it again gives the same records."""
    digest = sha256(policy.published.encode()).hexdigest()[:16]
    control = Control(
        id=f"{kind.prefix}/{policy.version}/{digest}/{policy.published_at.isoformat()}",
        kind=kind.control,
        as_of=policy.published_at,
        policy_text=policy.published,
        policy_version=policy.version,
    )
    producer = KafkaProducer(**_connection(settings))
    try:
        topic = settings.topic(kind.announced_in.name)
        broadcast(producer, topic, control, kind.source, _ACKNOWLEDGED_WITHIN_SECONDS)
    finally:
        producer.close(timeout=5)


def _connection(settings: Settings) -> dict[str, object]:
    return {
        **settings.kafka.for_kafka_python(),
        "client_id": "careline-policies",
        "acks": "all",
        "enable_idempotence": True,
        "max_request_size": MAX_BATCH_BYTES,
        "max_block_ms": int(_ACKNOWLEDGED_WITHIN_SECONDS * 1000),
        "delivery_timeout_ms": int(_ACKNOWLEDGED_WITHIN_SECONDS * 1000),
        "request_timeout_ms": 15_000,
        "allow_auto_create_topics": False,
    }


def _outcome(
    kind: FileKind[Any], status: _Status, policy: PublishedPolicy, known: dict[str, PublishedPolicy], now: datetime
) -> PublishOutcome:
    current = in_force(known, now)
    return PublishOutcome(
        status, policy.version, policy.in_force_from, current.version if current else None, word=kind.word
    )
