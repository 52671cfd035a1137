"""How much an account gets in touch, against its own past: the last 7 days beside the 28 before.

`agents.domain.account` counts the facts `contact` (messages of the customer) and `opened` of each day (UTC);
`agents.domain.account_health` reads the ratio as a signal. Days are numbered from the epoch on; today counts as it has
been so far.
"""

from agents.domain.instant import DAY_US, Instant
from agents.domain.normalisation import MILLION
from schemas.account_state import AccountState

RECENT_DAYS = 7
BASELINE_DAYS = 28
"""Four whole weeks, so that every weekday counts equally often."""

LEAST_BASELINE_DAYS = 7
"""Without a whole week of the past there is nothing to compare with."""

LEAST_EXPECTED = 3
"""Below three expected contacts in a week, none at all is ordinary chance (5 % for a Poisson count of three)."""


def note(counts: dict[int, int], state: AccountState, at: Instant) -> None:
    """Count one fact on its day; days that no comparison reaches any more are passed over."""
    day = at // DAY_US
    if state.known_since_day is None or day < state.known_since_day:
        state.known_since_day = day
    if day > state.as_of // DAY_US - RECENT_DAYS - BASELINE_DAYS:
        counts[day] = counts.get(day, 0) + 1


def forget(state: AccountState) -> None:
    """Drop the days that no comparison reaches any more."""
    first = state.as_of // DAY_US - RECENT_DAYS - BASELINE_DAYS + 1
    for counts in (state.contacts, state.openings):
        if counts and min(counts) < first:
            for day in [day for day in counts if day < first]:
                del counts[day]


def ratio(state: AccountState) -> int | None:
    """Recent against expected contacts, in millionths; null while there is no past to compare with.

    Messages are compared where the source has any, else opened conversations.
    """
    counts = state.contacts or state.openings
    if state.known_since_day is None or not counts:
        return None
    today = state.as_of // DAY_US
    recent_from = today - RECENT_DAYS + 1
    baseline_from = max(state.known_since_day, recent_from - BASELINE_DAYS)
    days = recent_from - baseline_from
    if days < LEAST_BASELINE_DAYS:
        return None
    recent = past = 0
    for day, contacts in counts.items():
        if day >= recent_from:
            recent += contacts
        elif day >= baseline_from:
            past += contacts
    if past * RECENT_DAYS < LEAST_EXPECTED * days:
        return None
    return recent * days * MILLION // (past * RECENT_DAYS)


def changes_at(state: AccountState) -> Instant | None:
    """When the days shift next, which changes the ratio although nothing happens."""
    if not state.contacts and not state.openings:
        return None
    return (state.as_of // DAY_US + 1) * DAY_US
