"""`careline health …` from the outside: what it prints, what it writes, how it ends."""

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from agents.domain.signal_catalogue import BUILT_IN
from streams.cli.main import app
from tests.churn_history import MAPPING, PROFILE, churn_csv

KEYS = ["rows", "positives", "roc_auc", "roc_auc_ci95", "average_precision", "lift_top_decile", "brier", "reliability"]


def careline(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["health", *[str(argument) for argument in arguments]])


class Desk:
    """A folder with a profile, a mapping and rows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = self.put("profile.yaml", PROFILE)
        self.mapping = self.put("mapping.yaml", MAPPING)
        self.rows = self.put("rows.csv", churn_csv(400))

    def put(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text)
        return self.folder / name

    def run(self, command: str, *more: str | Path) -> Result:
        return careline(command, *more, "--profile", self.profile, "--mapping", self.mapping, self.rows)

    def backtest(self, *more: str | Path) -> dict[str, Any]:
        done = self.run("backtest", "--json", *more)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def lines(self, *more: str | Path) -> list[dict[str, Any]]:
        done = self.run("run", "--json", *more)
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def sklearn() -> Any:
    return pytest.importorskip("sklearn", reason="needs the extra careline[fit]")


def left_of(text: str) -> dict[str, bool]:
    return {row["customerID"]: row["Churn"] == "Yes" for row in csv.DictReader(io.StringIO(text))}


def test_check_tells_every_mistake_with_its_place(desk: Desk) -> None:
    good = careline("check", desk.profile)
    assert (good.exit_code, good.stdout) == (0, f"ok {desk.profile}: 1 profiles, 6 signals, 0 plays\n")
    bad = desk.put("bad.yaml", PROFILE.replace("weight: 2", "weight: 0").replace("noise: 1}", "noize: 1}"))
    told = careline("check", "--json", bad, desk.profile)
    assert told.exit_code == 2
    errors = json.loads(told.stdout)["errors"]
    assert [(error["file"], error["line"]) for error in errors] == [(str(bad), 12), (str(bad), 15)]
    assert errors[1]["suggestion"] == "did you mean 'noise'?"
    assert careline("check", desk.folder / "absent.yaml").exit_code == 2


TESTS = """\
profiles: profile.yaml
tests:
  - name: bound for two years
    account: {id: acme, tier: gold}
    signals: {contract_term: Two year, tenure_months: 48}
    expect: {score: 100, band: green, coverage: 0.25, contributions: {contract_term: 50}, plays: [], profile: everyone}
  - name: nothing is known
    signals: []
    expect: {score: null, band: null, coverage: 0}
