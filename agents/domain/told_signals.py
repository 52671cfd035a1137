"""What connectors and people tell of an account, kept for its health: values by signal, days, goals, overrides.

`agents.domain.account` takes every signal in here; `agents.domain.live_signals` reads what is kept. What is kept does
not depend on the order in which it comes.
"""

from bisect import insort
from collections.abc import Callable
from typing import Literal, NamedTuple

from agents.domain import care_facts, satisfaction
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import DAY_US, Instant, from_datetime
from agents.domain.normalisation import BEST, MILLION
from schemas.enrichment import Enrichment
from schemas.health_memory import GoalState, HealthMemory, OverrideState, ToldSignal
from schemas.signal import Signal

KEPT_SIGNALS = 64
"""Of different names. Product analytics may send hundreds of events; those that are told no more give way."""

KEPT_VALUES = 100
"""Of each signal: all answers and judgements, and of levels (usage, plans, payments) the last of each day."""

KEPT_GOALS = 50

TOO_OLD_US = 400 * DAY_US
"""What is older changes nothing: a yearly contract, and a month of delay."""

SENTIMENT = "sentiment"
"""The signal that enrichments are heard under; connectors may tell it as well."""

LONGEST_WORD = 200
LARGEST = 1e15

_ONE_BY_ONE = frozenset({"survey", "pulse", "sentiment"})
_NPS_SCALE, _CES_SCALE = 10.0, 7.0


class Learnt(NamedTuple):
    """How a message was taken to feel until now, and how it is from now on, in millionths; null where nobody knew."""

    before: int | None
    now: int | None


def take(memory: HealthMemory, signal: Signal, at: Instant, *, is_correction: bool = False) -> None:
    """Keep what a signal says; a correction of one that was kept takes its place.

    Raises:
        ImpossibleEventError: its value is none that its kind can have.
    """
    match signal.kind:
        case "override":
            _take_override(memory, signal, at)
        case "goal":
            _take_goal(memory, signal, at)
        case "action":
            _take_deed(memory, signal)
        case _:
            _take_value(memory, signal, at, is_correction=is_correction)


