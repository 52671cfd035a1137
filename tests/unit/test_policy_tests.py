"""`careline policy test` and `careline policy check` as they are used: files in, verdict, JSON and exit status out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.policy_commands import policy_app

EXAMPLE = Path(__file__).parents[2] / "examples/policies/support.tests.yaml"

POLICY = "version: 7\npolicies: [{id: p, targets: {first_response: {normal: 1h}, first_resolution: 1d}}]\n"
CASE = """
policies: policy.yaml
tests:
  - name: answered
    account: {id: acme, tier: gold}
    conversation: {id: c-1, channel: email, priority: normal}
    events:
      - {at: 2026-03-02T11:00:00.25+01:00, type: message, from: agent}
      - {at: 2026-03-02T09:30:00Z, from: customer}
    now: 2026-03-02T18:00:00Z
    expect:
      - EXPECTED
"""
CLOCK = {
    "conversation": "c-1",
    "account": "acme",
    "metric": "first_response",
    "instance": 1,
    "outcome": "met",
    "policy": "p",
    "policy_version": "7",
    "priority": "normal",
    "target_seconds": 3600,
    "started_at": "2026-03-02T09:30:00Z",
    "due_at": "2026-03-02T10:30:00Z",
    "satisfied_at": "2026-03-02T10:00:00.25Z",
    "breached_at": None,
    "elapsed_seconds": 1800.25,
    "wall_elapsed_seconds": 1800.25,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def run(command: str, *paths: Path) -> tuple[int, Any]:
    result = CliRunner().invoke(policy_app, [command, "--json", *map(str, paths)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def run_case(folder: Path, text: str) -> tuple[int, Any]:
    path = folder / "case.yaml"
    path.write_text(text)
    return run("test", path)


def test_the_example_passes() -> None:
    status, found = run("test", EXAMPLE)
    assert (status, found["failed"]) == (0, 0)
    assert found["passed"] == len(found["tests"]) > 0


def test_an_instant_before_the_last_event_is_doubted_and_the_test_runs(folder: Path) -> None:
    (folder / "case.yaml").write_text(CASE.replace("EXPECTED", "{metric: first_response}").replace("18:00", "09:45"))
    result = CliRunner().invoke(policy_app, ["test", str(folder / "case.yaml")])
    assert result.exit_code == 0, result.output
    assert "answered: 1 of 2 events lie after `now`, and count all the same" in " ".join(result.stdout.split())


def test_the_whole_output(folder: Path) -> None:
    expected = "{metric: first_response, outcome: met, due_at: 2026-03-02T11:30:00+01:00, breached_at: null}"
    status, found = run_case(folder, CASE.replace("EXPECTED", expected))
    assert (status, found["passed"], found["failed"], len(found["tests"])) == (0, 1, 0, 1)
    (case,) = found["tests"]
    assert list(case) == ["file", "name", "passed", "expected", "actual"]
    assert (case["file"], case["name"], case["passed"]) == (str(folder / "case.yaml"), "answered", True)
    written = {"metric": "first_response", "outcome": "met", "due_at": "2026-03-02T11:30:00+01:00", "breached_at": None}
    assert case["expected"] == [written]
    answered = next(clock for clock in case["actual"] if clock["metric"] == "first_response")
    assert list(answered.items()) == list(CLOCK.items())  # the order of the columns is part of the format
    unresolved = next(clock for clock in case["actual"] if clock["metric"] == "first_resolution")
    assert (unresolved["outcome"], unresolved["elapsed_seconds"], unresolved["satisfied_at"]) == ("open", 30_600, None)


@pytest.mark.parametrize(
    ("expected", "passes"),
    [
        ("{metric: first_response}", True),
        ("{metric: first_response, instance: 1}", True),
        ("{metric: first_response, instance: 2}", False),
        ("{metric: next_response}", False),
        ("{metric: first_response, elapsed_seconds: 1800.25}", True),
        ("{metric: first_response, elapsed_seconds: 1.80025e3, target_seconds: 3600.0}", True),
        ("{metric: first_response, elapsed_seconds: 1800}", False),
        ("{metric: first_response, satisfied_at: 2026-03-02T10:00:00.250Z}", True),
        ("{metric: first_response, satisfied_at: 2026-03-02T10:00:00Z}", False),
        ("{metric: first_response, breached_at: null}", True),
        ("{metric: first_response, due_at: null}", False),
        ("{metric: first_response, breached_at: 2026-03-02T10:00:00Z}", False),
        ("{metric: first_response, policy_version: 7, priority: normal, account: acme, conversation: c-1}", True),
        ("{metric: first_response, policy: q}", False),
        ("{metric: first_response, outcome: breached}", False),
    ],
)
def test_what_is_compared(folder: Path, expected: str, *, passes: bool) -> None:
    status, found = run_case(folder, CASE.replace("EXPECTED", expected))
    assert (status, found["tests"][0]["passed"]) == ((0, True) if passes else (1, False))


def test_a_difference_is_readable(folder: Path) -> None:
    (folder / "case.yaml").write_text(
        CASE.replace("EXPECTED", "{metric: first_response, due_at: 2026-03-02T10:00:00Z}")
    )
    result = CliRunner().invoke(policy_app, ["test", str(folder / "case.yaml")])
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "due_at  expected 2026-03-02T10:00:00Z  got 2026-03-02T10:30:00Z" in result.stdout
    assert "0 passed, 1 failed" in result.stdout


def test_inline_policies_and_no_expectations_make_a_calculator(folder: Path) -> None:
    events = "[{at: 2026-03-02T09:30:00Z, from: customer}, {at: 2026-03-02T09:30:00Z, from: customer}]"
    inline = POLICY.replace("\n", "\n  ")
    status, found = run_case(folder, f"inline:\n  {inline}\ntests: [{{events: {events}, now: 2026-03-02T11:00:00Z}}]\n")
    assert status == 0
    clocks = {clock["metric"]: clock for clock in found["tests"][0]["actual"]}
    assert clocks["first_response"]["outcome"] == "breached"
    assert clocks["first_response"]["account"] is None
    assert clocks["first_resolution"]["due_at"] == "2026-03-03T09:30:00Z"


def test_created_paused_and_every_kind_of_event(folder: Path) -> None:
    text = """
