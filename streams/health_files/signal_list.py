"""The built-in signals in words, for `careline health signals` and the table in `docs/health.md`."""

from typing import TypedDict

from agents.domain.instant import DAY_US
from agents.domain.normalisation import MILLION, Normalisation, Steps, Tiers, Trajectory
from agents.domain.signal_catalogue import BUILT_IN


class ListedSignal(TypedDict):
    """One signal; durations as a profile file writes them, null where age does not matter."""

    name: str
    meaning: str
    unit: str
    half_life: str | None
    ttl: str | None
    normalise: str
    live: bool


def listed_signals() -> list[ListedSignal]:
    """All built-in signals, in the order of the catalogue."""
    return [
        ListedSignal(
            name=name,
            meaning=signal.meaning,
            unit=signal.unit,
            half_life=_days(signal.rule.half_life_us),
            ttl=_days(signal.rule.ttl_us),
            normalise=in_words(signal.rule.normalise, signal.rule.raw_unit),
            live=signal.live,
        )
        for name, signal in BUILT_IN.items()
    ]


def in_words(normalise: Normalisation | None, raw_unit: int = MILLION) -> str:
    """How a value becomes a score, on one line: `value: score` pairs and what lies between them."""
    match normalise:
        case None:
            return "no score"
        case Steps():
            return f"steps {_pairs(normalise.steps, raw_unit)}"
        case Tiers():
            return "tiers " + ", ".join(f"{word}: {score / 100:g}" for word, score in normalise.words.items())
        case Trajectory():
            return f"trajectory of {_pairs(normalise.level, raw_unit)} over {_days(normalise.over_us)}"
        case _:
            return f"linear between {_pairs(normalise, raw_unit)}"


def _pairs(points: tuple[tuple[int, int], ...], raw_unit: int) -> str:
    return ", ".join(f"{value / raw_unit:g}: {score / 100:g}" for value, score in points)


def _days(duration_us: int | None) -> str | None:
    return None if duration_us is None else f"{duration_us / DAY_US:g}d"
