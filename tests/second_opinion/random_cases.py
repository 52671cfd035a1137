"""Calendars, questions and stories out of a seed, close to where calendars go wrong.

Dates lie around clock changes of every kind, instants on edges and a microsecond beside them, targets end exactly on
closing times. `comparison` asks both implementations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from tests.second_opinion.plain_calendar import Ends, NoAnswer, Plain, microseconds
from tests.second_opinion.plain_clock import Pause, Promise, due

CHANGES = (
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("America/Sao_Paulo", date(2015, 10, 18)),  # no midnight
    ("America/Sao_Paulo", date(2016, 2, 20)),  # 23:00 twice
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),  # no such day
    ("Pacific/Kwajalein", date(1993, 8, 21)),  # no such day
    ("Pacific/Kiritimati", date(1994, 12, 31)),  # no such day
    ("America/Havana", date(2026, 11, 1)),  # midnight twice
    ("Asia/Beirut", date(2022, 3, 27)),  # no midnight
    ("America/Santiago", date(2026, 9, 6)),  # 24:00 is 01:00
    ("America/St_Johns", date(2010, 3, 14)),  # at 00:01
    ("America/St_Johns", date(2010, 11, 7)),
    ("Pacific/Chatham", date(2026, 9, 27)),  # 02:45 to 03:45
    ("Antarctica/Troll", date(2026, 3, 29)),  # two hours
    ("Africa/Casablanca", date(2026, 2, 15)),  # Ramadan
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Asia/Pyongyang", date(2018, 5, 4)),  # half an hour for good
    ("America/Caracas", date(2016, 5, 1)),
    ("Europe/Dublin", date(2026, 10, 25)),
    ("Asia/Kathmandu", date(2026, 5, 1)),
    ("UTC", date(2026, 2, 28)),
)
REGIONS = (("DE", "BE"), ("US", None), ("BR", "SP"), ("NZ", None), ("IN", "KA"), ("AU", "NSW"))
HELD = ("waiting_on_customer", "waiting_on_third_party", "on_hold")
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000


@dataclass(frozen=True)
class Story:
    """A conversation: `began` with a status or a message, statuses after it, perhaps answered."""

    metric: str
    held_by: frozenset[str]
    began: int
    status_before: str | None
    statuses: tuple[tuple[int, str], ...]
    answered_at: int | None
    now: int


@dataclass(frozen=True)
class Case:
    """What both implementations are asked."""

    seed: int
    calendar: Plain
    edge: str
    instants: tuple[int, ...]
    target_us: int
    business_days: int
    in_days: bool
    story: Story


def case_of(seed: int) -> Case:
    """One case; the same for the same seed."""
    chance = Random(seed)
    zone, day = chance.choice(CHANGES)
    if chance.random() < 0.2:
        day = date(1950, 1, 1) + timedelta(days=chance.randrange(50_000))
    calendar = _calendar(chance, zone, day, depth=0)
    noon = microseconds(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    near = sorted(calendar.edges(noon - 4 * DAY_US, noon + 4 * DAY_US)) or [noon]
    instants = tuple(_instant(chance, noon, near) for _ in range(5))
    start, edge = chance.choice(instants), chance.choice(("close", "next_open"))
    target_us, business_days = _target(chance, calendar, start, near), chance.randrange(1, 6)
    in_days = chance.random() < 0.25
    story = _story(chance, start, noon, near)
    if chance.random() < 0.4:
        promise = Promise(
            calendar,
            edge,  # type: ignore[arg-type]  # one of the two
            None if in_days else target_us,
            business_days if in_days else None,
        )
        story = _at_the_deadline(chance, story, promise)
    return Case(seed, calendar, edge, instants, target_us, business_days, in_days, story)


def _at_the_deadline(chance: Random, story: Story, promise: Promise) -> Story:
    """The same story with its answer, its end or a pause within a microsecond of the deadline."""
    try:
        due_at = due(promise, story.began, pauses_of(story))
    except NoAnswer:
        return story
    if due_at is None or due_at <= story.began + 1:
        return story
    then = due_at + chance.choice((-1, 0, 0, 1))
    before = tuple(status for status in story.statuses if status[0] < then)
    what = chance.choice(("answer", "end", "pause"))
    if what == "answer":
        return replace(story, statuses=before, answered_at=then, now=then + chance.choice((0, HOUR_US)))
    if what == "end":
        return replace(story, statuses=before, answered_at=None, now=then)
    later = then + chance.randrange(1, 2 * DAY_US)
    paused = (*before, (then, chance.choice(HELD)), (later, "open"))
    answered_at = later + chance.randrange(1, DAY_US) if chance.random() < 0.5 else None
    return replace(story, statuses=paused, answered_at=answered_at, now=later + DAY_US)


def _calendar(chance: Random, zone: str, day: date, depth: int) -> Plain:
    if depth < 2 and chance.random() < 0.25:
        zones = [zone, *(chance.choice(CHANGES)[0] for _ in range(chance.randrange(1, 3)))]
        members = tuple(_calendar(chance, member, day, depth + 1) for member in zones)
        return Plain(any_of=members) if chance.random() < 0.6 else Plain(all_of=members)
    if depth and chance.random() < 0.1:
        return Plain(weekly=dict.fromkeys(range(1, 8), ((0, 86_400),)))
    grain = chance.choice((900, 900, 900, 60, 1))
    near = [day + timedelta(days=offset) for offset in range(-4, 6)]
    office = _ends(chance, grain)
    weekly = {weekday: _ends(chance, grain) if chance.random() < 0.4 else office for weekday in range(1, 8)}
    for weekday in chance.sample(range(1, 8), chance.randrange(3)):
        weekly[weekday] = ()
    return Plain(
        zone=zone,
        weekly=weekly,
        holidays=frozenset(chance.sample(near, chance.choice((0, 0, 1, 2)))),
        regions=(chance.choice(REGIONS),) if chance.random() < 0.1 else (),
        exceptions={one: _ends(chance, grain) for one in chance.sample(near, chance.choice((0, 0, 1, 2)))},
        breaks={one: _ends(chance, grain) for one in chance.sample(near, chance.choice((0, 0, 1, 2)))},
    )


def _ends(chance: Random, grain: int) -> tuple[Ends, ...]:
    """Hours of a day: none, one, a lunch break, a night, all of it; they may overlap."""
    kind = chance.random()
    if kind < 0.08:
        return ()
    if kind < 0.16:
        return ((0, 86_400),)
    if kind < 0.3:
        return ((9 * 3_600, 12 * 3_600), (13 * 3_600, 18 * 3_600))
    found = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        opens = chance.randrange(0, 86_400, grain)
        length = chance.randrange(grain, 86_400 if chance.random() < 0.2 else 36_000, grain)
        closes = min(86_400, opens + length) if chance.random() < 0.6 else opens + length
        found.append((opens, closes))
    return tuple(found)


def _instant(chance: Random, noon: int, near: Sequence[int]) -> int:
    kind = chance.random()
    if kind < 0.4:
        return chance.choice(near) + chance.choice((-1, 0, 0, 0, 1))
    at = noon + chance.randrange(-3 * DAY_US, 3 * DAY_US)
    return at if kind < 0.7 else at // 1_000_000 * 1_000_000


def _target(chance: Random, calendar: Plain, start: int, near: Sequence[int]) -> int:
    """Open time in whole seconds; often just as much as there is until some edge."""
    if chance.random() < 0.4:
        until_edge = calendar.open_time(start, chance.choice(near))
        if until_edge and until_edge % 1_000_000 == 0:
            return until_edge
    return chance.choice((1, chance.randrange(1, 3_600), chance.randrange(1, 40 * 3_600))) * 1_000_000


def _story(chance: Random, start: int, noon: int, near: Sequence[int]) -> Story:
    metric = chance.choice(("first_response", "first_resolution"))
    later = sorted({at for _ in range(7) if (at := _instant(chance, noon + 2 * DAY_US, near)) > start})
    statuses = tuple((at, chance.choice((*HELD, "open", "new"))) for at in later[: chance.randrange(len(later) + 1)])
    last = statuses[-1][0] if statuses else start
    answered_at = None
    if chance.random() < 0.6:
        answered_at = chance.choice([at for at in later if at > last] or [last + chance.randrange(1, 2 * DAY_US)])
        last = answered_at
    if chance.random() < 0.35:
        # Held for ever after, or until the answer.
        statuses = statuses[: len(statuses) // 2]
    return Story(
        metric=metric,
        held_by=frozenset(chance.sample(HELD, chance.randrange(4))),
        began=start,
        status_before=chance.choice((None, None, *HELD, "open")),
        statuses=statuses,
        answered_at=answered_at,
        now=last + chance.choice((0, 1, chance.randrange(1, 5 * DAY_US))),
    )


def pauses_of(story: Story) -> list[Pause]:
    """When the clock of a story is held. The customer who writes does not wait for himself any more."""
    status = story.status_before
    if status == "waiting_on_customer" and story.metric == "first_response":
        status = "open"
    pauses: list[Pause] = []
    since = story.began if status in story.held_by else None
    for at, after in story.statuses:
        if since is None and after in story.held_by:
            since = at
        elif since is not None and after not in story.held_by:
            pauses.append((since, at))
            since = None
    if since is not None:
        # A resolved conversation is not held any more; an answer leaves the status as it is.
        pauses.append((since, story.answered_at if story.metric == "first_resolution" else None))
    return pauses


__all__ = ["Case", "NoAnswer", "Story", "case_of", "pauses_of"]
