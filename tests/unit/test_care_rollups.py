"""What a partition does with care figures apart from the laws: imports handed over, bounds, names of agents."""

from itertools import combinations
from typing import Any

import pytest
from msgspec.structs import replace

from agents.account_agent import AccountAgent
from agents.care_buckets import MOST_VALUES, TOLD_EVERY_US, ClockFigures
from agents.domain.care_metrics import LEAST_CASES, care_of, figures_of, least_of, merge
from agents.domain.care_notes import KEPT_ENTRIES
from agents.domain.care_talks import MANY_ANSWERS
from agents.domain.instant import DAY_US, HOUR_US, SECOND_US, to_datetime
from agents.ports import LEDGER_PREFIX
from schemas.adherence import BEYOND
from schemas.control import Control
from schemas.rollup import Rollup
from schemas.signal import Signal
from schemas.sla_event import SlaEvent
from schemas.topics import ROLLUPS
from streams.care_parts import care_values
from tests.account_stories import ACCOUNT, START, csat, log, sla_event, tick
from tests.doubles import DictStates, ListEffects

NOON = START + 12 * HOUR_US
NIGHT = to_datetime(NOON + 9 * HOUR_US)


class Partition:
    """An agent with its ports, and a log that goes on."""

    def __init__(self, **options: Any) -> None:
        self.states, self.effects, self.options, self.offset = DictStates(), ListEffects(), options, 0

    def take(self, *events: Any) -> None:
        records = log(events, self.offset, appended_at=NOON + 40 * DAY_US)
        AccountAgent(self.states, self.effects, **self.options).process(records, 0)
        self.offset += len(events)
        assert self.effects.rejected == []

    def parts(self, scope: str = "company", clock: str = "wall", bucket: str = "day") -> list[Rollup]:
        return [
            part
            for part in self.effects.latest(ROLLUPS).values()
            if isinstance(part, Rollup) and (part.scope, part.clock, part.bucket) == (scope, clock, bucket)
        ]

    def counts(self, *place: str) -> dict[str, int]:
        return merge(self.parts(*place)).counts


def test_an_import_counts_apart_and_moves_over_as_a_whole() -> None:
    partition, clock = Partition(), "import:1"
    partition.take(sla_event("met", NOON, team="billing", clock=clock, wall_elapsed_seconds=60.0), tick(NOON, clock))
    partition.take(csat(5, NOON, account_id="globex"))
    assert partition.counts("company", clock) == {"met/first_response": 1}
    assert partition.counts("company") == {"csat": 1, "csat_score": 10_000, "csat_satisfied": 1}
    released = Control(id="r", kind="clock_released", as_of=to_datetime(NOON), clock=clock)
    partition.take(released, tick(NOON + DAY_US))
    assert partition.counts("company", clock) == {}
    assert partition.counts("company")["met/first_response"] == 1
    assert partition.counts("team") == {"met/first_response": 1}
    assert merge(partition.parts("account", "wall", "month")).timings == {"first_response/wall": {103: 1}}
    assert not [key for key in partition.states.states if f"{LEDGER_PREFIX}{clock}" in key]


def test_a_retraction_after_the_hand_over_leaves_nothing() -> None:
    partition, clock = Partition(), "import:1"
    partition.take(sla_event("met", NOON, clock=clock), tick(NOON, clock))
    partition.take(sla_event("retracted", NOON + 1, previous_outcome="met"), tick(NOON + HOUR_US))
    assert partition.counts("company")["met/first_response"] == -1
    released = Control(id="r", kind="clock_released", as_of=to_datetime(NOON), clock=clock)
    partition.take(released, tick(NOON + DAY_US))
    assert partition.counts("company") == {}


def test_what_is_untold_asks_for_a_tick_and_is_told_by_it() -> None:
    partition = Partition()
    partition.take(csat(5, NOON, "a"))
    partition.take(csat(5, NOON + SECOND_US, "b"))
    assert partition.counts()["csat"] == 1
    waiting = [wake for key, wake in partition.states.wakes.items() if key.startswith(LEDGER_PREFIX)]
    assert waiting == [("wall", NOON + TOLD_EVERY_US)]
    partition.take(tick(NOON + TOLD_EVERY_US))
    assert partition.counts()["csat"] == 2
    assert not [key for key in partition.states.wakes if key.startswith(LEDGER_PREFIX)]


def test_a_corrected_answer_replaces_the_wrong_one() -> None:
    partition = Partition()
    partition.take(csat(1, NOON, "a"), csat(5, NOON, "a", version=1), tick(NOON + HOUR_US))
    assert partition.counts() == {"csat": 1, "csat_score": 10_000, "csat_satisfied": 1}


