"""What the account agent remembers about an account, and about its partition; and how that looks as bytes.

`agents.account_agent` writes it into the changelog topic and the next owner of the partition reads it back. Instants
are microseconds since the epoch, scores and points are hundredths, days and buckets are numbered from the epoch on. The
first byte is the version of the layout; fields are only ever appended, with defaults. States are trees in which nothing
points back, and a batch holds thousands of them: that is why they say `gc=False`.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct, field

from schemas.care_state import CareClock, CareMemory, RollupState
from schemas.health_memory import HealthMemory
from schemas.health_score import Band

ACCOUNT_STATE_VERSION = 1
_VERSION = bytes([ACCOUNT_STATE_VERSION])


class OutcomeBuckets(Struct, array_like=True, gc=False):
    """Decided outcomes by bucket of time: three columns of equal length, buckets ascending and none all zero.

    Written until scopes came; what is found is counted on without labels.
    """

    numbers: list[int] = field(default_factory=list)
    met: list[int] = field(default_factory=list)
    breached: list[int] = field(default_factory=list)


class OverdueClock(Struct, array_like=True, gc=False):
    """A clock past due and still unanswered; `breached_at` is the instant under which its breach is counted."""

    due_at: int
    breached_at: int
    priority: str | None = None
    cell: int = -1


class OpenClock(Struct, array_like=True, gc=False):
    """A clock that runs. `due_at` is null while it is paused and where nothing is due; at `risk_at` little is left."""

    cell: int
    due_at: int | None = None
    risk_at: int | None = None
    is_warned: bool = False


class ObjectiveState(Struct, array_like=True, gc=False):
    """What a policy promises of all its outcomes, in millionths, over `30d` or a `month`, as an event said last."""

    said_at: int
    ratio: int
    over: str
    burning: list[str] = field(default_factory=list)
    """Windows for which an alert fires."""


Labels = tuple[str, str, str, str, str]
"""Channel, priority, tier, team and policy; empty where there is none."""


class CellsState(Struct, array_like=True, gc=False):
    """Decided outcomes by combination of labels: columns of equal length, one place per combination.

    `counts` holds 40 bytes for each: met of the five windows, then breached, as little-endian 32-bit numbers that hold
    as of `counted_at`. `expiries` holds the first instant at which they no longer do, in 8 bytes (the largest number
    for never). `minutes` and `hours` hold the buckets of each in entries of 8 bytes, ascending:
    `number << 32 | met << 16 | breached`. A place without labels is free.
    """

    counted_at: int = 0
    labels: list[Labels | None] = field(default_factory=list)
    counts: bytes = b""
    expiries: bytes = b""
    minutes: list[bytes] = field(default_factory=list)
    hours: list[bytes] = field(default_factory=list)
    placed: bytes = b""
    """Where the latest outcomes were put in, oldest first: 4 bytes of the clock's checksum and 2 of the place."""


class MetricState(Struct, array_like=True, gc=False):
    """The promises of one metric.

    `figures` as counted last: (met, breached) of 1 h, 24 h, 7 d and 30 d, then open, overdue, then met, breached of the
    month, then at risk. `open` counts all that run, `running` holds those kept one by one.
    """

    minutes: OutcomeBuckets = field(default_factory=OutcomeBuckets)
    hours: OutcomeBuckets = field(default_factory=OutcomeBuckets)
    open: int = 0
    overdue: dict[str, OverdueClock] = field(default_factory=dict)
    overdue_beyond: int = 0
    """Overdue clocks that are only counted, because more would not fit into one record of the changelog."""
    figures: list[int] = field(default_factory=list)
    expires_at: int | None = None
    """The first instant at which the figures are no longer those of `figures`."""
    running: dict[str, OpenClock] = field(default_factory=dict)
    cells: CellsState = field(default_factory=CellsState)
    objectives: dict[str, ObjectiveState] = field(default_factory=dict)
    told: bytes = b""
    """A digest of what was told last."""


class SurveyAnswer(Struct, array_like=True, gc=False):
    """One answer to a satisfaction survey; `score` in hundredths of 0..100."""

    at: int
    id: str
    score: int


class PublishedHealth(Struct, array_like=True, gc=False):
    """The score last published, in hundredths, with the points of every signal."""

    score: int | None = None
    band: Band | None = None
    points: dict[str, int] = field(default_factory=dict)
    coverage: int | None = None
    """In ten-thousandths; null where an earlier release told it."""


