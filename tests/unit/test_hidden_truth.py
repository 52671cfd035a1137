"""A life with a hidden truth: the same from the same seed, silent about what it hides, and judged by the truth."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agents.domain.instant import DAY_US, HOUR_US, from_datetime
from schemas.codec import encode
from schemas.health_score import HealthScore
from schemas.interaction import Author, Interaction
from streams.cli.main import app
from streams.simulation.company_life import CompanyLife
from streams.simulation.conversation_script import Timed
from streams.simulation.hidden_truth import Fate, Kind, Outage, Truth
from streams.simulation.story import DEFAULT_START
from streams.truth.outage_noticed import noticed_by_topic, noticed_by_volume
from streams.truth.risk_days import BAND, Span, score_days, ticket_days
from streams.truth.truth_report import DEVELOPMENT_SEEDS, SEEDS
from streams.truth.warnings_given import Thought, neglected_ranks, outcomes, warned_at, warned_with

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
SPAN = Span(from_datetime(BEGAN), 120)
NO_OUTAGE = Outage(begins_at=BEGAN, ends_at=BEGAN, theme="exports", accounts=())


@settings(max_examples=3, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_life_follows_from_its_seed_and_says_nothing_of_what_it_hides(seed: int) -> None:
    life = CompanyLife(seed, 3)
    events, truth = life.told()

    for again, truth_again in (life.told(), CompanyLife(seed, 3).told()):
        assert [encode(event) for _, event in events] == [encode(event) for _, event in again]
        assert truth == truth_again
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    left = {fate.account: fate.leaves_at for fate in truth.fates if fate.leaves_at is not None}
    opened = {event.conversation_id: at for at, event in reversed(events) if isinstance(event, Interaction)}
    for at, event in events:
        leaves_at = left.get(event.account_id or "")
        begun = opened.get(event.conversation_id or "", at)  # what was begun before is brought to its end
        assert leaves_at is None or begun < from_datetime(leaves_at) + HOUR_US
        assert not any(word in encode(event) for word in (b"leaves", b"grumbles", b"neglected"))
    assert sum(fate.kind == "neglected" for fate in truth.fates) == 1


def test_what_is_reported_is_of_seeds_that_nothing_was_tuned_on() -> None:
    assert not set(SEEDS) & set(DEVELOPMENT_SEEDS)


def thought(**risks: tuple[Kind, int | None, int | None, dict[int, float]]) -> Thought:
    """Accounts by name: kind, days on which a decline begins and ends, and risks by the day from which they hold."""

    def day(number: int | None) -> datetime | None:
        return None if number is None else BEGAN + timedelta(days=number)

    fates = [
        Fate(account=name, kind=kind, begins_at=day(begins), leaves_at=day(leaves))
        for name, (kind, begins, leaves, _) in risks.items()
    ]
    truth = Truth(seed=1, begins_at=BEGAN, ends_at=BEGAN + timedelta(days=120), fates=tuple(fates), outage=NO_OUTAGE)
    by_day = {
        name: [steps[max(each for each in steps if each <= number)] for number in range(120)]
        for name, (_, _, _, steps) in risks.items()
    }
    return Thought(truth, SPAN, by_day)


WARNED_IN_TIME = thought(
    leaver=("leaves", 60, 100, {0: 0, 70: 80}),
    missed=("leaves", 60, 100, {0: 0}),
    early=("leaves", 90, 110, {0: 0, 40: 80, 45: 0, 80: 80}),  # once in vain; the other is still on when it begins
    restless=("stays", None, None, {0: 0, 50: 80, 52: 0, 55: 80, 57: 0, 80: 80, 81: 0}),  # a pause of two days is none
    neglected=("neglected", 60, None, {0: 0, 60: 50}),
)


def test_a_warning_counts_from_the_decline_on_and_everything_else_is_in_vain() -> None:
    found = warned_at([WARNED_IN_TIME], 75, months=4)

    assert found.warning_days == [30, 0, 20]
    assert found.false_alarms == 3
    assert found.false_per_month == 0.75
    assert found.warned_ratio == pytest.approx(2 / 3)
    assert found.median_days == 25


def test_the_threshold_is_the_most_watchful_that_is_quiet_enough() -> None:
    assert warned_with([WARNED_IN_TIME], 0.75, months=4).warned_ratio == pytest.approx(2 / 3)
    assert warned_with([WARNED_IN_TIME], 0.5, months=4).warned_ratio == 0


def test_ranking_asks_leavers_before_they_leave_and_shares_the_places_of_equals() -> None:
    asked = outcomes([WARNED_IN_TIME], 14)

    assert [each.risk for each in asked if each.left] == [80, 0, 80]
    assert len(asked) == 4  # the forgotten one is apart
    assert neglected_ranks([WARNED_IN_TIME]) == [
        1.0
    ]  # 50; who has left is no customer any more, the restless one is at 0


def messages(texts: Sequence[tuple[float, str]]) -> list[Timed]:
    return [
        (
            SPAN.begins_at + round(hours * HOUR_US),
            Interaction(
                id=f"m{number}",
                source="test",
                conversation_id=f"c{number}",
                account_id=f"account-{number % 30}",
                occurred_at=BEGAN + timedelta(hours=hours),
                author=Author("customer"),
                text=text,
            ),
        )
        for number, (hours, text) in enumerate(texts)
    ]


def test_an_outage_is_noticed_by_its_words_where_counting_sees_a_busy_hour() -> None:
    quiet = [(float(hour), f"A question about matter {hour % 17}.") for hour in range(35 * 24)]
    outcry = [(840 + minute / 60, "The export hangs with a timeout.") for minute in range(1, 25)]
    events = messages(quiet + outcry)
    outage = Outage(
        begins_at=BEGAN + timedelta(hours=840),
        ends_at=BEGAN + timedelta(hours=843),
        theme="exports",
        accounts=(),
        conversations=tuple(f"c{number}" for number in range(840, 864)),
    )

    by_topic, by_volume = noticed_by_topic(events, outage), noticed_by_volume(events, outage)

    assert by_topic.delay_minutes is not None
    assert by_topic.delay_minutes < 30
    assert by_topic.false_alarms == 0
    assert by_volume == (5.0, 0)
    assert noticed_by_volume(events, NO_OUTAGE).false_alarms == 1


def test_tickets_count_for_a_week() -> None:
    events = messages([(12.0, "One."), (13.0, "Two."), (200.0, "Three.")])
    told = [(at, event) for at, event in events if isinstance(event, Interaction)]

    counted = ticket_days(told, SPAN)

    assert [counted["account-0"][day] for day in (0, 6, 7)] == [1, 1, 0]


def test_the_report_finds_the_truth_of_a_life_and_repeats_itself() -> None:
    said = [CliRunner().invoke(app, ["health", "truth", "--seed", "1", "--months", "3", "--json"]) for _ in range(2)]

    assert [each.exit_code for each in said] == [0, 0]
    assert said[0].stdout == said[1].stdout
    report = json.loads(said[0].stdout)
    assert (report["seeds"], report["months"], report["accounts"], report["profile"]) == ([1], 3, 40, "built-in")
    score = report["measures"][0]
    assert score["measure"] == "health score"
    assert score["neglected_rank_median"] <= 5
    assert score["false_alarms_per_month"] <= 4


def test_the_lowest_band_is_that_of_the_profile_which_judged() -> None:
    def score(account: str, profile: str, band: str | None) -> HealthScore:
        at = BEGAN + timedelta(hours=1)
        return HealthScore(
            id=account, account_id=account, as_of=at, score=10.0, band=band, coverage=1.0, profile=profile
        )

    scores = [
        score("a", "large", "alarm"),
        score("b", "small", "red"),
        score("c", "large", "red"),
        score("d", "", None),
    ]
    days = score_days(scores, Span(from_datetime(BEGAN), 1), {"large": "alarm", "small": "red"})

    assert days[BAND] == {"a": [1.0], "b": [1.0], "c": [0.0], "d": [0.0]}


def test_a_life_goes_into_files(tmp_path: Path) -> None:
    events, truth = tmp_path / "life.ndjson", tmp_path / "truth.json"
    said = CliRunner().invoke(
        app, ["simulate", "--seed", "5", "--months", "3", "--events", str(events), "--truth", str(truth)]
    )

    assert said.exit_code == 0, said.stderr
    lines = events.read_bytes().splitlines()
    told, _ = CompanyLife(5, 3).told()
    assert lines == [encode(event) for _, event in told]
    written = json.loads(truth.read_bytes())
    assert len(written["fates"]) == 40
    assert from_datetime(datetime.fromisoformat(written["ends_at"])) == DEFAULT_START + 90 * DAY_US


@pytest.mark.parametrize(
    "options",
    [
        ["--months", "3"],
        ["--truth", "t.json"],
        ["--months", "3", "--truth", "/dev/null", "--events", "/dev/../dev/null"],
        ["--months", "3", "--truth", "/dev/null", "--start", "2026-03-02T08:00:00+01:00"],
    ],
)
def test_a_life_without_a_length_or_a_place_is_a_mistake(options: list[str]) -> None:
    said = CliRunner().invoke(app, ["simulate", *options])

    assert said.exit_code == 2
    assert "a life goes into files" in said.stderr