def test_what_is_corrected_too_late_to_be_taken_out_is_counted_once() -> None:
    partition = Partition()
    wrong = sla_event("breached", NOON, breached_at=to_datetime(NOON))
    in_time: dict[str, Any] = {
        "previous_outcome": "breached",
        "outcome": "met",
        "satisfied_at": to_datetime(NOON - SECOND_US),
    }
    partition.take(wrong, csat(1, NOON, "a"))
    partition.take(*(csat(1, NOON + DAY_US, f"other {number}") for number in range(KEPT_ENTRIES // 2 + 1)))
    partition.take(sla_event("outcome_revised", NOON + DAY_US, **in_time), csat(5, NOON, "a", version=1))
    partition.take(tick(NOON + 2 * DAY_US))
    after = partition.counts()
    assert (after["breached/first_response"], after.get("met/first_response")) == (1, None)
    assert (after["csat"], after.get("csat_satisfied")) == (KEPT_ENTRIES // 2 + 2, None)


def test_agents_are_kept_by_name_only_where_that_is_wanted() -> None:
    with_names, without = Partition(), Partition(agent_figures=False)
    for partition in (with_names, without):
        partition.take(sla_event("met", NOON, agent="ann"), tick(NOON + HOUR_US))
    assert with_names.counts("agent") == {"met/first_response": 1}
    assert without.parts("agent") == []
    assert not [key for key in without.states.states if "\0agent\0" in key]


def test_an_agent_needs_some_cases_to_have_a_figure() -> None:
    partition = Partition()
    for number in range(LEAST_CASES):
        figures = figures_of(care_of(partition.parts("agent"), "30d", NOON), LEAST_CASES)
        assert {figure.value for figure in figures if figure.name == "adherence_ratio"} == {None}
        partition.take(sla_event("met", NOON, f"c{number}", agent="ann"), tick(NOON + number * HOUR_US))
    figures = figures_of(care_of(partition.parts("agent"), "30d", NOON), LEAST_CASES)
    assert {figure.value for figure in figures if figure.name == "adherence_ratio"} == {1.0}


def said(number: int, words: str) -> SlaEvent:
    """`customer email`, `agent chat` or `escalated`, some minutes after noon."""
    who, _, way = words.partition(" ")
    common: dict[str, Any] = {"channel": "email"}
    if way:
        common |= {"author_kind": who, "by_channel": way}
    return sla_event("contact" if way else who, NOON + number * SECOND_US, **common)


@pytest.mark.parametrize("hardship", [("escalated",), ("resolved", "reopened"), ("agent email",) * MANY_ANSWERS])
def test_an_answer_about_a_hard_case_counts_as_such_whichever_is_heard_first(hardship: tuple[str, ...]) -> None:
    talk = [said(number, words) for number, words in enumerate(("opened", *hardship))]
    about = [csat(2, NOON, "a", conversation_id="c1"), csat(5, NOON, "a", conversation_id="c1", version=1)]
    other = csat(1, NOON, "b", conversation_id="c2")
    length = len(talk) + len(about)
    for places in combinations(range(length), len(about)):
        heard, told = iter(about), iter(talk)
        partition = Partition()
        partition.take(other, *(next(heard) if place in places else next(told) for place in range(length)))
        partition.take(tick(NOON + HOUR_US))
        for scope in ("company", "hours"):
            counts = partition.counts(scope)
            assert (counts["csat"], counts["csat_hard"], counts["csat_hard_satisfied"]) == (2, 1, 1), places
    easy = Partition()
    easy.take(said(0, "opened"), *(said(number, "agent email") for number in range(1, MANY_ANSWERS)), about[0])
    easy.take(said(9, "resolved"), about[1], tick(NOON + HOUR_US))
    assert easy.counts().keys() & {"csat_hard", "(case)"} == set()


@pytest.mark.parametrize(
    ("words", "switches"),
    [
        (("customer email", "customer chat"), 1),  # nobody answered
        (("customer email", "agent phone", "customer phone"), 1),  # we answered elsewhere
        (("customer email", "agent email", "customer chat"), 0),  # their own choice
        (("customer email", "agent phone", "customer email"), 0),  # and so is to stay
        (("customer email", "agent email", "customer email", "customer chat"), 1),
        (("customer email", "customer chat", "customer email", "customer phone"), 1),  # once for a conversation
        (("agent email", "customer chat"), 0),
        (("customer email", "bot chat", "customer chat"), 1),  # a machine is no answer
    ],
)
def test_a_switch_is_forced_where_we_had_not_answered(words: tuple[str, ...], switches: int) -> None:
    partition = Partition()
    partition.take(*(said(number, each) for number, each in enumerate(("opened", *words))), tick(NOON + HOUR_US))
    assert partition.counts().get("forced_switches", 0) == switches


def test_the_parts_of_the_day_are_compared_as_channels_and_teams_are() -> None:
    """Two of twenty broken at night, none of ten by day; of nine in the evening nobody can tell."""
    partition = Partition()
    for number in range(20):
        kind = "breached" if number < 2 else "met"
        partition.take(sla_event(kind, NOON - 11 * HOUR_US, f"n{number}", breached_at=to_datetime(NOON - 11 * HOUR_US)))
    partition.take(*(sla_event("met", NOON, f"d{number}") for number in range(10)))
    partition.take(*(sla_event("breached", NOON + 9 * HOUR_US, f"e{n}", breached_at=NIGHT) for n in range(9)))
    partition.take(tick(NOON + DAY_US))
    (company,) = care_values(partition.effects.latest(ROLLUPS).values(), "company", "30d", NOON)  # type: ignore[arg-type]
    (consistency,) = [each for each in company.four_cs if each.name == "consistency"]
    assert {part.signal: part.value for part in consistency.parts}["hours_gap"] == 100_000
    nights = [part for part in partition.parts("hours") if part.scope_value == "00-04"]
    assert merge(nights).counts == {"met/first_response": 18, "breached/first_response": 2}


def test_teams_are_kept_only_where_that_is_wanted_and_need_some_cases() -> None:
    with_teams, without = Partition(), Partition(team_figures=False)
    for partition in (with_teams, without):
        partition.take(sla_event("met", NOON, team="billing"), tick(NOON + HOUR_US))
    assert (len(with_teams.parts("team")), without.parts("team")) == (1, [])
    assert [least_of(scope) for scope in ("company", "channel", "team", "agent")] == [1, 1, LEAST_CASES, LEAST_CASES]


def test_values_are_bounded_and_those_of_long_ago_make_room() -> None:
    figures = ClockFigures(DictStates(), "wall")
    assert [figures.bounded("team", f"t{number}", 1) for number in range(MOST_VALUES)] == [
        f"t{number}" for number in range(MOST_VALUES)
    ]
    assert figures.bounded("team", "one more", 2) == BEYOND
    assert figures.bounded("team", "one more", 400) == "one more"


def test_an_import_that_moves_over_keeps_to_the_bounds_as_well() -> None:
    partition, clock, half = Partition(), "import:1", MOST_VALUES * 3 // 4
    partition.take(*(sla_event("met", NOON, f"a{n}", team=f"old {n}", clock=clock) for n in range(half)))
    partition.take(*(sla_event("met", NOON, f"b{n}", team=f"new {n}") for n in range(half)), tick(NOON, clock))
    released = Control(id="r", kind="clock_released", as_of=to_datetime(NOON), clock=clock)
    partition.take(released, tick(NOON + DAY_US))
    teams = {part.scope_value for part in partition.parts("team")}
    assert len(teams) <= MOST_VALUES + 1
    assert BEYOND in teams
    assert partition.counts("team") == {"met/first_response": 2 * half}


def test_an_old_event_does_not_take_the_slot_of_a_newer_one() -> None:
    partition = Partition()
    partition.take(csat(5, NOON, "a"), csat(5, NOON - 48 * HOUR_US, "b"), tick(NOON + HOUR_US))
    assert [to_datetime(NOON)] == [part.begins_at for part in partition.parts(bucket="hour")]
    assert len(partition.parts(bucket="day")) == 2


def test_corrected_onboarding_is_as_if_the_wrong_word_had_never_been() -> None:
    partition = Partition()

    def onboarding(name: str, day: int, value: float | None = None, version: int = 0) -> Signal:
        told = csat(value, NOON + day * DAY_US, name, version=version)
        return replace(told, kind="onboarding", name=name, scale=None)

    partition.take(onboarding("signed_up", 0), onboarding("first_value", 6), onboarding("progress", 7, 0.8))
    partition.take(onboarding("signed_up", 4, version=1), onboarding("first_value", 7, version=1))
    partition.take(onboarding("progress", 7, 0.4, version=1), tick(NOON + 9 * DAY_US))
    parts = [part for bucket in ("day", "ever") for part in partition.parts(bucket=bucket)]
    figures = {figure.name: figure for figure in figures_of(care_of(parts, "30d", NOON + 9 * DAY_US))}
    assert figures["onboarding_progress_ratio"].value == 0.4
    assert round((figures["time_to_first_value_wall_median_seconds"].value or 0) / 86_400) == 3
    assert figures["time_to_first_value_wall_median_seconds"].population == 1


def test_onboarding_ends_at_the_first_value() -> None:
    partition = Partition()
    told = [("first_value", 1, None), ("signed_up", 0, None), ("progress", 2, 0.4)]
    partition.take(
        *(
            replace(csat(value, NOON + day * DAY_US, name), kind="onboarding", name=name, scale=None)
            for name, day, value in told
        ),
        tick(NOON + 3 * DAY_US),
    )
    parts = [part for bucket in ("day", "ever") for part in partition.parts(bucket=bucket)]
    figures = {figure.name: figure for figure in figures_of(care_of(parts, "7d", NOON + 3 * DAY_US))}
    assert figures["onboarding_progress_ratio"].value == 0.4
    found = figures["time_to_first_value_wall_median_seconds"].value
    assert found is not None
    assert abs(found / 86_400 - 1) < 0.02
    assert ACCOUNT in {part.scope_value for part in partition.parts("account", bucket="month")}
