"""What a health score comes to: published examples, missing data, decay, limits, bands, plays. Tables."""

from typing import Any

import pytest
from msgspec.structs import replace

from agents.domain.health_condition import Comparison, Fact, HealthCondition
from agents.domain.health_profile import (
    BandRule,
    ComponentRule,
    HealthFile,
    HealthProfile,
    Limit,
    Missing,
    Play,
    SignalRule,
)
from agents.domain.health_story import reason_of, standing, story
from agents.domain.health_verdict import Account, HealthBook, Override, Verdict
from agents.domain.instant import DAY_US, HOUR_US, MINUTE_US, Instant
from agents.domain.normalisation import MILLION, Normalisation, Steps, Tiers, Trajectory
from agents.domain.signal_reading import Observation, read
from schemas.policy import Condition
from tests.account_stories import START

PERCENT = ((0, 0), (100 * MILLION, 100_00))
"""The value is the sub-score."""
ACME = Account("acme", {"account": "acme", "tier": "gold"})


def rule(name: str, weight: int = 1, normalise: Normalisation | None = PERCENT, **more: Any) -> SignalRule:
    return SignalRule(name=name, label=name, normalise=normalise, weight=weight, raw_unit=MILLION, **more)


def profile(components: dict[str, tuple[int, tuple[SignalRule, ...]]], **more: Any) -> HealthProfile:
    rules = tuple(ComponentRule(name=name, weight=w, signals=signals) for name, (w, signals) in components.items())
    return HealthProfile(name="p", version="1", components=rules, **more)


def flat(weights: dict[str, int], **more: Any) -> HealthProfile:
    """One component for each signal."""
    return profile({name: (weight, (rule(name),)) for name, weight in weights.items()}, **more)


def book(*profiles: HealthProfile, plays: tuple[Play, ...] = ()) -> HealthBook:
    signals = {found.name: found for each in profiles for _, found in each.signals}
    return HealthBook(HealthFile(version="1", profiles=profiles, signals=signals, plays=plays))


def seen(**values: float | str) -> dict[str, list[Observation]]:
    raw = {name: value if isinstance(value, str) else round(value * MILLION) for name, value in values.items()}
    return {name: [Observation(START, value)] for name, value in raw.items()}


def judged(used: HealthProfile, at: Instant = START, /, **values: Any) -> Verdict:
    return book(used).judge(ACME, seen(**values), at)


def asks(**comparisons: tuple[Any, float]) -> HealthCondition:
    return HealthCondition({key: (Comparison(op, round(n * MILLION)),) for key, (op, n) in comparisons.items()})


NATERO = {"a": 7, "b": 5, "c": 8, "d": 3}
PULSE_SCORE = {"payment": 30, "engagement": 20, "usage": 20, "support": 15, "tenure": 15}


@pytest.mark.parametrize(
    ("weights", "values", "score", "band"),
    [
        # Natero, published worked examples: 83*7/23 + 71*5/23 + 78*8/23 + 54*3/23 = 75 (74.87), and 72 (71.8 here,
        # where 70.5 is not rounded to 71 within: 71.8 is what its own table shows before).
        (NATERO, {"a": 83, "b": 71, "c": 78, "d": 54}, 74_87, "green"),
        ({"a": 2, "b": 3, "c": 3, "d": 2}, {"a": 80, "b": 71, "c": 79, "d": 54}, 71_80, "green"),
        # Vitally: poor 0, healthy 10 of 10: (10 + 10 + 0) / 3 = 6.67 of 10.
        ({"a": 1, "b": 1, "c": 1}, {"a": 100, "b": 100, "c": 0}, 66_67, "amber"),
        # PulseScore (subculture-collective/pulse-score, its documented method): Acme .840 -> 84 green; Beta without
        # engagement .60/.85 -> 71 green (`x` are its other four, of which only the sum .60 is published); exactly 70 is
        # green, exactly 40 is not red. The names are ours.
        (PULSE_SCORE, {"payment": 95, "engagement": 90, "usage": 75, "support": 70, "tenure": 80}, 84_00, "green"),
        ({"x": 85, "engagement": 15}, {"x": 60 / 0.85}, 70_59, "green"),
        ({"a": 1}, {"a": 70}, 70_00, "green"),
        ({"a": 1}, {"a": 69.99}, 69_99, "amber"),
        ({"a": 1}, {"a": 40}, 40_00, "amber"),
        ({"a": 1}, {"a": 39.99}, 39_99, "red"),
        ({"a": 1}, {}, None, None),
    ],
)
def test_published_examples_reproduce(
    weights: dict[str, int], values: dict[str, float], score: int | None, band: str | None
) -> None:
    verdict = judged(flat(weights), **values)
    assert (verdict.score, verdict.band) == (score, band)


