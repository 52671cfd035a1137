"""Rolling adherence: met / (met + breached) of the outcomes decided in a window.

`agents.account_agent` emits one figure per account, metric, scope and window whenever it changes.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

WindowName = Literal["1h", "24h", "7d", "30d", "month"]


class AdherenceFigure(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How an account's promises were kept, as of an instant on its clock.

    `ratio` is null when nothing was decided, never 1.
    """

    id: str
    account_id: str
    metric: str
    window: WindowName
    as_of: datetime
    met: int
    breached: int
    ratio: float | None
    scope: str = "account"
    scope_value: str | None = None
    clock: str = "wall"
    open: int = 0
    """Clocks running now and not yet due: shown beside the ratio, never inside."""
    overdue: int = 0
    """Clocks past due and still unanswered."""
    tier: str | None = None
    segment: str | None = None
    cause_id: str | None = None