"""


def test_tests_pass_differ_or_are_wrong(desk: Desk) -> None:
    good = careline("test", desk.put("t.yaml", TESTS))
    assert (good.exit_code, good.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed")
    differing = careline("test", desk.put("t.yaml", TESTS.replace("score: 100", "score: 99")))
    assert differing.exit_code == 1
    assert "score  expected 99  got 100.0" in differing.stdout
    as_json = careline("test", "--json", desk.folder / "t.yaml")
    found = json.loads(as_json.stdout)
    assert (as_json.exit_code, found["passed"], found["failed"]) == (1, 1, 1)
    assert list(found["tests"][0]) == ["file", "name", "passed", "expected", "actual"]
    assert found["tests"][0]["expected"]["score"] == 99
    assert found["tests"][0]["actual"]["contributions"][0]["points"] == 50.0
    wrong = careline("test", "--json", desk.put("t.yaml", TESTS.replace("tenure_months", "tenur_months")))
    assert wrong.exit_code == 2
    assert [error["suggestion"] for error in json.loads(wrong.stdout)["errors"]] == ["did you mean 'tenure_months'?"]


def test_signals_lists_what_is_built_in() -> None:
    listed = json.loads(careline("signals", "--json").stdout)["signals"]
    assert [signal["name"] for signal in listed] == list(BUILT_IN)
    assert all(signal["meaning"] and signal["unit"] and signal["normalise"] for signal in listed)
    shown = careline("signals").stdout
    assert all(name in shown for name in BUILT_IN)


def test_run_scores_every_account_with_parts_that_add_up(desk: Desk) -> None:
    found = desk.lines()
    assert [line["account"] for line in found] == list(left_of(desk.rows.read_text()))
    for line in found:
        points = sum(round(part["points"] * 100) for part in line["contributions"])
        assert points == round((line["score"] or 0) * 100)
    table = desk.run("run")
    scores = [line.split()[1] for line in table.stdout.splitlines()[1:]]
    assert scores == sorted(scores, key=float)
    assert "400 rows: 400 used, 0 rejected" in table.stderr


def test_explain_tells_the_parts_and_the_changes(desk: Desk) -> None:
    desk.mapping.write_text(MAPPING.replace("signals:", 'at: "{at}"\nsignals:'))
    header, one = desk.rows.read_text().splitlines()[:2]
    desk.rows.write_text(f"{header},at\n{one},2026-03-01\n{one.replace(one.split(',')[1], 'Two year')},2026-03-05\n")
    when = ("--now", "2026-03-06T00:00:00Z")
    found = json.loads(desk.run("explain", "C00000", "--json", *when).stdout)
    assert [change["at"] for change in found["changes"]] == ["2026-03-01T00:00:00Z", "2026-03-05T00:00:00Z"]
    assert found["changes"][1]["reason"].endswith("most by contract_term (+12.50).")
    text = desk.run("explain", "C00000", *when).stdout
    assert "bond/contract_term" in text
    unknown = desk.run("explain", "C0000", *when)
    assert (unknown.exit_code, "did you mean 'C00000'?" in unknown.stderr) == (1, True)


def test_backtest_has_exactly_the_promised_keys(desk: Desk) -> None:
    found = desk.backtest()
    assert list(found) == KEYS
    assert (found["rows"], found["positives"]) == (400, sum(left_of(desk.rows.read_text()).values()))
    low, high = found["roc_auc_ci95"]
    assert low < found["roc_auc"] < high
    assert [list(each) for each in found["reliability"]] == [["predicted", "observed", "n"]] * len(found["reliability"])
    assert sum(each["n"] for each in found["reliability"]) == 400


def test_backtest_measures_the_scores_that_run_prints(desk: Desk, sklearn: Any) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    left = left_of(desk.rows.read_text())
    scores = {line["account"]: line["score"] for line in desk.lines()}
    labels, risks = [left[account] for account in scores], [100 - score for score in scores.values()]
    found = desk.backtest()
    assert found["roc_auc"] == pytest.approx(roc_auc_score(labels, risks))
    assert found["average_precision"] == pytest.approx(average_precision_score(labels, risks))


def test_fitted_weights_are_better_out_of_sample_and_never_negative(desk: Desk, sklearn: Any) -> None:
    desk.rows.write_text(churn_csv(1500))
    found = desk.backtest("--fit")
    fitted = found["fitted"]
    assert list(fitted) == [*KEYS, "weights"]
    assert fitted["roc_auc"] > found["roc_auc"] + 0.1
    assert fitted["brier"] < found["brier"]
    assert set(fitted["weights"]) == {
        "contract_term", "tenure_months", "service_calls", "tech_support", "monthly_charges", "noise",
    }  # fmt: skip
    assert sum(round(weight * 100) for weight in fitted["weights"].values()) == 100_00
    assert all(weight >= 0 for weight in fitted["weights"].values())
    assert fitted["weights"]["noise"] < 5 < fitted["weights"]["contract_term"]
    assert desk.backtest("--fit") == found


def test_without_scikit_learn_fit_says_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.backtest.weight_fit.find_spec", lambda _name: None)
    done = desk.run("backtest", "--fit")
    assert done.exit_code == 2
    assert "pip install 'careline[fit]'" in done.stderr
    assert desk.run("backtest").exit_code == 0


def test_nothing_of_the_extra_is_loaded_without_fit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    desk.backtest()
    assert "sklearn" not in sys.modules


def test_one_kind_alone_has_no_measures_and_says_so(desk: Desk) -> None:
    desk.rows.write_text(churn_csv(30).replace("Yes\n", "No\n"))
    done = desk.run("backtest", "--json")
    found = json.loads(done.stdout)
    assert [found[key] for key in KEYS] == [30, 0, None, None, None, None, None, []]
    assert "all 30 rows have stayed" in done.stderr
    assert desk.run("backtest").exit_code == 0


@pytest.mark.parametrize(
    ("label", "positive"),
    [("1", True), ("1.0", True), ("TRUE", True), (" True.", True), ("y", True), ("Yes", True), ("Churned", True),
     ("0", False), ("No", False), ("False.", False), ("Stayed", False), ("gone", False)],
)  # fmt: skip
def test_words_of_labels(desk: Desk, label: str, positive: bool) -> None:
    header, one, other = churn_csv(2).splitlines()
    rows = [one.rsplit(",", 1)[0] + f",{label}", other.rsplit(",", 1)[0] + ","]
    desk.rows.write_text("\n".join([header, *rows]) + "\n")
    done = desk.run("backtest", "--json")
    found = json.loads(done.stdout)
    assert (found["rows"], found["positives"]) == (1, int(positive))
    assert "without a label, left out: 1" in done.stderr
    assert ("label 'gone' is none of" in done.stderr) == (label == "gone")


def test_values_that_cannot_be_read_are_missing_and_counted(desk: Desk) -> None:
    text = churn_csv(50, missing=0).replace("Month-to-month", "Weekly", 3)
    desk.rows.write_text(text)
    done = desk.run("backtest", "--json")
    assert json.loads(done.stdout)["rows"] == 50
    assert "no value of contract_term, taken as missing: 3 (such as 'Weekly')" in done.stderr
    assert "unreadable" not in done.stderr


def test_rows_without_an_account_are_rejected_and_a_missing_column_is_a_mistake(desk: Desk) -> None:
    desk.rows.write_text(churn_csv(5).replace("C00002", ""))
    done = desk.run("backtest")
    assert "rejected, no_account: 1" in done.stderr
    assert (desk.folder / "rows.csv.rejected.ndjson").is_file()
    assert desk.run("backtest", "--strict").exit_code == 2
    desk.mapping.write_text(MAPPING.replace("{tenure}", "{tenur}"))
    wrong = desk.run("backtest")
    assert wrong.exit_code == 2
    assert "has no column 'tenur' (did you mean 'tenure'?)" in wrong.stderr
    for command in (["backtest"], ["run"], ["explain", "C00001"]):
        (error,) = json.loads(desk.run(command[0], *command[1:], "--json").stdout)["errors"]
        assert (error["file"], error["line"], error["suggestion"]) == (str(desk.mapping), 5, "did you mean 'tenure'?")


def test_objects_are_rows_too(desk: Desk) -> None:
    rows = list(csv.DictReader(io.StringIO(churn_csv(400))))
    before = desk.backtest()
    desk.rows.write_text("\n".join(json.dumps({"c": row}) for row in rows))
    desk.mapping.write_text(re.sub(r'"\{(\w+)\}"', r'"{c.\1}"', MAPPING).replace("format: csv", "format: ndjson"))
    assert desk.backtest() == before


def test_a_dated_history_knows_nothing_of_the_future(desk: Desk) -> None:
    """Each account is well, then ill, then gone: as each row was seen, only the first rows look healthy."""
    desk.profile.write_text(
        "version: 1\nsignals: {use: {normalise: {linear: {from: 0, to: 10}}, half_life: 1d}}\n"
        "profiles: [{id: all, components: {use: {weight: 1, signals: {use: 1}}}}]\n"
    )
    desk.mapping.write_text(
        'format: csv\naccount: "{id}"\nat: "{at}"\ntime_format: "%d.%m.%Y"\nsignals: {use: "{use}"}\nlabel: "{gone}"\n'
    )
    rows = [f"a{n},01.0{month}.2026,{use},{gone}" for n in range(4) for month, use, gone in ((1, 10, 0), (2, 0, 1))]
    desk.rows.write_text("id,at,use,gone\n" + "\n".join(reversed(rows)) + "\n")
    found = desk.backtest()
    assert (found["rows"], found["positives"], found["roc_auc"]) == (8, 4, 1.0)


def test_the_page_stands_by_itself(desk: Desk, sklearn: Any) -> None:
    page = desk.folder / "page.html"
    assert desk.run("backtest", "--fit", "--html", page).exit_code == 0
    text = page.read_text()
    assert text.count("<svg") == text.count("</svg>") == 2
    assert text.count("<polyline") == 2
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        assert ET.fromstring(drawing).tag == "svg"
    assert not re.search(r"https?://|src=|href=|url\(|@import|<script", text)
    done = desk.run("backtest", "--html", desk.folder / "no" / "page.html")
    assert (done.exit_code, "cannot be written" in done.stderr) == (1, True)
