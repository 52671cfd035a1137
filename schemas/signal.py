"""What else is known about an account.

Surveys, usage, subscriptions, onboarding, advocacy, goals, a person's own pulse.

Connectors publish signals keyed by account; `agents.account_agent` has them next, together with the SLA events.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

SignalKind = Literal["survey", "usage", "subscription", "onboarding", "advocacy", "goal", "pulse"]


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One observation about one account.

    For a survey, `name` is `csat`, `nps` or `ces` and `value` the score on `scale`.
    """

    id: str
    source: str
    account_id: str
    occurred_at: datetime
    kind: SignalKind
    name: str
    value: float | None = None
    scale: float | None = None
    text: str | None = None
    clock: str = "wall"
    received_at: datetime | None = None
    conversation_id: str | None = None
    account_hint: str | None = None
    tier: str | None = None
    segment: str | None = None
    raw_reference: str | None = None
    version: int = 0
