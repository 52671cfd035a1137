"""Silence: an account that used to write and has stopped.

Every account has a rhythm of its own: how often it gets in touch, and the longest it has ever been quiet. Both are
measured on the usual-volume clock (`usual_volume`), so nights and weekends count for as little as they should, and a
quiet summer of all customers is nobody's silence. An account is silent when at least `missing` contacts should have
come since the last one, and it has been quiet for twice as long as ever before. It is told once, and over with its
next message. Silence is the earliest sign that somebody leaves; `streams.history.message_watch` looks for it in
files, `agents.domain.issue_watch` live.
"""

from typing import NamedTuple

from agents.domain.instant import DAY_US, HOUR_US, Instant
from agents.domain.usual_volume import advance, count
from schemas.silence_state import AccountRhythm, SilenceState

ONE_CONTACT_US = HOUR_US
"""Messages within an hour of each other are one contact."""
LONGEST_CONTACT_US = DAY_US
"""Then another one begins: who writes by day and night without a pause is in touch every day, not once for ever."""
LEAST_CONTACTS = 10
LEAST_HISTORY_US = 14 * DAY_US
"""Two weeks of an account, so that every weekday has been seen twice."""
MISSING_CONTACTS = 8.0
"""Expected since the last: none at all would be chance once in three thousand gaps."""
LONGER_THAN_EVER = 2.0
FORGOTTEN_US = 365 * DAY_US


class Silence(NamedTuple):
    """An account fell silent. `missing` contacts should have come since `last_at`."""

    account: str
    at: Instant
    last_at: Instant
    missing: float


class SilentAccounts:
    """Watches who writes. Instants must not go back.

    Args:
        state: where an earlier watch stopped; it is changed in place, and is all there is to remember.
        missing: how many expected contacts must fail to come.
    """

    def __init__(self, state: SilenceState | None = None, missing: float = MISSING_CONTACTS) -> None:
        self.state = SilenceState() if state is None else state
        self._missing = missing

    def heard(self, account: str, at: Instant) -> list[Silence]:
        """An account wrote. What others did not write before that is told first."""
        found = self.pass_time(at)
        state = self.state
        known = state.accounts.get(account)
        if known is None or _is_another_contact(known, at):
            count(state.rhythm, at)
            clock = state.rhythm.clock
            if known is None:
                known = state.accounts[account] = AccountRhythm(first_at=at, first_clock=clock, last_clock=clock)
            known.contacts += 1
            known.contact_at = at
            known.longest = max(known.longest, clock - known.last_clock)
            known.last_clock = clock
        elif known.contact_at is None:
            known.contact_at = at
        known.last_at = at
        known.is_silent = False
        return found

    def pass_time(self, at: Instant) -> list[Silence]:
        """Time has come so far; looks once an hour. Silences by account."""
        state = self.state
        hour = at // HOUR_US
        if state.looked_at_hour is not None and hour <= state.looked_at_hour:
            return []
        state.looked_at_hour = hour
        advance(state.rhythm, at)
        found = []
        for account, known in sorted(state.accounts.items()):
            if at - known.last_at > FORGOTTEN_US:
                del state.accounts[account]
                continue
            missing = self._missing_of(known)
            if missing is not None and not known.is_silent:
                known.is_silent = True
                found.append(Silence(account, at, known.last_at, missing))
        return found

    def _missing_of(self, known: AccountRhythm) -> float | None:
        """How many contacts should have come, if that is so many that it is a silence."""
        if known.contacts < LEAST_CONTACTS or known.last_at - known.first_at < LEAST_HISTORY_US:
            return None
        gap = self.state.rhythm.clock - known.last_clock
        lived = known.last_clock - known.first_clock
        if lived <= 0 or gap < LONGER_THAN_EVER * known.longest:
            return None
        missing = known.contacts / lived * gap
        return missing if missing >= self._missing else None


def _is_another_contact(known: AccountRhythm, at: Instant) -> bool:
    began_at = known.last_at if known.contact_at is None else known.contact_at
    return at - known.last_at > ONE_CONTACT_US or at - began_at >= LONGEST_CONTACT_US