policies: policy.yaml
tests:
  - name: all of them
    account: acme
    conversation: {channel: phone, status: on_hold, tags: [vip], inbox: first, team: a, type: question, language: de}
    events:
      - {at: 2026-03-02T09:00:00Z, from: customer, text: '', public: true, automated: false, id: m1}
      - {at: 2026-03-02T09:10:00Z, type: reaction, from: customer, received_at: 2026-03-02T09:10:01Z}
      - {at: 2026-03-02T09:20:00Z, type: assigned, inbox: second, team: b, agent: ada}
      - {at: 2026-03-02T09:21:00Z, type: priority_changed, priority: high}
      - {at: 2026-03-02T09:22:00Z, type: tagged, tags: []}
      - {at: 2026-03-02T09:23:00Z, type: edited}
      - {at: 2026-03-02T09:24:00Z, type: call_started}
      - {at: 2026-03-02T09:25:00Z, type: call_answered, from: agent}
      - {at: 2026-03-02T09:26:00Z, type: call_ended}
      - {at: 2026-03-02T09:27:00Z, type: survey_response, from: customer, kind: csat, score: 4.5, scale: 5}
      - {at: 2026-03-02T09:28:00Z, type: due_set, metric: first_resolution, due_at: 2026-03-02T12:00:00Z}
      - {at: 2026-03-02T09:29:00Z, type: account_changed, account: {id: beta, tier: gold}}
      - {at: 2026-03-02T09:30:00Z, type: no_reply_needed, from: agent}
      - {at: 2026-03-02T10:00:00Z, type: status_changed, status: open}
      - {at: 2026-03-02T11:00:00Z, type: handover}
      - {at: 2026-03-02T11:30:00Z, type: merged, into: c-9}
    expect:
      - {metric: first_response, outcome: cancelled, account: beta}
      - {metric: first_resolution, outcome: merged, due_at: 2026-03-02T12:00:00Z, elapsed_seconds: 5400}