@pytest.mark.parametrize(
    ("mode", "score", "coverage"), [("exclude", 80_00, 25_00), ("neutral", 57_50, 25_00), ("worst", 20_00, 25_00)]
)
def test_what_is_missing_counts_as_its_mode_says(mode: Missing, score: int, coverage: int) -> None:
    used = flat({"a": 1, "b": 3}, missing=mode)
    verdict = judged(used, a=80)
    assert (verdict.score, verdict.coverage) == (score, coverage)
    assert judged(used).score is None
    own = profile({"all": (1, (rule("a"), rule("b", 3, missing="worst")))}, missing=mode)
    assert judged(own, a=80).score == 20_00


@pytest.mark.parametrize(
    ("normalise", "value", "sub"),
    [
        (Steps(((0, 100_00), (MILLION, 20_00), (3 * MILLION, 0))), 0, 100_00),
        (Steps(((0, 100_00), (MILLION, 20_00), (3 * MILLION, 0))), 0.9, 100_00),
        (Steps(((0, 100_00), (MILLION, 20_00), (3 * MILLION, 0))), 1, 20_00),
        (Steps(((0, 100_00), (MILLION, 20_00), (3 * MILLION, 0))), 99, 0),
        (Steps(((0, 100_00), (MILLION, 20_00))), -5, 100_00),
        (Tiers({"team": 70_00}), " Team ", 70_00),
        (Tiers({"team": 70_00}), "solo", None),
        (PERCENT, -5, 0),
        (PERCENT, 33.3333, 33_33),
        (PERCENT, 1e9, 100_00),
        # A snapshot has no trend: level 40 and recency 30 share the rest.
        (Trajectory(PERCENT, DAY_US), 30, 60_00),
    ],
)
def test_normalisations(normalise: Normalisation, value: float | str, sub: int | None) -> None:
    assert read(rule("a", normalise=normalise), seen(a=value)["a"], START).sub_score == sub


def test_a_trajectory_is_level_trend_and_recency() -> None:
    rising = rule("a", normalise=Trajectory(PERCENT, 10 * DAY_US))
    known = [Observation(START, 20 * MILLION), Observation(START + 10 * DAY_US, 60 * MILLION)]
    # Level 60, trend 50 + 40/2 = 70, recency 100; five days later, where there is nothing newer, recency 50.
    assert read(rising, known, START + 10 * DAY_US).sub_score == (40 * 60 + 30 * 70 + 30 * 100)
    assert read(rising, known, START + 15 * DAY_US).sub_score == (40 * 60 + 30 * 70 + 30 * 50)
    assert read(rising, known, START + 30 * DAY_US).sub_score == (40 * 60 + 30 * 50 + 30 * 0)


def test_age_takes_weight_and_then_all_of_it() -> None:
    used = profile({"usage": (1, (rule("a", half_life_us=DAY_US, ttl_us=3 * DAY_US),)), "rest": (1, (rule("b"),))})
    scores = [(judged(used, START + days * DAY_US, a=100, b=0)) for days in (0, 1, 2, 3)]
    # The weight of `a` is 1, 1/2, 1/4, 0 beside the 1 of `b`.
    assert [verdict.score for verdict in scores] == [50_00, 33_33, 20_00, 0]
    assert [verdict.coverage for verdict in scores] == [100_00, 75_00, 62_50, 50_00]
    assert [judged(replace(used, missing="worst"), START + days * DAY_US, a=100, b=0).score for days in (0, 1, 2)] == [
        50_00,
        25_00,
        12_50,
    ]


LATE = asks(late=(">=", 1))


