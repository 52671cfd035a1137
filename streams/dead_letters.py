"""Dead letters: read what was rejected, and send it again where it came from.

`careline rejected` lists, shows and re-drives them; connectors and workers write them (`schemas.rejection`). Sending
again takes nothing out of the log: events have ids, and what was applied already counts as a duplicate.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError

from schemas.codec import ContractViolation, decode
from schemas.rejection import Rejection
from schemas.topics import REJECTED, TOPICS
from streams.kafka_admin import failed
from streams.settings import Settings
from streams.topic_reader import topic_reader
from streams.topic_settings import MAX_BATCH_BYTES

REDRIVEN_OF = "careline-redriven-of"
"""Header of a record that was sent again: the id of its dead letter."""

_TOPIC_NAMES = frozenset(topic.name for topic in TOPICS)
_ACKNOWLEDGED_WITHIN_SECONDS = 30.0


class Redriven(NamedTuple):
    """What became of dead letters: sent again, or left with the reason in words."""

    sent: list[Rejection]
    left: list[tuple[Rejection, str]]


def read_rejections(settings: Settings) -> Iterator[Rejection]:
    """Every dead letter once, oldest first within a partition; what is none is left out.

    Raises:
        TopicAbsent: the topics have not been created.
        KafkaUnavailable: no broker answers.
    """
    seen: set[str] = set()
    with topic_reader(settings.kafka) as reader:
        for record in reader.records(settings.topic(REJECTED.name)):
            try:
                rejection = decode(Rejection, record.value)
            except ContractViolation:
                continue
            if rejection.id not in seen:
                seen.add(rejection.id)
                yield rejection


def redriven_of(rejection: Rejection) -> str | None:
    """The id of the dead letter that this one is a second failure of; null for a first one."""
    return next((value.decode(errors="replace") for name, value in rejection.headers if name == REDRIVEN_OF), None)


def latest_failures(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Without those that were sent again and came back: the later failure has the same bytes.

    Sending both would double them with every attempt.
    """
    known = list(rejections)
    came_back = {redriven_of(rejection) for rejection in known}
    return [rejection for rejection in known if rejection.id not in came_back]


def why_not(rejection: Rejection) -> str | None:
    """Why a dead letter cannot be sent again, with the way out; null when it can."""
    origin = rejection.origin
    if origin.connector is not None:
        return (
            f"it is a request that the connector {origin.connector} did not understand, and never was a record of a "
            f"topic; have the sender deliver it again, or import what `careline rejected show` prints"
        )
    if origin.topic not in _TOPIC_NAMES:
        return f"its origin {origin.topic or 'is not known'!r} is no topic of ours"
    if rejection.key is None and rejection.value is None:
        return "it has neither key nor value: there is nothing to send"
    return None


def redrive(settings: Settings, rejections: Iterable[Rejection]) -> Redriven:
    """Send the original bytes, key and headers again to their own partition, marked with `careline-redriven-of`.

    Raises:
        KafkaUnavailable: Kafka did not acknowledge all of them; sending again is harmless.
    """
    outcome = Redriven([], [])
    for rejection in rejections:
        reason = why_not(rejection)
        if reason is None:
            outcome.sent.append(rejection)
        else:
            outcome.left.append((rejection, reason))
    if outcome.sent:
        _send(settings, outcome.sent)
    return outcome


def _send(settings: Settings, rejections: list[Rejection]) -> None:
    try:
        producer = KafkaProducer(
            **settings.kafka.for_kafka_python(),
            client_id="careline-redrive",
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_BATCH_BYTES,
            max_block_ms=int(_ACKNOWLEDGED_WITHIN_SECONDS * 1000),
            delivery_timeout_ms=int(_ACKNOWLEDGED_WITHIN_SECONDS * 1000),
            request_timeout_ms=15_000,
            allow_auto_create_topics=False,
        )
    except (KafkaError, OSError) as error:
        raise failed(settings.kafka, error) from None
    try:
        sent = [
            producer.send(
                settings.topic(rejection.origin.topic or ""),
                key=rejection.key,
                value=rejection.value,
                partition=rejection.origin.partition,
                headers=[*_without_mark(rejection.headers), (REDRIVEN_OF, rejection.id.encode())],
            )
            for rejection in rejections
        ]
        producer.flush(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
        for each in sent:
            each.get(timeout=_ACKNOWLEDGED_WITHIN_SECONDS)
    except (KafkaError, AssertionError) as error:
        raise failed(settings.kafka, error) from None
    finally:
        producer.close(timeout=5)


def _without_mark(headers: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, value) for name, value in headers if name != REDRIVEN_OF]
