"""What the watch for silent accounts remembers. `agents.domain.silent_accounts` computes with it."""

from msgspec import Struct, field

from schemas.issue_state import VolumeRhythm


class AccountRhythm(Struct, kw_only=True):
    """How an account gets in touch. Instants in microseconds since 1970, clocks in usual messages of everybody."""

    first_at: int
    first_clock: float
    last_clock: float
    last_at: int = 0
    contacts: int = 0
    longest: float = 0.0
    """The longest between two contacts so far."""
    is_silent: bool = False
    contact_at: int | None = None
    """When the last contact began; null in what was remembered before this was."""


class SilenceState(Struct, kw_only=True):
    """All of it."""

    rhythm: VolumeRhythm = field(default_factory=VolumeRhythm)
    accounts: dict[str, AccountRhythm] = field(default_factory=dict)
    looked_at_hour: int | None = None
