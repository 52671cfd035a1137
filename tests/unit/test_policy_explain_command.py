"""`careline policy explain` and `policy diff` over files: what they print, what adds up, and mistakes in words."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from streams.cli.main import app
from streams.policy_files.clock_columns import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "helpdesk"

MAPPING = """\
format: csv
conversation: "{id}"
account: "{who}"
account_fields: {tier: "{tier}"}
events:
  - {when: {what: ask}, at: "{at}", from: customer}
  - {when: {what: answer}, at: "{at}", from: agent}
  - {when: {what: [on_hold, open]}, at: "{at}", type: status_changed, status: "{what}"}
"""
OLD = """\
version: old
calendars: {day: {time_zone: UTC, weekly: {mon-fri: [09:00-17:00]}}}
policies:
  - {id: gold, when: {tier: gold}, calendar: day, targets: {first_response: 1h}}
  - {id: all, calendar: day, targets: {first_response: 4h, first_resolution: 8h}}
"""
NEW = OLD.replace("version: old", "version: new").replace("first_response: 4h", "first_response: 1h30m")
ROWS = """\
id,who,tier,what,at
1,acme,gold,ask,2026-03-02T16:30:00Z
1,acme,gold,answer,2026-03-03T09:15:00.25Z
2,beta,,ask,2026-03-02T10:00:00Z
2,beta,,on_hold,2026-03-02T10:30:00Z
2,beta,,open,2026-03-02T11:30:00Z
2,beta,,answer,2026-03-02T12:00:00Z
3,beta,,ask,2026-03-02T15:30:00Z
3,beta,,answer,2026-03-02T16:00:00Z
4,,,ask,2026-03-02T14:00:00Z
"""
NOW = "2026-03-02T17:00:00Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("m.yaml", MAPPING), ("old.yaml", OLD), ("new.yaml", NEW), ("h.csv", ROWS)):
        (tmp_path / name).write_text(text)
    return tmp_path


def careline(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in ("policy", *arguments)], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def explain(folder: Path, conversation: str, *more: str, policies: str = "old.yaml") -> Result:
    options = ("--policies", folder / policies, "--mapping", folder / "m.yaml", "--now", NOW)
    return careline("explain", conversation, folder / "h.csv", *options, *more)


def diff(folder: Path, *more: str, old: str = "old.yaml", new: str = "new.yaml") -> Result:
    options = ("--mapping", folder / "m.yaml", "--events", folder / "h.csv", "--now", NOW)
    return careline("diff", folder / old, folder / new, *options, *more)


def test_the_json_of_an_explanation_adds_up_to_what_policy_run_prints(folder: Path) -> None:
    result = explain(folder, "2", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    run = careline(
        "run", "--policies", folder / "old.yaml", "--mapping", folder / "m.yaml", "--now", NOW, folder / "h.csv"
    )
    printed = [clock for clock in map(json.loads, run.stdout.splitlines()) if clock["conversation"] == "2"]
    assert [{name: clock[name] for name in COLUMNS} for clock in found["clocks"]] == printed
    for clock in found["clocks"]:
        assert sum(each["seconds"] for each in clock["intervals"]) == clock["wall_elapsed_seconds"]
        assert sum(each["counted_seconds"] for each in clock["intervals"]) == clock["elapsed_seconds"]
    resolution = next(clock for clock in found["clocks"] if clock["metric"] == "first_resolution")
    (paused,) = (each for each in resolution["intervals"] if each["kind"] == "paused")
    assert (paused["from"], paused["because"][0]["found"]) == ("2026-03-02T10:30:00Z", ["on_hold"])
    (decision,) = found["policies"]
    assert decision["passed_over"] == [
        {"policy": "gold", "because": [{"key": "tier", "wanted": ["gold"], "found": []}]}
    ]


def test_people_read_reasons_and_sums(folder: Path) -> None:
    shown = explain(folder, "1").stdout.splitlines()
    (gap,) = (line.split("  ") for line in shown if line.strip().startswith("closed"))
    assert [cell.strip() for cell in gap if cell.strip()] == [
        "closed",
        "2026-03-02T17:00:00Z",
        "2026-03-03T09:00:00Z",
        "16h",
        "0",
        "outside the hours of day",
    ]
    assert any(line.split() == ["sum", "16h45m0.25s", "45m0.25s", "wall", "and", "elapsed", "time"] for line in shown)
    assert "    not gold: tier is none, not gold" in explain(folder, "2").stdout.splitlines()
    assert "account unknown" in explain(folder, "4").stdout


def test_a_conversation_that_is_not_there(folder: Path) -> None:
    result = explain(folder, "21")
    assert result.exit_code == 1
    assert "no conversation '21' among the 4 of these files" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "1", "h.csv", "--mapping", "m.yaml"), "--policies"),
        (("explain", "1", "--mapping", "m.yaml"), "Kafka is asked"),
        (("explain", "1", "h.csv", "--policies", "m.yaml", "--mapping", "m.yaml"), "unknown key"),
        (("explain", "1", "none.csv", "--policies", "old.yaml", "--mapping", "m.yaml"), "none.csv"),
        (("diff", "old.yaml", "m.yaml", "--mapping", "old.yaml", "--events", "h.csv"), "old.yaml"),
        (("diff", "old.yaml", "new.yaml", "--mapping", "m.yaml"), "--events"),
    ],
)
def test_mistakes_are_told_with_their_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(folder)
    result = careline(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_without_kafka_the_way_out_is_told() -> None:
    result = careline("explain", "1", "--kafka", "127.0.0.1:1")
    assert result.exit_code == 1
    assert "CARELINE_KAFKA" in result.stderr


def test_what_changes_under_another_policy(folder: Path) -> None:
    result = diff(folder, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    adherence = {(row["account"], row["metric"]): (row["old"], row["new"]) for row in found["adherence"]}
    met, breached = {"met": 2, "breached": 0, "ratio": 1.0}, {"met": 1, "breached": 1, "ratio": 0.5}
    assert adherence["beta", "first_response"] == (met, breached)
    assert adherence[None, "first_response"][0] == {"met": 0, "breached": 0, "ratio": None}
    assert [(row["conversation"], row["old_outcome"], row["new_outcome"]) for row in found["changed"]] == [
        ("4", "open", "breached"),  # its deadline moves back over a night
        ("2", "met", "satisfied_late"),
    ]
    last = found["changed"][-1]
    assert (last["metric"], last["instance"], last["old_due_at"]) == ("first_response", 1, "2026-03-02T14:00:00Z")
    assert (last["new_due_at"], last["due_moved_seconds"]) == ("2026-03-02T11:30:00Z", -9000)
    assert found["due_moved"] == 1  # conversation 3 is answered in time under both


def test_the_furthest_moved_deadline_comes_first_and_a_clock_without_one_last(folder: Path) -> None:
    other = NEW.replace("first_response: 1h}", "next_response: 1h}").replace("1h30m", "15m")
    (folder / "other.yaml").write_text(other)
    found = json.loads(diff(folder, "--json", new="other.yaml").stdout)
    moved = [row["due_moved_seconds"] for row in found["changed"]]
    assert moved[-1] is None
    assert moved[:-1] == sorted(moved[:-1])
    assert found["changed"][-1]["old_outcome"] == "met"
    assert found["changed"][-1]["new_outcome"] is None


def test_the_exit_status_tells_a_difference_only_when_asked(folder: Path) -> None:
    assert diff(folder, "--exit-code").exit_code == 1
    same = diff(folder, "--exit-code", new="old.yaml")
    assert same.exit_code == 0
    assert "no difference" in same.stdout
    (folder / "dry.yaml").write_text(
        OLD.replace("{mon-fri: [09:00-17:00]}}", "{}, exceptions: {2026-03-02: [09:00-10:00]}}")
    )
    dry = diff(folder, "--exit-code", "--json", new="dry.yaml")
    assert dry.exit_code == 1
    found = json.loads(dry.stdout)
    assert found["changed"] == []  # all seven are never due: they stay open, or are met
    assert found["due_moved"] == 7


def test_a_real_help_desk_before_and_after(shared: Path, tmp_path: Path) -> None:
    """Adherence before is that of `policy run`, after is counted here from the log itself."""
    log = shared / "datasets" / "helpdesk" / "helpdesk.csv"
    if not log.exists():
        pytest.skip("needs the help desk log of examples/helpdesk/README.md")
    stricter = tmp_path / "stricter.yaml"
    stricter.write_text((EXAMPLE / "policy.yaml").read_text().replace("first_response: 1d", "first_response: 12h"))
    options = ("--mapping", EXAMPLE / "mapping.yaml", "--events", log, "--now", "2014-02-01T00:00:00Z", "--json")
    found: dict[str, Any] = json.loads(careline("diff", EXAMPLE / "policy.yaml", stricter, *options).stdout)
    metrics = {row["metric"]: row for row in found["metrics"]}
    assert metrics["first_response"]["old"] == {"met": 2387, "breached": 2108, "ratio": 2387 / 4495}
    assert metrics["first_resolution"]["old"] == metrics["first_resolution"]["new"]
    run = careline(
        "run", "--policies", stricter, "--mapping", EXAMPLE / "mapping.yaml", "--now", "2014-02-01T00:00:00Z", log
    )
    clocks = [json.loads(line) for line in run.stdout.splitlines()]
    within = Counter(
        clock["satisfied_at"] is not None and clock["elapsed_seconds"] <= 12 * 3600
        for clock in clocks
        if clock["metric"] == "first_response"
    )
    assert (metrics["first_response"]["new"]["met"], metrics["first_response"]["new"]["breached"]) == (
        within[True],
        within[False],
    )
    assert len(found["changed"]) == 2387 - within[True]
