"""What `docs/sla.md` shows is what the engine does: every block of policy tests in it is run."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.policy import METRICS
from streams.policy_files.case_reader import PolicyCase, read_cases
from streams.policy_files.policy_cases import run_cases

DOCUMENT = (Path(__file__).parents[2] / "docs/sla.md").read_text()


def blocks() -> Iterator[tuple[str, str]]:
    """Every YAML block, named by the heading that it stands under and its place there."""
    for part in re.split(r"^#+ ", DOCUMENT, flags=re.MULTILINE):
        heading = part.partition("\n")[0]
        for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```$", part, re.DOTALL | re.MULTILINE), start=1):
            yield f"{heading}, block {number}", text


BLOCKS = list(blocks())


def cases_of(name: str, text: str, folder: Path) -> list[PolicyCase]:
    path = folder / "block.yaml"
    path.write_text(text)
    cases, problems = read_cases(path)
    found = [error for problem in problems for error in problem.errors]
    assert found == [], f"{name} cannot be read: {found}"
    assert cases, f"{name} has no tests"
    return cases


@pytest.mark.parametrize(("name", "text"), [pytest.param(*block, id=block[0]) for block in BLOCKS])
def test_a_block(name: str, text: str, tmp_path: Path) -> None:
    differences = [
        f"{name}: {result.case.name}: {result.trouble or list(result.differences)}"
        for result in run_cases(cases_of(name, text, tmp_path))
        if not result.passed
    ]
    assert differences == [], "\n".join(differences)


def test_every_metric_and_a_clock_of_ones_own_have_an_example(tmp_path: Path) -> None:
    cases = [case for name, text in BLOCKS for case in cases_of(name, text, tmp_path)]
    assert all(case.expected for case in cases), [case.name for case in cases if not case.expected]
    shown = {expectation.metric for case in cases for expectation in case.expected}
    assert set(METRICS) - shown == set()
    assert shown - set(METRICS) != set()


def test_every_fenced_block_is_a_test() -> None:
    assert DOCUMENT.count("```yaml") == DOCUMENT.count("```") / 2 == len(BLOCKS) > 0
