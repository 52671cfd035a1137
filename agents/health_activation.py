"""Health profiles as the log puts them in force: what the partition's ledger knows of them, and who is judged next.

`agents.account_agent` hands over each `health_activated` at its place among the signals. A new version moves every
account, so all of them are judged again, some with each tick, until the last one is reached.
"""

from heapq import nsmallest

from agents.domain.health_shelf import HealthShelf, UnusableProfileError, activated
from agents.domain.instant import from_datetime
from agents.ports import LEDGER_PREFIX, States
from schemas.account_state import AccountLedger
from schemas.codec import ContractViolation
from schemas.control import Control

MOST_AT_A_TICK = 1_000
"""Accounts that one tick judges: 100 to 250 ms, which the events behind it can wait for. Those left are due at once, so
the next tick follows at once, behind whatever has come meanwhile."""


class HealthActivation:
    """The profiles of one partition."""

    def __init__(self, ledger: AccountLedger) -> None:
        self._ledger = ledger
        self.shelf = HealthShelf(ledger.profiles)

    @property
    def is_sweeping(self) -> bool:
        """Whether some accounts have not yet been judged by the newest version."""
        return self._ledger.sweep is not None

    def take(self, control: Control) -> None:
        """Put a version in force; saying it again changes nothing.

        Raises:
            ContractViolation: it cannot be scored with; what is in force stays so.
        """
        try:
            new = activated(self._ledger.profiles, control.policy_text or "", from_datetime(control.as_of))
        except UnusableProfileError as error:
            raise ContractViolation("contract_violation", f"profile file: {error}") from error
        if new is not None:
            self._ledger.profiles.append(new)
            self._ledger.sweep = ""
            self.shelf = HealthShelf(self._ledger.profiles)

    def next_swept(self, states: States) -> list[str]:
        """The accounts that are judged now, in order of their ids; the ledger goes on behind the last of them."""
        after = self._ledger.sweep
        if after is None:
            return []
        keys = (key for key in states.mentioning(b"") if key > after and not key.startswith(LEDGER_PREFIX))
        found = nsmallest(MOST_AT_A_TICK, keys)
        self._ledger.sweep = found[-1] if len(found) == MOST_AT_A_TICK else None
        return found
