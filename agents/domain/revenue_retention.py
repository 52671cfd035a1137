"""Customers and their recurring revenue: how they stand, and how those of a month ago, or a year ago, have kept.

An account's subscription is folded from what was said of it. Into the figures goes how it stands now, and for each of
the thirteen months up to the newest news the difference between how it stood when that month began and now. So nothing
has to be told for whoever does not change, and a month begins by itself: the sum over accounts of (then - now), plus
the sum of now, is the sum of then. `agents.domain.care_standing` puts it in and takes it out,
`agents.domain.care_metrics` makes the rates of it.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from agents.domain.instant import Instant, from_datetime, to_datetime
from schemas.care_state import SubscriptionNote
from schemas.signal import Signal

BEGUN, REVENUE, ENDED = 0, 1, 2

KEPT_NOTES = 48
"""Four a month for a year: a change of plan and what goes with it. Older ones are folded into one."""

MONTHS = 13
"""A year ago and the running month."""

_BEGINS = frozenset({"started", "contract_activated"})
_ENDS = frozenset({"cancelled", "contract_ended"})


class Level(NamedTuple):
    """How a subscription stands: whether there is one, and what it brings in a month, in hundredths of the currency."""

    is_customer: bool = False
    revenue: int = 0
    currency: str = ""


def note_of(signal: Signal, at: Instant, digest: int) -> SubscriptionNote | None:
    """What a `subscription` signal says about customers and revenue; null for plans, seats, payments and trials.

    Their names are those of `streams.connectors.business.subscription_words`.
    """
    if signal.name in _BEGINS:
        return SubscriptionNote(at, BEGUN, digest)
    if signal.name in _ENDS:
        return SubscriptionNote(at, ENDED, digest)
    if signal.name == "mrr" and signal.value is not None:
        currency = (signal.text or "").strip().lower()[:8]
        return SubscriptionNote(at, REVENUE, digest, round(signal.value * 100), currency)
    return None


def take(notes: list[SubscriptionNote], note: SubscriptionNote) -> None:
    """Keep a note in its place; a corrected one replaces what it was before."""
    notes[:] = sorted([known for known in notes if known.digest != note.digest] + [note], key=_order)
    while len(notes) > KEPT_NOTES:
        notes[:2] = _folded(notes[:2])


def _order(note: SubscriptionNote) -> tuple[Instant, int, int]:
    return (note.at, note.rank, note.digest)


def _folded(notes: Sequence[SubscriptionNote]) -> list[SubscriptionNote]:
    level, at, digest = level_after(notes), notes[-1].at, notes[-1].digest
    if not level.is_customer:
        return [SubscriptionNote(at, ENDED, digest)]
    rank = REVENUE if level.revenue else BEGUN
    return [SubscriptionNote(at, rank, digest, level.revenue, level.currency)]


def level_after(notes: Sequence[SubscriptionNote]) -> Level:
    """How the subscription stands after some notes. Revenue that is 0 is no subscription; one without any may be."""
    is_customer, revenue, currency = False, 0, ""
    for note in notes:
        if note.rank == BEGUN:
            is_customer = True
        elif note.rank == ENDED:
            is_customer, revenue = False, 0
        else:
            is_customer, revenue = note.amount > 0, max(0, note.amount)
            currency = note.currency or currency
    return Level(is_customer, revenue, currency)


def standing(notes: Sequence[SubscriptionNote]) -> Iterator[tuple[str, int]]:
    """What an account adds to how things stand now: (measure, amount)."""
    now = level_after(notes)
    if now.is_customer:
        yield "customers", 1
        if now.revenue:
            yield f"revenue/{now.currency}", now.revenue


def since_months(notes: Sequence[SubscriptionNote]) -> Iterator[tuple[int, str, int]]:
    """What it adds for each month since whose beginning it has changed: (number of the month, measure, amount)."""
    if not notes:
        return
    now = level_after(notes)
    newest = month_number(notes[-1].at)
    for month in range(newest - MONTHS + 1, newest + 1):
        then = level_after(notes[: bisect_left(notes, month_begins_at(month), key=lambda note: note.at)])
        for measure, amount in _difference(then, now):
            if amount:
                yield month, measure, amount


def _difference(then: Level, now: Level) -> Iterator[tuple[str, int]]:
    """What is to be added to the figures of now, so that they are those of the customers of then."""
    if then == now:
        return
    kept = then.is_customer and now.is_customer
    yield "customers_then", then.is_customer - now.is_customer
    yield "customers_kept", kept - now.is_customer
    for currency in sorted({then.currency, now.currency}):
        before = then.revenue if then.currency == currency else 0
        after = now.revenue if now.currency == currency else 0
        yield f"revenue_then/{currency}", before - after
        yield f"revenue_kept/{currency}", min(before, after) - after
        yield f"revenue_grown/{currency}", (after if then.is_customer else 0) - after


def month_number(at: Instant) -> int:
    """Months from the year 0 on, of the calendar month (UTC) that an instant lies in."""
    moment = to_datetime(at)
    return moment.year * 12 + moment.month - 1


def month_begins_at(number: int) -> Instant:
    """The first instant of a month."""
    return from_datetime(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC))