@pytest.mark.parametrize(
    ("late", "at", "score", "points"),
    [(0, START, 90_00, []), (1, START, 69_00, [-21_00]), (1, START + DAY_US, 90_00, [])],
)
def test_a_cap_holds_the_score_down_for_a_reason_until_it_expires(
    late: int, at: Instant, score: int, points: list[int]
) -> None:
    cap = Limit(when=LATE, bound=69_00, because="late", until=START + DAY_US)
    used = profile({"all": (1, (rule("a"),))}, caps=(cap,))
    read_from = book(used, profile({"more": (1, (rule("late"),))}, when=Condition({"tier": ("none",)})))
    verdict = read_from.judge(ACME, seen(a=90, late=late), at)
    assert verdict.score == score == sum(part.points for part in verdict.parts)
    assert [part.points for part in verdict.parts if part.component == "cap"] == points


def test_the_lowest_cap_wins_over_the_highest_floor_and_a_person_over_both() -> None:
    always = HealthCondition()
    limits: dict[str, Any] = {
        "caps": (Limit(when=always, bound=60_00, because="c"), Limit(when=always, bound=50_00, because="c")),
        "floors": (Limit(when=always, bound=55_00, because="f"), Limit(when=always, bound=20_00, because="f")),
    }
    used = flat({"a": 1}, **limits)
    verdict = judged(used, a=10)
    assert [(part.component, part.points) for part in verdict.parts[1:]] == [("floor", 45_00), ("cap", -5_00)]
    override = Override(95_00, "we spoke", START + HOUR_US)
    by_hand = book(used).judge(ACME, seen(a=10), START, override=override)
    assert (by_hand.score, by_hand.parts[-1].component, by_hand.parts[-1].because) == (95_00, "override", "we spoke")
    assert book(used).judge(ACME, seen(a=10), START + HOUR_US, override=override).score == 50_00


def test_the_first_profile_that_matches_scores() -> None:
    gold = replace(flat({"a": 1}), name="gold", when=Condition({"tier": ("gold",)}))
    trial = replace(flat({"a": 1}), name="trial", when=Condition({"tier": ("trial",)}))
    everyone = replace(flat({"a": 1}), name="everyone", when=Condition({}, Condition({"tier": ("silver",)})))
    profiles = book(trial, gold, everyone)
    names = [
        profiles.judge(Account("x", {"tier": tier}), seen(a=1), START).profile
        for tier in ("gold", "trial", None, "silver")
    ]
    assert names == ["gold", "trial", "everyone", None]


