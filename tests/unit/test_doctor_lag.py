"""What `careline doctor` says of who reads: how many there are, how far behind, and what a model cost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from streams import deployment_check
from streams.deployment_check import Finding
from streams.enrich.model_budget import Spent
from streams.group_offsets import Standing
from streams.settings import Settings

TOPIC = "careline.interactions.v1"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = int(NOW.timestamp() // 86_400)
BY_MODEL = Settings(model_url="http://127.0.0.1:8000/v1", model="small", model_calls_per_day=10)


class Ends:
    """A reader that knows how long the topic is, and nothing else."""

    def ends(self, _topic: str) -> Mapping[int, int]:
        return {0: 10, 1: 20_010}


Check = Callable[[Settings, datetime], Finding]


def told(check: Check, monkeypatch: pytest.MonkeyPatch, standing: Standing, settings: Settings) -> Finding:
    asked = []

    @contextmanager
    def reader(_kafka: object) -> Iterator[Ends]:
        yield Ends()

    def stands(_kafka: object, group: str) -> Standing:
        asked.append(group)
        return standing

    monkeypatch.setattr(deployment_check, "topic_reader", reader)
    monkeypatch.setattr(deployment_check, "group_offsets", stands)
    found = check(settings, NOW)
    assert asked == ["careline-enrich" if check is deployment_check._check_enrich else "careline"]
    return found


def at(first: int, second: int, members: int = 2, notes: tuple[str, str] = ("", "")) -> Standing:
    return Standing(members, {(TOPIC, 0): first, (TOPIC, 1): second}, {(TOPIC, 0): notes[0], (TOPIC, 1): notes[1]})


@pytest.mark.parametrize("check", [deployment_check._check_workers, deployment_check._check_enrich])
def test_readers_that_go_on_while_they_are_asked_after_are_not_ahead(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ends are told first and the commits later: one partition has gone on, the other one is three behind."""
    found = told(check, monkeypatch, at(12, 20_007), Settings())
    assert (found.verdict, found.detail.partition(", ")[2]) == ("ok", "3 records behind")


@pytest.mark.parametrize("check", [deployment_check._check_workers, deployment_check._check_enrich])
def test_who_does_not_run_or_does_not_keep_up_is_warned_of(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    away = told(check, monkeypatch, at(10, 20_010, members=0), Settings())
    assert (away.verdict, away.advice.partition("`;")[0][:14]) == ("warn", "start `carelin")
    slow = told(check, monkeypatch, at(10, 10_000), Settings())
    assert (slow.verdict, slow.detail.partition("; ")[2]) == ("warn", "most in partition 1: 10,010")


def test_what_a_model_may_cost_today_is_told_and_what_it_did_yesterday_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    yesterday, today = Spent(TODAY - 1, 10, 900).written(), Spent(TODAY, 19, 1_000).written()
    found = told(deployment_check._check_enrich, monkeypatch, at(10, 20_010, notes=(yesterday, today)), BY_MODEL)
    assert found.verdict == "ok"
    assert found.detail.endswith("small: 19 of 20 calls and 1,000 of 4,000,000 tokens of today (UTC)")


def test_a_budget_that_is_spent_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = (Spent(TODAY, 12, 5).written(), Spent(TODAY, 8, 5).written())
    found = told(deployment_check._check_enrich, monkeypatch, at(10, 20_010, notes=notes), BY_MODEL)
    assert (found.verdict, found.detail.endswith(": spent")) == ("warn", True)
    assert "CARELINE_MODEL_CALLS_PER_DAY" in found.advice


def test_a_model_without_a_name_is_a_fault() -> None:
    found = deployment_check._check_enrich(Settings(model_url="http://127.0.0.1:8000/v1"), NOW)
    assert found.verdict == "fail"
