"""The health of one account out of observations: which profile applies, the score, its parts, and what to do next.

A pure function of the observations and of an instant; only the band remembers what it was before.
`agents.domain.health_story` follows an account through time with it, `streams.health_files` and `streams.backtest`
ask for single instants. The arithmetic is `agents.domain.scoring`, as it is for the account agent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from agents.domain.children import COMPONENT, Child, parts_of_children, shown_score
from agents.domain.health_condition import Fact, matches, shown
from agents.domain.health_profile import HealthFile, HealthProfile, Limit
from agents.domain.instant import Instant
from agents.domain.normalisation import MILLION
from agents.domain.scoring import Scorer, points_of
from agents.domain.signal_reading import NOTHING, Gauge, Observation, Reading, in_order
from schemas.health_memory import TellablePart

Observations = Mapping[str, Sequence[Observation]]
"""What was observed of an account, by signal, each in order (`ordered`)."""

Change = Literal["initial", "changed", "band_changed", "unchanged"]

_HUNDREDTH = MILLION // 100


class Override(NamedTuple):
    """A person's own score (hundredths) in place of the computed one, with a reason, until it expires."""

    score: int
    because: str
    until: Instant | None = None


class Account(NamedTuple):
    """Who is scored. `fields` are `account` (its id), `tier`, `segment` and `contract`, as far as they are known."""

    id: str
    fields: Mapping[str, str | None]


class Part(Struct, frozen=True, gc=False):
    """What one signal adds to the score, or what a `cap`, a `floor` or an `override` takes from it and gives to it.

    Sub-score and points are hundredths, the weight is in ten-thousandths of all weights.
    """

    component: str
    signal: str | None
    sub_score: int | None
    weight: int
    points: int
    because: str | None = None
    value: int | str | None = None
    observed_at: Instant | None = None
    freshness: int | None = None
    """What age has left of the weight of what is known, in millionths."""


class NextAction(NamedTuple):
    """A play that fits, and why."""

    id: str
    action: str
    owner: str | None
    reason: str


class Verdict(Struct, frozen=True, gc=False):
    """The health of an account at an instant. The points of all parts sum to the score, which is in hundredths."""

    account: str
    as_of: Instant
    profile: str | None
    score: int | None = None
    band: str | None = None
    band_since: Instant | None = None
    coverage: int = 0
    parts: tuple[Part, ...] = ()
    plays: tuple[NextAction, ...] = ()
    change: Change = "initial"
    previous: "Verdict | None" = None

    def told_parts(self) -> list[TellablePart]:
        """What of the parts is remembered once they are told."""
        return [astuple(part)[:6] for part in self.parts]


def added_by(parts: Sequence[TellablePart]) -> dict[tuple[str, str | None], int]:
    """The points of all parts, by component and signal; those of what stands for the same thing are summed."""
    points: dict[tuple[str, str | None], int] = {part[:2]: part[4] for part in parts}
    if len(points) < len(parts):
        points = dict.fromkeys(points, 0)
        for component, signal, _, _, added, _ in parts:
            points[component, signal] += added
    return points


def ordered(observed: Mapping[str, Iterable[Observation]]) -> Observations:
    """Observations in order, whatever the order in which they came."""
    return {signal: in_order(found) for signal, found in observed.items()}


class HealthBook:
    """A profile file ready for use."""

    def __init__(self, file: HealthFile) -> None:
        self.file = file
        self._scorers = [Scorer(profile) for profile in file.profiles]
        self._profiles = {profile.name: profile for profile in reversed(file.profiles)}
        asked = {key for limit in _limits(file.profiles) for key in limit.when.asks_for()}
        asked |= {key for play in file.plays for key in play.when.asks_for()}
        self._asked = [Gauge(file.signals[key]) for key in sorted(asked & file.signals.keys())]
        self._counted = frozenset(gauge.name for gauge in self._asked if gauge.rule.counts)
        weighed = {rule.name for profile in file.profiles for _, rule in profile.signals}
        self.asked_names = tuple(sorted(weighed | {gauge.name for gauge in self._asked}))
        """Every signal that a verdict may depend on."""

    def scorer_for(self, account: Account) -> Scorer | None:
        """The first profile whose condition holds, ready for use."""
        for scorer in self._scorers:
            if matches(scorer.profile.when, account.fields):
                return scorer
        return None

    def profile_named(self, name: str | None) -> HealthProfile | None:
        """The first profile of a name; null where the file has none."""
        return None if name is None else self._profiles.get(name)

    def judge(
        self,
        account: Account,
        observed: Observations,
        as_of: Instant,
        before: Verdict | None = None,
        override: Override | None = None,
        *,
        children: Sequence[Child] = (),
    ) -> Verdict:
        """The health of an account at an instant, and how it differs from the verdict before.

        Where the profile aggregates and there are `children`, they make the score, and its signals say nothing.
        """
        scorer = self.scorer_for(account)
        if scorer is None:
            return Verdict(account.id, as_of, None, previous=before, change=_change(None, None, before, 0))
        readings = readings_of(scorer, observed, as_of)
        parts, coverage = _parts_of_account(scorer, readings, children)
        facts = self._facts(account, observed, readings, as_of)
        score = sum([part.points for part in parts]) if coverage else None
        profile = scorer.profile
        for part in _adjustments(score, profile, facts, as_of, override):
            parts.append(part)
            score = (score or 0) + part.points
        since = before.band_since if before is not None else None
        band, band_since = scorer.settled_band(score, before.band if before is not None else None, since, as_of)
        facts |= {"score": None if score is None else score * _HUNDREDTH, "band": band, "profile": profile.name}
        facts["coverage"] = coverage * 100
        return Verdict(
            account=account.id,
            as_of=as_of,
            profile=profile.name,
            score=score,
            band=band,
            band_since=band_since,
            coverage=coverage,
            parts=tuple(parts),
            plays=tuple(self._plays(facts)),
            change=_change(score, band, before, profile.publish_step),
            previous=before,
        )

    def _facts(
        self, account: Account, observed: Observations, readings: Mapping[str, Reading], as_of: Instant
    ) -> dict[str, Fact]:
        """What conditions may ask: the fields of the account, and the values of signals."""
        facts: dict[str, Fact] = dict(account.fields)
        for gauge in self._asked:
            name = gauge.name
            reading = readings.get(name)
            if reading is None:
                found = observed.get(name)
                reading = gauge.read(found, as_of) if found else NOTHING
            value = reading.value
            facts[name] = 0 if value is None and name in self._counted else value
        return facts

    def _plays(self, facts: Mapping[str, Fact]) -> Iterator[NextAction]:
        taken = set()
        for play in self.file.plays:
            if play.id not in taken and play.when.holds(facts):
                taken.add(play.id)
                yield NextAction(play.id, _filled(play.action, facts), play.owner, play.when.why(facts))


