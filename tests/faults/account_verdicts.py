"""Adherence, health and rollups as they were told, against the oracle: every window, every component, every count.

What is told must hold now, and is told anew when time alone has made it another: soon enough (`TOLD_WITHIN`).
Adherence, of which every outcome is a part that shows, must hold as of its own instant as well. The same comparison is
made of the records in Kafka (`verdicts`) and of the rows in ClickHouse (`row_verdicts`), which both read them into
`ToldStanding` and `ToldScore`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.faults.fault_story import DAY, MINUTE, Story
from tests.faults.plain_figures import PlainStanding, decided_on_days, standings_of
from tests.faults.plain_health import (
    PROFILE,
    SMALLEST_MOVE,
    PlainScore,
    coverage_of,
    readings_of,
    score_of,
    sub_score,
    weighted,
    weights_of,
)
from tests.faults.plain_oracle import PlainClock
from tests.second_opinion.plain_calendar import microseconds

TOLD_WITHIN = 5 * MINUTE
"""Ticks come every few seconds where work is done; more than this late is wrong."""
SHARE = Fraction(1, 10_000)
"""Published weights and coverages have four digits, rounded so that they sum to 1."""

Differences = list[object]


@dataclass(frozen=True)
class ToldStandings:
    """A report of adherence, by scope and value."""

    as_of: int
    standings: Mapping[tuple[str, str], PlainStanding]


@dataclass(frozen=True)
class ToldPart:
    """What one signal adds to a score."""

    value: Decimal | None
    sub_score: Decimal | None
    weight: Decimal
    points: Decimal


@dataclass(frozen=True)
class ToldScore:
    """A health score, with its parts by component and signal."""

    id: str
    account: str
    as_of: int
    score: Decimal | None
    band: str | None
    coverage: Decimal
    parts: Mapping[tuple[str, str], ToldPart]


@dataclass
class Meant:
    """What a story means for each account: the oracle's clocks, and what its other figures are made from."""

    story: Story
    clocks: Mapping[str, PlainClock]
    by_account: dict[str, list[PlainClock]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for clock in self.clocks.values():
            self.by_account.setdefault(clock.account, []).append(clock)

    def score(self, account: str, as_of: int) -> PlainScore:
        """The score of an account at an instant."""
        conversations = [each for each in self.story.conversations.values() if each.account == account]
        answers = [each for each in self.story.answers if each.account == account]
        return score_of(readings_of(self.by_account[account], conversations, answers, as_of))

    def by_metric(self) -> dict[tuple[str, str], list[PlainClock]]:
        """The clocks of each account and metric."""
        found: dict[tuple[str, str], list[PlainClock]] = {}
        for clock in self.clocks.values():
            found.setdefault((clock.account, clock.metric), []).append(clock)
        return found


def adherence_differences(
    said: Mapping[tuple[str, str], ToldStandings], meant: Meant, read_at: int, *, of_story_only: bool
) -> Differences:
    """Where a report is not what the clocks come to. `read_at`: when the reports were read, in microseconds."""
    by_metric = meant.by_metric()
    found: Differences = []
    if not of_story_only:
        found += [("nobody's", place) for place in said.keys() - by_metric.keys()]
    for place, clocks in sorted(by_metric.items()):
        told = said.get(place)
        if told is None:
            # Told is what has ever been something.
            if any(clock.outcome == "open" or clock.decided_at is not None for clock in clocks):
                found.append((place, "never told"))
            continue
        if any((clock.decided_at or 0) > told.as_of for clock in clocks):
            found.append((place, "before its last decision", told.as_of))
        for as_of in {told.as_of, max(told.as_of, read_at - TOLD_WITHIN)}:
            must = standings_of(clocks, as_of)
            found += [
                (place, scope, told.standings.get(scope), must.get(scope))
                for scope in must.keys() | told.standings.keys()
                if scope[0] in {"account", "channel", "priority", "policy"}
                and told.standings.get(scope) != must.get(scope)
            ]
    return found


def health_differences(
    said: Mapping[str, ToldScore], meant: Meant, read_at: int, *, of_story_only: bool
) -> Differences:
    """Where the latest score of an account is not what its clocks, messages and answers come to."""
    found: Differences = []
    if not of_story_only:
        found += [("nobody's", account) for account in said.keys() - meant.by_account.keys()]
    for account in sorted(meant.by_account):
        told = said.get(account)
        if told is None:
            found.append((account, "no score"))
            continue
        # At its own instant it may have been right of what was known: what a restarted worker reads later can lie
        # before it, and where that comes to the same score now, nothing is left to tell.
        must = meant.score(account, max(told.as_of, read_at - TOLD_WITHIN))
        if not _is_close(told, must):
            found.append((account, told, must))
        elif told.score is not None and 100 * told.score == must.score:
            found += _component_differences(told, must)
    return found


def _is_close(told: ToldScore, must: PlainScore) -> bool:
    """Whether nothing is left to tell: a move that is too small is not told."""
    if told.score is None or must.score is None:
        return told.score is None and must.score is None
    return abs(Fraction(told.score) - Fraction(must.score, 100)) < SMALLEST_MOVE and must.band_fits(told.band)


def _component_differences(told: ToldScore, must: PlainScore) -> Differences:
    """Components that add something else, of the same sum. At its ends a sum says nothing of what it is made of."""
    if must.score in {0, 100_00}:
        return []
    are: Counter[str] = Counter()
    for (component, _), part in told.parts.items():
        are[component] += int(100 * part.points)
    meant = {name: must.points(name) for name in PROFILE}
    return [
        (told.id, name, are[name], float(points))
        for name, points in meant.items()
        if abs(are[name] - points) >= len(PROFILE[name][1])  # each of its signals is rounded
    ]


def unsound_scores(scores: Iterable[ToldScore]) -> Differences:
    """Scores that do not follow from their own values: curve, weight, points, coverage, to the last digit."""
    return [(each.id, what) for each in scores for what in _unsound(each)]


def _unsound(told: ToldScore) -> Iterator[object]:
    places = {(component, signal) for component, (_, signals) in PROFILE.items() for signal in signals}
    if told.parts.keys() != places:
        yield "parts", sorted(told.parts)
        return
    subs = {signal: _hundredths(part.sub_score) for (_, signal), part in told.parts.items()}
    weights = weights_of(subs)
    for (_, signal), part in told.parts.items():
        value = None if part.value is None else Fraction(part.value)
        if sub_score(signal, value) != subs[signal]:
            yield signal, "sub-score", part
        if abs(Fraction(part.weight) - weights[signal]) >= SHARE:
            yield signal, "weight", part, weights[signal]
        if abs(100 * Fraction(part.points) - weights[signal] * (subs[signal] or 0)) >= 1:
            yield signal, "points", part, weights[signal]
    if abs(Fraction(told.coverage) - coverage_of(subs)) >= SHARE:
        yield "coverage", told.coverage
    if sum(part.points for part in told.parts.values()) != (told.score or 0):
        yield "points are not the score", told.score
    if told.score is not None and sum(part.weight for part in told.parts.values()) != 1:
        yield "weights are no whole"
    must = PlainScore(weighted(subs), subs)
    if must.score != _hundredths(told.score) or not must.band_fits(told.band):
        yield "score", told.score, told.band, must


def _hundredths(number: Decimal | None) -> int | None:
    return None if number is None else int(number * 100)


def rollup_differences(counts: Mapping[tuple[int, str], int], clocks: Iterable[PlainClock]) -> Differences:
    """Where the company's days do not add up to what was decided on them."""
    must = decided_on_days(clocks)
    return [
        (place, counts.get(place, 0), must[place])
        for place in sorted(must.keys() | counts.keys())
        if counts.get(place, 0) != must[place]
    ]


# what Kafka has


def standings_in(reports: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], ToldStandings]:
    """The latest report of each account and metric."""
    return {
        (each["account_id"], each["metric"]): ToldStandings(
            instant_of(each["as_of"]),
            by_scope(
                PlainStanding(
                    part["scope"],
                    part.get("scope_value") or "",
                    met=tuple(part["met"]),
                    breached=tuple(part["breached"]),
                    ratio=tuple(part["ratio"]),
                    open=part.get("open", 0),
                    overdue=part.get("overdue", 0),
                    at_risk=part.get("at_risk", 0),
                )
                for part in each["standings"]
            ),
        )
        for each in reports
    }