def _take_value(memory: HealthMemory, signal: Signal, at: Instant, *, is_correction: bool) -> None:
    kind = signal.kind
    value = _SURVEYS.get(signal.name, _plain)(signal) if kind == "survey" else _plain(signal)
    known = memory.told.get(signal.name)
    if known is None:
        known = memory.told[signal.name] = ToldSignal(signal.source)
    heard = known.heard
    is_repeated = signal.version > 0 and any(each[1] == signal.id for each in heard)
    if is_repeated:
        heard[:] = [each for each in heard if each[1] != signal.id]
    insort(heard, (at, signal.id, value))
    if heard[-1][1] == signal.id:
        known.source = signal.source
    if kind not in _ONE_BY_ONE:
        _keep_last_of_day(heard, at // DAY_US)
    del heard[:-KEPT_VALUES]
    if not (is_repeated or is_correction) and kind in {"usage", "advocacy"}:
        care_facts.count(memory, kind, at)
    _drop_silent(memory)


def take_sentiment(memory: HealthMemory, enrichment: Enrichment, at: Instant) -> Learnt | Literal["duplicate", "late"]:
    """Keep how a message feels; a later judgement about the same message takes the place of the earlier one."""
    known = memory.told.get(SENTIMENT)
    heard = [] if known is None else known.heard
    message = f"{enrichment.conversation_id}/{enrichment.interaction_id}"
    now = None if enrichment.sentiment is None else round(max(-1.0, min(1.0, enrichment.sentiment)) * MILLION)
    before = next((value for _, name, value in heard if name == message and isinstance(value, int)), None)
    if before == now:
        return "duplicate"
    if before is None and len(heard) >= KEPT_VALUES and (at, message) < heard[0][:2]:
        return "late"
    heard = [each for each in heard if each[1] != message]
    if now is not None:
        insort(heard, (at, message, now))
    if not heard:
        del memory.told[SENTIMENT]
        return Learnt(before, now)
    source = enrichment.scorer if known is None or heard[-1][1] == message else known.source
    memory.told[SENTIMENT] = ToldSignal(source, heard[-KEPT_VALUES:])
    _drop_silent(memory)
    return Learnt(before, now)


def _drop_silent(memory: HealthMemory) -> None:
    if len(memory.told) > KEPT_SIGNALS:
        del memory.told[min(memory.told, key=lambda name: (memory.told[name].heard[-1][0], name))]


def _keep_last_of_day(heard: list[tuple[int, str, int | str]], day: int) -> None:
    places = [place for place, (at, _, _) in enumerate(heard) if at // DAY_US == day]
    if len(places) > 1:
        del heard[places[0] : places[-1]]


def _plain(signal: Signal) -> int | str:
    if signal.value is None:
        word = (signal.text or "").strip()
        return word[:LONGEST_WORD] if word else MILLION
    if not abs(signal.value) <= LARGEST:
        raise ImpossibleEventError(f"{signal.name} of {signal.value:g} is too large - at `$.value`")
    return round(signal.value * MILLION)


def _answer(signal: Signal, usual_scale: float) -> tuple[float, float]:
    scale = usual_scale if signal.scale is None else signal.scale
    if signal.value is None:
        raise ImpossibleEventError(f"an answer of {signal.name} needs a value - at `$.value`")
    if scale <= 1 or not 0 <= signal.value <= scale:
        raise ImpossibleEventError(f"an answer of {signal.value:g} on a scale to {scale:g} - at `$.value`")
    return signal.value, scale


def _nps(signal: Signal) -> int:
    """0 to 10."""
    value, scale = _answer(signal, _NPS_SCALE)
    return round(value * _NPS_SCALE * MILLION / scale)


def _ces(signal: Signal) -> int:
    """1 to 7, whatever the steps."""
    value, scale = _answer(signal, _CES_SCALE)
    return round((1 + max(0.0, value - 1) * (_CES_SCALE - 1) / (scale - 1)) * MILLION)


def _csat(signal: Signal) -> int:
    """0 to 100."""
    return satisfaction.normalised(signal) * (MILLION // 100)


_SURVEYS: dict[str, Callable[[Signal], int | str]] = {"csat": _csat, "nps": _nps, "ces": _ces}


def _take_goal(memory: HealthMemory, signal: Signal, at: Instant) -> None:
    known = memory.goals.get(signal.name)
    if known is not None and (known.at, known.id) > (at, signal.id):
        return
    reached = 0 if signal.value is None else round(max(0.0, min(1.0, signal.value)) * MILLION)
    due_at = None if signal.until is None else from_datetime(signal.until)
    memory.goals[signal.name] = GoalState(at, signal.id, reached, due_at)
    if len(memory.goals) > KEPT_GOALS:
        del memory.goals[min(memory.goals, key=lambda name: (memory.goals[name].at, name))]


def _take_override(memory: HealthMemory, signal: Signal, at: Instant) -> None:
    if signal.value is not None and not 0 <= signal.value <= BEST / 100:
        raise ImpossibleEventError(f"a score of {signal.value:g} is impossible - at `$.value`")
    known = memory.override
    if known is not None and (known.at, known.id) > (at, signal.id):
        return
    score = None if signal.value is None else round(signal.value * 100)
    until = None if signal.until is None else from_datetime(signal.until)
    memory.override = OverrideState(at, signal.id, score, (signal.text or "").strip(), until, signal.source)


def _take_deed(memory: HealthMemory, signal: Signal) -> None:
    """An action that is not open, or not the one that is meant, is nobody's any more."""
    action = memory.actions.get(signal.name)
    if action is not None and action.id == signal.raw_reference and action.status == "open":
        action.status = "dismissed" if signal.text == "dismissed" else "done"
