"""The books of all partitions: what the workers have done with every event, as they have committed it themselves.

Read from the changelogs, where each partition keeps its ledger beside its state. `demo_run` compares the end with the
beginning.
"""

from dataclasses import dataclass

import msgspec

from agents.domain.instant import Instant
from agents.ports import LEDGER_PREFIX
from schemas.account_state import AccountLedger, decode_account_state
from schemas.conversation_state import PartitionLedger
from schemas.topics import ACCOUNT_STATE, CONVERSATION_STATE
from streams.lane.changelog import from_value
from streams.settings import Settings
from streams.topic_reader import TopicReader, topic_reader

_KEY = f"{LEDGER_PREFIX}ledger".encode()
_interaction_ledger = msgspec.msgpack.Decoder(PartitionLedger)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of events. The four add up to `accepted`."""

    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0

    @property
    def accepted(self) -> int:
        """All that were taken in, whatever became of them."""
        return self.applied + self.duplicate + self.late + self.rejected

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(
            self.applied + other.applied,
            self.duplicate + other.duplicate,
            self.late + other.late,
            self.rejected + other.rejected,
        )

    def __sub__(self, other: "Judged") -> "Judged":
        return self + Judged(-other.applied, -other.duplicate, -other.late, -other.rejected)


@dataclass(frozen=True, slots=True)
class Books:
    """The sum over all partitions of interactions and signals, and how far each clock has come."""

    judged: Judged
    clocks: dict[str, Instant]


def read_books(settings: Settings) -> Books:
    """The books as they are committed now.

    Raises:
        KafkaUnavailable: no broker answers.
        TopicAbsent: a topic is missing.
    """
    judged = Judged()
    clocks: dict[str, Instant] = {}
    with topic_reader(settings.kafka) as reader:
        for state in _latest(reader, settings.topic(CONVERSATION_STATE.name)):
            ledger = _interaction_ledger.decode(state)
            judged += Judged(ledger.applied, ledger.duplicate, ledger.late, ledger.rejected)
            for clock, anchor in ledger.anchors.items():
                clocks[clock] = max(anchor.as_of, clocks.get(clock, anchor.as_of))
        for state in _latest(reader, settings.topic(ACCOUNT_STATE.name)):
            account_ledger = decode_account_state(AccountLedger, state)
            judged += Judged(
                account_ledger.applied, account_ledger.duplicate, account_ledger.late, account_ledger.rejected
            )
    return Books(judged, clocks)


def _latest(reader: TopicReader, topic: str) -> list[bytes]:
    """The newest ledger of each partition, encoded."""
    values = {record.partition: record.value for record in reader.records(topic) if record.key == _KEY}
    return [from_value(value).state for value in values.values() if value is not None]
