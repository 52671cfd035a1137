"""What customers answered when asked: the mean of an account's CSAT answers, the newer the heavier.

`agents.domain.account` takes the survey signals in; `agents.domain.account_health` reads the mean as a signal.
"""

from agents.domain.decay import decayed_mean
from agents.domain.impossible import ImpossibleEventError
from agents.domain.instant import DAY_US, Instant
from schemas.account_state import AccountState, SurveyAnswer
from schemas.signal import Signal

HALF_LIFE_US = 30 * DAY_US
"""An answer of last month says half as much as one of today."""

TIME_TO_LIVE_US = 90 * DAY_US
"""A quarter later people answer about another service."""

KEPT_ANSWERS = 100
"""The newest hundred: more change the mean by less than it is worth."""

DEFAULT_SCALE = 5.0
"""CSAT is asked on five steps unless the source says otherwise."""


def lowest_mark(scale: float) -> int:
    """Where a scale begins: those of 2 to 10 at 1, others (0 or 1, percent) at 0."""
    return 1 if 2 <= scale <= 10 else 0


def normalised(signal: Signal) -> int:
    """An answer in hundredths of 0..100.

    Raises:
        ImpossibleEventError: no value, or one outside its scale.
    """
    scale = DEFAULT_SCALE if signal.scale is None else signal.scale
    if signal.value is None:
        raise ImpossibleEventError("a csat answer needs a value - at `$.value`")
    if scale <= 0 or not 0 <= signal.value <= scale:
        raise ImpossibleEventError(f"a csat answer of {signal.value:g} on a scale to {scale:g} - at `$.value`")
    lowest = lowest_mark(scale)
    return round(max(0.0, signal.value - lowest) * 100_00 / (scale - lowest))


def take(answers: list[SurveyAnswer], answer: SurveyAnswer) -> None:
    """Keep an answer in the order of (instant, id); a corrected one replaces what it was before."""
    answers[:] = sorted([known for known in answers if known.id != answer.id] + [answer], key=_order)[-KEPT_ANSWERS:]


def _order(answer: SurveyAnswer) -> tuple[Instant, str]:
    return (answer.at, answer.id)


def forget(state: AccountState) -> None:
    """Drop the answers that are too old to count."""
    answers = state.answers
    while answers and answers[0].at + TIME_TO_LIVE_US <= state.as_of:
        del answers[0]


def mean(state: AccountState) -> int | None:
    """The mean answer in hundredths; null without any.

    How they are weighed is `agents.domain.decay`.
    """
    answers = state.answers
    return decayed_mean([(answer.at, answer.score) for answer in answers], HALF_LIFE_US) if answers else None


def changes_at(state: AccountState) -> Instant | None:
    """When the oldest answer will be too old to count."""
    return state.answers[0].at + TIME_TO_LIVE_US if state.answers else None
