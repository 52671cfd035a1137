"""What else is known about an account.

Surveys, usage, subscriptions, onboarding, advocacy, goals, sentiment, a person's own pulse, word and deed.

Connectors publish signals keyed by account; `agents.account_agent` has them next, together with the SLA events.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

SignalKind = Literal[
    "survey",
    "usage",
    "subscription",
    "onboarding",
    "advocacy",
    "goal",
    "pulse",
    "sentiment",
    "override",
    "action",
    "parent",
    "child",
    "ancestors",
]


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One observation about one account.

    - `survey`: `name` is `csat`, `nps` or `ces` and `value` the score on `scale`.
    - `goal`: `name` is the goal's own, `value` how much of it is reached (1 is all), `until` when it is due.
    - `override`: a person's own score is `value`, for the reason `text`, `until` then; without a value it is lifted.
    - `action`: a play's next action (`name` is the play, `raw_reference` the action's id) is `done` or `dismissed`.
    - `parent`: the account belongs to the account `text`; without one to nobody any more.
    - `child`: what an account tells its parent. `name` is the child, `value` its score, `weight` what it pays a month;
      `text` is `left` when it is a child no more, and `circle` where its link closes a circle and does not count.
    - `ancestors`: what a parent tells its child: the `accounts` above it, nearest first.
    - others: `value` is a number; without one `text` is a word; without either it has happened, which is 1.
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
    until: datetime | None = None
    weight: float | None = None
    accounts: tuple[str, ...] = ()
    via: str | None = None
    """The conversation that has passed it on, which was asked there and is followed up there; null from outside."""
    channel: str | None = None
    """Of an answer that a conversation has passed on: where it is counted besides the company and the account."""
    team: str | None = None
    agent: str | None = None
