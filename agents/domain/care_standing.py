"""How an account stands, as far as the care figures ask: its subscription and its onboarding.

What an account adds is a function of what is remembered, so whenever something is learnt, what it added before is taken
out and what it adds now is put in: `agents.domain.care_notes` tells the difference. Order does not matter, and a
corrected signal is as if the wrong one had never been; of onboarding only those that counted are remembered, so what a
wrong one had put aside stays aside.
"""

from collections import Counter

from agents.domain import revenue_retention
from agents.domain.care_contribution import Contribution
from agents.domain.instant import HOUR_US, Instant
from agents.domain.percentile_sketch import bin_of
from schemas.care_state import CareMemory, OnboardingNotes
from schemas.signal import Signal

Standing = Counter[tuple[str, int, Contribution]]
"""How often what counts in which kind of bucket, by its number."""

_STARTS = frozenset({"signed_up", "account_created", "onboarding_started"})
_DONE = "onboarding_completed"
_FIRST_VALUE = frozenset({"first_value", _DONE})
_PROGRESS = frozenset({"progress", "onboarding"})
_ALL = 100_00


def learn(memory: CareMemory, signal: Signal, at: Instant, digest: int) -> bool:
    """Remember what a signal says of the standing; false when it says nothing of it."""
    if signal.kind == "subscription":
        note = revenue_retention.note_of(signal, at, digest)
        if note is None:
            return False
        revenue_retention.take(memory.subscription, note)
        return True
    if signal.kind == "onboarding":
        known = memory.onboarding or OnboardingNotes()
        if _learn_onboarding(known, signal, at, digest):
            memory.onboarding = known
            return True
    return False


def _learn_onboarding(notes: OnboardingNotes, signal: Signal, at: Instant, digest: int) -> bool:
    name, progress = signal.name, None
    if name in _STARTS:
        if notes.started_at is None or at < notes.started_at or digest == notes.started_by:
            notes.started_at, notes.started_by = at, digest
        progress = 0 if notes.progress is None else None
    elif name == _DONE:
        progress = _ALL
    elif name in _PROGRESS and signal.value is not None:
        progress = min(_ALL, max(0, round(signal.value * _ALL / (signal.scale or 1.0))))
    elif name not in _FIRST_VALUE:
        return False
    if name in _FIRST_VALUE and (notes.value_at is None or at < notes.value_at or digest == notes.value_by):
        notes.value_at, notes.value_by = at, digest
    # Of what is said at one instant the furthest counts, and a start says the least: so order does not matter.
    if progress is not None and (name not in _STARTS or notes.progress is None):
        said_at = 0 if name in _STARTS else at
        is_further = notes.progress is None or (said_at, progress) > (notes.progress_at, notes.progress)
        if is_further or digest == notes.progress_by:
            notes.progress, notes.progress_at, notes.progress_by = progress, said_at, digest
    return True


def standing_of(memory: CareMemory) -> Standing:
    """Everything that an account adds by how it stands."""
    found: Standing = Counter()
    for measure, amount in revenue_retention.standing(memory.subscription):
        found["ever", 0, Contribution(measure, amount)] += 1
    for month, measure, amount in revenue_retention.since_months(memory.subscription):
        found["month", month, Contribution(measure, amount)] += 1
    notes = memory.onboarding
    if notes is not None:
        if notes.progress is not None:
            found["ever", 0, Contribution("onboarding")] += 1
            found["ever", 0, Contribution("onboarding_progress", notes.progress)] += 1
        if notes.started_at is not None and notes.value_at is not None and notes.value_at >= notes.started_at:
            bin_number = bin_of(notes.value_at - notes.started_at)
            what = Contribution("answered/time_to_first_value", wall_bin=bin_number)
            found["hour", notes.value_at // HOUR_US, what] += 1
    return found