class AccountState(Struct, array_like=True, gc=False):
    """One account as its promises, contacts and answers show it at `as_of` on `clock`."""

    clock: str = "wall"
    as_of: int = 0
    tier: str | None = None
    segment: str | None = None
    labelled_at: int = 0
    """The instant of the event that said tier and segment."""
    metrics: dict[str, MetricState] = field(default_factory=dict)
    known_since_day: int | None = None
    contacts: dict[int, int] = field(default_factory=dict)
    """Messages of the customer by day."""
    openings: dict[int, int] = field(default_factory=dict)
    """Conversations opened by day."""
    answers: list[SurveyAnswer] = field(default_factory=list)
    signal_ids: dict[str, int] = field(default_factory=dict)
    """Latest version of the signals seen last, oldest first."""
    movers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """The newest events that moved each signal of the score, as (instant, id), oldest first."""
    health: PublishedHealth | None = None
    readings: list[int | None] = field(default_factory=list)
    """Raw values of the signals when the score was last calculated, in the order of the profile."""
    quiet: list[str] = field(default_factory=list)
    """Metrics of which a report stands, although there is nothing left to count."""
    memory: HealthMemory = field(default_factory=HealthMemory)
    care: CareMemory = field(default_factory=CareMemory)


class ForgettingState(Struct, array_like=True):
    """A forgetting that some partitions of interactions have passed on and others have not yet."""

    accounts: list[str]
    passed_on: list[int] = field(default_factory=list)


class ActiveProfile(Struct, array_like=True):
    """One version of the health profiles, as it was published."""

    version: str
    in_force_from: int
    text: str


class AccountLedger(Struct, array_like=True):
    """What a partition has done with its records. Of the signals `applied + duplicate + late + rejected` were accepted.

    `sla_positions` holds the highest (offset, index) applied of each interactions partition, `signal_offsets` the
    highest offset of each signals partition.
    """

    sla_positions: dict[int, tuple[int, int]] = field(default_factory=dict)
    signal_offsets: dict[int, int] = field(default_factory=dict)
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    sla_applied: int = 0
    sla_duplicate: int = 0
    sla_rejected: int = 0
    relayed: dict[str, list[int]] = field(default_factory=dict)
    """Controls that some partitions of interactions have passed on and others have not yet, by id."""
    forgetting: dict[str, ForgettingState] = field(default_factory=dict)
    """By the id of its control: what the partitions that have not passed it on still tell is of the old life."""
    forgotten: dict[str, int] = field(default_factory=dict)
    """Until when accounts are forgotten, by a digest of their id (`agents.forgetting`)."""
    profiles: list[ActiveProfile] = field(default_factory=list)
    """Every profile file that was put in force."""
    sweep: str | None = None
    """After a new profile: the account up to which all have been judged by it; null when all have."""
    released: list[str] = field(default_factory=list)
    """Clocks of imports that have come to their end; the latest of them."""
    enrichment_offsets: dict[int, int] = field(default_factory=dict)
    """The highest offset of each enrichments partition; what became of them is counted apart, as for SLA events."""
    enrichment_applied: int = 0
    enrichment_duplicate: int = 0
    enrichment_late: int = 0
    enrichment_rejected: int = 0

    @property
    def accepted(self) -> int:
        """Signals that were taken in, whatever became of them."""
        return self.applied + self.duplicate + self.late + self.rejected


class UnreadableStateError(RuntimeError):
    """The changelog holds what this version cannot read: a matter of the deployment, not of one record."""


State = TypeVar("State", AccountState, AccountLedger, CareClock, RollupState)

_encoder = msgspec.msgpack.Encoder()
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in (AccountState, AccountLedger, CareClock, RollupState)}


def encode_account_state(state: AccountState | AccountLedger | CareClock | RollupState) -> bytes:
    """A state as bytes for the changelog."""
    return _VERSION + _encoder.encode(state)


def decode_account_state(kind: type[State], data: bytes) -> State:
    """The state in a changelog value.

    Raises:
        UnreadableStateError: it was written by a newer version, or by nobody of ours.
    """
    if data[:1] != _VERSION:
        raise UnreadableStateError(
            f"account state of layout {data[:1].hex() or 'none'}, this version reads layout {ACCOUNT_STATE_VERSION}; "
            "start the version that wrote it, or recover into an empty state topic"
        )
    try:
        return _decoders[kind].decode(memoryview(data)[1:])  # type: ignore[return-value]  # the decoder of that very kind
    except msgspec.DecodeError as error:
        raise UnreadableStateError(f"account state cannot be read: {error}") from None
