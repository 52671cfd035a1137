"""Control records: what moves time and switches policies, written into the very partition that it moves.

Workers append ticks (`streams.lane`), connectors append heartbeats, imports and those who publish policies and health
profiles append the others. They stand in the log between the interactions, so a replay repeats every decision at the
same place.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

ControlKind = Literal[
    "tick",
    "heartbeat",
    "source_declared",
    "policy_activated",
    "account_linked",
    "account_forgotten",
    "clock_released",
    "health_activated",
    "issues_activated",
]


class Control(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record that is no interaction and is not counted as one.

    - `tick`: everything of `clock` that was due before `as_of` is decided now.
    - `heartbeat`: `source` has delivered all that happened before `as_of`.
    - `source_declared`: deliveries of `source` may be `settle_seconds` late; so long its conversations wait.
    - `policy_activated`: `policy_text` (`schemas.policy.to_published`) is in force from here on.
    - `health_activated`: so is a profile file (`agents.domain.health_shelf.to_published`), among the signals.
    - `issues_activated`: so are rules of issues (`agents.domain.issue_rules.to_published`), among the mentions.
    - `clock_released`: conversations of `clock` live on the clock `wall` from here on.
    - `account_linked`: `account_id` turned out to be `into`.
    - `account_forgotten`: nothing is known any more of `account_id` and of what it was `also_known_as`, and what
      happened to it until `as_of` and is still told is no news (`docs/privacy.md`).

    Conversation agents pass the ticks and the release of an import on, behind the results of each of their partitions
    (`relayed_from` of `relays`). Accounts heed such a control once all partitions have passed it on. An
    `account_forgotten` they pass on too; it counts for what comes from a partition as soon as that one has.
    """

    id: str
    kind: ControlKind
    as_of: datetime
    clock: str = "wall"
    rate: float = 1.0
    """How many seconds of `clock` pass in one second here: the time warp of a simulation, else 1."""
    source: str | None = None
    settle_seconds: float = 0
    policy_text: str | None = None
    policy_version: str | None = None
    account_id: str | None = None
    into: str | None = None
    also_known_as: tuple[str, ...] = ()
    """Further ids of a forgotten account: provisional ones of its identities, and accounts linked into it."""
    relayed_from: int | None = None
    relays: int | None = None
