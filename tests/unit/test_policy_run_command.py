"""`careline policy run`: one clock per line, a summary beside it, mistakes in words; on made-up rows and real data."""

import csv
import json
import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from streams.cli.import_command import import_history
from streams.cli.policy_diff_command import diff
from streams.cli.policy_explain_command import explain
from streams.cli.policy_run_command import policy_run
from streams.policy_files.clock_columns import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ROOT.parent / "shared" / "datasets"

MAPPING = """\
format: csv
conversation: "{id}"
account: "{who}"
events:
  - {when: {what: ask}, at: "{at}", from: customer}
  - {when: {what: answer}, at: "{at}", from: agent}
"""
POLICY = """\
version: v1
effective_from: 2026-01-01T00:00:00Z
policies: [{id: all, calendar: always, targets: {first_response: 1h}}]
"""
ROWS = """\
id,who,what,at
2,beta,answer,2025-03-02T11:30:00.25Z
1,acme,ask,2025-03-02T10:00:00Z
2,beta,ask,2025-03-02T10:00:00Z
3,acme,ask,2025-03-02T12:00:00Z
4,acme,ask,never
"""

app = typer.Typer()
app.command("run")(policy_run)
app.command("import")(import_history)
app.command("explain")(explain)
app.command("diff")(diff)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.yaml").write_text(MAPPING)
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "h.csv").write_text(ROWS)
    return tmp_path