def by_scope(standings: Iterable[PlainStanding]) -> dict[tuple[str, str], PlainStanding]:
    """Standings by scope and value."""
    return {(each.scope, each.value): each for each in standings}


def score_in(told: Mapping[str, Any]) -> ToldScore:
    """A score from its JSON, whose fractions were read as decimals."""
    return ToldScore(
        told["id"],
        told["account_id"],
        instant_of(told["as_of"]),
        _decimal(told["score"]),
        told["band"],
        Decimal(told["coverage"]),
        {
            (part["component"], part["signal"]): ToldPart(
                _decimal(part["value"]),
                _decimal(part["sub_score"]),
                Decimal(part["weight"]),
                Decimal(part["points"]),
            )
            for part in told["contributions"]
        },
    )


def _decimal(number: Any) -> Decimal | None:
    return None if number is None else Decimal(number)


def instant_of(text: str) -> int:
    """Microseconds since 1970."""
    return microseconds(datetime.fromisoformat(text))


def company_days_in(rollups: Iterable[Mapping[str, Any]]) -> Counter[tuple[int, str]]:
    """Decided promises of the company by day, summed over the parts of all partitions."""
    counts: Counter[tuple[int, str]] = Counter()
    for each in rollups:
        if each["scope"] == "company" and each["bucket"] == "day":
            day = instant_of(each["begins_at"]) // DAY
            counts.update(
                {(day, name): n for name, n in each.get("counts", {}).items() if name.startswith(("met/", "breached/"))}
            )
    return +counts
