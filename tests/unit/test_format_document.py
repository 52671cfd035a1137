"""What `docs/policy-format.md` shows is what the readers accept."""

import re
from pathlib import Path

import pytest

from streams.policy_files.case_reader import read_cases
from streams.policy_files.clock_columns import COLUMNS
from streams.policy_files.mapping_reader import parse_mapping
from streams.policy_files.policy_cases import run_cases
from streams.policy_files.policy_reader import read_policy_file
from streams.policy_files.problem import Problems

DOCUMENT = (Path(__file__).parents[2] / "docs/policy-format.md").read_text()
POLICY, CASES, MAPPING = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
NO_HOLIDAY = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//test//EN\nEND:VCALENDAR\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gold.yaml").write_text(POLICY)
    (tmp_path / "gold.tests.yaml").write_text(CASES)
    (tmp_path / "holidays.ics").write_text(NO_HOLIDAY)
    return tmp_path


def test_the_policies(folder: Path) -> None:
    problems = Problems("gold.yaml")
    policy_file = read_policy_file(folder / "gold.yaml", problems)
    assert problems.errors == []
    assert policy_file is not None
    assert [policy.id for policy in policy_file.policies] == ["gold", "everyone"]


def test_the_policy_test(folder: Path) -> None:
    cases, problems = read_cases(folder / "gold.tests.yaml")
    assert [error for found in problems for error in found.errors] == []
    (result,) = run_cases(cases)
    assert result.passed, result.differences
    assert all(tuple(clock) == COLUMNS for clock in result.actual)
    assert ", ".join(COLUMNS) in DOCUMENT.replace("\n", " ")


def test_the_mapping() -> None:
    problems = Problems("mapping.yaml")
    assert parse_mapping(MAPPING, problems) is not None
    assert problems.errors == []
