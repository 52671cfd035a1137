"""What a record for the accounts must be besides fitting its contract, before `agents.account_agent` takes it in."""

from typing import TypeVar

from msgspec import Struct

from agents.domain.account import WALL
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import MINUTE_US, Instant, from_datetime, to_datetime
from agents.ports import LEDGER_PREFIX, Record
from schemas.codec import ContractViolation, decode
from schemas.enrichment import Enrichment
from schemas.rejection import RejectionReason
from schemas.signal import Signal
from schemas.sla_event import SlaEvent
from schemas.topics import ENRICHMENTS, SLA_EVENTS

SKEW_US = 5 * MINUTE_US
"""How far a clock of somebody else's may run ahead of ours before an event counts as coming from the future."""

Contract = TypeVar("Contract", SlaEvent, Signal, Enrichment)
OwnWay = TypeVar("OwnWay", Signal, Enrichment)
"""What does not come behind the SLA events of its conversation."""


def is_sla_event(record: Record) -> bool:
    """Whether a record came from the topic of SLA events."""
    return record.topic.name == SLA_EVENTS.name


def is_enrichment(record: Record) -> bool:
    """Whether a record came from the topic of enrichments."""
    return record.topic.name == ENRICHMENTS.name


def event_in(record: Record, contract: type[Contract], found: type[Struct]) -> tuple[Contract, Instant]:
    """The event in a record and when it happened, if it is what the topic promises under the key that it must have.

    `found` is the contract that its headers announce.

    Raises:
        ContractViolation: with the reason why not.
    """
    if found is not contract:
        raise ContractViolation("unknown_type", f"{record.topic.name} carries no {found.__name__}")
    event = decode(contract, record.value)
    account_id = event.account_id
    if record.key is None:
        raise ContractViolation("missing_key", f"the key must be the account {account_id!r}")
    if record.key != account_id.encode():
        raise ContractViolation("key_mismatch", f"key {record.key[:80]!r}, account_id {account_id[:80]!r}")
    if not account_id or account_id.startswith(LEDGER_PREFIX):
        raise ContractViolation("contract_violation", f"{account_id[:80]!r} names no account - at `$.account_id`")
    try:
        at = from_datetime(event.occurred_at)
    except (ValueError, OverflowError) as error:
        raise ContractViolation("impossible_time", f"{error} - at `$.occurred_at`") from None
    if event.clock == WALL and at > record.appended_at + SKEW_US:
        ahead = f"{event.occurred_at.isoformat()} lies after {to_datetime(record.appended_at).isoformat()}"
        raise ContractViolation("from_the_future", f"{ahead}, when it was received - at `$.occurred_at`")
    return event, at


def blame(error: Exception) -> tuple[RejectionReason, str]:
    """Why a record is put aside that an account could not take: the event's own mistake, or ours."""
    if isinstance(error, ImpossibleEventError):
        return "contract_violation", str(error)
    return "calculation_failed", f"{type(error).__name__}: {error}"
