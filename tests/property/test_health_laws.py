"""Laws of the health score: what must hold for every profile, every observation and every order."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.domain.health_condition import HealthCondition
from agents.domain.health_profile import (
    BandRule,
    ComponentRule,
    HealthFile,
    HealthProfile,
    Limit,
    Missing,
    SignalRule,
)
from agents.domain.health_story import standing, story
from agents.domain.health_verdict import Account, HealthBook, Observations, Verdict, ordered
from agents.domain.instant import DAY_US, HOUR_US
from agents.domain.normalisation import MILLION, Normalisation, Steps, Tiers, Trajectory
from agents.domain.scoring import SHARE_UNITS, Scorer
from agents.domain.signal_reading import Observation, in_order, read
from tests.account_stories import START

ACME = Account("acme", {"account": "acme"})
NAMES = "abcdefgh"
IDENTITY = ((0, 0), (100 * MILLION, 100_00))
MODES: tuple[Missing, ...] = ("exclude", "neutral", "worst")
modes = st.sampled_from(MODES)


@st.composite
def profiles(draw: st.DrawFn) -> HealthProfile:
    names = iter(NAMES)
    components = []
    for index, count in enumerate(draw(st.lists(st.integers(1, 2), min_size=1, max_size=4))):
        rules = tuple(
            SignalRule(
                name=(name := next(names)),
                label=name,
                normalise=IDENTITY,
                weight=draw(st.integers(1, 1000)),
                raw_unit=MILLION,
                half_life_us=draw(st.none() | st.integers(1, 20).map(lambda days: days * DAY_US)),
                ttl_us=draw(st.none() | st.integers(1, 40).map(lambda days: days * DAY_US)),
                missing=draw(st.none() | modes),
            )
            for _ in range(count)
        )
        components.append(ComponentRule(name=f"c{index}", weight=draw(st.integers(1, 1000)), signals=rules))
    always = HealthCondition()
    limits = st.lists(
        st.integers(0, 100_00).map(lambda bound: Limit(when=always, bound=bound, because="b")), max_size=2
    )
    return HealthProfile(
        name="p",
        version="1",
        components=tuple(components),
        missing=draw(modes),
        caps=tuple(draw(limits)),
        floors=tuple(draw(limits)),
        dwell_us=draw(st.sampled_from((0, HOUR_US, DAY_US))),
    )


hours = st.integers(0, 30 * 24).map(lambda hour: START + hour * HOUR_US)
observations = st.lists(
    st.tuples(st.sampled_from(NAMES), hours, st.integers(-20 * MILLION, 120 * MILLION)), max_size=20
)


def book_of(profile: HealthProfile) -> HealthBook:
    signals = {rule.name: rule for _, rule in profile.signals}
    return HealthBook(HealthFile(version="1", profiles=(profile,), signals=signals))


def by_signal(found: list[Any]) -> Observations:
    known: dict[str, list[Observation]] = {}
    for name, at, value in found:
        known.setdefault(name, []).append(Observation(at, value))
    return known


def told(verdict: Verdict) -> Any:
    return replace(verdict, previous=None)


@given(profiles(), observations, hours)
def test_published_parts_sum_to_the_published_score(profile: HealthProfile, found: list[Any], now: int) -> None:
    verdict = book_of(profile).judge(ACME, ordered(by_signal(found)), now)
    assert (verdict.score is None) == (verdict.coverage == 0) == (not verdict.parts) == (verdict.band is None)
    if verdict.score is not None:
        published = [Decimal(str(part.points / 100)) for part in verdict.parts]
        assert sum(published) == Decimal(str(verdict.score / 100))
        assert 0 <= verdict.score <= 100_00
        assert sum(part.weight for part in verdict.parts) == SHARE_UNITS


@given(st.data(), profiles(), st.integers(0, 7))
def test_the_score_never_falls_when_a_sub_score_rises(data: st.DataObject, profile: HealthProfile, which: int) -> None:
    scorer = Scorer(profile)
    count = len(scorer.signals)
    subs = data.draw(st.lists(st.integers(0, 100_00), min_size=count, max_size=count))
    fresh = data.draw(st.lists(st.integers(1, MILLION), min_size=count, max_size=count))
    higher = list(subs)
    higher[which % count] = data.draw(st.integers(subs[which % count], 100_00))
    low, high = [scorer.score(*scorer.filled(each, fresh)) for each in (subs, higher)]
    assert low is not None
    assert high is not None
    assert high >= low


@given(st.data(), profiles(), observations, hours)
def test_order_does_not_matter(data: st.DataObject, profile: HealthProfile, found: list[Any], now: int) -> None:
    book, shuffled = book_of(profile), data.draw(st.permutations(found))
    assert standing(book, ACME, by_signal(found), now) == standing(book, ACME, by_signal(shuffled), now)
    assert list(story(book, ACME, by_signal(found), now)) == list(story(book, ACME, by_signal(shuffled), now))


@given(st.lists(st.tuples(hours, st.integers(0, 100)), max_size=12), hours, st.data())
def test_a_reading_without_half_life_is_the_newest_that_is_not_forgotten(
    found: list[tuple[int, int]], now: int, data: st.DataObject
) -> None:
    ttl = data.draw(st.none() | st.integers(1, 20).map(lambda days: days * DAY_US))
    rule = SignalRule(name="a", label="a", normalise=IDENTITY, raw_unit=MILLION, ttl_us=ttl)
    reading = read(rule, in_order(Observation(at, value * MILLION) for at, value in found), now)
    known = [(at, value) for at, value in found if at <= now and (ttl is None or now < at + ttl)]
    newest = [value for at, value in known if at == max(known)[0]]
    if not newest:
        assert reading.value is None
    else:
        assert isinstance(reading.value, int)
        assert abs(reading.value - MILLION * sum(newest) / len(newest)) <= 0.5


@given(profiles(), observations, hours, hours)
def test_following_along_tells_what_reading_it_all_afterwards_tells(
    profile: HealthProfile, found: list[Any], now: int, later: int
) -> None:
    """What is told up to an instant depends on nothing that comes after it."""
    book, now, later = book_of(profile), min(now, later), max(now, later)
    so_far = by_signal([each for each in found if each[1] <= now])
    live = [told(verdict) for verdict in story(book, ACME, so_far, now)]
    replayed = [told(verdict) for verdict in story(book, ACME, by_signal(found), later)]
    assert replayed[: len(live)] == live
    assert all(verdict.as_of > now for verdict in replayed[len(live) :])


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), min_size=1, max_size=8), st.integers(1, 400))
def test_decay_equals_its_closed_form(known: list[tuple[int, int]], half_life_hours: int) -> None:
    half_life = half_life_hours * HOUR_US
    rule = SignalRule(name="a", label="a", normalise=IDENTITY, raw_unit=MILLION, half_life_us=half_life)
    now = START + 500 * HOUR_US
    observed = [Observation(START + hour * HOUR_US, value * MILLION) for hour, value in known]
    reading = read(rule, in_order(observed), now)
    ages = [500 - hour for hour, _ in known]
    newest = 0.5 ** (min(ages) / half_life_hours)
    if newest < 1e-5:
        return
    weights = [0.5 ** (age / half_life_hours) for age in ages]
    mean = sum(w * value for w, (_, value) in zip(weights, known, strict=True)) / sum(weights)
    assert isinstance(reading.value, int)
    assert abs(reading.value / MILLION - mean) < 1e-3
    assert abs(reading.freshness / MILLION - newest) <= 1e-6


WORDS = ("team", " Team", "trial", "odd")
ways = st.sampled_from(
    (
        None,
        IDENTITY,
        Steps(IDENTITY),
        Tiers({"team": 70_00, "trial": 30_00}),
        Trajectory(IDENTITY, 5 * DAY_US),
    )
)
spans = st.none() | st.integers(1, 40 * 24).map(lambda span: span * HOUR_US)


@given(ways, spans, spans, st.integers(-1, 40 * 24), st.integers(-MILLION, 101 * MILLION) | st.sampled_from(WORDS))
def test_what_is_said_twice_at_once_counts_as_if_said_once(
    normalise: Normalisation | None, half_life_us: int | None, ttl_us: int | None, hours_ago: int, value: int | str
) -> None:
    """One observation is read in a shorter way than several, and must come to the same."""
    rule = SignalRule(name="a", label="a", normalise=normalise, half_life_us=half_life_us, ttl_us=ttl_us)
    said, now = Observation(START, value), START + hours_ago * HOUR_US
    assert read(rule, [said], now) == read(rule, [said, said], now)


@given(profiles(), st.lists(st.none() | st.integers(0, MILLION), min_size=8, max_size=8), st.data())
def test_shares_equal_their_closed_form(profile: HealthProfile, drawn: list[int | None], data: st.DataObject) -> None:
    """A signal weighs w * s f / sum(s f), and w of a component is times the largest f among its signals."""
    scorer = Scorer(profile)
    fresh = [share or 0 for share in drawn[: len(scorer.signals)]]
    subs = [data.draw(st.integers(0, 100_00)) if share else None for share in fresh]
    known, exact, weight = iter(zip(subs, fresh, strict=True)), Fraction(0), Fraction(0)
    for component in profile.components:
        among = [(rule.weight, *next(known)) for rule in component.signals]
        total = sum(w * f for w, _, f in among)
        if total:
            of_component = component.weight * Fraction(max(f for _, _, f in among), MILLION)
            exact += of_component * sum(Fraction(w * f * (sub or 0), total) for w, sub, f in among)
            weight += of_component
    score = scorer.score(subs, fresh)
    assert (score is None) == (not weight)
    if score is not None:
        assert abs(score - exact / weight) <= Fraction(1, 2)
        assert sum(scorer.points(subs, fresh)) == score


@given(
    st.lists(st.integers(0, 100_00), min_size=1, max_size=30),
    st.lists(st.integers(1, 99_99), min_size=1, max_size=4, unique=True),
    st.integers(0, 10_00),
)
def test_inside_the_hysteresis_no_band_flaps(scores: list[int], edges: list[int], hysteresis: int) -> None:
    bands = tuple(BandRule(f"b{edge}", edge) for edge in (0, *sorted(edges)))
    components = (ComponentRule(name="c", weight=1, signals=(SignalRule(name="a", label="a", normalise=IDENTITY),)),)
    scorer = Scorer(HealthProfile(name="p", version="1", components=components, bands=bands, hysteresis=hysteresis))
    names = [band.name for band in bands]
    band: str | None = None
    for score in scores:
        before, band = band, scorer.band(score, band)
        assert band is not None
        if before is not None and band != before:
            low, high = sorted((names.index(before), names.index(band)))
            rises = names.index(band) > names.index(before)
            passed = [rule.begins_at for rule in bands[low + 1 : high + 1]]
            assert all(score >= edge + hysteresis if rises else score < edge - hysteresis for edge in passed)
        if all(abs(score - edge) > hysteresis for edge in edges):
            assert band == scorer.plain_band(score)


@given(profiles(), observations, st.sampled_from((HOUR_US, DAY_US)))
def test_a_band_is_kept_for_its_dwell(profile: HealthProfile, found: list[Any], dwell: int) -> None:
    changes = [
        verdict
        for verdict in story(book_of(profile), ACME, by_signal(found), START + 90 * DAY_US)
        if verdict.change == "band_changed"
    ]
    for one, other in pairwise(changes):
        if one.band is not None and other.band is not None:
            assert other.as_of - one.as_of >= profile.dwell_us


@given(st.integers(1, 100_00), st.integers(0, 40), modes)
def test_an_idle_account_fades_towards_what_stands_for_missing(sub: int, days: int, mode: Missing) -> None:
    rule = SignalRule(
        name="a", label="a", normalise=IDENTITY, raw_unit=MILLION, half_life_us=10 * DAY_US, ttl_us=41 * DAY_US
    )
    profile = HealthProfile(
        name="p", version="1", missing=mode, components=(ComponentRule(name="c", weight=1, signals=(rule,)),)
    )
    known = {"a": [Observation(START, sub * MILLION // 100)]}
    book = book_of(profile)
    verdict = book.judge(ACME, known, START + days * DAY_US)
    left = 0.5 ** (days / 10)
    stands_for = {"exclude": sub, "neutral": 50_00, "worst": 0}[mode]
    assert verdict.score is not None
    assert abs(verdict.score - (left * sub + (1 - left) * stands_for)) <= 1
    assert abs(verdict.coverage - left * SHARE_UNITS) <= 1
    assert book.judge(ACME, known, START + 41 * DAY_US).score is None
