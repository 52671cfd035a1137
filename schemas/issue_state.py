"""What the surge detector remembers: everything it needs to go on after a restart as if nothing had happened.

`agents.domain.topic_surge` computes with it. Instants are whole microseconds since 1970 (UTC), as in `agents.domain`;
messages are numbered in the order in which they are counted. Counts of the past are in *weights* that double with every
half-life, so that older occurrences count for less and nothing needs to be multiplied as time goes by.
"""

from msgspec import Struct, field

HOURS_OF_WEEK = 168


class CustomerMessage(Struct, frozen=True, kw_only=True):
    """A message as the detector takes it: who wrote what, and when.

    Live only the telling `words` are known; in files they are read out of the `text`.
    """

    id: str
    at: int
    account: str
    text: str = ""
    words: tuple[str, ...] | None = None
    offset: int = -1
    """Of its mention in the log, for whoever has to name it; -1 where it is of a file, or not known."""
    sentiment: int | None = None
    """In millionths; null where nobody knows."""


class CountedMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of the last hours. `usual` is what the usual-volume clock showed when it came."""

    at: int
    usual: float
    account: str
    text: str
    words: list[str]
    """As they were written, in lower case; each once."""
    marks: list[str]
    """What it is counted by."""
    id: str = ""
    sentiment: int | None = None
    themes: tuple[str, ...] = ()
    """The ids of those in whose figures it is counted."""


class MarkState(Struct):
    """How often a mark occurs: its past, in weights, and its latest occurrences, at most one per account.

    `recent` has the numbers of the messages in order, `accounts` who wrote them.
    """

    past: float = 0.0
    recent: list[int] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)


class VolumeRhythm(Struct):
    """How many messages an hour of the week usually brings; `seen` is how many weeks an average is of."""

    usual: list[float] = field(default_factory=lambda: [0.0] * HOURS_OF_WEEK)
    seen: list[int] = field(default_factory=lambda: [0] * HOURS_OF_WEEK)
    hour: int | None = None
    """The hour that is being counted, numbered from 1970."""
    count: int = 0
    """Messages in it so far."""
    rate: float = 0.0
    """Messages that it usually brings."""
    clock: float = 0.0
    """Messages that would usually have come from the beginning to `clock_at`."""
    clock_at: int = 0


class SurgeState(Struct, kw_only=True):
    """A rise that has been told. `confirmed_at` is when it was last seen to go on."""

    id: str
    topic: str
    began_at: int
    raised_at: int
    confirmed_at: int
    growth: float
    """How many times more messages than expected; the most so far."""
    weights: dict[str, float]
    """The marks by which its messages are told from others, and how telling each is."""
    enough: float
    """The least sum of weights with which a message belongs to it."""
    members: list[int] = field(default_factory=list)
    """Its messages among those that are still remembered, by number."""
    accounts: list[str] = field(default_factory=list)
    """Who wrote about it, in the order of their first messages."""
    messages: list[str] = field(default_factory=list)
    """The first texts."""
    message_ids: list[str] = field(default_factory=list)
    """Their ids."""
    joined: list[tuple[int, bool]] = field(default_factory=list)
    """Its messages since time has moved last, and whether each is the first of its account."""


class IssueState(Struct, kw_only=True):
    """All of it. `pending` are the messages of the instant `now`, which are not counted before time moves on."""

    now: int | None = None
    pending: list[CustomerMessage] = field(default_factory=list)
    weights_from: int = 0
    """The instant at which a weight is 1."""
    counted: int = 0
    """Messages so far: the number of the next one."""
    past_messages: float = 0.0
    """The same, in weights."""
    past_marks: float = 0.0
    """What they were counted by so far, in weights; 0 where an earlier version has counted."""
    forgotten: float = 0.0
    """The most that a forgotten mark had occurred, in weights: no mark is taken to be rarer than that."""
    first_kept: int = 0
    messages: dict[int, CountedMessage] = field(default_factory=dict)
    marks: dict[str, MarkState] = field(default_factory=dict)
    rhythm: VolumeRhythm = field(default_factory=VolumeRhythm)
    surges: list[SurgeState] = field(default_factory=list)
