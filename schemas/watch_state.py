"""What the issue agent remembers of one clock: both detectors, the themes that it has met, and what is open.

`agents.domain.issue_watch` computes with it. A state is written down whole now and then, and in between the *steps*
that have led on from there: applied to it in their order they lead to the same state (`agents.issue_memory`). Instants
are microseconds since 1970.
"""

from msgspec import Struct, field

from schemas.issue import IssueKind
from schemas.issue_state import IssueState
from schemas.silence_state import SilenceState


class Wrote(Struct, tag="wrote", array_like=True, frozen=True):
    """A customer wrote. `words` null: nobody knows what. `offset` is that of its mention, -1 where it is not known."""

    id: str
    account: str
    at: int
    words: tuple[str, ...] | None = None
    offset: int = -1
    sentiment: int | None = None
    """In millionths."""


class Passed(Struct, tag="passed", array_like=True, frozen=True):
    """Time passed and nobody wrote."""

    to: int


class Forgot(Struct, tag="forgot", array_like=True, frozen=True):
    """Nothing is known any more of these accounts."""

    accounts: tuple[str, ...]


Step = Wrote | Passed | Forgot


class KnownTheme(Struct, kw_only=True):
    """A theme that has risen before, and by which marks it is known again."""

    id: str
    weights: dict[str, float]
    risen_at: int
    times: int = 1


class OpenIssue(Struct, kw_only=True):
    """An issue that is not over, and what was told of it last."""

    issue_id: str
    kind: IssueKind
    name: str
    opened_at: int
    began_at: int
    owner: str | None = None
    theme_id: str | None = None
    times: int = 1
    account: str | None = None
    missing: float | None = None
    told: int = 0
    """How often it was told."""
    told_growth: float = 0.0
    told_accounts: int = 0


class WatchState(Struct, kw_only=True):
    """All of it."""

    now: int | None = None
    seen: dict[str, int] = field(default_factory=dict)
    """Digests of the newest messages' ids, and when they were written, by which a repeated one is recognised."""
    surges: IssueState = field(default_factory=IssueState)
    silences: SilenceState = field(default_factory=SilenceState)
    themes: list[KnownTheme] = field(default_factory=list)
    open: dict[str, OpenIssue] = field(default_factory=dict)
    """By the surge's own id, or the account that is silent behind a NUL."""


class MemoryBook(Struct, array_like=True):
    """Where the state of one clock lies: in how many parts it was written, and how many steps have followed."""

    parts: int = 0
    state_bytes: int = 0
    journals: int = 0
    journal_bytes: int = 0


class IssueLedger(Struct, array_like=True):
    """What the issue agent has done with mentions: `applied + duplicate + late + rejected` were accepted."""

    next_offset: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    rules: str | None = None
    """The rules in force as they were published; null for the defaults."""
    clocks: dict[str, MemoryBook] = field(default_factory=dict)
    """The clock that was heard of last stands last."""
