"""What a person should act on. Agents emit alerts keyed by account; notifiers have them next."""

from datetime import datetime
from typing import Literal

from msgspec import Struct


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A breach, a band change, an error budget that burns, a next action, an issue.

    Stated once when it begins (`firing`) and once when it is over (`resolved`), under the same key.

    `name` is CamelCase as in Prometheus, for example `PromiseBreached`; `key` is what an alert is deduplicated by.
    """

    id: str
    key: str
    name: str
    state: Literal["firing", "resolved"]
    severity: Literal["critical", "warning", "info"]
    account_id: str
    occurred_at: datetime
    summary: str
    conversation_id: str | None = None
    metric: str | None = None
    instance: int | None = None
    policy: str | None = None
    priority: str | None = None
    channel: str | None = None
    tier: str | None = None
    team: str | None = None
    due_at: datetime | None = None
    clock: str = "wall"
    cause_id: str | None = None
    window: str | None = None
    """For a burning error budget, the window in which it burns: `1h`, `24h` or `7d`."""
    owner: str | None = None
    """For a next action, whose it is."""
    play: str | None = None
    """For a next action, the play that calls for it."""
    issue_id: str | None = None
    """For an issue, which; the alert of one across accounts has no `account_id`."""
    topic_id: str | None = None
    growth: float | None = None
    """For a theme that rises, how many times more messages than expected."""
    accounts: tuple[str, ...] = ()
    """For a theme that rises, who wrote about it first, at most twenty."""
    messages: tuple[str, ...] = ()
    """For a theme that rises, its first messages as `<conversation id>/<interaction id>`."""