def _filled(action: str, facts: Mapping[str, Fact]) -> str:
    if "{" in action:
        for key, fact in facts.items():
            action = action.replace(f"{{{key}}}", shown(fact))
    return action


def readings_of(scorer: Scorer, observed: Observations, as_of: Instant) -> dict[str, Reading]:
    """What is known of every signal of a profile, in its order."""
    return {
        gauge.name: gauge.read(found, as_of) if (found := observed.get(gauge.name)) else NOTHING
        for gauge in scorer.gauges
    }


def _parts_of_account(
    scorer: Scorer, readings: Mapping[str, Reading], children: Sequence[Child]
) -> tuple[list[Part], int]:
    how = scorer.profile.children
    if how is None or not children:
        return parts_of(scorer, readings)
    found, coverage = parts_of_children(children, how)
    parts = [
        Part(
            component=COMPONENT,
            signal=child.id,
            value=shown_score(child),
            sub_score=child.score,
            weight=share,
            points=points,
            because=None if child.counts else child.because,
        )
        for child, share, points in found
    ]
    return parts, coverage


def parts_of(scorer: Scorer, readings: Mapping[str, Reading]) -> tuple[list[Part], int]:
    """What every signal adds, in the order of the profile, and the coverage in ten-thousandths.

    Where nothing is known, nothing is added, and the coverage is 0; it is never 0 where anything is known.
    """
    found = list(map(readings.__getitem__, scorer.names)) if readings else []
    places = [place for place, reading in enumerate(found) if reading.freshness]
    if not places:
        return [], 0
    if scorer.fills:
        places = list(range(len(found)))
    # Columns of what is known alone, because this is done for every account again and again.
    values, subs, freshness, observed_at = zip(*[astuple(found[place]) for place in places], strict=True)
    known = scorer.known(tuple(places))
    weighted = known.shares([0 if sub is None else fresh for sub, fresh in zip(subs, freshness, strict=True)])
    coverage = max(1, weighted.coverage)
    filled: Sequence[int | None] = subs
    if scorer.fills:
        filled, weighing = scorer.filled(subs, freshness)
        weighted = known.shares(weighing)
    points, shares = points_of(weighted, filled), weighted.published
    columns = (known.components, known.names, filled, shares, points, repeat(None), values, observed_at, freshness)
    parts = list(_unknown(scorer))
    for place, part in zip(places, map(Part, *columns), strict=True):
        parts[place] = part
    return parts, coverage


@lru_cache(maxsize=64)
def _unknown(scorer: Scorer) -> list[Part]:
    """The parts of signals of which nothing is known, the same for all accounts."""
    return [
        Part(component, name, None, 0, 0, None, None, None, 0)
        for component, name in zip(scorer.components, scorer.names, strict=True)
    ]


def _limits(profiles: Sequence[HealthProfile]) -> Iterator[Limit]:
    for profile in profiles:
        yield from (*profile.caps, *profile.floors)


def _adjustments(
    score: int | None, profile: HealthProfile, facts: Mapping[str, Fact], as_of: Instant, override: Override | None
) -> Iterator[Part]:
    """What holds the score up or down: the highest floor, then the lowest cap, or else a person's word alone."""
    if override is not None and (override.until is None or as_of < override.until):
        yield _adjustment("override", override.score, override.because, override.score - (score or 0))
        return
    if score is None:
        return
    floor = None
    for limit in profile.floors:
        if (floor is None or limit.bound > floor.bound) and _applies(limit, facts, as_of):
            floor = limit
    if floor is not None and floor.bound > score:
        yield _adjustment("floor", floor.bound, floor.because, floor.bound - score)
        score = floor.bound
    cap = None
    for limit in profile.caps:
        if (cap is None or limit.bound < cap.bound) and _applies(limit, facts, as_of):
            cap = limit
    if cap is not None and cap.bound < score:
        yield _adjustment("cap", cap.bound, cap.because, cap.bound - score)


def _adjustment(kind: str, bound: int, because: str, points: int) -> Part:
    return Part(kind, None, None, 0, points, because, bound * _HUNDREDTH)


def _applies(limit: Limit, facts: Mapping[str, Fact], as_of: Instant) -> bool:
    return (limit.until is None or as_of < limit.until) and limit.when.holds(facts)


def _change(score: int | None, band: str | None, before: Verdict | None, step: int) -> Change:
    if before is None:
        return "initial"
    if band != before.band:
        return "band_changed"
    if score is None or before.score is None:
        return "unchanged" if score == before.score else "changed"
    return "changed" if abs(score - before.score) >= step else "unchanged"
