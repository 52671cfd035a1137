"""Policies and calendars after reading: what a policy file means, with every default filled in.

`streams.policy_files` reads the YAML that people write and makes these; `agents.domain.policy_book` and
`agents.domain.calendar` have them next. The file itself (not this form) is what travels to Kafka.
"""

from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec import Struct, field

METRICS = (
    "first_response",
    "next_response",
    "periodic_update",
    "pausable_update",
    "requester_wait",
    "agent_work",
    "first_resolution",
    "total_resolution",
    "group_ownership",
    "speed_of_answer",
    "follow_up",
)
"""Every metric that may stand under `targets`, next to the clocks that a file declares itself."""

PRIORITIES = ("low", "normal", "high", "urgent")
CONDITION_KEYS = (
    "account",
    "tier",
    "segment",
    "contract",
    "channel",
    "inbox",
    "team",
    "priority",
    "type",
    "tag",
    "language",
)

DEFAULT_PAUSE_STATUSES = ("waiting_on_customer", "waiting_on_third_party", "on_hold")
"""Resolution clocks pause in these statuses unless the policy says otherwise.

Response clocks never do by themselves.
"""


class WallInterval(Struct, frozen=True, array_like=True, order=True):
    """Open hours within a day, half-open, in seconds after local midnight.

    An overnight interval closes beyond 86,400 and belongs to the day that it starts on. `24:00` is 86,400.
    """

    opens_seconds: int
    closes_seconds: int


class RegionHolidays(Struct, frozen=True):
    """Public holidays of a country or of one of its subdivisions, by ISO 3166 code, from the `holidays` package."""

    country: str
    subdivision: str | None = None


class CalendarSpec(Struct, frozen=True, kw_only=True):
    """A calendar as declared: either weekly hours in one time zone, or a union or intersection of other calendars.

    `weekly` maps ISO weekdays (1 Monday .. 7 Sunday) to intervals. On one date: a holiday closes the whole date; else
    an exception replaces the weekly hours; breaks are taken out of what is left.
    """

    name: str
    time_zone: str = "UTC"
    weekly: dict[int, tuple[WallInterval, ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
    region_holidays: tuple[RegionHolidays, ...] = ()
    exceptions: dict[date, tuple[WallInterval, ...]] = field(default_factory=dict)
    breaks: dict[date, tuple[WallInterval, ...]] = field(default_factory=dict)
    union: tuple[str, ...] = ()
    intersection: tuple[str, ...] = ()


ALWAYS = CalendarSpec(
    name="always",
    weekly={weekday: (WallInterval(0, 86_400),) for weekday in range(1, 8)},
)
"""24x7 in UTC; exists without being declared."""


class Duration(Struct, frozen=True):
    """How much time is allowed: open seconds, or a number of business days (a unit of its own, never hours)."""

    seconds: int | None = None
    business_days: int | None = None
    text: str = ""


class WarningThreshold(Struct, frozen=True):
    """When to warn: after a share of the target is used, or when so much open time is left. `text` as written."""

    used_ratio: float | None = None
    left_seconds: int | None = None
    text: str = ""


class Condition(Struct, frozen=True):
    """All keys must hold.

    A key holds when the value is any of those listed; `negated` must not hold. Empty always holds.
    """

    any_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    negated: "Condition | None" = None


class MetricTarget(Struct, frozen=True, kw_only=True):
    """What one policy promises for one metric.

    `target` holds for every priority, `by_priority` for those named; a priority without a target has a clock without a
    deadline. `pause_when` null means the metric's own default, an empty condition set means never.
    """

    metric: str
    target: Duration | None = None
    by_priority: dict[str, Duration] = field(default_factory=dict)
    calendar: str | None = None
    pause_when: Condition | None = None
    reopen: Literal["continue", "new_cycle"] = "continue"


class Objective(Struct, frozen=True):
    """The share of outcomes to be met, over a rolling number of days or (null) the calendar month."""

    ratio: float
    over_days: int | None = None


class Policy(Struct, frozen=True, kw_only=True):
    """One entry of the ordered list; the first whose condition holds applies."""

    id: str
    when: Condition = Condition()
    calendar: str = "always"
    edge: Literal["close", "next_open"] = "close"
    targets: dict[str, MetricTarget] = field(default_factory=dict)
    warn_at: tuple[WarningThreshold, ...] = ()
    on_change: Literal["retarget_from_start", "forward", "reset", "keep"] = "retarget_from_start"
    applies_to_changes: Literal["open", "new"] = "open"
    objective: Objective | None = None


class DeclaredClock(Struct, frozen=True, kw_only=True):
    """A metric that a file defines itself, by conditions over events: what starts, satisfies, pauses and cancels it."""

    name: str
    start: Condition
    satisfy: Condition
    pause: Condition | None = None
    cancel: Condition | None = None


class PolicyFile(Struct, frozen=True, kw_only=True):
    """A whole policy file. Without `effective_from` it is in force from the moment of its activation on."""

    version: str
    effective_from: datetime | None = None
    calendars: dict[str, CalendarSpec] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    clocks: dict[str, DeclaredClock] = field(default_factory=dict)


def to_published(policy_file: PolicyFile) -> str:
    """A policy file as it travels through the log: complete in itself, so that a replay needs no file and no YAML."""
    plain = msgspec.to_builtins(policy_file, str_keys=True)
    for calendar in plain["calendars"].values():
        calendar["holidays"] = sorted(calendar["holidays"])
    return msgspec.json.encode(plain, order="deterministic").decode()


def from_published(text: str) -> PolicyFile:
    """The policy file in a `policy_activated` record.

    Raises:
        msgspec.DecodeError: the text is not a published policy file.
    """
    return msgspec.json.decode(text, type=PolicyFile)
