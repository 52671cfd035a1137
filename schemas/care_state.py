"""What the account agent remembers for the care figures: of an account, of a partition's clock, and of each bucket.

`schemas.account_state` holds the account's part and makes bytes of all of them, by its rules; what is the partition's
lies beside the accounts under keys of its own, as `agents.care_rollups` says.
"""

from msgspec import Struct, field

CareLabels = tuple[str, str, str, str]
"""Channel, team, agent and tier; empty where there is none."""


class SubscriptionNote(Struct, array_like=True, gc=False):
    """One thing said of a subscription; amounts are hundredths.

    `rank` orders what is of one instant and says what it is: 0 begun, 1 the revenue of a month, 2 ended.
    """

    at: int
    rank: int
    digest: int
    amount: int = 0
    currency: str = ""


class OnboardingNotes(Struct, array_like=True, gc=False):
    """How far an account has come since it signed up. `progress` in hundredths of 0..100, as said at `progress_at`."""

    started_at: int | None = None
    value_at: int | None = None
    progress: int | None = None
    progress_at: int = 0
    started_by: int = 0
    """Checksums of the signals that said so: a correction of one takes its place."""
    value_by: int = 0
    progress_by: int = 0


class CareMemory(Struct, array_like=True, gc=False):
    """What an account has put into the figures, so that it can be taken out again.

    `entries` holds 20 bytes for each of the newest contributions: what it was about (a checksum), the hour, the places
    of its labels and of its measure's name, two bins of durations, and the amount. `talks` holds 12 bytes for each of
    the newest conversations, in the layout of `agents.domain.care_talks`.
    """

    names: list[str] = field(default_factory=list)
    labels: list[CareLabels] = field(default_factory=list)
    entries: bytes = b""
    talks: bytes = b""
    subscription: list[SubscriptionNote] = field(default_factory=list)
    onboarding: OnboardingNotes | None = None
    standing_tier: str = ""
    """The tier under which subscription and onboarding are counted."""


class RollupState(Struct, array_like=True, gc=False):
    """One bucket of one value: the number of the bucket from the epoch on, sums by measure, sketches by measure."""

    number: int
    counts: dict[str, int] = field(default_factory=dict)
    timings: dict[str, dict[int, int]] = field(default_factory=dict)


class CareClock(Struct, array_like=True, gc=False):
    """How far the figures of one clock have come in a partition.

    `untold` holds the keys of the buckets that have changed since `told_at`; `values` the last day on which each value
    of each scope was heard of, by which their number is bounded.
    """

    as_of: int = 0
    told_at: int | None = None
    untold: list[tuple[str, str, str, int]] = field(default_factory=list)
    """Scope, value, kind of bucket and its number, of one that lies in the same slot."""
    values: dict[str, dict[str, int]] = field(default_factory=dict)
