"""Health profiles: which signals make up the score, what they are worth, and what follows from a score.

`agents.domain.scoring` calculates with a profile; raw values come from `agents.domain.account_health` (live) or from
`agents.domain.signal_reading` (a file). The signals that Careline knows by itself, and the profile that it ships with,
are in `agents.domain.signal_catalogue`; `streams.health_files` reads a company's own.
"""

from typing import Literal

from msgspec import Struct

from agents.domain.health_condition import HealthCondition
from agents.domain.instant import Instant
from agents.domain.normalisation import Curve, Normalisation
from schemas.policy import Condition

Missing = Literal["exclude", "neutral", "worst"]
"""What stands for a signal without data: nothing (the others share its weight), 50, or 0."""

Aggregation = Literal["mean", "by_value", "worst"]
"""How children make the score of a parent: all alike, each by what it pays a month, or only the one worst off."""


class SignalRule(Struct, frozen=True, kw_only=True):
    """One signal. `raw_unit` is how many raw units make one of the published `value`; `label` names it in sentences.

    Without a way to `normalise` it has no sub-score and serves conditions only. A value counts half as much with each
    `half_life_us` of its age, and not at all from `ttl_us` on; null means that age does not matter. `missing` null
    leaves it to the profile. What `counts` occurrences is 0 to conditions where nobody reported any; to the score it is
    unknown.
    """

    name: str
    label: str
    normalise: Normalisation | None = None
    weight: int = 1
    raw_unit: int = 1
    half_life_us: int | None = None
    ttl_us: int | None = None
    missing: Missing | None = None
    counts: bool = False


class ComponentRule(Struct, frozen=True, kw_only=True):
    """Signals that say the same kind of thing. Weights count among the signals of the component."""

    name: str
    weight: int
    signals: tuple[SignalRule, ...]


class BandRule(Struct, frozen=True):
    """A band is what scores from here on are in, up to the next one; in hundredths."""

    name: str
    begins_at: int


class Limit(Struct, frozen=True, kw_only=True):
    """While a condition holds, and until it expires, a score is held at a bound (hundredths), for a reason."""

    when: HealthCondition
    bound: int
    because: str
    until: Instant | None = None


# 40 and 70 are the edges that customer success platforms ship with most often.
USUAL_BANDS = (BandRule("red", 0), BandRule("amber", 40_00), BandRule("green", 70_00))


class HealthProfile(Struct, frozen=True, kw_only=True):
    """A whole profile. Scores are hundredths; bands ascend and the first begins at 0."""

    name: str
    version: str
    components: tuple[ComponentRule, ...]
    when: Condition = Condition()
    missing: Missing = "exclude"
    bands: tuple[BandRule, ...] = USUAL_BANDS
    # One answer or one breach moves a score by about three points: less is noise at an edge.
    hysteresis: int = 3_00
    dwell_us: int = 0
    """How long a band is kept at least."""
    caps: tuple[Limit, ...] = ()
    floors: tuple[Limit, ...] = ()
    # A tenth of a point is the least that a board shows.
    publish_step: int = 10
    children: Aggregation | None = None
    """How the scores of children make that of a parent, whose own signals then say nothing; null for not at all."""

    @property
    def signals(self) -> tuple[tuple[ComponentRule, SignalRule], ...]:
        """All signals in order, each with its component."""
        return tuple((component, signal) for component in self.components for signal in component.signals)


class Play(Struct, frozen=True, kw_only=True):
    """A next action, for whom, and when. Plays of one id are alternatives: the first that fits is taken."""

    id: str
    when: HealthCondition
    action: str
    owner: str | None = None


class HealthFile(Struct, frozen=True, kw_only=True):
    """A whole profile file: the first profile whose condition holds applies.

    `signals` are all that the file may speak of, declared or built in, by name; raw values are in millionths.
    """

    version: str
    profiles: tuple[HealthProfile, ...] = ()
    signals: dict[str, SignalRule]
    plays: tuple[Play, ...] = ()
    effective_from: Instant | None = None
    """From when on it scores, if not from its publication on."""
    calibration: Curve | None = None
    """From a score (hundredths) to the probability of leaving (millionths), falling."""
