"""Error budgets: what the objective of a policy allows to break, and how fast it is being spent.

Google, *The Site Reliability Workbook*, chapters 2 ("Implementing SLOs") and 5 ("Alerting on SLOs"): the budget of a
period is `(1 - objective) * outcomes`, and a window burns at the rate `breach ratio / (1 - objective)`; 1 spends the
budget exactly by the end of the period. How fast is too fast follows Sloth (`internal/alert/window.go`):

    factor = share of the budget * period / window

An objective of a helpdesk is low. A window in which everything breaks burns at `1 / (1 - objective)`, which is 20 for
95 % and 5 for 80 %: the 14.4 that a period of 30 days gives for 2 % in an hour would never be reached there. Therefore

    factor = min(share * period / window, REACHABLE / (1 - objective))

Few outcomes make wild ratios: nothing burns below `LEAST_OUTCOMES` in the window or `LEAST_BREACHES` among them. The
shorter window only confirms that it still goes on; at night, when it holds no outcome, it has nothing to say against.
"""

from typing import Literal, NamedTuple

from agents.domain.instant import DAY_US, HOUR_US
from agents.domain.rolling_window import MOST_DAYS
from schemas.adherence import WINDOW_NAMES, BurnRate, WindowName

MILLION = 1_000_000

REACHABLE = 0.8
"""Four broken promises of five are as bad as five: the one that was kept must not silence the alert."""

LEAST_OUTCOMES = 10
LEAST_BREACHES = 3
"""One or two broken promises are alerts of their own (`PromiseBreached`), and no trend."""


class BurnWindow(NamedTuple):
    """A window, how much of the budget may go in it before somebody should know, and the window that confirms it."""

    name: WindowName
    length_us: int
    share: float
    confirmed_by: WindowName | None
    severity: Literal["critical", "warning", "info"]


# Sloth's and the workbook's pairs, moved to the windows that exist here: 2 % in an hour is urgent, 10 % in a day can
# wait for the morning; beyond a week only what spends more than its part (7 of 30 days) is worth a word. Support has no
# outcome in most five-minute windows, so an hour needs none to confirm it.
BURN_WINDOWS = (
    BurnWindow("1h", HOUR_US, 0.02, None, "critical"),
    BurnWindow("24h", DAY_US, 0.1, "1h", "warning"),
    BurnWindow("7d", 7 * DAY_US, 7 / 30, "24h", "info"),
)

_PLACE = {name: index for index, name in enumerate(WINDOW_NAMES)}


def days_of(over: str) -> int | None:
    """The days of a rolling objective (`30d`), at most `MOST_DAYS`; null for a calendar month, or what is none."""
    number, unit = over[:-1], over[-1:]
    if unit != "d" or not (number.isascii() and number.isdecimal()):
        return None
    return min(int(number), MOST_DAYS) or None


def factor(window: BurnWindow, over: str, objective: int) -> float:
    """From which rate on a window burns too fast, for an objective in millionths. A month counts as 30 days."""
    missing = (MILLION - objective) / MILLION
    by_share = max(1.0, window.share * (days_of(over) or 30) * DAY_US / window.length_us)
    return by_share if missing <= 0 else min(by_share, max(1.0, REACHABLE / missing))


def allowed(decided: int, objective: int) -> float:
    """How many of the decided may be broken."""
    return decided * (MILLION - objective) / MILLION


def burn_rates(met: list[int], breached: list[int], over: str, objective: int) -> tuple[BurnRate, ...]:
    """The burn rates of a policy whose outcomes are given by window, in the order of `WINDOW_NAMES`.

    An objective of 100 % has no budget to burn; its rates are null.
    """
    found = []
    for window in BURN_WINDOWS:
        place = _PLACE[window.name]
        needed = factor(window, over, objective)
        rate = _rate(met[place], breached[place], objective)
        is_burning = (
            rate is not None
            and rate >= needed
            and met[place] + breached[place] >= LEAST_OUTCOMES
            and breached[place] >= LEAST_BREACHES
        )
        if is_burning and window.confirmed_by is not None:
            confirming = _PLACE[window.confirmed_by]
            again = _rate(met[confirming], breached[confirming], objective)
            is_burning = again is None or again >= needed
        found.append(BurnRate(window.name, round(needed, 6), rate, is_burning))
    return tuple(found)


def _rate(met: int, breached: int, objective: int) -> float | None:
    decided = met + breached
    if not decided or objective >= MILLION:
        return None
    return round(breached * MILLION / (decided * (MILLION - objective)), 6)
