"""What the account agent knows of each signal at an instant: found out from the promises, or told by somebody.

A signal that can be found out is read off the state as of now; any other is what was told under its name
(`agents.domain.told_signals`), or nothing. `agents.domain.live_health` scores with it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from agents.domain import care_facts, contact_volume, overdue
from agents.domain.care_facts import MONTH_DAYS
from agents.domain.instant import DAY_US, SECOND_US, Instant
from agents.domain.normalisation import MILLION, rounded
from agents.domain.signal_reading import Observation
from schemas.account_state import AccountState
from schemas.adherence import WINDOW_NAMES
from schemas.health_memory import ToldSignal

Reader = Callable[[AccountState], int | None]
"""The value of a signal now, in millionths; null where nothing is known."""

Origin = tuple[str | None, Instant | None, tuple[str, ...]]
"""Who told a signal, when its newest value was observed, and the ids of the newest events behind it."""

NO_ORIGIN: Origin = (None, None, ())

FOUND_OUT = "careline"
"""The source of what nobody had to tell."""

PER_METRIC = "_adherence_7d"
"""`first_response_adherence_7d` is the adherence of that metric alone."""

USAGE_DAYS, USAGE_BASELINE_DAYS = 7, 28
LEAST_USAGE = 10
"""Fewer uses than this in the four weeks before are no habit that could be given up."""
REVENUE_DAYS = 90
"""Expansion and contraction are told of a quarter."""

_WEEK, _30_DAYS = 2 * WINDOW_NAMES.index("7d"), 2 * WINDOW_NAMES.index("30d")
_OPEN, _AT_RISK = 8, 12
_NAMED_EVENTS = 3
_PAID = ("payment_succeeded",)
_UNPAID = ("payment_failed", "payment_overdue", "payment_action_required")


def adherence(state: AccountState) -> int | None:
    """Met of all that was decided in the last 7 days, over all metrics; null where nothing was."""
    return _ratio_of_figures(state, state.metrics)


def _ratio_of_figures(state: AccountState, names: Iterable[str]) -> int | None:
    met = breached = 0
    for name in names:
        figures = state.metrics[name].figures
        if figures:
            met += figures[_WEEK]
            breached += figures[_WEEK + 1]
    return met * MILLION // (met + breached) if met + breached else None


def _adherence_of(metric: str) -> Reader:
    def read(state: AccountState) -> int | None:
        return _ratio_of_figures(state, (metric,)) if metric in state.metrics else None

    return read


def _overdue_clocks(state: AccountState) -> int | None:
    if not state.metrics:
        return None
    return overdue.load(state.metrics.values(), state.as_of) * MILLION // overdue.UNIT


def _overdue_urgent(state: AccountState) -> int | None:
    if not state.metrics:
        return None
    clocks = (clock for metric in state.metrics.values() for clock in metric.overdue.values())
    return sum(clock.priority == "urgent" for clock in clocks) * MILLION


def _figure(place: int) -> Reader:
    def read(state: AccountState) -> int | None:
        if not state.metrics:
            return None
        return sum(metric.figures[place] for metric in state.metrics.values() if len(metric.figures) > place) * MILLION

    return read


def _predicted_breaches(state: AccountState) -> int | None:
    """What is going to be broken of what runs, at the rate of the last 30 days (Laplace's rule, as in the forecast)."""
    if not state.metrics:
        return None
    expected = 0
    for metric in state.metrics.values():
        ahead = sum(clock.due_at is not None for clock in metric.running.values())
        if ahead and metric.figures:
            met, breached = metric.figures[_30_DAYS], metric.figures[_30_DAYS + 1]
            expected += rounded(ahead * (breached + 1) * MILLION, met + breached + 2)
    return expected


def _reopen_rate(state: AccountState) -> int | None:
    resolved = care_facts.total(state.memory, "resolved", state.as_of, MONTH_DAYS)
    reopened = care_facts.total(state.memory, "reopened", state.as_of, MONTH_DAYS)
    return min(MILLION, reopened * MILLION // resolved) if resolved else None


def _first_contact_resolution(state: AccountState) -> int | None:
    answered = care_facts.total(state.memory, "answered", state.as_of, MONTH_DAYS)
    at_once = care_facts.total(state.memory, "first_contact", state.as_of, MONTH_DAYS)
    return max(0, at_once) * MILLION // answered if answered else None


def _escalations(state: AccountState) -> int | None:
    """Nothing where nothing at all was heard; else silence is a count of 0."""
    found = care_facts.total(state.memory, "escalated", state.as_of, MONTH_DAYS)
    return found * MILLION if found or state.memory.customer_at is not None else None


def _days_since_contact(state: AccountState) -> int | None:
    """Since both sides had spoken: the earlier of the two last words."""
    ours, theirs = state.memory.agent_at, state.memory.customer_at
    if ours is None or theirs is None:
        return None
    return rounded(max(0, state.as_of - min(ours, theirs)) * MILLION, DAY_US)


def _advocacy(state: AccountState) -> int | None:
    found = care_facts.total(state.memory, "advocacy", state.as_of, care_facts.KEPT_DAYS)
    return found * MILLION or None


def _usage_trend(state: AccountState) -> int | None:
    recent = care_facts.total(state.memory, "usage", state.as_of, USAGE_DAYS)
    past = care_facts.total(state.memory, "usage", state.as_of, USAGE_DAYS + USAGE_BASELINE_DAYS) - recent
    return recent * USAGE_BASELINE_DAYS * MILLION // (past * USAGE_DAYS) if past >= LEAST_USAGE else None


def _days_to_renewal(state: AccountState) -> int | None:
    told = state.memory.told.get("renewal_at")
    value = told.heard[-1][2] if told is not None else None
    if not isinstance(value, int):
        return None
    renews_at = value * SECOND_US // MILLION
    return rounded((renews_at - state.as_of) * MILLION, DAY_US) if renews_at >= state.as_of else None


def _newest(state: AccountState, names: Sequence[str]) -> Instant | None:
    told = state.memory.told
    return max((told[name].heard[-1][0] for name in names if name in told), default=None)


def _payment_overdue_days(state: AccountState) -> int | None:
    """Since the first failure after the last payment; 0 where all is paid."""
    told = state.memory.told
    paid_at = _newest(state, _PAID)
    failures = [at for name in _UNPAID if name in told for at, _, _ in told[name].heard]
    unpaid = [at for at in failures if paid_at is None or at > paid_at]
    if not unpaid:
        return 0 if failures or paid_at is not None else None
    return rounded((state.as_of - min(unpaid)) * MILLION, DAY_US)


def _cancelled(state: AccountState) -> int | None:
    ended_at, lives_at = _newest(state, ("cancelled", "contract_ended")), _newest(state, ("started", "resumed"))
    if ended_at is None:
        return None if lives_at is None else 0
    return 0 if lives_at is not None and lives_at > ended_at else MILLION


def _revenue_trend(state: AccountState) -> int | None:
    """Recurring revenue against a quarter before: above 1 expansion, below contraction."""
    told = state.memory.told.get("mrr")
    if told is None:
        return None
    before: int | None = None
    for at, _, value in told.heard:
        if at <= state.as_of - REVENUE_DAYS * DAY_US and isinstance(value, int):
            before = value
    now = told.heard[-1][2]
    return now * MILLION // before if isinstance(now, int) and before is not None and before > 0 else None


def _goals_overdue(state: AccountState) -> int | None:
    goals = state.memory.goals.values()
    if not goals:
        return None
    late = sum(goal.due_at is not None and goal.due_at <= state.as_of and goal.reached < MILLION for goal in goals)
    return late * MILLION


def _goals_reached(state: AccountState) -> int | None:
    goals = state.memory.goals
    return sum(goal.reached for goal in goals.values()) // len(goals) if goals else None


FOUND: dict[str, Reader] = {
    "adherence_7d": adherence,
    "overdue_clocks": _overdue_clocks,
    "contact_volume": contact_volume.ratio,
    "overdue_urgent": _overdue_urgent,
    "open_clocks": _figure(_OPEN),
    "clocks_at_risk": _figure(_AT_RISK),
    "predicted_breaches": _predicted_breaches,
    "reopen_rate": _reopen_rate,
    "first_contact_resolution": _first_contact_resolution,
    "escalations_30d": _escalations,
    "days_since_contact": _days_since_contact,
    "usage_trend": _usage_trend,
    "advocacy_90d": _advocacy,
    "days_to_renewal": _days_to_renewal,
    "payment_overdue_days": _payment_overdue_days,
    "subscription_cancelled": _cancelled,
    "revenue_trend": _revenue_trend,
    "goals_overdue": _goals_overdue,
    "goals_reached": _goals_reached,
}
"""What is found out: from the promises and facts of conversations, and by reckoning with what was told."""

RECKONED_FROM: dict[str, tuple[str, ...]] = {
    "days_to_renewal": ("renewal_at",),
    "payment_overdue_days": (*_PAID, *_UNPAID),
    "subscription_cancelled": ("cancelled", "contract_ended", "started", "resumed"),
    "revenue_trend": ("mrr",),
}
"""Told signals whose source and events a reckoned one has."""


def reader_of(signal: str) -> Reader | None:
    """How a signal is found out; null for one that has to be told."""
    found = FOUND.get(signal)
    if found is None and signal.endswith(PER_METRIC) and signal != PER_METRIC:
        found = _adherence_of(signal.removesuffix(PER_METRIC))
    return found


class Readers(NamedTuple):
    """How the signals that somebody asks for come to be known."""

    found: tuple[tuple[str, Reader], ...]
    """Those that are found out."""
    asked: frozenset[str]
    """All of them; any may be told, also in place of what is not found out."""


def readers_of(signals: Iterable[str]) -> Readers:
    """How signals come to be known."""
    asked = frozenset(signals)
    readers = [(name, reader_of(name)) for name in sorted(asked)]
    return Readers(tuple([(name, reader) for name, reader in readers if reader is not None]), asked)


def observed_now(state: AccountState, readers: Readers) -> dict[str, list[Observation]]:
    """What is known of signals now, each in order; what is found out is of this very instant."""
    as_of = state.as_of
    found, asked = readers
    observed: dict[str, list[Observation]] = {}
    for name, told in state.memory.told.items():
        if name in asked:
            observed[name] = [Observation(at, heard) for at, _, heard in told.heard]
    if state.answers and "csat" in asked and "csat" not in observed:  # from before values were kept by signal
        observed["csat"] = [Observation(answer.at, answer.score * (MILLION // 100)) for answer in state.answers]
    for name, read in found:
        value = read(state)
        if value is not None:
            observed[name] = [Observation(as_of, value)]
    return observed


def origin_of(state: AccountState, signal: str) -> Origin:
    """Who told a signal, when its newest value was observed, and the ids of the newest events behind it."""
    told_signals = state.memory.told
    names = RECKONED_FROM.get(signal)
    alone = told_signals.get(signal) if names is None else None
    if alone is not None:
        return _origin_in(alone)
    known = [] if names is None else [told_signals[name] for name in names if name in told_signals]
    if len(known) == 1:
        return _origin_in(known[0])
    if known:
        newest = max(known, key=lambda told: told.heard[-1][:2])
        heard = sorted(each[:2] for told in known for each in told.heard[-_NAMED_EVENTS:])[-_NAMED_EVENTS:]
        return newest.source, heard[-1][0], tuple(event_id for _, event_id in heard)
    movers = state.movers.get(signal, ())
    if not movers:
        return NO_ORIGIN
    return None, movers[-1][0], tuple([event_id for _, event_id in movers])


def _origin_in(told: ToldSignal) -> Origin:
    latest = told.heard[-_NAMED_EVENTS:]
    if len(latest) == 1:
        at, event_id, _ = latest[0]
        return told.source, at, (event_id,)
    return told.source, latest[-1][0], tuple([event_id for _, event_id, _ in latest])


def source_of(state: AccountState, signal: str) -> str:
    """Who told the newest value of a signal that has one."""
    return origin_of(state, signal)[0] or FOUND_OUT


def silent_since(state: AccountState) -> Instant | None:
    """When the account was last heard: its customers' last word, or anything that it did or answered."""
    memory = state.memory
    heard = [told.heard[-1][0] for told in memory.told.values()]
    if memory.customer_at is not None:
        heard.append(memory.customer_at)
    if state.answers:
        heard.append(state.answers[-1].at)
    return max(heard, default=None)
