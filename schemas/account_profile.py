"""Who an account is: read where events enter (`streams.connectors`, `streams.history`), never joined by an agent."""

from msgspec import Struct


class AccountProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer of the company.

    `identities` are `kind:value` pairs such as `domain:acme.example` or `slack_team:T01`.
    """

    id: str
    name: str | None = None
    tier: str | None = None
    segment: str | None = None
    contract: str | None = None
    owner: str | None = None
    team: str | None = None
    parent: str | None = None
    identities: tuple[str, ...] = ()
