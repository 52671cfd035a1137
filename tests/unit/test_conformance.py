"""The rules of the clocks as data that other helpdesks can be compared with: every one holds here."""

from pathlib import Path

import pytest

from streams.policy_files.case_reader import PolicyCase, read_cases
from streams.policy_files.policy_cases import run_cases

SUITE = Path(__file__).parents[2] / "examples/conformance"


def cases_of_the_suite() -> list[PolicyCase]:
    files = [read_cases(path) for path in sorted(SUITE.glob("*.tests.yaml"))]
    mistakes = [mistake for _, read in files for problems in read for mistake in problems.errors]
    assert not mistakes, mistakes
    return [case for cases, _ in files for case in cases]


CASES = cases_of_the_suite()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{Path(case.file).stem}-{case.name}") for case in CASES])
def test_the_rule_holds(case: PolicyCase) -> None:
    (result,) = run_cases([case])
    assert case.expected, "a rule without an expectation would always hold"
    assert list(result.differences) == []


def test_a_rule_has_one_name_and_its_chapter_says_what_it_is_about() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)
    for path in SUITE.glob("*.tests.yaml"):
        assert path.read_text().startswith("# "), path.name
        assert f"({path.name})" in (SUITE / "README.md").read_text(), path.name
