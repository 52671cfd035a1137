"""The books of the account agent, where an account takes back what it had taken in. `agents.account_agent` calls it."""

from agents.account_check import event_in, is_enrichment, is_sla_event
from agents.domain.family import is_word
from agents.ports import Record
from schemas.account_state import AccountLedger
from schemas.signal import Signal


def take_back(ledger: AccountLedger, record: Record) -> None:
    """Count a record as rejected that was counted as applied. The word of a relative was in no books and stays out."""
    if is_sla_event(record):
        ledger.sla_applied -= 1
        ledger.sla_rejected += 1
    elif is_enrichment(record):
        ledger.enrichment_applied -= 1
        ledger.enrichment_rejected += 1
    elif not is_word(event_in(record, Signal, Signal)[0]):
        ledger.applied -= 1
        ledger.rejected += 1