"""
    status, found = run_case(folder, text)
    assert (status, found.get("errors")) == (0, None), found


WRONG = [
    (
        CASE.replace("EXPECTED", "{metric: first_response}").replace("message, from: agent", "merged, into: c-1"),
        8,
        9,
        "merged into itself",
        "another one",
    ),
    (CASE.replace("expect:", "expects:"), 11, 5, "unknown key 'expects'", "did you mean 'expect'?"),
    (CASE.replace("EXPECTED", "{metric: first_respons}"), 12, 18, "metric cannot be 'first_respons'", "first_response"),
    (
        CASE.replace("EXPECTED", "{metric: first_response, due: x}"),
        12,
        34,
        "unknown key 'due'",
        "did you mean 'due_at'?",
    ),
    (CASE.replace("EXPECTED", "{metric: first_response, outcome: won}"), 12, 43, "outcome cannot be 'won'", "one of"),
    (CASE.replace("EXPECTED", "{outcome: met}"), 12, 9, "has no 'metric'", None),
    (CASE.replace("EXPECTED", "{metric: first_response, due_at: soon}"), 12, 42, "'soon' is not an instant", "offset"),
    (CASE.replace("EXPECTED", "{metric: first_response}").replace("09:30:00Z", "09:30:00"), 9, 14, "no offset", None),
    (CASE.replace("EXPECTED", "{metric: first_response}").replace(", from: customer", ""), 9, 9, "has no 'from'", None),
    (CASE.replace("EXPECTED", "{metric: first_response}").replace("customer", "client"), 9, 42, "from cannot be", None),
    (
        CASE.replace("EXPECTED", "{metric: first_response}").replace("type: message", "type: mail"),
        8,
        50,
        "type cannot",
        None,
    ),
    (
        CASE.replace("EXPECTED", "{metric: first_response}").replace("tier", "teir"),
        5,
        25,
        "unknown key 'teir'",
        "'tier'",
    ),
    (
        CASE.replace("EXPECTED", "{metric: first_response}").replace("policy.yaml", "gone.yaml"),
        2,
        11,
        "no policy file",
        None,
    ),
    (
        CASE.replace("EXPECTED", "{metric: first_response}").replace("policies: policy.yaml", ""),
        3,
        1,
        "no 'policies'",
        None,
    ),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "suggestion"), WRONG)
def test_a_wrong_test_file(
    folder: Path, text: str, line: int, column: int, message: str, suggestion: str | None
) -> None:
    status, found = run_case(folder, text)
    assert status == 2
    assert list(found) == ["errors"]
    (error,) = found["errors"]
    assert list(error) == ["file", "line", "column", "message", "suggestion"]
    assert (error["file"], error["line"], error["column"]) == (str(folder / "case.yaml"), line, column)
    assert message in error["message"]
    assert suggestion is None or suggestion in error["suggestion"]


def test_a_wrong_policy_file_is_blamed_itself(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY.replace("1h", "1 hour"))
    status, found = run_case(folder, CASE.replace("EXPECTED", "{metric: first_response}"))
    assert status == 2
    (error,) = found["errors"]
    assert (error["file"], error["line"], error["suggestion"]) == (str(folder / "policy.yaml"), 2, "did you mean 1h?")


def test_one_wrong_file_among_good_ones_stops_all(folder: Path) -> None:
    (folder / "good.yaml").write_text(CASE.replace("EXPECTED", "{metric: first_response}"))
    status, found = run("test", folder / "good.yaml", folder / "absent.yaml")
    assert status == 2
    assert found == {
        "errors": [
            {
                "file": str(folder / "absent.yaml"),
                "line": None,
                "column": None,
                "message": "there is no such file",
                "suggestion": "check the path",
            }
        ]
    }


def test_check(folder: Path) -> None:
    good, doubtful, wrong = folder / "good.yaml", folder / "doubtful.yaml", folder / "wrong.yaml"
    plain = POLICY.replace("{normal: 1h}", "1h")
    good.write_text(plain)
    doubtful.write_text(plain.replace("id: p", "id: p, when: {tier: gold}"))
    wrong.write_text(POLICY.replace("version", "versoin"))
    assert run("check", good) == (0, {"errors": [], "warnings": []})
    status, found = run("check", doubtful)
    assert (status, found["errors"], [warning["line"] for warning in found["warnings"]]) == (0, [], [2])
    status, found = run("check", good, wrong, doubtful)
    assert (status, [error["file"] for error in found["errors"]]) == (2, [str(wrong)])
    result = CliRunner().invoke(policy_app, ["check", str(wrong)])
    assert (result.exit_code, result.stdout.splitlines()) == (
        2,
        [f"{wrong}:1:1: error: unknown key 'versoin' in a policy file (did you mean 'version'?)"],
    )