def test_bands_wait_for_hysteresis_and_dwell() -> None:
    used = flat({"a": 1}, hysteresis=3_00, dwell_us=HOUR_US)
    minutes = {0: 80, 10: 68, 20: 66, 30: 71, 40: 60, 130: 71, 140: 73, 200: 20}
    known = {"a": [Observation(START + at * MINUTE_US, value * MILLION) for at, value in minutes.items()]}
    changes = [
        ((verdict.as_of - START) // MINUTE_US, verdict.band)
        for verdict in story(book(used), ACME, known, START + DAY_US)
        if verdict.change in {"initial", "band_changed"}
    ]
    # Under 67 from minute 20 on, but green stays for its hour; 73 is needed to leave amber; red waits for green's hour.
    assert changes == [(0, "green"), (60, "amber"), (140, "green"), (200, "red")]


def test_every_change_names_its_cause() -> None:
    used = profile({"all": (1, (rule("a"), rule("b", ttl_us=DAY_US)))})
    known = {
        "a": [Observation(START, 90 * MILLION), Observation(START + HOUR_US, 89_990_000)],
        "b": [Observation(START + 2 * HOUR_US, 10 * MILLION)],
    }
    told = list(story(book(used), ACME, known, START + 9 * DAY_US))
    assert [(verdict.change, reason_of(verdict)) for verdict in told] == [
        ("initial", "First score 90.00; lowest part is a at 90.00."),
        ("band_changed", "Down 40.00 to 50.00 into amber, most by b (-40.00)."),
        ("band_changed", "Up 39.99 to 89.99 into green, most by b (+20.00)."),
    ]
    assert standing(book(used), ACME, known, START + 9 * DAY_US).change == "unchanged"


def test_what_is_forgotten_capped_or_nobodys_is_told() -> None:
    cap = Limit(when=LATE, bound=50_00, because="they wait")
    used = profile({"all": (1, (rule("a", ttl_us=DAY_US), rule("late", normalise=Steps(((0, 90_00),)))))}, caps=(cap,))
    known = {
        "a": [Observation(START, 90 * MILLION)],
        "late": [Observation(START + HOUR_US, MILLION), Observation(START + 2 * HOUR_US, 0)],
    }
    assert [reason_of(verdict) for verdict in story(book(used), ACME, known, START + 9 * DAY_US)] == [
        "First score 90.00; lowest part is a at 90.00.",
        "Down 40.00 to 50.00 into amber, most by the cap (they wait) (-40.00).",
        "Up 40.00 to 90.00 into green, most by the cap (they wait) (+40.00).",
    ]
    idle = flat({"a": 1})
    gone = book(profile({"all": (1, (rule("a", ttl_us=DAY_US),))}))
    *_, last = story(gone, ACME, {"a": known["a"]}, START + 9 * DAY_US)
    assert (last.change, reason_of(last)) == ("band_changed", "Nothing is known any more.")
    assert reason_of(judged(idle)) == "Nothing is known yet."
    nobody = book(replace(idle, when=Condition({"tier": ("none",)}))).judge(ACME, seen(a=1), START)
    assert (nobody.score, reason_of(nobody)) == (None, "No profile is for this account.")


def test_a_signal_without_a_normalisation_serves_conditions_only() -> None:
    bare = rule("plan", normalise=None)
    for value in ("team", 3 * MILLION):
        reading = read(bare, [Observation(START, value)], START)
        assert (reading.value, reading.sub_score) == (value, None)
    assert read(replace(bare, half_life_us=1), [Observation(START, "team")], START + DAY_US).freshness == 0


def test_the_first_play_of_an_id_that_fits_is_taken() -> None:
    plays = (
        Play(id="call", when=asks(a=(">=", 90)), action="Thank {account}", owner="account"),
        Play(id="call", when=asks(a=(">=", 50)), action="Call {account}, at {score} in {band}"),
        Play(id="never", when=asks(b=("<", 1)), action="-"),
    )
    found = book(flat({"a": 1, "b": 1}), plays=plays).judge(ACME, seen(a=75), START).plays
    assert [(play.id, play.action, play.reason) for play in found] == [
        ("call", "Call acme, at 75 in green", "a is 75"),
    ]


NPS = (Comparison(">=", 9 * MILLION), Comparison("<", MILLION))


@pytest.mark.parametrize(
    ("condition", "facts", "holds"),
    [
        (HealthCondition({"nps": NPS}), {"nps": 9 * MILLION}, True),
        (HealthCondition({"nps": NPS}), {"nps": 0}, True),
        (HealthCondition({"nps": NPS}), {"nps": MILLION}, False),
        (HealthCondition({"nps": NPS}), {"nps": None}, False),
        (HealthCondition({"nps": NPS}), {"nps": "high"}, False),
        (HealthCondition({}, HealthCondition({"nps": NPS})), {"nps": 9 * MILLION}, False),
        (HealthCondition({}, HealthCondition({"nps": NPS})), {}, True),
        (HealthCondition({"plan": (Comparison("==", word="Team"),)}), {"plan": " team"}, True),
        (HealthCondition({"plan": (Comparison("!=", word="Team"),)}), {"plan": "team"}, False),
        (HealthCondition({"plan": (Comparison("!=", word="Team"),)}), {"plan": "solo"}, True),
        (HealthCondition({"plan": (Comparison("!=", word="Team"),)}), {"plan": None}, False),
    ],
)
def test_what_is_not_known_fulfils_nothing(condition: HealthCondition, facts: dict[str, Fact], holds: bool) -> None:
    assert condition.holds(facts) is holds


def test_bands_are_a_companys_own() -> None:
    used = flat({"a": 1}, bands=(BandRule("poor", 0), BandRule("fair", 30_00), BandRule("good", 50_00)))
    assert [judged(used, a=value).band for value in (29, 30, 50)] == ["poor", "fair", "good"]
