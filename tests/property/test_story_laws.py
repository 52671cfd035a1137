"""Laws of the simulated company: a story follows from its seed, goes forward, and repeats itself where it means to."""

from collections import Counter
from itertools import islice, takewhile

from hypothesis import given
from hypothesis import strategies as st

from agents.domain.entries import missing_in
from agents.domain.instant import HOUR_US, from_datetime
from schemas.codec import decode, encode
from schemas.interaction import Interaction
from streams.simulation.conversation_script import Timed
from streams.simulation.scenario_table import SCENARIOS
from streams.simulation.story import BROKEN, DEFAULT_START, REPEATED, Story, StoryPlan, key_of

seeds = st.integers(min_value=0, max_value=2**32)
scenarios = st.sampled_from(sorted(SCENARIOS))


def told(seed: int, scenario: str, events: int = 400, starts_at: int = DEFAULT_START) -> list[Timed]:
    plan = StoryPlan(seed=seed, starts_at=starts_at, events_per_hour=1_000, scenario=SCENARIOS[scenario])
    return list(islice(Story(plan), events))


@given(seeds, scenarios)
def test_the_same_seed_tells_the_same_story(seed: int, scenario: str) -> None:
    assert told(seed, scenario) == told(seed, scenario)


@given(seeds, scenarios)
def test_a_story_goes_forward_and_nothing_arrives_before_it_happened(seed: int, scenario: str) -> None:
    story = told(seed, scenario)

    assert [at for at, _ in story] == sorted(at for at, _ in story)
    assert all(at >= from_datetime(event.occurred_at) for at, event in story)
    assert story[0][0] >= DEFAULT_START


@given(seeds, scenarios)
def test_an_id_that_comes_again_is_the_same_event_again(seed: int, scenario: str) -> None:
    first: dict[tuple[str, str], object] = {}
    for _, event in told(seed, scenario):
        assert first.setdefault((key_of(event), event.id), event) == event


@given(seeds, scenarios)
def test_what_is_not_broken_on_purpose_keeps_to_the_contract(seed: int, scenario: str) -> None:
    for _, event in told(seed, scenario):
        assert decode(type(event), encode(event)) == event
        if isinstance(event, Interaction) and not event.id.endswith("/broken"):
            assert missing_in(event) is None


@given(seeds)
def test_another_beginning_is_another_story(seed: int) -> None:
    today = {event.id for _, event in told(seed, "calm", 100)}
    tomorrow = {event.id for _, event in told(seed, "calm", 100, DEFAULT_START + 24 * HOUR_US)}

    assert not today & tomorrow


def hours(scenario: str, count: float) -> list[Timed]:
    plan = StoryPlan(seed=7, starts_at=DEFAULT_START, events_per_hour=1_500, scenario=SCENARIOS[scenario])
    return list(takewhile(lambda timed: timed[0] < DEFAULT_START + count * HOUR_US, Story(plan)))


def openings(story: list[Timed], begins: float, ends: float) -> int:
    window = range(round(DEFAULT_START + begins * HOUR_US), round(DEFAULT_START + ends * HOUR_US))
    return sum(at in window and event.id.endswith("/1") for at, event in story)


def test_deliveries_go_wrong_at_the_rates_that_are_declared() -> None:
    story = hours("calm", 10)
    seen = Counter((key_of(event), event.id) for _, event in story)
    broken = sum(event.id.endswith("/broken") for _, event in story)

    assert 0.5 * REPEATED < (len(story) - len(seen)) / len(story) < 1.5 * REPEATED
    assert 0.3 * BROKEN < broken / len(story) < 3 * BROKEN
    assert any(event.id.endswith("/stray") for _, event in story)


def test_an_incident_brings_several_times_the_questions() -> None:
    assert openings(hours("incident-hour", 3), 1, 2) > 2.5 * openings(hours("calm", 3), 1, 2)


def test_the_most_valued_fall_silent_in_their_scenario_only() -> None:
    def from_platinum(story: list[Timed]) -> int:
        late = [event for at, event in story if at > DEFAULT_START + HOUR_US and event.id.endswith("/1")]
        return sum(isinstance(event, Interaction) and event.tier == "platinum" for event in late)

    assert from_platinum(hours("silent-vip", 3)) == 0
    assert from_platinum(hours("calm", 3)) > 20
