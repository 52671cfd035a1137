"""The published answers again, all the way: as policy files and policy tests, through the reader and the engine."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streams.policy_files.case_reader import read_cases
from streams.policy_files.policy_cases import run_cases

ORACLE = Path(__file__).parents[2] / "../shared/oracle/business_time.json"


def published_cases() -> list[Any]:
    if not ORACLE.exists():
        reason = pytest.mark.skip(reason="../shared/oracle is not on this machine")
        return [pytest.param({}, marks=reason, id="oracle")]
    return [pytest.param(case, id=case["id"]) for case in json.loads(ORACLE.read_text())]


def instant(text: str) -> str:
    day, clock = text.split(" ")
    return f"{day}T{clock if clock.count(':') == 2 else clock + ':00'}Z"


def as_test_file(case: dict[str, Any]) -> dict[str, Any]:
    """The case as somebody would write it: a promise of a first response that pauses while the status is on hold."""
    calendar: dict[str, Any] = {
        "time_zone": case["time_zone"],
        "weekly": {day: ["-".join(pair) for pair in pairs] for day, pairs in case["weekly"].items()},
    }
    if case["holidays"]:
        calendar["holidays"] = case["holidays"]
    target = {"target": f"{case.get('target_seconds', 864_000)}s", "pause_when": {"status": "on_hold"}}
    policy = {
        "id": "published",
        "calendar": "here",
        "edge": case.get("edge_convention", "close"),
        "targets": {"first_response": target},
    }
    events: list[dict[str, str]] = [{"at": instant(case["start_utc"]), "from": "customer"}]
    for since, until in case["pauses_utc"]:
        events.append({"at": instant(since), "type": "status_changed", "status": "on_hold"})
        events.append({"at": instant(until), "type": "status_changed", "status": "open"})
    expected: dict[str, Any] = {"metric": "first_response"}
    if case["kind"] == "deadline":
        expected["due_at"] = instant(case["expected_deadline_utc"])
    else:
        events.append({"at": instant(case["end_utc"]), "from": "agent"})
        expected["elapsed_seconds"] = case["expected_elapsed_seconds"]
    return {
        "inline": {"version": "oracle", "calendars": {"here": calendar}, "policies": [policy]},
        "tests": [{"name": case["id"], "events": events[::-1], "expect": [expected]}],
    }


@pytest.mark.parametrize("case", published_cases())
def test_published_answer_through_a_policy_test(case: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(as_test_file(case), file)
    cases, problems = read_cases(path)
    assert [error for found in problems for error in found.errors] == []
    (result,) = run_cases(cases)
    assert list(result.differences) == []