def run(policies: Path, mapping: Path, *arguments: str | Path) -> Result:
    return invoke("run", "--policies", policies, "--mapping", mapping, *arguments)


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def clocks(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_one_clock_a_line_with_the_promised_columns(folder: Path) -> None:
    result = run(folder / "p.yaml", folder / "m.yaml", "--now", "2025-03-02T12:30:00Z", folder / "h.csv")
    found = clocks(result)
    assert [tuple(clock) for clock in found] == [COLUMNS] * 3
    assert [(clock["conversation"], clock["outcome"], clock["elapsed_seconds"]) for clock in found] == [
        ("1", "breached", 9000),
        ("2", "satisfied_late", 5400.25),
        ("3", "open", 1800),
    ]
    assert (found[1]["satisfied_at"], found[1]["due_at"]) == ("2025-03-02T11:30:00.25Z", "2025-03-02T11:00:00Z")
    assert "5 rows: 4 used, 0 without an event, 1 rejected" in result.stderr
    assert "rejected, unreadable_time: 1" in result.stderr
    (rejected,) = map(json.loads, (folder / "h.csv.rejected.ndjson").read_text().splitlines())
    assert (rejected["row"], rejected["line"], rejected["reason"]) == (5, 6, "unreadable_time")


def test_a_run_up_to_an_instant_before_the_last_event_says_so(folder: Path) -> None:
    early, late = (
        run(folder / "p.yaml", folder / "m.yaml", "--now", now, folder / "h.csv")
        for now in ("2025-03-02T11:30:00Z", "2025-03-02T12:00:00Z")
    )
    assert "warning: 2 of 4 events lie after --now, 2025-03-02T11:30:00Z, and count all the same" in early.stderr
    assert "after --now" not in late.stderr
    assert [clock["outcome"] for clock in clocks(early)] == [clock["outcome"] for clock in clocks(late)]


def test_blanks_around_an_id_make_no_second_conversation(folder: Path) -> None:
    (folder / "m.yaml").write_text(MERGES.replace('"{id}"', '"case-{id}"').replace('"{into}"', '"case-{into}"'))
    (folder / "h.csv").write_text(
        "id,who,what,at,into\n"
        " 1 ,acme,ask,2025-03-02T10:00:00Z,\n1, acme,answer,2025-03-02T10:30:00Z,\n2,acme,ask,2025-03-02T10:00:00Z,\n"
        "2,acme,merge,2025-03-02T11:00:00Z, 1\n"
    )
    result = run(folder / "p.yaml", folder / "m.yaml", "--now", "2025-03-02T12:30:00Z", folder / "h.csv")
    assert [(clock["conversation"], clock["account"], clock["outcome"]) for clock in clocks(result)] == [
        ("case-1", "acme", "met"),
        ("case-2", "acme", "merged"),
    ]


def test_strict_stops_at_the_first_row_of_no_use(folder: Path) -> None:
    result = run(folder / "p.yaml", folder / "m.yaml", "--strict", folder / "h.csv")
    assert result.exit_code == 2
    assert "row 5 (line 6): unreadable_time" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.yaml", MAPPING.replace("conversation:", "conversaton:"), "m.yaml:2:1: error: unknown key 'conversaton'"),
        ("m.yaml", MAPPING.replace("{what: ask}", "{wht: ask}"), "m.yaml:5:13: error: "),
        ("p.yaml", POLICY.replace("1h", "1 hour"), "p.yaml:3:"),
        ("h.csv", ROWS.replace("id,who", "id,id"), "m.yaml:2:15: error: "),
        ("h.csv", None, "h.csv: error: no such file"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(folder: Path, name: str, content: str | None, said: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    result = run(folder / "p.yaml", folder / "m.yaml", folder / "h.csv")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


DUE = '  - {when: {what: due}, at: "{at}", type: due_set, metric: "{who}", due_at: 2025-03-02T10:30:00Z}\n'
DUE_ROWS = "id,who,what,at\n" + "".join(
    f"1,{metric},due,2025-03-02T10:00:00Z\n"
    for metric in ("first_response", "triage", "First Response", "first_resp", '"tri\nage"')
)
DECLARING = POLICY + "clocks: {triage: {start: {type: message}, satisfy: {type: assigned}}}\n"


def test_a_due_date_for_no_metric_is_a_row_of_no_use(folder: Path) -> None:
    (folder / "m.yaml").write_text(MAPPING + DUE)
    (folder / "p.yaml").write_text(DECLARING)
    (folder / "h.csv").write_text(DUE_ROWS)
    judged = run(folder / "p.yaml", folder / "m.yaml", folder / "h.csv")
    assert judged.exit_code == 0, judged.stderr
    assert "5 rows: 2 used, 0 without an event, 3 rejected" in judged.stderr
    assert "rejected, unknown_word: 3" in judged.stderr
    first, *_ = map(json.loads, (folder / "h.csv.rejected.ndjson").read_text().splitlines())
    assert first["detail"].startswith("metric: 'First Response' is none of first_response, ")
    assert first["detail"].endswith(", triage")

    # No policies are at hand, and any of them may declare a clock of the name first_resp.
    dry = invoke("import", "--mapping", folder / "m.yaml", folder / "h.csv", "--dry-run", "--json")
    assert json.loads(dry.stdout)["rejected"] == {"unknown_word": 2}


@pytest.mark.parametrize("command", ["run", "explain", "diff"])
def test_a_metric_in_the_mapping_must_be_one_of_the_policies(folder: Path, command: str) -> None:
    (folder / "p.yaml").write_text(DECLARING)

    def told(metric: str) -> Result:
        (folder / "m.yaml").write_text(MAPPING + DUE.replace('"{who}"', metric))
        files: list[str | Path] = ["--mapping", folder / "m.yaml", "--now", "2025-03-02T12:30:00Z"]
        policies, history = folder / "p.yaml", folder / "h.csv"
        match command:
            case "run":
                return invoke("run", "--policies", policies, *files, history)
            case "explain":
                return invoke("explain", "1", "--policies", policies, *files, history)
            case _:
                return invoke("diff", policies, policies, *files, "--events", history)

    assert told("triage").exit_code == 0
    wrong = told("first_resp")
    assert wrong.exit_code == 2
    assert "m.yaml:7:60: error: metric cannot be 'first_resp' (did you mean 'first_response'?)" in wrong.stderr


def test_a_metric_in_other_letters_is_a_mistake_of_the_mapping_without_policies_too(folder: Path) -> None:
    (folder / "m.yaml").write_text(MAPPING + DUE.replace('"{who}"', "First Response"))
    result = invoke("import", "--mapping", folder / "m.yaml", folder / "h.csv", "--dry-run")
    assert result.exit_code == 2
    assert "m.yaml:7:60: error: metric cannot be 'First Response'" in result.stderr


def test_import_without_kafka_says_so_and_a_dry_run_needs_none(folder: Path) -> None:
    command = ["import", "--mapping", str(folder / "m.yaml"), str(folder / "h.csv"), "--kafka", "127.0.0.1:1", "--json"]
    absent = CliRunner().invoke(app, command)
    assert absent.exit_code == 1
    assert "127.0.0.1:1" in absent.stderr
    dry = CliRunner().invoke(app, [*command, "--dry-run", "--now", "2026-01-01"])
    assert dry.exit_code == 0, dry.output
    summary = json.loads(dry.stdout)
    assert (summary["conversations"], summary["events"], summary["rejected"]) == (3, 4, {"unreadable_time": 1})
    assert summary["now"] == "2026-01-01T00:00:00Z"
    assert CliRunner().invoke(app, [*command, "--now", "tomorrow"]).exit_code == 2


MERGES = """\
format: csv
conversation: "{id}"
account: "{who}"
events:
  - {when: {what: ask}, at: "{at}", from: customer}
  - {when: {what: answer}, at: "{at}", from: agent}
  - {when: {what: merge}, at: "{at}", type: merged, into: "{into}"}
"""
MERGED_ROWS = """\
id,who,what,at,into
1,acme,ask,2025-03-02T10:00:00Z,
1,acme,merge,2025-03-02T10:05:00Z,2
2,acme,ask,2025-03-02T10:04:00Z,
2,acme,merge,2025-03-02T10:20:00Z,elsewhere
1,acme,answer,2025-03-02T10:30:00Z,
9,beta,ask,2025-03-02T10:02:00Z,
8,beta,merge,2025-03-02T10:02:00Z,8
"""


@pytest.fixture
def merged(folder: Path) -> Path:
    (folder / "m.yaml").write_text(MERGES)
    (folder / "h.csv").write_text(MERGED_ROWS)
    return folder


def test_a_merged_conversation_is_handed_over_along_a_chain_to_a_survivor_without_rows(merged: Path) -> None:
    result = run(merged / "p.yaml", merged / "m.yaml", "--now", "2025-03-02T12:30:00Z", merged / "h.csv")
    assert [
        (clock["conversation"], clock["account"], clock["outcome"], clock["elapsed_seconds"])
        for clock in clocks(result)
    ] == [
        ("1", "acme", "merged", 300),
        ("2", "acme", "merged", 1200),
        ("elsewhere", "acme", "met", 1800),
        ("9", "beta", "breached", 8880),
    ]
    assert "rejected, merged_into_itself: 1" in result.stderr
    assert "3 conversations, 6 events" in result.stderr


def test_whose_a_survivor_is_stays_unknown_where_nobody_said_it_of_the_merged_one(merged: Path) -> None:
    history = merged / "unknown.csv"
    history.write_text("id,who,what,at,into\n1,,ask,2025-03-02T10:00:00Z,\n1,,merge,2025-03-02T10:05:00Z,2\n")
    result = run(merged / "p.yaml", merged / "m.yaml", "--now", "2025-03-02T12:30:00Z", history)
    assert [(clock["conversation"], clock["account"]) for clock in clocks(result)] == [("1", None), ("2", None)]


def test_a_survivor_is_explained_and_compared_with_what_was_handed_over_to_it(merged: Path) -> None:
    shared: list[str | Path] = ["--mapping", merged / "m.yaml", "--now", "2025-03-02T12:30:00Z"]
    explained = invoke("explain", "elsewhere", merged / "h.csv", "--policies", merged / "p.yaml", *shared, "--json")
    assert explained.exit_code == 0, explained.output
    (clock,) = json.loads(explained.stdout)["clocks"]
    assert (clock["started_at"], clock["outcome"]) == ("2025-03-02T10:00:00Z", "met")
    assert clock["ended_by"]["event"].startswith("2:1:")  # the answer, by the way that it came

    (merged / "stricter.yaml").write_text(POLICY.replace("1h", "20m"))
    policies = [merged / "p.yaml", merged / "stricter.yaml"]
    compared = invoke("diff", *policies, *shared, "--events", merged / "h.csv", "--json")
    assert compared.exit_code == 0, compared.output
    changed = {each["conversation"]: each["new_outcome"] for each in json.loads(compared.stdout)["changed"]}
    assert changed == {"elsewhere": "satisfied_late"}


def real(name: str) -> tuple[list[dict[str, Any]], Path]:
    (data,) = (DATASETS / name).glob("*.csv") if (DATASETS / name).is_dir() else (None,)
    if data is None:
        pytest.skip(f"the data set {name} is not beside the project")
    example = ROOT / "examples" / name
    return clocks(run(example / "policy.yaml", example / "mapping.yaml", "--now", "2022-06-01T00:00:00Z", data)), data


@pytest.mark.parametrize(
    ("metric", "count", "median_hours", "p90_hours"),
    [("first_response", 4207, 17.04, 355.6), ("first_resolution", 4569, 143.38, 716.1)],
)
def test_a_real_help_desk_comes_out_as_published(
    metric: str, count: int, median_hours: float, p90_hours: float
) -> None:
    found, _ = real("helpdesk")
    hours = sorted(c["elapsed_seconds"] / 3600 for c in found if c["metric"] == metric and c["satisfied_at"])
    assert len(hours) == count
    assert statistics.median(hours) == pytest.approx(median_hours, abs=0.005)
    assert hours[int(0.9 * count)] == pytest.approx(p90_hours, abs=0.05)


def test_every_verdict_on_a_city_equals_its_own() -> None:
    found, data = real("boston311")
    ours = {clock["conversation"]: clock for clock in found}
    with data.open(newline="", encoding="utf-8") as file:
        requests = list(csv.DictReader(file))
    promised = {request["case_enquiry_id"]: request["ontime"] for request in requests if request["target_dt"]}
    verdicts = {case: "ONTIME" if ours[case]["outcome"] == "met" else "OVERDUE" for case in promised}
    assert verdicts == promised
    assert Counter(promised.values()) == {"ONTIME": 72, "OVERDUE": 17}
    assert {ours[case]["due_at"] for case in ours.keys() - promised.keys()} == {None}
