"""Rolling adherence: met / (met + breached) of the outcomes decided in a window, beside what is pending and ahead.

`agents.account_agent` emits one report per account and metric whenever something in it has changed, with all scopes and
windows at once: parts and whole are always of the same instant, and a scope that has ended is simply no longer in it.
The ClickHouse sink and every subscriber have it next; `AdherenceReport.figures` lays it out flat.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec import Struct

WindowName = Literal["1h", "24h", "7d", "30d", "month"]
WINDOW_NAMES: tuple[WindowName, ...] = ("1h", "24h", "7d", "30d", "month")
"""The order of every list of windows. `month` is the calendar month in UTC that `as_of` lies in, from its first instant
on."""

ScopeName = Literal["account", "channel", "priority", "tier", "team", "policy"]
SCOPES: tuple[ScopeName, ...] = ("channel", "priority", "tier", "team", "policy")
"""What an account's figures are narrowed to. The values of each scope sum to the account's own figure."""

BEYOND = "(other)"
"""The value under which a scope counts what is beyond the bound of distinct combinations that an account keeps."""


class Standing(Struct, frozen=True, omit_defaults=True, gc=False):
    """The promises of one metric in one scope.

    `met`, `breached` and `ratio` are in the order of `WINDOW_NAMES`; a ratio is null when nothing was decided, never 1.
    `scope_value` is null for the account itself, and where what was promised had none (a conversation without a team).
    """

    scope: ScopeName
    met: tuple[int, ...]
    breached: tuple[int, ...]
    ratio: tuple[float | None, ...]
    scope_value: str | None = None
    open: int = 0
    """Clocks running now and not yet due: shown beside the ratio, never inside."""
    overdue: int = 0
    """Clocks past due and still unanswered."""
    at_risk: int = 0
    """Of the open ones, those that were warned of or have less than a fifth of their span left."""


class BurnRate(Struct, frozen=True, omit_defaults=True, gc=False):
    """How fast a window spends the error budget: 1 spends exactly all of it by the end of the period.

    `rate` is null when nothing was decided. At `factor` and above it is too fast; `burning` says that it is so in this
    window and in the shorter one that confirms it, and that there were outcomes enough to say so.
    """

    window: WindowName
    factor: float
    rate: float | None = None
    burning: bool = False


class ErrorBudget(Struct, frozen=True, omit_defaults=True, gc=False):
    """What the objective of a policy allows to break in its period, and what is left of it.

    `allowed` is the share (1 - objective) of what was decided in the period so far; `breached` of it is spent.
    """

    policy: str
    objective_ratio: float
    over: str
    met: int
    breached: int
    allowed: float
    left: float
    """Breaches left; below zero when more was broken than allowed."""
    left_ratio: float | None = None
    """The same as a share of `allowed`; null where nothing is allowed."""
    burn: tuple[BurnRate, ...] = ()
    open: int = 0
    """Open clocks that fall due before the period ends."""
    expected_breaches: float = 0
    """How many of those will probably break."""
    forecast_ratio: float | None = None
    """What the ratio of the period will be with them; null when nothing was and nothing will be decided."""
    breaches_left: int = 0
    """How many of what was decided and is open may still break without missing the objective."""


class DuePromise(Struct, frozen=True, omit_defaults=True, gc=False):
    """An open clock and the instant at which it will breach unless it is answered or paused."""

    conversation_id: str
    instance: int
    due_at: datetime
    at_risk: bool = False


class Forecast(Struct, frozen=True, omit_defaults=True, gc=False):
    """What will become of the open clocks, by the history of the account and the metric.

    `breach_ratio` is (breached + 1) / (decided + 2) over 30 days, Laplace's rule of succession: a half where nothing is
    known, and never certain. It knows nothing of the single clock; `due` says which ones to look at first.
    """

    breach_ratio: float
    expected_breaches: float
    due: tuple[DuePromise, ...] = ()
    """The clocks that fall due next, at most 20, the first one first."""


class AdherenceFigure(NamedTuple):
    """One cell of a report: how promises were kept in one scope and window."""

    account_id: str
    metric: str
    scope: ScopeName
    scope_value: str | None
    window: WindowName
    as_of: datetime
    met: int
    breached: int
    ratio: float | None
    open: int
    overdue: int
    at_risk: int
    clock: str


class AdherenceReport(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How an account's promises of one metric were kept, as of an instant on its clock.

    The first standing is the account's own.
    """

    id: str
    account_id: str
    metric: str
    as_of: datetime
    standings: tuple[Standing, ...]
    clock: str = "wall"
    tier: str | None = None
    segment: str | None = None
    cause_id: str | None = None
    budgets: tuple[ErrorBudget, ...] = ()
    """One for each policy with an objective under which something was promised."""
    forecast: Forecast | None = None

    def figures(self) -> Iterator[AdherenceFigure]:
        """Every scope and window by itself."""
        for each in self.standings:
            beside = (each.open, each.overdue, each.at_risk, self.clock)
            counted = zip(WINDOW_NAMES, each.met, each.breached, each.ratio, strict=True)
            for window, met, breached, ratio in counted:
                place = (self.account_id, self.metric, each.scope, each.scope_value, window)
                yield AdherenceFigure(*place, self.as_of, met, breached, ratio, *beside)
