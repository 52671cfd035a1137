"""What is forgotten and stays so: the accounts of `account_forgotten`, known from here on by a digest alone.

`agents.partition_controls` lets a partition of conversations forget, `agents.account_agent` a partition of accounts.
What happened to an account until the control's `as_of` and is still told (a repeated delivery, a history imported
again, a dead letter sent again) counts as late and changes nothing; what happens afterwards begins anew. Simulations
have a time of their own, with which an instant on the wall says nothing: there only the place in the log counts.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from agents.domain.instant import Instant
from agents.import_clock import is_import
from agents.interaction_check import WALL
from agents.ports import LEDGER_PREFIX, States
from schemas.account_state import ForgettingState
from schemas.codec import ContractViolation
from schemas.control import Control
from schemas.sla_event import SlaEvent


def forgotten_accounts(control: Control) -> tuple[str, ...]:
    """The ids that an `account_forgotten` names.

    Raises:
        ContractViolation: it names none, or one that no account has.
    """
    named = (control.account_id or "", *control.also_known_as)
    if not all(named) or any(name.startswith(LEDGER_PREFIX) for name in named):
        raise ContractViolation("contract_violation", "account_forgotten needs account_id - at `$.account_id`")
    return tuple(dict.fromkeys(named))


def keep_forgotten(forgotten: dict[str, Instant], accounts: Iterable[str], until: Instant) -> None:
    """Write down that these accounts are forgotten until an instant."""
    for account_id in accounts:
        digest = digest_of(account_id)
        forgotten[digest] = max(until, forgotten.get(digest, until))


def is_forgotten(forgotten: Mapping[str, Instant], account_id: str, clock: str, at: Instant) -> bool:
    """Whether what happened to an account at an instant is forgotten."""
    if clock != WALL and not is_import(clock):
        return False
    until = forgotten.get(digest_of(account_id))
    return until is not None and at <= until


def digest_of(account_id: str) -> str:
    """An account's id as it is kept where the account is forgotten."""
    return blake2b(account_id.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def is_of_old_life(forgetting: Mapping[str, ForgettingState], event: SlaEvent) -> bool:
    """Whether a partition that has not yet passed a forgetting on still tells of the account."""
    return any(
        event.account_id in state.accounts and event.cause.partition not in state.passed_on
        for state in forgetting.values()
    )


def those_mentioning(states: States, account_id: str) -> list[str]:
    """The accounts of a partition that may be relatives of another, in order."""
    return sorted(key for key in states.mentioning(account_id.encode()) if not key.startswith(LEDGER_PREFIX))


def still_forgetting(forgetting: Mapping[str, ForgettingState], accounts: Iterable[str]) -> dict[str, ForgettingState]:
    """Without those of these accounts, which are over: one that was cut short ends with the next one of the same."""
    named = set(accounts)
    return {name: other for name, other in forgetting.items() if named.isdisjoint(other.accounts)}
