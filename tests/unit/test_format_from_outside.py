"""The written format, asked from outside: mistakes that people make in files, and stories whose answer is plain.

Everything goes through the commands, as somebody would who knows `docs/policy-format.md` and nothing else.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from streams.cli.policy_commands import policy_app
from streams.cli.policy_run_command import policy_run

app = typer.Typer()
app.add_typer(policy_app, name="policy")
app.command("run")(policy_run)

PROMISE = "policies: [{id: all, targets: {first_response: 1h}}]\n"
FILE = "version: 1\n" + PROMISE
HOURS = "version: 1\ncalendars:\n  c:\n    time_zone: UTC\n    weekly: {%s}\n" + PROMISE
ONE = "version: 1\npolicies: [{id: one, %s}]\n"


def call(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def errors_of(command: str, path: Path) -> list[dict[str, Any]]:
    """What a wrong file is told, every error with everything that is promised of it."""
    result = call("policy", command, "--json", path)
    assert result.exit_code == 2, result.output
    errors: list[dict[str, Any]] = json.loads(result.stdout)["errors"]
    for error in errors:
        assert list(error) == ["file", "line", "column", "message", "suggestion"]
        assert all(error.values()), error
    return errors


@pytest.mark.parametrize(
    "content",
    [
        "version: no\npolicies: [{id: on, when: {tier: [no, yes, off, y]}, targets: {first_response: 1h}}]\n",
        "version: 2026-03-01\neffective_from: 2026-03-01 00:00:00+01:00\n" + PROMISE,
        "version: 010\n" + PROMISE,
        "\ufeff" + FILE.replace("\n", "\r\n"),
        FILE.replace("\n", "\r"),
        "%YAML 1.2\n---\n" + FILE + "...\n",
        json.dumps({"version": "1", "policies": [{"id": "all", "targets": {"first_response": "1h"}}]}),
        "version: 1\npolicies: [{id: 'Größe日本', when: {tag: 🎉}, targets: {first_response: &t 1h, follow_up: *t}}]\n",
        HOURS % "tue: [9:00 - 12:30, '13:00-24:00'], wed: 09:00-12:00, fri-mon: []",
        HOURS % "mon: 09:00-12:00, sat: [22:00-06:00]",
        ONE % "targets: {first_response: '1h'}, objective: {ratio: '0.95', over: '30d'}, warn_at: 75%",
        ONE % "targets: {first_response: 0m, next_response: 0 business_days}",
        ONE % "when: {not: {}}, targets: {first_response: 1h}",
        ONE % "targets: {total_resolution: 8h, requester_wait: 1h, agent_work: 1h, periodic_update: 1d, follow_up: 2d,"
        " pausable_update: 1h, speed_of_answer: 30s, group_ownership: 1h}",
        FILE + "clocks: {triage: {start: {type: message, from: customer}, satisfy: {type: assigned}}}\n",
    ],
)
def test_file_that_must_be_accepted(content: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content.encode())
    result = call("policy", "check", path)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("", [(1, 1)]),
        ("# nothing yet\n", [(1, 1)]),
        ("- a\n", [(1, 1)]),
        (FILE + "\x00", [(3, 1)]),
        ("version: \x07\n" + PROMISE, [(1, 10)]),
        ("version: " + "[" * 3000 + "]" * 3000, [(1, 1)]),
        ("version: 1\npolicies:\n\t- id: a\n", [(3, 1)]),
        (FILE + "---\n" + FILE, [(3, 1)]),
        ("version: 'open\n" + PROMISE, [(3, 1)]),
        ("version: *nowhere\n" + PROMISE, [(1, 10)]),
        (FILE + "version: 2\n", [(3, 1)]),
        (HOURS % "mon: [09:00-10:00], mon: [10:00-11:00]", [(5, 34)]),
        (HOURS % "mon-fri: [09:00-17:00], wed: [10:00-12:00]", [(5, 38)]),
        (HOURS % "mon: [09:60-10:00], tue: [9am-5pm], wed: [25:00-26:00], thu: [24:00-25:00]",
         [(5, 20), (5, 40), (5, 56), (5, 76)]),
        ("versoin: 1\nfoo: 2\n" + PROMISE.replace("first_response", "sla"), [(1, 1), (2, 1), (3, 32)]),
        (ONE % "warn_at: [75, 2 business_days, 0%], objective: {ratio: 95, over: 1 month}",
         [(2, 32), (2, 36), (2, 53), (2, 77), (2, 87)]),
        (ONE % "targets: {total_resolution: {targt: 8h, calendar: nope, reopen: maybe}}", [(2, 51), (2, 72), (2, 86)]),
        (ONE % "when: {not: {teir: gold}}, targets: {first_response: 30}", [(2, 35), (2, 75)]),
        ("version: 1\npolicies: [{id: a, targets: {first_response: 4h}}, {id: b, targets: {first_response: 1h}}]\n",
         [(2, 52)]),
    ],
)  # fmt: skip
def test_every_mistake_has_its_place_and_a_way_out(content: str, places: list[tuple[int, int]], tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(content)
    assert [(error["line"], error["column"]) for error in errors_of("check", path)] == places


def test_all_mistakes_of_an_event_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        f"inline: {{{FILE.replace(chr(10), ', ').removesuffix(', ')}}}\n"
        "tests:\n  - events: [{at: 2026-03-02T25:00:00Z, type: mesage, from: custmer, public: no}]\n"
    )
    assert [(error["line"], error["column"]) for error in errors_of("test", path)] == [
        (3, 19),
        (3, 47),
        (3, 61),
        (3, 78),
    ]


def test_policies_and_mapping_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(FILE.replace("1h", "soon"))
    (tmp_path / "m.yaml").write_text("format: cvs\nconversation: '{id}'\nevents: [{at: '{at}', from: customer}]\n")
    result = call("run", "--policies", tmp_path / "p.yaml", "--mapping", tmp_path / "m.yaml", tmp_path / "absent.csv")
    assert result.exit_code == 2
    assert "p.yaml:2:48: error" in result.stderr
    assert "m.yaml:1:9: error" in result.stderr


def test_an_empty_table_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(FILE)
    (tmp_path / "m.yaml").write_text("format: csv\nconversation: '{id}'\nevents: [{at: '{at}', from: customer}]\n")
    (tmp_path / "h.csv").write_text("")
    result = call("run", "--policies", tmp_path / "p.yaml", "--mapping", tmp_path / "m.yaml", tmp_path / "h.csv")
    assert (result.exit_code, "h.csv: error: the file is empty" in result.stderr) == (2, True)


STORIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a met promise that becomes spam took no longer for that": (
        "{first_response: 4h}",
        "{at: 2026-03-02T09:30:00Z, from: agent}, {at: 2026-03-02T12:00:00Z, type: status_changed, status: spam}",
        {"outcome": "retracted", "elapsed_seconds": 1800, "wall_elapsed_seconds": 1800},
    ),
    "a priority change to nothing changes nothing": (
        "{first_response: {normal: 4h}}",
        "{at: 2026-03-02T09:30:00Z, type: priority_changed}",
        {"outcome": "open", "priority": "normal", "due_at": "2026-03-02T13:00:00Z"},
    ),
    "the same account in another tier is judged by another policy": (
        "{first_response: 8h}",
        "{at: 2026-03-02T09:30:00Z, type: account_changed, account: {id: acme, tier: gold}}",
        {"account": "acme", "policy": "gold", "due_at": "2026-03-02T09:45:00Z", "outcome": "breached"},
    ),
    "the same account without a tier keeps it": (
        "{first_response: 8h}",
        "{at: 2026-03-02T09:30:00Z, type: account_changed, account: acme}",
        {"account": "acme", "policy": "free", "due_at": "2026-03-02T17:00:00Z"},
    ),
    "one microsecond late is late": (
        "{first_response: 1h}",
        "{at: 2026-03-02T10:00:00.000001Z, from: agent}",
        {"outcome": "satisfied_late", "breached_at": "2026-03-02T10:00:00Z", "elapsed_seconds": 3600.000001},
    ),
    "what is due now is not broken yet": (
        "{first_response: 3h}",
        "{at: 2026-03-02T10:00:00Z, from: bot}",
        {"outcome": "open", "elapsed_seconds": 10800},
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, tmp_path: Path) -> None:
    targets, events, expected = STORIES[name]
    path = tmp_path / "t.yaml"
    path.write_text(
        "inline:\n  version: v\n  policies:\n"
        "    - {id: gold, when: {tier: gold}, targets: {first_response: 45m}}\n"
        f"    - {{id: free, targets: {targets}}}\n"
        "tests:\n  - name: story\n    account: {id: acme, tier: free}\n"
        f"    events: [{events}, {{at: 2026-03-02T09:00:00Z, from: customer}}]\n"
        "    now: 2026-03-02T12:00:00Z\n"
    )
    result = call("policy", "test", "--json", path)
    assert result.exit_code == 0, result.output
    (clock,) = json.loads(result.stdout)["tests"][0]["actual"]
    assert {key: clock[key] for key in expected} == expected


def test_entries_with_and_without_conditions_on_several_columns(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\npolicies: [{id: all, targets: {first_response: 1h, next_response: 1h}}]\n"
    )
    (tmp_path / "m.yaml").write_text(
        'format: csv\ntime_format: "%Y-%m-%d %H:%M:%S"\nconversation: "{id}"\nevents:\n'
        '  - {when: {what: [ask, again]}, at: "{at}", from: customer}\n'
        '  - {when: {by: human, what: answer}, at: "{at}", from: agent}\n'
        '  - {when: {by: robot}, at: "{at}", from: bot}\n'
        '  - {at: "{spam}", type: status_changed, status: spam}\n'
    )
    (tmp_path / "h.csv").write_text(
        "id,what,by,at,spam\n"
        "1,ask,,2026-03-02 09:00:00,\n1,answer,robot,2026-03-02 09:10:00,\n1,answer,human,2026-03-02 9:20:00,\n"
        "1,again,,2026-03-02 09:30:00,\n2,ask,,2026-03-02 09:00:00,2026-03-02 09:05:00\n2,other,,2026-03-02T09:00:00,\n"
        "3,ask,,2026-03-02T09:00:00,\n"
    )
    files: list[str | Path] = ["--policies", tmp_path / "p.yaml", "--mapping", tmp_path / "m.yaml", tmp_path / "h.csv"]
    result = call("run", "--now", "2026-03-02T10:00:00Z", *files)
    assert result.exit_code == 0, result.stderr
    clocks = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(c["conversation"], c["metric"], c["outcome"], c["elapsed_seconds"]) for c in clocks] == [
        ("1", "first_response", "met", 1200),
        ("1", "next_response", "open", 1800),
        ("2", "first_response", "cancelled", 300),
    ]
    assert "7 rows: 5 used, 1 without an event, 1 rejected" in result.stderr


def test_under_a_calendar_that_runs_dry_a_clock_is_never_due(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "version: 1\ncalendars: {c: {time_zone: UTC, weekly: {}, exceptions: {2026-03-02: [09:00-17:00]}}}\n"
        "policies:\n  - {id: gold, when: {tier: gold}, targets: {first_response: 1h}}\n"
        "  - {id: dry, calendar: c, targets: {first_response: 10h}}\n"
    )
    (tmp_path / "m.yaml").write_text(
        "format: csv\nconversation: '{id}'\naccount: '{who}'\naccount_fields: {tier: '{tier}'}\n"
        "events: [{at: '{at}', from: customer}]\n"
    )
    (tmp_path / "h.csv").write_text("id,who,tier,at\n1,a,,2026-03-02T10:00:00Z\n2,b,gold,2026-03-02T10:00:00Z\n")
    mapping = tmp_path / "m.yaml"
    files: list[str | Path] = ["--policies", tmp_path / "p.yaml", "--mapping", mapping, tmp_path / "h.csv"]
    result = call("run", "--now", "2026-03-03T00:00:00Z", *files)
    assert result.exit_code == 0, result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(clock["conversation"], clock["outcome"], clock["due_at"]) for clock in found] == [
        ("1", "open", None),
        ("2", "breached", "2026-03-02T11:00:00Z"),
    ]
    assert call("run", "--now", "2500-01-01T00:00:00Z", *files).exit_code == 2
