"""One conversation out of a worker's memory, with the policies of its partition: for `careline policy explain`.

The changelog topic is what the next owner of the partition would recover from, so what is read here is what the worker
has committed. Nothing is written, and no worker is asked.
"""

from dataclasses import dataclass

import msgspec

from agents.conversation_agent import LEDGER_KEY
from agents.domain.policy_book import PolicyBook
from agents.domain.timeline import decode_state
from schemas.conversation_state import ConversationState, PartitionLedger
from schemas.policy import from_published
from schemas.topics import CONVERSATION_STATE
from streams.lane.changelog import ChangelogDamaged, from_value
from streams.lane.lane_effects import partition_of
from streams.settings import Settings
from streams.topic_reader import TopicReader, topic_reader


class MemoryUnreadable(Exception):  # noqa: N818 - the state of the changelog, in the words of the message
    """What a worker has written cannot be read by this release."""


@dataclass(frozen=True, slots=True)
class RememberedConversation:
    """A conversation as its worker last committed it, and the policies that judge it."""

    state: ConversationState
    book: PolicyBook
    partition: int
    links: dict[str, str]
    """Accounts that turned out to be others."""


def read_remembered(settings: Settings, conversation: str) -> RememberedConversation | None:
    """The conversation with this id; null where no worker has committed anything of it.

    Raises:
        KafkaUnavailable: no broker answers, or the connection broke.
        TopicAbsent: there is no changelog.
        MemoryUnreadable: it was written by a later release, or is damaged.
    """
    topic = settings.topic(CONVERSATION_STATE.name)
    with topic_reader(settings.kafka) as reader:
        partition = partition_of(conversation, len(reader.partitions(topic)))
        remembered = _latest(reader, topic, conversation, partition)
        if remembered is None:
            return None
        ledger_bytes = _latest(reader, topic, LEDGER_KEY, partition)
    try:
        ledger = (
            msgspec.msgpack.decode(ledger_bytes, type=PartitionLedger)
            if ledger_bytes is not None
            else PartitionLedger()
        )
        state, book = decode_state(remembered), PolicyBook()
        for policy in ledger.policies:
            book.activate(from_published(policy.text), policy.in_force_from)
    except (msgspec.MsgspecError, ValueError, LookupError) as error:
        raise MemoryUnreadable(f"{topic}[{partition}] cannot be read: {error}") from error
    return RememberedConversation(state, book, partition, ledger.links)


def _latest(reader: TopicReader, topic: str, key: str, partition: int) -> bytes | None:
    record = reader.latest(topic, key.encode(), partition).get(partition)
    if record is None or record.value is None:
        return None
    try:
        return from_value(record.value).state
    except ChangelogDamaged as error:
        raise MemoryUnreadable(f"{topic}[{partition}]@{record.offset} {error}") from error
