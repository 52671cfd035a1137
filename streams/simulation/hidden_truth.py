"""What only the simulation knows: who is going to leave, since when and why; the outage; whom everybody has forgotten.

Drawn from a seed before anything happens. `company_life` lets it show through, noisily; `streams.truth` compares it
with what the scores have seen. The model and its numbers are explained in `docs/health.md`; they were chosen for what
support desks look like, and not for what the scores make of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Literal, NamedTuple

from msgspec import Struct

from agents.domain.instant import DAY_US, HOUR_US, Instant, to_datetime
from streams.simulation.customer_words import OUTAGES
from streams.simulation.floor_hours import BERLIN, working_morning
from streams.simulation.simulated_company import SimulatedCompany

Cause = Literal["service", "usage", "voice", "silence", "complaints", "payment"]
"""What an account may suffer from or show: slow answers, falling usage, bad answers to surveys, fewer messages, more of
them, unpaid invoices."""

CAUSES: tuple[Cause, ...] = ("service", "usage", "voice", "silence", "complaints", "payment")

Kind = Literal["stays", "grumbles", "leaves", "leaves_unseen", "neglected"]

LEAVING, UNSEEN, GRUMBLING = 0.2, 0.15, 0.1
"""Shares: of accounts that leave within the story, of those that give no sign before (bought up, out of money), and of
those that stay although not all is well, because it would cost them more to go."""

DECLINE_WEEKS = (3.0, 14.0)
CAUSES_SHOWN = (2, 4)
"""Nobody leaves for one thing alone, and nobody shows all."""
STRENGTH = (0.4, 1.0)
WEEKS_BETWEEN_SPELLS = 8.0
"""Every account, healthy or not, has a bad week so often."""
SPELL_DAYS = (3.0, 14.0)
SPELL_STRENGTH = (0.3, 0.9)

FIRST_DECLINE, OUTAGE_SPAN, NEGLECT_SPAN = 0.25, (0.4, 0.9), (0.55, 0.75)
"""Where in the story: nobody leaves before there is anything to compare with."""

OUTAGE_HOURS = (3.0, 6.0)
OUTAGE_REACH = 0.6
"""Share of accounts that an outage hits."""

NEGLECT = 1.5
"""The forgotten account waits four to five times as long as others."""


class Fate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to become of an account. Of one that leaves, discontent grows from `begins_at` to `leaves_at`."""

    account: str
    kind: Kind
    begins_at: datetime | None = None
    leaves_at: datetime | None = None
    causes: dict[Cause, float] = {}
    """By what it shows, and how strongly: 0 not at all, 1 as much as there is."""


class Outage(Struct, frozen=True, kw_only=True):
    """Something is down: between two instants, of a theme, for some accounts, told in these conversations."""

    begins_at: datetime
    ends_at: datetime
    theme: str
    accounts: tuple[str, ...]
    conversations: tuple[str, ...] = ()


class Truth(Struct, frozen=True, kw_only=True):
    """All that a story hides. Written by `careline simulate --truth`."""

    seed: int
    begins_at: datetime
    ends_at: datetime
    fates: tuple[Fate, ...]
    outage: Outage


class Spell(NamedTuple):
    """A bad week that means nothing."""

    begins_at: Instant
    ends_at: Instant
    cause: Cause
    strength: float

    def covers(self, at: Instant) -> bool:
        """Whether it is on."""
        return self.begins_at <= at < self.ends_at


class Course(NamedTuple):
    """How an account fares: its fate in instants, and its bad weeks."""

    kind: Kind
    begins_at: Instant
    leaves_at: Instant
    shape: float
    causes: dict[Cause, float]
    spells: tuple[Spell, ...]

    def pressure(self, cause: Cause, at: Instant) -> float:
        """How strongly something shows at an instant, from 0 on; 1 is as strong as it gets for most."""
        spells = (spell.strength for spell in self.spells if spell.cause == cause and spell.covers(at))
        return max(self.causes.get(cause, 0.0) * self._discontent(at), 0.0, *spells)

    def _discontent(self, at: Instant) -> float:
        if self.kind in {"grumbles", "neglected"}:
            return float(at >= self.begins_at)
        if self.kind != "leaves" or at <= self.begins_at:
            return 0.0
        share = min(1.0, (at - self.begins_at) / (self.leaves_at - self.begins_at))
        return float(share**self.shape)

    def is_there(self, at: Instant) -> bool:
        """Whether it is a customer."""
        return at < self.leaves_at


