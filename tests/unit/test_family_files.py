"""Parents in files: scored out of their children as live, in any order of rows; and circles that nobody lets in."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.account_profile import AccountProfile
from streams.cli.main import app
from streams.connectors.accounts_topic import changed_families, circle_of_parents

PROFILE = """
version: 1
signals: {mrr: {ttl: 400d}}
profiles:
  - {id: groups, when: {tier: group}, children: by_value, components: {all: {weight: 1, signals: {pulse: 1}}}}
  - {id: everyone, components: {all: {weight: 1, signals: {pulse: 1}}}}
"""
MAPPING = """
format: csv
account: "{id}"
parent: "{parent}"
account_fields: {tier: "{tier}"}
signals: {pulse: "{pulse}", mrr: "{mrr}"}
"""
HEADER = "id,parent,tier,pulse,mrr\n"
ROWS = [
    "top,,group,5,\n",
    "group,top,group,1,\n",
    "north,group,,80,300\n",
    "south,group,,40,100\n",
    "other,top,,20,400\n",
]


def scored(tmp_path: Path, rows: list[str], *command: str) -> list[dict[str, object]]:
    for name, text in (("p.yaml", PROFILE), ("m.yaml", MAPPING), ("f.csv", HEADER + "".join(rows))):
        (tmp_path / name).write_text(text)
    options = ["--profile", str(tmp_path / "p.yaml"), "--mapping", str(tmp_path / "m.yaml"), "--json"]
    said = CliRunner().invoke(app, ["health", *command, *options, str(tmp_path / "f.csv")])
    assert said.exit_code == 0, said.output
    return [json.loads(line) for line in said.stdout.splitlines()] if command[0] == "run" else [json.loads(said.stdout)]


@pytest.mark.parametrize("rows", [ROWS, ROWS[::-1]])
def test_children_make_the_scores_of_their_parents_over_two_levels(tmp_path: Path, rows: list[str]) -> None:
    found = {str(each["account"]): each for each in scored(tmp_path, rows, "run")}

    assert found["group"]["score"] == 70  # (3 * 80 + 40) / 4
    assert found["top"]["score"] == 45  # what the group pays itself is not known: it weighs as the others do on average
    assert found["north"]["score"] == 80


def test_a_parent_explains_itself_by_its_children(tmp_path: Path) -> None:
    (found,) = scored(tmp_path, ROWS, "explain", "group")

    parts = found["contributions"]
    assert isinstance(parts, list)
    assert [(part["component"], part["signal"], part["points"], part["weight"]) for part in parts] == [
        ("children", "north", 60, 0.75),
        ("children", "south", 10, 0.25),
    ]


def test_a_circle_in_a_file_ends_as_it_does_live(tmp_path: Path) -> None:
    rows = ["a,b,group,10,\n", "b,a,group,20,\n", "c,a,,60,\n"]
    found = {str(each["account"]): each for each in scored(tmp_path, rows, "run")}

    assert found["a"]["score"] == 60
    assert found["b"]["score"] == 60
    parts = found["a"]["contributions"]
    assert isinstance(parts, list)
    assert parts[0]["because"] == "it is above its parent: a circle of parents, which ends here"


def profile(account: str, parent: str | None) -> AccountProfile:
    return AccountProfile(id=account, parent=parent)


def test_the_directory_sees_circles_of_any_length_and_nothing_else() -> None:
    line = {f"n{number}": profile(f"n{number}", f"n{number + 1}") for number in range(100)}

    assert circle_of_parents(line) == []
    assert len(circle_of_parents(line | {"n100": profile("n100", "n40")})) == 61
    assert circle_of_parents({"a": profile("a", "a")}) == ["a"]


def test_who_gets_another_parent_or_becomes_one_is_told() -> None:
    known = {
        each: profile(each, parent) for each, parent in (("a", "p"), ("b", "p"), ("c", None), ("p", None), ("q", None))
    }
    coming = [profile("a", "q"), profile("b", "p"), profile("c", None), profile("d", "p"), profile("e", None)]

    assert sorted(each.id for each in changed_families(coming, known)) == ["a", "d", "q"]
    other_tier = AccountProfile(id="p", tier="group")
    assert changed_families([other_tier], known) == [other_tier]