NEVER: Instant = 1 << 62


def courses_of(company: SimulatedCompany, seed: int, begins_at: Instant, ends_at: Instant) -> dict[str, Course]:
    """How every account fares. One of the most valued is forgotten; the others draw their fates."""
    rng = Random(f"truth/{seed}")
    forgotten = rng.choice(company.most_valued)
    found = {}
    for account in company.accounts:
        spells = tuple(_spells(rng, begins_at, ends_at))
        draw = rng.random()
        if account is forgotten:
            at = begins_at + round(rng.uniform(*NEGLECT_SPAN) * (ends_at - begins_at))
            course = Course("neglected", at, NEVER, 1.0, {"service": NEGLECT}, ())
        elif draw < LEAVING:
            course = _leaving(rng, begins_at, ends_at, spells)
        elif draw < LEAVING + GRUMBLING * (1 - LEAVING):
            course = Course("grumbles", begins_at, NEVER, 1.0, _causes(rng, 0.7), spells)
        else:
            course = Course("stays", begins_at, NEVER, 1.0, {}, spells)
        found[account.id] = course
    return found


def _leaving(rng: Random, begins_at: Instant, ends_at: Instant, spells: tuple[Spell, ...]) -> Course:
    first = begins_at + round(FIRST_DECLINE * (ends_at - begins_at))
    length = round(rng.uniform(*DECLINE_WEEKS) * 7 * DAY_US)
    leaves_at = round(rng.uniform(min(first + length, ends_at - DAY_US), ends_at))
    kind: Kind = "leaves_unseen" if rng.random() < UNSEEN else "leaves"
    causes = _causes(rng, 1.0) if kind == "leaves" else {}
    return Course(kind, leaves_at - length, leaves_at, rng.uniform(0.6, 1.6), causes, spells)


def _causes(rng: Random, scale: float) -> dict[Cause, float]:
    chosen = rng.sample(CAUSES, rng.randint(*CAUSES_SHOWN))
    if {"silence", "complaints"} <= set(chosen):  # nobody does both
        chosen.remove(rng.choice(("silence", "complaints")))
    return {cause: scale * rng.uniform(*STRENGTH) for cause in chosen}


def _spells(rng: Random, begins_at: Instant, ends_at: Instant) -> Iterator[Spell]:
    at = begins_at
    while True:
        at += round(rng.expovariate(1 / WEEKS_BETWEEN_SPELLS) * 7 * DAY_US)
        if at >= ends_at:
            return
        until = at + round(rng.uniform(*SPELL_DAYS) * DAY_US)
        yield Spell(at, until, rng.choice(CAUSES), rng.uniform(*SPELL_STRENGTH))


def outage_of(company: SimulatedCompany, seed: int, begins_at: Instant, ends_at: Instant) -> Outage:
    """The one outage of a story: on the morning of a working day."""
    rng = Random(f"outage/{seed}")
    day = begins_at + round(rng.uniform(*OUTAGE_SPAN) * (ends_at - begins_at))
    at = working_morning(day, BERLIN) + round(rng.uniform(0, 6) * HOUR_US)
    hit = [account.id for account in company.accounts if rng.random() < OUTAGE_REACH]
    return Outage(
        begins_at=to_datetime(at),
        ends_at=to_datetime(at + round(rng.uniform(*OUTAGE_HOURS) * HOUR_US)),
        theme=rng.choice(tuple(OUTAGES)),
        accounts=tuple(hit),
    )


def truth_of(
    seed: int,
    span: tuple[Instant, Instant],
    courses: dict[str, Course],
    outage: Outage,
    told_in: Sequence[str],
) -> Truth:
    """The truth as it is written down."""
    fates = tuple(
        Fate(
            account=account,
            kind=course.kind,
            begins_at=None if course.kind == "stays" else to_datetime(course.begins_at),
            leaves_at=None if course.leaves_at == NEVER else to_datetime(course.leaves_at),
            causes={cause: round(strength, 3) for cause, strength in course.causes.items()},
        )
        for account, course in courses.items()
    )
    begins_at, ends_at = map(to_datetime, span)
    return Truth(
        seed=seed,
        begins_at=begins_at,
        ends_at=ends_at,
        fates=fates,
        outage=Outage(
            begins_at=outage.begins_at,
            ends_at=outage.ends_at,
            theme=outage.theme,
            accounts=outage.accounts,
            conversations=tuple(told_in),
        ),
    )
